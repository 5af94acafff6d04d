"""`scan` of a Compound market: everybody in it, judged as the adapter judges each alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from world.actors import compound, feeds
from world.actors.crowd import random_accounts
from world.anvil import Anvil
from world.world import World, actor

from protocols.types import Position
from risk.liquidation import assess_liquidation
from tests.e2e.conftest import Ran
from tests.protocols.compound_v2 import scene

pytestmark = pytest.mark.world

COUNT = 30
Run = Callable[..., Ran]


@pytest.fixture(scope="module")
def crowd(anvil: World[Anvil]) -> Iterator[tuple[str, ...]]:
    with anvil.node.rollback():
        users = random_accounts(anvil, 47, COUNT, "compound-v2")
        # one who only ever received cTokens
        holder = actor("compound scan holder")
        giver = anvil.book["compound-v2"]["borrower"]
        compound.ctoken(anvil, "cETH").send(giver, "transfer", holder, 10**8)
        feeds.crash(anvil, "ETH / USD", -0.1)
        anvil.node.mine(15)
        yield (*users, holder, giver, anvil.book.whale)


@pytest.fixture
def config(anvil: World[Anvil], tmp_path: Path) -> Path:
    root = anvil.book["compound-v2"]["comptroller"]
    path = tmp_path / "underkeel.toml"
    path.write_text(
        f"version = 1\n[chains.local]\nchain_id = {anvil.node.chain_id}\n"
        f'rpc = ["{anvil.node.url}"]\n[[chains.local.markets]]\nadapter = "compound-v2"\n'
        f'name = "pool"\ncomptroller = "{root}"\n'
    )
    return path


def table(ran: Ran) -> dict[str, dict[str, str]]:
    assert ran.code == 0, ran.err
    return {row["account"]: row for row in csv.DictReader(io.StringIO(ran.out))}


def test_scan__everybody__is_what_the_adapter_says_of_each(
    anvil: World[Anvil], crowd: tuple[str, ...], config: Path, run: Run
) -> None:
    rows = table(run("scan", "pool", "--format", "csv", "--config", config))
    told = scene.read_many(anvil, list(rows))
    known = {str(p.owner): p for p in told.positions if isinstance(p, Position)}
    assert set(crowd) <= set(rows)
    verdicts = set()
    for account, row in rows.items():
        if account not in known:
            assert row["status"] == "not_liquidatable"
            continue
        judged = assess_liquidation(known[account])
        assert row["status"] == judged.status
        verdicts.add(row["status"])
        if judged.health_raw is not None:
            assert float(row["health"]) == pytest.approx(judged.health_raw / 10**18, rel=1e-5)
        if judged.boundary and judged.status == "safe":
            assert float(row["distance_frac"]) == pytest.approx(
                judged.boundary[0].distance_frac, abs=1e-5
            )
    assert verdicts == {"safe", "liquidatable", "not_liquidatable"}


def test_scan__borrowers_only__are_those_with_debts(
    crowd: tuple[str, ...], config: Path, run: Run
) -> None:
    every = table(run("scan", "pool", "--format", "csv", "--config", config))
    some = table(run("scan", "pool", "--format", "csv", "--borrowers", "--config", config))
    owing = {account for account, row in every.items() if row["health"]}
    assert set(some) == owing
    assert owing


def test_scan__curve__is_the_set_after_a_real_crash(
    anvil: World[Anvil], crowd: tuple[str, ...], config: Path, run: Run
) -> None:
    document = run("scan", "pool", "--json", "--curve", "ETH", "--config", config).doc
    points = {round(p["move_frac"], 2): p for p in document["curve"]["points"]}
    with anvil.node.rollback():
        feeds.crash(anvil, "ETH / USD", -0.3)
        after = run("scan", "pool", "--json", "--config", config).doc
    # interest of one block lies between them
    assert points[-0.3]["liquidatable"] == after["counts"]["liquidatable"]
    assert int(points[-0.6]["liquidatable"]) > int(points[0.0]["liquidatable"])
    assert document["counts"]["unknown"] == "0"


def test_scan__what_only_aave_has__exit_2(config: Path, run: Run) -> None:
    assert run("scan", "pool", "--storage", "--config", config).code == 2
    assert run("scan", "pool", "--curve", "DOGE", "--config", config).code == 2
