"""`scan` on thousands of injected borrowers: the set that the pool itself says, from any engine."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner
from world.actors import aave, feeds, injected
from world.actors.crowd import random_accounts
from world.actors.tokens import mint_txs
from world.anvil import Anvil
from world.world import World, actor

from tests.e2e.conftest import Ran
from tests.underkeel.scan import workers
from underkeel.cli.main import app
from underkeel.scan import run as scanning

pytestmark = pytest.mark.world

COUNT = 2_000
MARKET = "aave-3.6"
WAD = 10**18


@dataclass(frozen=True)
class Crowd:
    world: World[Anvil]
    owners: tuple[str, ...]
    holder: str
    folder: Path

    def scan(self, *args: str | Path, market: str = "big") -> Ran:
        given = ["scan", market, "--config", self.folder / "underkeel.toml", *args]
        result = CliRunner().invoke(app, [str(a) for a in given])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def table(self, *args: str | Path) -> list[dict[str, str]]:
        ran = self.scan("--format", "csv", *args)
        assert (ran.code, ran.err) == (0, "")
        return list(csv.DictReader(io.StringIO(ran.out)))


@pytest.fixture(scope="module")
def crowd(anvil: World[Anvil], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crowd]:
    with anvil.node.rollback():
        owners = injected.inject(anvil, MARKET, COUNT)
        giver, holder = actor("scan giver"), actor("scan holder")
        anvil.node.fund([giver, holder])
        amount = anvil.amount("WETH", 2)
        anvil.node.send_many(mint_txs(anvil, "WETH", giver, amount))
        anvil.node.send_many(aave.supply_txs(anvil, MARKET, giver, "WETH", amount))
        tokens = anvil.book[MARKET]["tokens"]["WETH"]
        a_token = tokens["a_token"] if isinstance(tokens, dict) else tokens[0]
        anvil.node.at(a_token, anvil.token("WETH").interface).send(
            giver, "transfer", holder, amount // 2
        )
        folder = tmp_path_factory.mktemp("scan")
        root = anvil.book[MARKET]["pool_addresses_provider"]
        (folder / "underkeel.toml").write_text(
            f"version = 1\n[chains.local]\nchain_id = {anvil.node.chain_id}\n"
            f'rpc = ["{anvil.node.url}"]\n[[chains.local.markets]]\nadapter = "aave-v3"\n'
            f'name = "big"\npool_addresses_provider = "{root}"\n'
        )
        yield Crowd(anvil, owners, holder, folder)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERKEEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("UNDERKEEL_CONFIG", raising=False)


def test_scan__thousands_of_borrowers__is_exactly_the_pools_set(crowd: Crowd) -> None:
    rows = {row["account"]: row for row in crowd.table()}
    head = crowd.world.node.block()
    healths = injected.healths(crowd.world, MARKET, crowd.owners, {"blockHash": head["hash"]})
    assert rows.keys() >= set(crowd.owners)
    for owner, health in healths.items():
        row = rows[owner]
        assert row["status"] == ("liquidatable" if health < WAD else "safe")
        assert float(row["health"]) == pytest.approx(health / WAD, rel=1e-4)
        assert (float(row["health"]) < 1) == (health < WAD)
    broken = sum(health < WAD for health in healths.values())
    assert 0 < broken < COUNT
    assert sum(abs(health - WAD) < 10**12 for health in healths.values()) > 50
    assert crowd.holder in rows, "who only received aTokens is found too"


def test_scan__debt_and_collateral__are_the_pools_numbers(crowd: Crowd) -> None:
    rows = {row["account"]: row for row in crowd.table("--top", "30")}
    assert len(rows) == 30
    for owner, row in rows.items():
        data = aave.account_data(crowd.world, MARKET, owner)
        assert float(row["debt_usd"]) == pytest.approx(data.debt / 1e8, rel=1e-6, abs=0.01)
        assert float(row["collateral_usd"]) == pytest.approx(
            data.collateral / 1e8, rel=1e-6, abs=0.01
        )


@pytest.mark.parametrize("engine", ["processes", "dask"])
def test_scan__other_engines_and_a_killed_worker__same_bytes(
    engine: str, crowd: Crowd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = crowd.scan("--format", "csv")
    path = tmp_path / "pid"
    monkeypatch.setenv(workers.MARKER, str(path))
    monkeypatch.setattr(scanning, "read_shard", workers.read_unless_killed)
    killer = workers.Killer(path)
    ran = crowd.scan("--format", "csv", "--engine", engine, "--shard", "500")
    assert ran.code == 0
    assert killer.killed not in (None, os.getpid())
    assert ran.out == local.out


@pytest.mark.parametrize("engine", ["local", "processes"])
def test_scan__storage__same_rows_and_says_how_they_were_read(engine: str, crowd: Crowd) -> None:
    public = crowd.scan("--json").doc
    ran = crowd.scan("--json", "--storage", "--shard", "700", "--engine", engine)
    assert ran.code == 0
    assert ran.doc["rows"] == public["rows"]
    assert ran.doc["counts"] == public["counts"]
    assert "storage" not in public
    assert int(ran.doc["storage"]["by_storage"]) > 0
    assert ran.doc["storage"]["by_function"] == []
    count = ran.doc["storage"]["by_storage"]
    assert f"read from storage: {count} of {count} tokens" in crowd.scan("--storage").out


def test_scan__below_and_borrowers__narrow_the_rows(crowd: Crowd) -> None:
    everybody = crowd.table()
    near = crowd.table("--below", "1.1", "--borrowers")
    expected = [r["account"] for r in everybody if r["health"] and float(r["health"]) < 1.1]
    assert sorted(r["account"] for r in near) == sorted(expected)


def test_scan__curve_with_picture__starts_at_the_set_of_now(crowd: Crowd, tmp_path: Path) -> None:
    picture = tmp_path / "curve.svg"
    ran = crowd.scan("--curve", "ETH", "--picture", picture, "--json")
    doc = ran.doc
    points = doc["curve"]["points"]
    assert points[0]["liquidatable"] == doc["counts"]["liquidatable"]
    assert [p["move_frac"] for p in points] == [-0.05 * i for i in range(13)] or len(points) == 13
    assert picture.read_text().startswith("<svg")
    assert f"written to {picture}" in ran.err
    table = crowd.scan("--curve", "weth", "--top", "2")
    assert "if weth moves" in table.out


def test_scan__by_address_and_from_a_file__reads_just_those(crowd: Crowd, tmp_path: Path) -> None:
    root = crowd.world.book[MARKET]["pool_addresses_provider"]
    chosen = tmp_path / "accounts.txt"
    chosen.write_text("\n".join([*crowd.owners[:3], crowd.owners[0]]))
    ran = crowd.scan("--accounts", chosen, "--format", "csv", market=root)
    assert {r["account"] for r in csv.DictReader(io.StringIO(ran.out))} == set(crowd.owners[:3])
    target = tmp_path / "rows.json"
    ran = crowd.scan("--accounts", chosen, "--output", target)
    assert (ran.code, ran.out) == (0, "")
    assert '"schema":"underkeel.scan/1"' in target.read_text()
    other = crowd.world.book["aave-3.0"]["pool_addresses_provider"]
    assert crowd.scan("--accounts", chosen, market=other).code == 0


@pytest.mark.parametrize(
    ("args", "market", "cause"),
    [
        ((), "bigg", "there is no aave-v3 or compound-v2 market 'bigg'"),
        ((), "0x12", "0x12"),
        (("--chain", "mars"), "big", "--chain 'mars' is not in the config"),
        (("--curve", "moon"), "big", "no price is called 'moon'"),
        (("--accounts", "none.txt"), "big", "cannot be read"),
    ],
)
def test_scan__what_is_not_there__exit_2_says_so(
    args: tuple[str, ...], market: str, cause: str, crowd: Crowd
) -> None:
    ran = crowd.scan(*args, market=market)
    assert ran.code == 2
    assert cause in ran.err


def test_scan__address_that_is_no_market__exit_1(crowd: Crowd) -> None:
    ran = crowd.scan(market=crowd.world.book.tokens["WETH"].address)
    assert ran.code == 1
    assert "is no market to read" in ran.err


def test_scan__node_is_gone__exit_5(crowd: Crowd, tmp_path: Path) -> None:
    text = (crowd.folder / "underkeel.toml").read_text()
    broken = tmp_path / "down.toml"
    broken.write_text(text.replace(crowd.world.node.url, "http://127.0.0.1:9"))
    result = CliRunner().invoke(app, ["scan", "big", "--config", str(broken)])
    assert result.exit_code == 5


def test_scan__real_positions_of_all_kinds_after_a_crash__is_the_pools_set(
    world: World[Anvil], tmp_path: Path
) -> None:
    market = "aave-3.0"
    owners = random_accounts(world, 11, 80, market)
    world.node.travel(400 * 24 * 3600)
    feeds.refresh_feeds(world)
    feeds.crash(world, "WETH", -0.3)
    root = world.book[market]["pool_addresses_provider"]
    (tmp_path / "underkeel.toml").write_text(
        f"version = 1\n[chains.local]\nchain_id = {world.node.chain_id}\n"
        f'rpc = ["{world.node.url}"]\n'
    )
    crowd = Crowd(world, owners, "", tmp_path)
    ran = crowd.scan("--format", "csv", market=root)
    assert (ran.code, ran.err) == (0, "")
    assert crowd.scan("--format", "csv", "--storage", market=root).out == ran.out
    rows = {row["account"]: row for row in csv.DictReader(io.StringIO(ran.out))}
    seen = set()
    for owner in owners:
        data = aave.account_data(world, market, owner)
        expected = "not_liquidatable"
        if data.debt:
            expected = "liquidatable" if data.health < WAD else "safe"
        assert rows[owner]["status"] == expected
        assert float(rows[owner]["debt_usd"]) == pytest.approx(data.debt / 1e8, rel=1e-6, abs=0.01)
        seen.add(expected)
    assert {"liquidatable", "safe"} <= seen
