"""Following the head: reorgs by parent hash, subscriptions that lie or die, a chain at rest."""

import json
import threading
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.server import Server, ServerConnection, serve

from chain.client import ChainSpec
from chain.errors import (
    BlockUnknown,
    EndpointError,
    Malformed,
    NotJson,
    StaleHead,
    TimedOut,
    Unreachable,
    WrongChain,
)
from chain.heads import HeadChange, Heads, HeadTrouble, Ring, WebSocketBell
from chain.types import BlockRef
from tests.chain.helpers import Clock, client
from tests.support import faults
from tests.support.fake_node import FakeNode, block


class Chain:
    """Blocks by number (the canonical ones) and by hash (all)."""

    def __init__(self) -> None:
        self.numbers: dict[int, BlockRef] = {}
        self.hashes: dict[str, BlockRef] = {}
        self.fetched = 0

    def put(self, number: int, parent: BlockRef | None, salt: int) -> BlockRef:
        made = block(number, fork=salt)
        if parent is not None:
            made = BlockRef(1, number, made.hash, parent.hash, made.timestamp)
        self.numbers = {n: b for n, b in self.numbers.items() if n < number}
        self.numbers[number] = self.hashes[made.hash] = made
        return made

    def fetch(self, which: int | str) -> BlockRef:
        self.fetched += 1
        found = self.numbers.get(which) if isinstance(which, int) else self.hashes.get(which)
        if found is None:
            raise BlockUnknown("x", -32001, "no such block")
        return found


def _grow(chain: Chain, start: int, count: int, salt: int) -> list[BlockRef]:
    numbers = range(start, start + count)
    return [chain.put(number, chain.numbers.get(number - 1), salt) for number in numbers]


def test_ring__first_head_then_the_same__is_added_once() -> None:
    chain, ring = Chain(), Ring()
    (first,) = _grow(chain, 5, 1, 0)
    assert ring.tip is None
    assert ring.advance(first, chain.fetch) == HeadChange(first, None, (), (first,))
    assert ring.advance(first, chain.fetch) is None
    assert ring.tip == first


def test_ring__next_block__needs_no_fetch() -> None:
    chain, ring = Chain(), Ring()
    a, b = _grow(chain, 5, 2, 0)
    ring.advance(a, chain.fetch)
    assert ring.advance(b, chain.fetch) == HeadChange(b, a, (), (b,))
    assert chain.fetched == 0


def test_ring__a_gap__is_filled() -> None:
    chain, ring = Chain(), Ring()
    blocks = _grow(chain, 5, 6, 0)
    ring.advance(blocks[0], chain.fetch)
    change = ring.advance(blocks[5], chain.fetch)
    assert change == HeadChange(blocks[5], blocks[0], (), tuple(blocks[1:]))


@given(common=st.integers(1, 10), old=st.integers(0, 10), new=st.integers(1, 10))
def test_ring__a_reorg__tells_ancestor_dropped_and_added(common: int, old: int, new: int) -> None:
    chain, ring = Chain(), Ring()
    shared = _grow(chain, 1, common, 0)
    left = _grow(chain, 1 + common, old, 1)
    for each in [*shared, *left]:
        ring.advance(each, chain.fetch)
    joined = _grow(chain, 1 + common, new, 2)
    change = ring.advance(joined[-1], chain.fetch)
    assert change == HeadChange(joined[-1], shared[-1], tuple(left), tuple(joined))
    assert ring.tip == joined[-1]


def test_ring__back_to_a_block_we_had__drops_what_came_after() -> None:
    chain, ring = Chain(), Ring()
    blocks = _grow(chain, 1, 5, 0)
    for each in blocks:
        ring.advance(each, chain.fetch)
    change = ring.advance(blocks[2], chain.fetch)
    assert change == HeadChange(blocks[2], blocks[2], tuple(blocks[3:]), ())


def test_ring__deeper_than_remembered__has_no_ancestor() -> None:
    chain, ring = Chain(), Ring(4)
    for each in _grow(chain, 1, 10, 0):
        ring.advance(each, chain.fetch)
    joined = _grow(chain, 1, 11, 1)
    change = ring.advance(joined[-1], chain.fetch)
    assert change is not None
    assert change.ancestor is None
    assert [b.number for b in change.dropped] == [7, 8, 9, 10]
    assert change.added == tuple(joined[6:])


def test_ring__far_ahead__leaps_to_the_last_block_still_there() -> None:
    chain, ring = Chain(), Ring(4)
    blocks = _grow(chain, 1, 3, 0)
    for each in blocks:
        ring.advance(each, chain.fetch)
    chain.numbers[3] = block(3, fork=9)
    far = block(1000)
    change = ring.advance(far, chain.fetch)
    assert change == HeadChange(far, blocks[1], (blocks[2],), (far,), missed=997)
    chain.numbers.clear()
    farther = block(5000)
    gone = (*blocks[:2], far)
    assert ring.advance(farther, chain.fetch) == HeadChange(farther, None, gone, (farther,))


def test_ring__a_parent_that_is_none__changes_nothing() -> None:
    chain, ring = Chain(), Ring()
    blocks = _grow(chain, 1, 3, 0)
    ring.advance(blocks[0], chain.fetch)
    with pytest.raises(Malformed, match="not its parent"):
        ring.advance(blocks[2], lambda _: block(77))
    assert ring.tip == blocks[0]


class FakeBell:
    """Rings by a script; each wait moves the clock."""

    def __init__(self, clock: Clock, script: list[bool | EndpointError]) -> None:
        self.clock, self.script, self.closed = clock, script, False

    def wait(self, seconds: float) -> bool:
        self.clock.now += seconds
        step = self.script.pop(0) if self.script else False
        if isinstance(step, EndpointError):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


class Stop(threading.Event):
    """Waiting moves the clock; stops by itself after so many waits."""

    def __init__(self, clock: Clock, waits: int) -> None:
        super().__init__()
        self.clock, self.waits = clock, waits

    def wait(self, timeout: float | None = None) -> bool:
        self.clock.now += timeout or 0
        self.waits -= 1
        if self.waits <= 0:
            self.set()
        return self.is_set()


def _advance(node: FakeNode) -> None:
    number = max(node.blocks) + 1
    node.blocks[number] = block(number)


def test_follow__polling__yields_changes_trouble_and_standstill() -> None:
    node, clock = FakeNode(), Clock()
    chain = client(node, clock=clock, retries=0)
    heads = Heads(chain, poll_s=2, silence_s=5, clock=clock)
    events: list[HeadChange | HeadTrouble] = []
    for event in heads.follow(Stop(clock, 9)):
        events.append(event)
        if len(events) == 1:
            _advance(node)
        elif len(events) == 2:
            node.script.then(faults.html)
    assert [type(e) for e in events] == [HeadChange, HeadChange, HeadTrouble, HeadTrouble,
                                         HeadTrouble]  # fmt: skip
    trouble = [e for e in events if isinstance(e, HeadTrouble)]
    assert isinstance(trouble[0].cause, NotJson)
    assert isinstance(trouble[1].cause, StaleHead)
    assert trouble[1].silent_s >= 5


def test_follow__a_bell__is_heeded_and_when_it_breaks_polling_goes_on() -> None:
    node, clock = FakeNode(), Clock()
    chain = client(node, clock=clock)
    bell = FakeBell(clock, [False, True, Unreachable("ws://x", "it broke")])
    opened: list[FakeBell] = []

    def ring() -> FakeBell:
        if opened:
            raise Unreachable("ws://x", "gone")
        opened.append(bell)
        return bell

    heads = Heads(chain, poll_s=2, silence_s=50, bell=ring, clock=clock)
    seen: list[HeadChange] = []
    for event in heads.follow(Stop(clock, 40)):
        assert isinstance(event, HeadChange | HeadTrouble)
        if isinstance(event, HeadChange):
            seen.append(event)
            _advance(node)
        if len(seen) == 6:
            break
    assert bell.closed
    assert len(seen) == 6


def test_follow__a_silent_bell__is_given_up() -> None:
    node, clock = FakeNode(), Clock()
    bell = FakeBell(clock, [])
    heads = Heads(client(node, clock=clock), poll_s=2, silence_s=12, bell=lambda: bell, clock=clock)
    stop = Stop(clock, 3)
    for event in heads.follow(stop):
        if isinstance(event, HeadTrouble):
            assert bell.closed
            break


def test_follow__stopped__closes_the_bell() -> None:
    clock = Clock()
    bell = FakeBell(clock, [True] * 5)
    heads = Heads(client(FakeNode(), clock=clock), bell=lambda: bell, clock=clock)
    stop = threading.Event()
    for _ in heads.follow(stop):
        stop.set()
    assert bell.closed


@pytest.fixture
def socket_server() -> Iterator[Callable[[Callable[[ServerConnection], None]], str]]:
    servers: list[tuple[Server, threading.Thread]] = []

    def start(handler: Callable[[ServerConnection], None]) -> str:
        server = serve(handler, "127.0.0.1", 0)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        servers.append((server, thread))
        return f"ws://127.0.0.1:{server.socket.getsockname()[1]}/v3/s3cret"

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()


def _node(chain_id: int, *messages: str) -> Callable[[ServerConnection], None]:
    def handler(connection: ServerConnection) -> None:
        for answer, text in zip((hex(chain_id), "0xsub"), connection, strict=False):
            ask = json.loads(text)
            connection.send(json.dumps({"jsonrpc": "2.0", "id": ask["id"], "result": answer}))
        for message in messages:
            connection.send(message)
        for _ in connection:
            continue

    return handler


def _mute(connection: ServerConnection) -> None:
    """Listen until the client hangs up, and say nothing."""
    for _ in connection:
        continue


def _note(subscription: str) -> str:
    params = {"subscription": subscription, "result": {"number": "0x1"}}
    return json.dumps({"jsonrpc": "2.0", "method": "eth_subscription", "params": params})


Start = Callable[[Callable[[ServerConnection], None]], str]


@pytest.mark.loopback
def test_bell__a_notification__rings(socket_server: Start) -> None:
    bell = WebSocketBell(socket_server(_node(1, _note("0xother"), _note("0xsub"))), 1, 5)
    assert not bell.wait(5)
    assert bell.wait(5)
    assert not bell.wait(0.01)
    bell.close()


@pytest.mark.loopback
@pytest.mark.parametrize(("message", "error"), [("<html>", NotJson), ("[]", Malformed)])
def test_bell__nonsense__is_a_named_error(
    socket_server: Start, message: str, error: type[EndpointError]
) -> None:
    bell = WebSocketBell(socket_server(_node(1, message)), 1, 5)
    with pytest.raises(error):
        bell.wait(5)
    bell.close()


@pytest.mark.loopback
def test_bell__another_chain__is_refused(socket_server: Start) -> None:
    with pytest.raises(WrongChain):
        WebSocketBell(socket_server(_node(5)), 1, 5)


@pytest.mark.loopback
def test_bell__no_subscriptions__is_malformed(socket_server: Start) -> None:
    def refuse(connection: ServerConnection) -> None:
        for text in connection:
            ask = json.loads(text)
            answer = {"result": "0x1"} if ask["id"] == 1 else {"error": {"code": -32601}}
            connection.send(json.dumps({"jsonrpc": "2.0", "id": ask["id"], **answer}))

    with pytest.raises(Malformed, match="no answer to eth_subscribe"):
        WebSocketBell(socket_server(refuse), 1, 5)


@pytest.mark.loopback
def test_bell__silence_and_hanging_up__are_named_without_the_key(socket_server: Start) -> None:
    with pytest.raises(TimedOut):
        WebSocketBell(socket_server(_mute), 1, 0.1)
    url = socket_server(lambda connection: connection.close())
    with pytest.raises(Unreachable) as caught:
        WebSocketBell(url, 1, 5)
    assert "s3cret" not in str(caught.value)
    with pytest.raises(Unreachable) as caught:
        WebSocketBell("ws://127.0.0.1:9/s3cret", 1, 5)
    assert "s3cret" not in str(caught.value)


@pytest.mark.loopback
def test_heads__a_ws_url__is_used_and_where_it_fails_the_head_is_polled(
    socket_server: Start, caplog: pytest.LogCaptureFixture
) -> None:
    for url in (socket_server(_node(1, _note("0xsub"))), "ws://127.0.0.1:9/s3cret"):
        chain = client(FakeNode())
        chain.spec = ChainSpec("x", 1, (), ws=url)
        stop = threading.Event()
        for event in Heads(chain, poll_s=1).follow(stop):
            assert isinstance(event, HeadChange)
            stop.set()
    assert "polling instead" in caplog.text
    assert "s3cret" not in caplog.text
