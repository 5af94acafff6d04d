"""Heads, failover, quorum, retries: one client in front of good and bad nodes."""

import json

import pytest

from chain.client import ChainSpec, connect
from chain.errors import (
    AllEndpointsFailed,
    BlockUnknown,
    ChainError,
    Disagreement,
    HeadWentBack,
    RateLimited,
    Refused,
    Reorged,
    RpcError,
    SettingsError,
    StaleHead,
    TimedOut,
    Unreachable,
    WrongChain,
)
from chain.pool import Patience
from chain.snapshot import Snapshot
from tests.chain.helpers import NOW, Clock, address, client
from tests.support import faults
from tests.support.fake_node import FakeNode, block


def test_head__one_endpoint__is_one_post_with_the_chain_id() -> None:
    node = FakeNode()
    with client(node) as chain:
        at = chain.head()
        assert at == node.head
        assert node.posts == 1
        assert "eth_chainId" in node.script.requests[0].decode()
        chain.head()
    assert node.posts == 2
    assert "eth_chainId" in node.script.requests[1].decode()


def test_head__another_chain_mid_session__is_caught() -> None:
    node = FakeNode()
    chain = client(node)
    chain.head()
    node.chain_id = 137
    with pytest.raises(WrongChain, match="serves chain 137, but chain 1 is configured"):
        chain.head()


def test_head__wrong_chain_and_a_spare__uses_the_spare_and_tries_the_wrong_one_last() -> None:
    wrong, right = FakeNode(chain_id=5, label="https://a"), FakeNode(label="https://b")
    chain = client(right, wrong)
    assert chain.head() == right.head
    flipped = client(FakeNode(label="https://c"), right)
    flipped.pool.endpoints[0].transport.chain_id = 5  # type: ignore[attr-defined]
    assert flipped.head() == right.head
    assert [e.label for e in flipped.pool.ranked()] == ["https://b", "https://c"]


def test_head__stale__names_age_and_limit_and_is_not_retried() -> None:
    node = FakeNode()
    clock = Clock()
    chain = client(node, max_block_age_s=60, clock=clock)
    assert chain.head() == node.head
    node.script.always(faults.stale_head(600))
    with pytest.raises(StaleHead, match="605 s old, more than the 60 s allowed"):
        chain.head()
    assert clock.sleeps == []


def test_head__stale_on_one__takes_the_other() -> None:
    old, new = FakeNode(label="https://old"), FakeNode(label="https://new")
    old.script.always(faults.stale_head(600))
    assert client(old, new, max_block_age_s=60).head() == new.head


def test_head__lower_than_seen__is_rejected_and_the_other_endpoint_used() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    chain = client(a, b)
    chain.head()
    del a.blocks[100]
    assert chain.head() == b.head


def test_head__lower_everywhere__is_an_error_until_it_has_lasted() -> None:
    node = FakeNode()
    chain = client(node)
    chain.head()
    del node.blocks[100]
    for _ in range(2):
        with pytest.raises(HeadWentBack, match="newest block is 99, but block 100 was seen"):
            chain.head()
    assert chain.head().number == 99
    assert chain.head().number == 99


def test_head__same_height_other_hash__is_a_reorg_and_no_regression() -> None:
    node = FakeNode()
    chain = client(node)
    chain.head()
    node.blocks[100] = block(100, fork=1)
    assert chain.head() == node.blocks[100]


def test_head__lag__stays_behind_the_newest() -> None:
    node = FakeNode()
    assert client(node, head_lag=3).head().number == 97
    assert client(node, head_lag=1000, retries=0).spec.head_lag == 1000


def test_head__tag__is_asked_for() -> None:
    node = FakeNode()
    client(node, tag="finalized").head()
    assert '"finalized"' in node.script.requests[0].decode()


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.dropped, Unreachable),
        (faults.delayed(60), TimedOut),
        (faults.html, ChainError),
        (faults.truncated, ChainError),
        (faults.status(429), RateLimited),
        (faults.status(401), Refused),
        (faults.failing("eth_getBlockByNumber", -32603, "internal error"), RpcError),
        (faults.on("eth_getBlockByNumber", lambda _: "0x"), ChainError),
        (faults.on("eth_getBlockByNumber", lambda b: {**b, "hash": b["hash"][:-1]}), ChainError),
    ],
)
def test_head__a_lasting_fault__is_its_error_and_with_a_spare_is_overcome(
    fault: faults.Fault, error: type[ChainError]
) -> None:
    bad, good = FakeNode(label="https://bad"), FakeNode(label="https://good")
    bad.script.always(fault)
    with pytest.raises(error):
        client(bad).head()
    assert client(bad, good).head() == good.head
    good.script.always(fault)
    with pytest.raises(AllEndpointsFailed) as caught:
        client(bad, good).head()
    assert {f.endpoint for f in caught.value.failures} == {"https://bad", "https://good"}


def test_head__no_such_block__is_unknown() -> None:
    node = FakeNode()
    node.script.always(
        faults.edit(lambda q, a: {**a, "result": None} if "Block" in q["method"] else a)
    )
    with pytest.raises(BlockUnknown):
        client(node).head()


@pytest.mark.parametrize("fault", [faults.dropped, faults.html, faults.status(502)])
def test_head__a_passing_fault__is_retried_with_growing_waits(fault: faults.Fault) -> None:
    node = FakeNode()
    clock = Clock()
    node.script.then(fault, fault, fault)
    assert client(node, clock=clock).head() == node.head
    assert clock.sleeps == [0.5, 1.0, 2.0]


def test_back_off__jitter__is_full() -> None:
    sleeps: list[float] = []
    rolls = iter([0.0, 0.5, 1.0])
    patience = Patience(3, lambda: 0.0, sleeps.append, lambda: next(rolls), lambda: 0.0)
    for sweep in (1, 2, 9):
        patience.back_off(sweep)
    assert sleeps == [0.0, 0.5, 8.0]


def test_head__retry_after__is_waited_for() -> None:
    node = FakeNode()
    clock = Clock()
    node.script.then(faults.status(429, Retry_After="7"))
    client(node, clock=clock).head()
    assert clock.sleeps == [7.0]


def test_head__rest_longer_than_patience__is_an_error_at_once() -> None:
    node = FakeNode()
    clock = Clock()
    node.script.then(faults.status(429, Retry_After="100"))
    chain = client(node, clock=clock)
    for _ in range(2):
        with pytest.raises(RateLimited, match="100 s of rest"):
            chain.head()
    assert (clock.sleeps, node.posts) == ([], 1)
    clock.now += 101
    assert chain.head() == node.head


def test_ranking__an_endpoint_that_failed__comes_back_with_time() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    clock = Clock()
    chain = client(a, b, clock=clock)
    a.script.then(faults.dropped)
    chain.head()
    assert chain.pool.ranked()[0].label == "https://b"
    clock.now += 300
    assert chain.pool.ranked()[0].label == "https://a"


def test_quorum__same_block__is_believed() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    assert client(a, b, quorum=2).head() == a.head


def test_quorum__other_block_at_the_same_height__names_both() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    b.blocks[100] = block(100, fork=1)
    with pytest.raises(Disagreement, match="https://a and https://b disagree"):
        client(a, b, quorum=2).head()


def test_quorum__the_second_lags__is_waited_for() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    late = b.blocks.pop(100)
    clock = Clock()
    chain = client(a, b, quorum=2, clock=clock)

    def arrive(seconds: float) -> None:
        clock.now += seconds
        b.blocks[100] = late

    object.__setattr__(chain.pool.patience, "sleep", arrive)
    assert chain.head() == late


def test_quorum__too_few_answer__is_an_error() -> None:
    a, b = FakeNode(label="https://a"), FakeNode(label="https://b")
    b.script.always(faults.html)
    with pytest.raises(AllEndpointsFailed, match="HTML"):
        client(a, b, quorum=2).head()


def test_block__by_number_hash_and_missing() -> None:
    node = FakeNode()
    chain = client(node)
    assert chain.block(95) == node.blocks[95]
    assert chain.block(node.blocks[95].hash) == node.blocks[95]
    with pytest.raises(BlockUnknown, match="no block 0x1"):
        chain.block(1)


def test_is_canonical__after_a_reorg__is_false() -> None:
    node = FakeNode()
    chain = client(node)
    at = chain.head()
    assert chain.is_canonical(at)
    node.blocks[100] = block(100, fork=1)
    assert not chain.is_canonical(at)
    del node.blocks[100]
    assert not chain.is_canonical(at)


def test_at_head__reorged_once__runs_again_at_a_new_head() -> None:
    node = FakeNode()
    chain = client(node)
    seen: list[int] = []

    def read(snapshot: Snapshot) -> str:
        seen.append(snapshot.at.number)
        if len(seen) == 1:
            del node.blocks[100]
            raise Reorged(snapshot.at)
        return snapshot.at.hash

    assert chain.at_head(read) == node.blocks[99].hash
    assert seen == [100, 99]


def test_at_head__reorged_every_time__gives_up() -> None:
    def read(snapshot: Snapshot) -> None:
        raise Reorged(snapshot.at)

    with pytest.raises(Reorged, match="read again at a new head"):
        client(FakeNode()).at_head(read)
    with pytest.raises(ValueError, match="at least one"):
        client(FakeNode()).at_head(read, attempts=0)


def test_request__anything__is_passed_through() -> None:
    node = FakeNode(balances={address(1): 7})
    chain = client(node)
    assert chain.request("eth_getBalance", [address(1), "0x64"]) == "0x7"
    with pytest.raises(RpcError):
        chain.request("eth_nothing", [])


def test_paths__before_and_after_a_read() -> None:
    assert client(FakeNode()).paths() == {"https://fake.example": "unknown"}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (ChainSpec("x", 1, ()), "no RPC URL"),
        (ChainSpec("x", 1, ("http://a", "http://a"), quorum=2), "lower quorum"),
        (ChainSpec("x", 1, ("http://a",), quorum=0), "lower quorum"),
        (ChainSpec("x", 1, ("http://a",), tag="pending"), "block tag"),
        (ChainSpec("x", 1, ("http://a",), head_lag=-1), "cannot be negative"),
        (ChainSpec("x", 1, ("http://a",), timeout_s=0), "cannot be negative"),
        (ChainSpec("x", 1, ("nonsense",)), "must start with"),
    ],
)
def test_connect__settings_that_cannot_work__say_so(spec: ChainSpec, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        connect(spec)


def test_requests__are_json_rpc() -> None:
    node = FakeNode()
    client(node).head()
    for entry in json.loads(node.script.requests[0]):
        assert entry["jsonrpc"] == "2.0"
    assert node.head.timestamp < NOW
