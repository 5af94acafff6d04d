"""Runs of a lens: every account once, whatever the endpoint bears; faults never become answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain import lens as lenses
from chain.bulk import Answers, Bulk, Chunks, Lens, NoLens, Step
from chain.calls import Ok
from chain.chunks import LANES, PROBE, Chunker
from chain.client import Client
from chain.endpoint import Path, Pin
from chain.errors import Reorged
from chain.relay import Corrupt
from tests.chain import scene
from tests.chain.helpers import Clock, client, word
from tests.support import faults
from tests.support.fake_node import FakeNode, block

HEAD = b"the head"
MODE = "lending_lens test"
FORBIDDEN = faults.status(403)
"""Final: nothing more is asked of an endpoint that refuses us."""


@dataclass
class LensNode(FakeNode):
    """A node whose lens answers with each account's last byte, and a one."""

    gas_for: int = 1_000_000
    """Accounts for which there is gas in one run."""
    most: int = 1_000_000
    """Accounts above which it refuses the request."""
    poison: set[int] = field(default_factory=set)
    """Accounts that it cannot run at all."""
    runs: list[int] = field(default_factory=list)

    def relay(self, text: bytes, account: str | None) -> bytes:
        if not text.startswith(HEAD):
            return super().relay(text, account)
        accounts = text[len(HEAD) :]
        asked = [accounts[i : i + 20] for i in range(0, len(accounts), 20)]
        self.runs.append(len(asked))
        if len(asked) > self.most or any(a[-1] in self.poison for a in asked):
            raise LookupError("out of gas: gas required exceeds allowance")
        done = min(len(asked), self.gas_for)
        data = b"".join(bytes([a[-1], 1]) for a in asked[:done])
        return output(text, self._at.number, self._at.timestamp, self._at.parent_hash, done, data)


def output(text: bytes, number: int, timestamp: int, parent: str, done: int, data: bytes) -> bytes:
    gas = (50_000_000, 49_000_000, 49_000_000 - 100_000 * done)
    rest = number.to_bytes(8, "big") + timestamp.to_bytes(8, "big") + bytes.fromhex(parent[2:])
    rest += b"".join(g.to_bytes(8, "big") for g in gas) + done.to_bytes(4, "big") + data
    return sha256(sha256(text).digest() + rest).digest() + rest


def made(**kwargs: Any) -> LensNode:
    node = LensNode(**kwargs)
    plain = scene.node()
    node.contracts, node.multicall3 = plain.contracts, plain.multicall3
    return node


def accounts(count: int) -> bytes:
    return b"".join(i.to_bytes(20, "big") for i in range(count))


def read(chain: Client, count: int, *, opening: bool = False) -> Chunks | NoLens:
    snapshot = chain.snapshot(chain.head())
    return snapshot.lens(Lens("lending_lens", "test", HEAD, accounts(count), opening))


def covered(found: Chunks | NoLens, *, failed: Sequence[int] = ()) -> list[int]:
    """Return the accounts answered for; each once, in order, and truly."""
    assert isinstance(found, Chunks)
    rows: list[int] = []
    for chunk in found.chunks:
        assert len(chunk.data) == 2 * chunk.done
        for i in range(chunk.done):
            assert chunk.data[2 * i : 2 * i + 2] == bytes([(chunk.first + i) & 0xFF, 1])
        rows += range(chunk.first, chunk.first + chunk.done)
    lost = [i for first, count, _ in found.failed for i in range(first, first + count)]
    assert lost == list(failed)
    assert sorted(rows + lost) == list(range(found.count))
    return rows


@pytest.mark.parametrize("path", [Path.OVERRIDE, Path.INITCODE])
@pytest.mark.parametrize("count", [0, 1, PROBE, 33, 1000])
def test_lens__any_number__is_every_account_once(path: Path, count: int) -> None:
    found = read(client(made(), path=path), count)
    assert len(covered(found)) == count


def test_lens__more_than_a_probe__learns_and_remembers() -> None:
    node = made()
    chain = client(node)
    covered(read(chain, 1000))
    first = len(node.runs)
    covered(read(chain, 1000))
    assert node.runs[0] == PROBE
    assert len(node.runs) - first < first
    (size,) = [c.size for c in chain.pool.endpoints[0].limits.lenses.values()]
    assert size == int(0.8 * 490)


def test_lens__an_opening_at_an_unknown_endpoint__is_one_probe() -> None:
    node = made()
    found = read(client(node), 1000, opening=True)
    assert len(covered(found)) == PROBE
    assert node.runs == [PROBE]


def test_lens__an_opening_at_a_known_endpoint__is_what_can_be_under_way_at_once() -> None:
    node = made()
    chain = client(node)
    chain.pool.endpoints[0].limits.lenses[MODE] = Chunker(size=10, ceiling=10, known=True)
    assert len(covered(read(chain, 1000, opening=True))) == 10 * LANES


@given(gas_for=st.integers(1, 50), most=st.integers(1, 60), count=st.integers(1, 200))
@settings(max_examples=40, deadline=None)
def test_lens__whatever_one_run_bears__is_every_account_once(
    gas_for: int, most: int, count: int
) -> None:
    assert len(covered(read(client(made(gas_for=gas_for, most=most)), count))) == count


def test_lens__an_account_that_cannot_be_run__is_one_failed_row() -> None:
    found = read(client(made(poison={41})), 100)
    assert len(covered(found, failed=[41])) == 99
    assert isinstance(found, Chunks)
    assert "gas" in found.failed[0][2]


def test_lens__no_gas_for_a_single_account__is_failed_rows() -> None:
    assert covered(read(client(made(gas_for=0)), 3), failed=[0, 1, 2]) == []


def test_lens__no_overrides__runs_as_init_code() -> None:
    node = made(overrides=False)
    chain = client(node)
    assert len(covered(read(chain, 100))) == 100
    assert set(chain.paths().values()) == {"initcode"}


def test_lens__overrides_ignored__runs_as_init_code() -> None:
    node = made()
    node.script.then(*[faults.on("eth_call", lambda _: "0x")] * 3)
    chain = client(node)
    assert len(covered(read(chain, 20))) == 20
    assert chain.pool.endpoints[0].limits.path is Path.INITCODE


def test_lens__neither__says_so_and_the_reads_still_go() -> None:
    chain = client(made(overrides=False, initcode=False))
    assert isinstance(read(chain, 10), NoLens)
    assert isinstance(read(chain, 10), NoLens)
    assert scene.read(chain, scene.BATCH[:2]) == scene.TRUTH[:2]


@pytest.mark.parametrize("path", [Path.MULTICALL3, Path.SINGLE])
def test_lens__another_path_is_forced__is_none(path: Path) -> None:
    assert isinstance(read(client(made(), path=path), 10), NoLens)


@pytest.mark.parametrize("path", [Path.OVERRIDE, Path.INITCODE])
def test_lens__a_forced_path_that_is_not_borne__is_none(path: Path) -> None:
    chain = client(made(overrides=False, initcode=False), path=path)
    assert isinstance(read(chain, 10), NoLens)


def test_lens__a_quorum__is_none() -> None:
    a, b = made(), made(label="https://other.example")
    assert isinstance(read(client(a, b, quorum=2), 10), NoLens)


@pytest.mark.parametrize("pins", [("hash", "number"), ("number",)])
def test_lens__an_endpoint_that_names_blocks_otherwise__is_still_read(
    pins: tuple[str, ...],
) -> None:
    chain = client(made(pins=pins))
    assert len(covered(read(chain, 100))) == 100
    assert chain.pool.endpoints[0].limits.pin is Pin[pins[0].upper()]


def test_lens__block_gone__is_reorged() -> None:
    node = made()
    chain = client(node)
    snapshot = chain.snapshot(chain.head())
    node.blocks[100] = block(100, fork=1)
    with pytest.raises(Reorged):
        snapshot.lens(Lens("lending_lens", "test", HEAD, accounts(10)))


@pytest.mark.parametrize("count", [10, 300])
@pytest.mark.parametrize(
    "fault",
    [
        faults.html,
        faults.truncated,
        faults.dropped,
        faults.duplicated,
        faults.status(429),
        faults.status(500),
        FORBIDDEN,
        faults.on("eth_call", lambda r: r[:-2]),
        faults.on("eth_call", lambda r: r + "00"),
        faults.on("eth_call", lambda r: r[:300] + "ff" + r[302:]),
        faults.on("eth_call", lambda r: {"not": "text"}),
        faults.failing("eth_call", -32603, "internal error"),
        faults.failing("eth_call", 3, "execution reverted"),
    ],
)
def test_lens__a_lasting_fault__is_no_answer_and_a_passing_one_is_overcome(
    fault: faults.Fault, count: int
) -> None:
    node = made()
    chain = client(node)
    at = chain.head()
    asked = Lens("lending_lens", "test", HEAD, accounts(count))
    node.script.always(fault)
    found = chain.snapshot(at).lens(asked)
    assert isinstance(found, NoLens) or not found.chunks
    node.script.calm()
    chain = client(node)
    at = chain.head()
    node.script.then(fault)
    found = chain.snapshot(at).lens(asked)
    if fault is not FORBIDDEN:
        assert isinstance(found, NoLens) or len(covered(found)) == count


def test_lens__one_endpoint_is_lost__another_answers() -> None:
    bad, good = made(), made(label="https://other.example")
    bad.script.always(faults.on("eth_call", lambda r: r[:-2]))
    chain = client(bad, good, clock=Clock())
    assert len(covered(read(chain, 100))) == 100


def test_decode__another_input__is_corrupt() -> None:
    text = output(b"a", 1, 2, "0x" + "00" * 32, 0, b"")
    assert lenses.decode(b"a", text).number == 1
    with pytest.raises(Corrupt, match="digest"):
        lenses.decode(b"b", text)
    with pytest.raises(Corrupt, match="bytes"):
        lenses.decode(b"a", text[:50])


def test_lens__an_answer_of_another_block__is_not_taken() -> None:
    node = made()
    chain = client(node)
    snapshot = chain.snapshot(chain.head())
    honest = node.relay

    def old(text: bytes, account: str | None) -> bytes:
        node._at = block(99)
        return honest(text, account)

    node.relay = old  # type: ignore[method-assign]
    found = snapshot.lens(Lens("lending_lens", "test", HEAD, accounts(5)))
    assert isinstance(found, NoLens) or not found.chunks


def test_bulk__steps_of_all_kinds__are_answered() -> None:
    lens = Lens("lending_lens", "test", HEAD, accounts(3))

    def program() -> Bulk[list[Answers]]:
        return [
            (yield Step([scene.BATCH[0]])),
            (yield Step(lens=lens)),
            (yield Step([scene.BATCH[1]], lens)),
        ]

    chain = client(made())
    only_reads, only_lens, both = chain.snapshot(chain.head()).bulk(program())
    assert only_reads == Answers([scene.TRUTH[0]], None)
    assert (len(covered(only_lens.lens)), only_lens.results) == (3, ())  # type: ignore[arg-type]
    assert both.results == [Ok(word(9))]
    assert len(covered(both.lens)) == 3  # type: ignore[arg-type]
