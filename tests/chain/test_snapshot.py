"""Snapshots on a node in memory: every path, and every way a node may refuse."""

from typing import Any

import pytest

from chain.calls import Call, Ok, Read, Reads, Result, Storage, Unknown
from chain.endpoint import Path, Pin
from chain.errors import Disagreement, Reorged
from tests.chain.helpers import Clock, address, client, word
from tests.chain.scene import BALANCE, BATCH, MULTICALL3, TOKEN, TRUTH, node, read, token
from tests.support import faults
from tests.support.fake_node import block


@pytest.mark.parametrize("path", Path)
def test_read__every_path__gives_the_same_truth(path: Path) -> None:
    assert read(client(node(), path=path, multicall3=MULTICALL3)) == TRUTH


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({}, Path.OVERRIDE),
        ({"overrides": False}, Path.INITCODE),
        ({"overrides": False, "initcode": False}, Path.MULTICALL3),
        (
            {"overrides": False, "initcode": False, "multicall3": address(0x3000)},
            Path.SINGLE,
        ),
    ],
)
@pytest.mark.parametrize("pins", [("canonical", "hash"), ("hash",), ("number",)])
def test_read__whatever_the_node_bears__is_found_and_remembered(
    settings: dict[str, object], path: Path, pins: tuple[str, ...]
) -> None:
    fake = node(pins=pins, **settings)
    chain = client(fake, multicall3=MULTICALL3)
    if path is Path.SINGLE:
        del fake.contracts[MULTICALL3]
    assert read(chain) == TRUTH
    limits = chain.pool.endpoints[0].limits
    assert limits.path is path
    assert limits.pin is {"canonical": Pin.CANONICAL, "hash": Pin.HASH}.get(pins[0], Pin.NUMBER)
    before = fake.posts
    assert read(chain, BATCH[:2]) == TRUTH[:2]
    assert fake.posts - before == (2 if limits.pin is not Pin.NUMBER else 3)


def test_read__override_ignored__falls_back() -> None:
    fake = node()
    real = fake._call
    fake._call = lambda call, overrides: "0x" if overrides else real(call, None)  # type: ignore[method-assign]
    chain = client(fake)
    assert read(chain) == TRUTH
    assert chain.paths() == {"https://fake.example": "initcode"}


def test_read__one_batch__is_one_post_with_the_head_before() -> None:
    fake = node()
    chain = client(fake)
    plain = [r for r in BATCH if not isinstance(r, Call) or r.sender is None]
    snapshot = chain.snapshot(chain.head())
    snapshot.read(plain)
    assert (fake.posts, snapshot.stats.posts) == (2, 1)


def test_read__nothing__sends_nothing() -> None:
    fake = node()
    chain = client(fake)
    assert chain.snapshot(chain.head()).read([]) == []
    assert fake.posts == 1


def test_read__the_same_read_twice__is_made_once() -> None:
    fake = node()
    calls: list[bytes] = []

    def counting(data: bytes, sender: str) -> bytes:
        calls.append(data)
        return token(data, sender)

    fake.contracts[TOKEN] = counting
    assert read(client(fake), [BATCH[1]] * 5) == [TRUTH[1]] * 5
    assert len(calls) == 1


def test_run__a_program__is_sent_its_answers() -> None:
    def program() -> Reads[int]:
        (first,) = yield [BALANCE.at(TOKEN, address(3))]
        (second,) = yield [BALANCE.at(TOKEN, address(BALANCE.decode(first)))]
        return int(BALANCE.decode(second))

    chain = client(node())
    assert chain.snapshot(chain.head()).run(program()) == 81


def test_read__starved_in_company__is_read_alone() -> None:
    fake = node(hungry={TOKEN})
    assert read(client(fake)) == TRUTH
    assert read(client(fake, path=Path.MULTICALL3, multicall3=MULTICALL3)) == TRUTH


@pytest.mark.parametrize("entries", [0, 1, 5, 20])
def test_read__gas_for_a_few_only__is_read_in_pieces(entries: int) -> None:
    chain = client(node(max_entries=entries))
    assert read(chain) == TRUTH
    if entries:
        assert chain.pool.endpoints[0].limits.chunk < 256


MANY: list[Read] = [BALANCE.at(TOKEN, address(n)) for n in range(200)]
SQUARES: list[Result] = [Ok(word(n * n)) for n in range(200)]


def _longer_than(size: int, message: str) -> faults.Fault:
    """Refuse every eth_call whose data is longer."""

    def change(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if request["method"] != "eth_call" or len(request["params"][0]["data"]) <= size:
            return answer
        error = {"code": -32000, "message": message}
        return {"jsonrpc": "2.0", "id": request["id"], "error": error}

    return faults.edit(change)


@pytest.mark.parametrize(
    "message",
    [
        "out of gas: gas required exceeds allowance",
        "execution aborted (timeout = 5s)",
        "transaction gas limit too high (cap: 16777216)",
    ],
)
@pytest.mark.parametrize("path", Path)
def test_read__too_much_in_one_call__is_halved_and_remembered(message: str, path: Path) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3)
    snapshot = chain.snapshot(chain.head())
    fake.script.always(_longer_than(6_000, message))
    assert snapshot.read(MANY) == SQUARES
    posts = snapshot.stats.posts
    assert snapshot.read(MANY[:150]) == SQUARES[:150]
    assert snapshot.stats.posts - posts <= 2
    for _ in range(20):
        snapshot.read(MANY[:10])
    if path is Path.OVERRIDE:
        assert chain.pool.endpoints[0].limits.ceiling > 200  # it dares more again


@pytest.mark.parametrize("refusal", [faults.status(413), faults.delayed(99)])
@pytest.mark.parametrize("path", Path)
def test_read__too_much_in_one_post__is_halved_and_remembered(
    refusal: faults.Fault, path: Path
) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3, retries=8)
    snapshot = chain.snapshot(chain.head())
    fake.script.always(refusal, when=lambda body: len(body) > 20_000)
    assert snapshot.read(MANY) == SQUARES
    fake.script.requests.clear()
    assert snapshot.read(MANY) == SQUARES
    assert all(len(request) <= 20_000 for request in fake.script.requests[2:])


def test_read__one_read_too_much_by_itself__is_unknown_alone() -> None:
    fake = node()
    chain = client(fake)
    snapshot = chain.snapshot(chain.head())
    fake.script.always(_longer_than(5_000, "out of gas"))
    huge = Call(TOKEN, bytes(3_000))
    result, other = snapshot.read([huge, BATCH[0]])
    assert isinstance(result, Unknown)
    assert "out of gas" in result.reason
    assert other == TRUTH[0]


def test_read__long_rest_asked_for__is_unknown_at_once() -> None:
    fake = node()
    clock = Clock()
    chain = client(fake, clock=clock)
    at = chain.head()
    fake.script.always(faults.status(429, Retry_After="100"))
    snapshot = chain.snapshot(at)
    for _ in range(2):
        (result,) = snapshot.read(BATCH[:1])
        assert isinstance(result, Unknown)
        assert "limits our rate" in result.reason
    assert clock.sleeps == []


@pytest.mark.parametrize("path", Path)
def test_read__answers_of_another_block__are_unknown(path: Path) -> None:
    fake = node()
    chain = client(fake, path=path, multicall3=MULTICALL3)
    at = chain.head()
    other = block(100, fork=0, time=1_600_000_000)
    fake.blocks[100] = type(at)(1, 100, at.hash, at.parent_hash, other.timestamp)
    results = chain.snapshot(at).read(BATCH[:2])
    assert all(isinstance(r, Unknown) for r in results)


def test_read__parent_hash_differs__is_unknown_on_ethereum() -> None:
    fake = node()
    chain = client(fake)
    at = chain.head()
    fake.blocks[100] = type(at)(1, 100, at.hash, "0x" + "ab" * 32, at.timestamp)
    (result,) = chain.snapshot(at).read(BATCH[:1])
    assert isinstance(result, Unknown)
    assert "another block" in result.reason


def test_read__block_number_of_the_chain_underneath__is_borne_on_arbitrum() -> None:
    fake = node(chain_id=42161, l1_number=19_000_000)
    chain = client(fake)
    assert read(chain, BATCH[:2]) == TRUTH[:2]
    other = node(l1_number=19_000_000)
    assert isinstance(read(client(other), BATCH[:1])[0], Unknown)


@pytest.mark.parametrize("path", Path)
@pytest.mark.parametrize("pins", [("canonical",), ("number",)])
def test_read__reorg_between_head_and_read__is_reorged(path: Path, pins: tuple[str, ...]) -> None:
    fake = node(pins=pins)
    chain = client(fake, path=path, multicall3=MULTICALL3)
    at = chain.head()
    fake.blocks[100] = block(100, fork=1)
    with pytest.raises(Reorged) as caught:
        chain.snapshot(at).read(BATCH)
    assert caught.value.at == at


def test_read__chain_shorter_than_the_block__is_reorged_after_patience() -> None:
    fake = node()
    clock = Clock()
    chain = client(fake, clock=clock)
    at = chain.head()
    del fake.blocks[100]
    with pytest.raises(Reorged):
        chain.snapshot(at).read(BATCH)
    assert len(clock.sleeps) == 3


def test_read__the_endpoint_lags__waits_or_asks_another() -> None:
    lagging, good = node(label="https://lagging"), node(label="https://good")
    chain = client(lagging, good)
    at = chain.head()
    del lagging.blocks[100]
    assert chain.snapshot(at).read(BATCH) == TRUTH


def test_read__by_number_and_unconfirmed__forgets_what_it_read() -> None:
    fake = node(pins=("number",))
    chain = client(fake, path=Path.SINGLE, retries=0)
    at = chain.head()
    chain.snapshot(at).read(BATCH[:1])
    fake.script.then(faults.honest, faults.html)
    (result,) = chain.snapshot(at).read(BATCH[:1])
    assert isinstance(result, Unknown)


def test_at_head__reorg_between_head_and_read__reads_the_new_head() -> None:
    fake = node()
    chain = client(fake)
    reorged = False

    def attempt(request: bytes, answer: bytes) -> faults.Reply:
        nonlocal reorged
        if not reorged and b"eth_chainId" in request:
            reorged = True
            fake.blocks[100] = block(100, fork=1)
        return faults.Reply(answer)

    fake.script.always(attempt)
    assert chain.at_head(lambda s: (s.at, s.read(BATCH))) == (fake.blocks[100], TRUTH)


def test_quorum__agreement__is_the_answer() -> None:
    assert read(client(node(label="https://a"), node(label="https://b"), quorum=2)) == TRUTH


def test_quorum__a_lie__is_a_disagreement_that_names_both() -> None:
    a, b = node(label="https://a"), node(label="https://b")
    b.contracts[TOKEN] = lambda _, __: word(1)
    with pytest.raises(Disagreement) as caught:
        read(client(a, b, quorum=2))
    assert set(caught.value.endpoints) == {"https://a", "https://b"}


def test_quorum__one_fails__a_third_is_asked_else_unknown() -> None:
    nodes = [node(label=f"https://{name}") for name in "abc"]
    chain = client(*nodes, quorum=2)
    at = chain.head()
    nodes[1].script.always(faults.html)
    assert chain.snapshot(at).read(BATCH) == TRUTH
    nodes[2].script.always(faults.html)
    (result,) = chain.snapshot(at).read(BATCH[:1])
    assert isinstance(result, Unknown)
    assert "1 of 2 endpoints answered" in result.reason


def test_read__storage_word_of_the_wrong_size__is_unknown() -> None:
    fake = node()
    fake.script.always(faults.on("eth_getStorageAt", lambda _: "0x07"))
    chain = client(fake, path=Path.SINGLE)
    (result,) = read(chain, [Storage(TOKEN, 3)])
    assert isinstance(result, Unknown)
    assert "storage word" in result.reason
