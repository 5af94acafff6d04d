"""Ours. `how`: `override`, `initcode`, `multicall3` or `single` for reads; `lens…` for columns."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path as File
from typing import Any

from common import Work, run

from chain.abi import Function
from chain.calls import Call, Ok, Read
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.prefetch import Foresight
from chain.transport import HttpTransport, Response
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.types import Position
from protocols.uniswap_v3 import UniswapV3, UniswapV3State
from protocols.uniswap_v3.bulk import read_columns


class Recorder(HttpTransport):
    """Notes every request, and when it was under way."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[tuple[float, float, str]] = []
        self._noting = threading.Lock()

    def post(self, body: bytes, timeout_s: float) -> Response:
        began = time.perf_counter()
        response = super().post(body, timeout_s)
        with self._noting:
            self.sent.append((began, time.perf_counter(), body.decode()))
        return response


class Reader:
    """One client, connected once, as a monitor holds it."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.recorder: Recorder | None = None
        self.at: BlockRef | None = None

    def open(self, work: Work) -> Client:
        if self.client is None:
            spec = ChainSpec("bench", work.chain_id, (work.url,),
                             multicall3=Address(work.multicall3), timeout_s=600)  # fmt: skip
            how = str(work.options["how"])
            path = Path[how.upper()] if how.upper() in Path.__members__ else None
            self.recorder = Recorder(work.url) if work.record else None
            self.client = connect(
                spec, path=path, transports=[self.recorder] if self.recorder else None
            )
            self.at = self.client.block(work.block_hash)
        if self.recorder:
            self.recorder.sent.clear()
        return self.client


READER = Reader()
MEMORY = Foresight()


def reads(work: Work) -> Iterable[Any]:
    client = READER.open(work)
    assert READER.at is not None
    results = client.snapshot(READER.at).read(_reads(work))
    return [result.data if isinstance(result, Ok) else str(result) for result in results]


def _reads(work: Work) -> list[Read]:
    selectors: dict[str, bytes] = {}
    arguments: dict[str, bytes] = {}
    made: list[Read] = []
    for target, (name, given, _), argument in work.calls():
        selector = selectors.get(name)
        if selector is None:
            selector = selectors[name] = Function(f"{name}({given})()").selector
        word = arguments.get(argument)
        if word is None:
            word = arguments[argument] = bytes(12) + bytes.fromhex(argument[2:])
        made.append(Call(Address(target), selector + word))
    return made


def lens(work: Work) -> Iterable[Any]:
    from bench.columns import read

    assert READER.at is not None or READER.open(work)
    client = READER.open(work)
    assert READER.at is not None
    if work.options["how"] == "lens-fresh":
        client.close()
        with connect(client.spec) as fresh:
            return read(fresh.snapshot(READER.at), work, "lens")
    return read(client.snapshot(READER.at), work, str(work.options["how"]))


def adapter(work: Work) -> Iterable[Any]:
    """Read the owner's NFTs as the command line does: whole positions, checks and all."""
    client = READER.open(work)
    assert READER.at is not None
    market = Market("uniswap-v3", "bench", Address(work.uniswap["manager"]), {})
    program = UniswapV3().read(market, [Address(work.uniswap["owner"])], READER.at)
    if work.options["how"] == "warm":
        program = MEMORY.ahead("bench", program)
    found = client.snapshot(READER.at).run(program)
    states = [p.state for p in found.positions if isinstance(p, Position)]
    return sorted(
        [s.token_id, s.liquidity, s.tick_lower, s.tick_upper, s.sqrt_price_x96]
        for s in states
        if isinstance(s, UniswapV3State)
    )


def owners(work: Work) -> Iterable[Any]:
    """Read all accounts' NFTs as columns."""
    client = READER.open(work)
    assert READER.at is not None
    market = Market("uniswap-v3", "bench", Address(work.uniswap["manager"]), {})
    accounts = [Address(account) for account in work.accounts]
    found = client.snapshot(READER.at).bulk(read_columns(market, accounts, READER.at))
    prices = [one.pool.sqrt_price for one in found.pools]
    rows = zip(
        found.token_id.tolist(), found.liquidity.tolist(), *(end.tolist() for end in found.ticks),
        found.rows["pool"].tolist(), strict=True,
    )  # fmt: skip
    return sorted(
        [token, high << 64 | low, lower, upper, prices[pool]]
        for token, (high, low), lower, upper, pool in rows
    )


def noted(read: Callable[[Work], Iterable[Any]]) -> Callable[[Work], Iterable[Any]]:
    """Write what the last run sent, where that is wanted."""

    def and_note(work: Work) -> Iterable[Any]:
        answers = read(work)
        if work.record and READER.recorder:
            File(work.record).write_text(json.dumps(READER.recorder.sent))
        return answers

    return and_note


if __name__ == "__main__":
    how = json.loads(File(sys.argv[1]).read_text())["options"]["how"]
    by_how = {"cold": adapter, "warm": adapter, "owners": owners}
    run(noted(by_how.get(how, lens if how.startswith("lens") else reads)), "here")
