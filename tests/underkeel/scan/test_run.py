"""Which market is meant, and what happens when the chain moves under a scan."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from bench.synthetic import AT, market
from chain.client import ChainSpec, Client
from chain.errors import Reorged
from chain.types import BlockRef
from underkeel.config.load import Config, load
from underkeel.errors import ChainDown, UsageError
from underkeel.scan.run import Request, find_market, scan
from underkeel.scan.shards import Failure

ROOTS = ["0x" + f"{i:02x}" * 20 for i in (0x11, 0x22, 0x33)]


def config(folder: Path) -> Config:
    """Return two chains without known markets: "same" on both, "mine" on one."""
    text = "version = 1\n"
    for chain, rows in (("one", (("same", 0), ("mine", 1))), ("two", (("same", 2),))):
        text += f"[chains.{chain}]\nchain_id = {len(chain)}1337{len(rows)}\n"
        text += 'rpc = ["http://127.0.0.1:9"]\n'
        for name, i in rows:
            text += f'[[chains.{chain}.markets]]\nadapter = "aave-v3"\nname = "{name}"\n'
            text += f'pool_addresses_provider = "{ROOTS[i]}"\n'
    path = folder / "underkeel.toml"
    path.write_text(text)
    return load(path, {})


def test_find_market__name_or_root__is_the_row(tmp_path: Path) -> None:
    given = config(tmp_path)
    assert find_market(given, "MINE", None)[1].root == ROOTS[1]
    assert find_market(given, "same", "two")[1].root == ROOTS[2]
    assert find_market(given, ROOTS[0], None)[0] == "one"
    other = "0x" + "44" * 20
    chain, found = find_market(given, other, "two")
    assert (chain, found.root, found.adapter) == ("two", other, "aave-v3")


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("same", "on several chains"),
        ("0x" + "44" * 20, "say --chain NAME"),
        ("mime", "there is no aave-v3 or compound-v2 market 'mime'; did you mean 'mine'"),
    ],
)
def test_find_market__not_one__is_a_usage_error(name: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=cause):
        find_market(config(tmp_path), name, None)


@dataclass
class Moving:
    """A client whose first heads do not stay."""

    heads: int = 0

    def head(self) -> BlockRef:
        self.heads += 1
        return AT


@dataclass
class Script:
    """An engine that answers each map with the next of its answers."""

    answers: list[Any]
    maps: int = field(default=0)

    def map(
        self, work: Callable[[Any], Any], shards: Sequence[Any], done: Callable[[int], None]
    ) -> list[Any]:
        self.maps += 1
        done(len(shards))
        answer = self.answers[min(self.maps, len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return [answer for _ in shards]


def run(engine: Script, folder: Path) -> Any:
    client = Moving()

    def opener(spec: ChainSpec, /) -> AbstractContextManager[Client]:
        return nullcontext(cast(Client, client))

    asked = Request("mine", accounts=bytes(20))
    return scan(config(folder), asked, engine, lambda *_: None, opener, folder)


def test_scan__block_reorganised_away__reads_at_a_fresh_head(tmp_path: Path) -> None:
    columns = market(1, 3, 10)
    engine = Script([Failure("gone", reorged=True), Reorged(AT), columns])
    assert run(engine, tmp_path).counts.accounts == 1
    assert engine.maps == 3


def test_scan__blocks_that_never_stay__are_given_up(tmp_path: Path) -> None:
    engine = Script([Failure("the block left the chain", reorged=True)])
    with pytest.raises(ChainDown, match="mine: the block left the chain"):
        run(engine, tmp_path)
    assert engine.maps == 3


def test_scan__a_shard_that_fails__ends_it_with_its_cause(tmp_path: Path) -> None:
    engine = Script([Failure("no answer")])
    with pytest.raises(ChainDown, match="no answer"):
        run(engine, tmp_path)
    assert engine.maps == 1
