"""The reader on real contracts and a real node: paths agree, faults never become values."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from world.actors import tokens
from world.anvil import Anvil
from world.world import World, actor

from chain.abi import Function
from chain.calls import (
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    Result,
    Reverted,
    Storage,
    Unknown,
)
from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.errors import ChainError, NotJson, RateLimited, Reorged, StaleHead, WrongChain
from chain.pool import Patience
from chain.types import Address, checksum
from chain.work import Rules
from tests.support import faults
from tests.support.proxy import Proxy

BALANCE = Function("balanceOf(address)(uint256)")
DECIMALS = Function("decimals()(uint8)")
GET_POOL = Function("getPool()(address)")
GET_RESERVES = Function("getReservesList()(address[])")
RESERVE_DATA = Function("getReserveData(address)(uint256)")
REDEEM = Function("redeem(uint256,address,address)(uint256)")
WITHDRAW = Function("withdraw(address,uint256,address)(uint256)")


def _client(url: str, world: World[Anvil], **more: Any) -> Client:
    path = more.pop("path", None)
    patience = Patience(more.pop("retries", 1), sleep=lambda _: None)
    multicall3 = checksum(world.book["multicall3"]["address"])
    spec = ChainSpec("world", world.node.chain_id, (url,), multicall3=multicall3, **more)
    return connect(spec, patience=patience, path=path)


def _pool(world: World[Anvil]) -> Pointer:
    return GET_POOL.pointer(checksum(world.book["aave-3.0"]["pool_addresses_provider"]))


def _tokens(world: World[Anvil]) -> list[Address]:
    return [checksum(token.address) for token in world.book.tokens.values()]


def _batch(world: World[Anvil]) -> list[Read]:
    pool, whale = _pool(world), checksum(world.book.whale)
    reads: list[Read] = [GET_RESERVES.at(pool)]
    for token in _tokens(world):
        a_token = RESERVE_DATA.pointer(pool, token, word=8)
        reads += [BALANCE.at(token, whale), DECIMALS.at(token), BALANCE.at(a_token, whale)]
    reads += [
        Call(_tokens(world)[0], b"\x12\x34\x56\x78"),
        Call(checksum(actor("nobody")), b"\x12\x34\x56\x78"),
        BALANCE.at(RESERVE_DATA.pointer(pool, checksum(actor("nobody")), word=8), whale),
        BALANCE.at(RESERVE_DATA.pointer(pool, _tokens(world)[0], word=0), whale),
        BALANCE.at(RESERVE_DATA.pointer(pool, _tokens(world)[0], word=77), whale),
        NativeBalance(whale),
        Code(_tokens(world)[0]),
        Code(checksum(actor("nobody"))),
        Storage(_tokens(world)[0], 0),
    ]
    return reads


def _truth(world: World[Anvil], reads: Sequence[Read]) -> list[Result]:
    client = _client(world.node.url, world, path=Path.SINGLE)
    try:
        return client.snapshot(client.head()).read(reads)
    finally:
        client.close()


def _reads(world: World[Anvil]) -> st.SearchStrategy[Read]:
    tokens = _tokens(world)
    owners = st.sampled_from([world.book.whale, *world.book.accounts, actor("nobody"), *tokens])
    owner = owners.map(checksum)
    token = st.sampled_from([*tokens, checksum(actor("nobody"))])
    pool = _pool(world)
    word = st.sampled_from([0, 1, 7, 8, 9, 10, 11, 12, 14, 15, 300])
    pointer = st.builds(lambda t, w: RESERVE_DATA.pointer(pool, t, word=w), token, word)
    target: st.SearchStrategy[Any] = st.one_of(token, pointer, st.just(pool))
    data = st.one_of(
        owner.map(BALANCE.encode),
        st.just(DECIMALS.selector),
        token.map(RESERVE_DATA.encode),
        st.just(GET_RESERVES.selector),
        st.binary(max_size=40),
    )
    call: st.SearchStrategy[Read] = st.builds(Call, target, data)
    return st.one_of(
        call,
        call,
        call,
        st.builds(lambda t, d, s: Call(t, d, s), token, data, owner),
        st.builds(NativeBalance, owner),
        st.builds(Code, st.one_of(owner, token)),
        st.builds(Storage, token, st.integers(0, 60)),
    )


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_paths__random_batches_with_pointers__agree(anvil: World[Anvil], data: Any) -> None:
    reads = data.draw(st.lists(_reads(anvil), min_size=1, max_size=25))
    truth = _truth(anvil, reads)
    for path in (Path.OVERRIDE, Path.INITCODE, Path.MULTICALL3):
        client = _client(anvil.node.url, anvil, path=path)
        found = client.snapshot(client.head()).read(reads)
        client.close()
        for read, result, expected in zip(reads, found, truth, strict=True):
            assert result == expected, (path, read)


def test_read__one_batch__is_one_post_and_the_whole_truth(anvil: World[Anvil]) -> None:
    client = _client(anvil.node.url, anvil)
    snapshot = client.snapshot(client.head())
    results = snapshot.read(_batch(anvil))
    client.close()
    assert snapshot.stats.posts == 1
    assert client.paths() == {client.pool.endpoints[0].label: "override"}
    assert results == _truth(anvil, _batch(anvil))
    kinds = [type(r) for r in results[-9:]]
    assert kinds == [Reverted, NoCode, NoCode, Unknown, Unknown, Ok, Ok, Ok, Ok]


def test_read__parent_hash_in_the_answer__is_the_parent_s(world: World[Anvil]) -> None:
    for _ in range(3):  # a node that loaded a dump knows the hashes of its own blocks only
        world.node.mine()
    client = _client(world.node.url, world)
    client.rules = Rules(parent_hash=True)
    (result,) = client.snapshot(client.head()).read([DECIMALS.at(_tokens(world)[0])])
    client.close()
    assert isinstance(result, Ok)


def test_call__with_a_sender__may_change_state_and_touches_no_other_read(
    world: World[Anvil],
) -> None:
    whale = checksum(world.book.whale)
    usdc = checksum(world.book.tokens["USDC"].address)
    transfer = Function("transfer(address,uint256)(bool)")
    client = _client(world.node.url, world)
    snapshot = client.snapshot(client.head())
    before, sent, after, refused = snapshot.read(
        [
            BALANCE.at(usdc, whale),
            transfer.at(usdc, checksum(actor("x")), 1, sender=whale),
            BALANCE.at(usdc, whale),
            transfer.at(usdc, checksum(actor("y")), 1, sender=checksum(actor("nobody"))),
        ]
    )
    client.close()
    assert before == after
    assert transfer.decode(sent) is True
    assert isinstance(refused, Reverted)


def test_call__that_changes_state_without_a_sender__is_still_answered_alone(
    world: World[Anvil],
) -> None:
    # The relay calls statically; what fails so is asked again as a call of its own.
    counter = checksum("0x00000000000000000000000000000000000c0de1")
    world.node.set_code(counter, "0x60015f55602a5f5260205ff3")  # SSTORE(0, 1); return 42
    client = _client(world.node.url, world)
    (result,) = client.snapshot(client.head()).read([Call(counter, b"")])
    client.close()
    assert result == Ok((42).to_bytes(32, "big"))


@pytest.mark.parametrize("path", Path)
def test_call__that_burns_all_gas__is_reverted_and_hurts_no_other(
    world: World[Anvil], path: Path
) -> None:
    invalid = checksum("0x00000000000000000000000000000000000c0de2")
    endless = checksum("0x00000000000000000000000000000000000c0de3")
    world.node.set_code(invalid, "0xfe")
    world.node.set_code(endless, "0x5b5f56")  # JUMPDEST; jump back for ever
    usdc = checksum(world.book.tokens["USDC"].address)
    reads: list[Read] = [Call(invalid, b""), DECIMALS.at(usdc), Call(endless, b"")]
    client = _client(world.node.url, world, path=path)
    snapshot = client.snapshot(client.head())
    burnt, fine, never = snapshot.read([*reads, *(Call(invalid, bytes([i])) for i in range(9))])[:3]
    client.close()
    assert burnt == Reverted(b"")
    assert fine == Ok((6).to_bytes(32, "big"))
    assert isinstance(never, Unknown)


def test_read__heavy_calls__are_read_whole_whatever_the_gas(world: World[Anvil]) -> None:
    heavy = checksum("0x00000000000000000000000000000000000c0de4")
    # Loop 60,000 times, then return the gas-independent 7: about 2.5 M gas each.
    world.node.set_code(heavy, "0x61ea605b600190038060035760075f5260205ff3")
    reads: list[Read] = [Call(heavy, i.to_bytes(2, "big")) for i in range(60)]
    client = _client(world.node.url, world)
    snapshot = client.snapshot(client.head())
    assert snapshot.read(reads) == [Ok((7).to_bytes(32, "big"))] * 60
    again = snapshot.stats.posts
    assert snapshot.read(reads) == [Ok((7).to_bytes(32, "big"))] * 60
    client.close()
    assert snapshot.stats.posts - again <= again


def test_read__huge_answers__come_whole(world: World[Anvil]) -> None:
    bomb = checksum("0x00000000000000000000000000000000000c0de5")
    world.node.set_code(bomb, "0x620fa0005ff3")  # return 1,024,000 zero bytes
    reads: list[Read] = [Call(bomb, bytes([i])) for i in range(6)]
    reads.append(DECIMALS.at(_tokens(world)[0]))
    client = _client(world.node.url, world)
    results = client.snapshot(client.head()).read(reads)
    client.close()
    assert [len(r.data) for r in results if isinstance(r, Ok)] == [1_024_000] * 6 + [32]


def test_reorg__between_head_and_read__is_reorged_and_read_again(world: World[Anvil]) -> None:
    tokens.mint(world, "USDC", actor("x"), 5)  # an empty block would keep its hash
    client = _client(world.node.url, world)
    at = client.head()
    world.node.reorg(1)
    with pytest.raises(Reorged):
        client.snapshot(at).read(_batch(world)[:3])
    assert not client.is_canonical(at)
    results = client.at_head(lambda s: s.read(_batch(world)[:3]))
    client.close()
    assert all(isinstance(r, Ok) for r in results)


def test_logs__of_the_world__come_with_addresses_and_topics(anvil: World[Anvil]) -> None:
    client = _client(anvil.node.url, anvil)
    head = client.head()
    usdc = checksum(anvil.book.tokens["USDC"].address)
    transfer = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
    found = list(client.logs([usdc], [transfer], 0, head.number))
    client.close()
    assert all(log.topics[0] == transfer and log.address == usdc for log in found)


@pytest.fixture(scope="module")
def proxy(anvil: World[Anvil]) -> Iterator[Proxy]:
    with Proxy(anvil.node.url) as running:
        yield running


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.html, NotJson),
        (faults.truncated, NotJson),
        (faults.dropped, ChainError),
        (faults.cut, ChainError),
        (faults.status(429, Retry_After="0"), RateLimited),
        (faults.other_chain(1), WrongChain),
        (faults.stale_head(10**8), StaleHead),
        (faults.duplicated, ChainError),
        (faults.delayed(5), ChainError),
    ],
)
def test_proxy__a_lasting_fault__is_a_named_error_without_the_key(
    anvil: World[Anvil], proxy: Proxy, fault: faults.Fault, error: type[ChainError]
) -> None:
    client = _client(proxy.url, anvil, max_block_age_s=10**7 * 9, timeout_s=1.0, retries=0)
    at = client.head()
    proxy.script.always(fault)
    try:
        with pytest.raises(error) as caught:
            client.head()
        assert "s3cret" not in str(caught.value)
        if error not in (StaleHead, WrongChain):
            results = client.snapshot(at).read(_batch(anvil)[:4])
            assert all(isinstance(r, Unknown) for r in results)
            assert "s3cret" not in str(results)
    finally:
        proxy.script.calm()
        client.close()


@pytest.mark.parametrize("compress", [False, True])
def test_proxy__honest__is_read_through(anvil: World[Anvil], compress: bool) -> None:
    with Proxy(anvil.node.url, compress=compress) as fresh:
        client = _client(fresh.url, anvil)
        assert client.snapshot(client.head()).read(_batch(anvil)) == _truth(anvil, _batch(anvil))
        client.close()


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32), lasting=st.booleans(), path=st.sampled_from(Path))
def test_proxy__any_mutation_of_any_answer__gives_the_truth_or_unknown(
    anvil: World[Anvil], proxy: Proxy, seed: int, lasting: bool, path: Path
) -> None:
    reads = _batch(anvil)[:12]
    truth = TRUTH.setdefault(anvil.node.url, _truth(anvil, reads))
    client = _client(proxy.url, anvil, path=path)
    at = client.head()
    if lasting:
        proxy.script.always(faults.mutated(seed))
    else:
        proxy.script.then(*[faults.honest] * (seed % 3), faults.mutated(seed))
    try:
        results = client.snapshot(at).read(reads)
    except Reorged:
        return  # the mutated answer was that of the block's whereabouts
    finally:
        proxy.script.calm()
        client.close()
    for result, expected in zip(results, truth, strict=True):
        assert result == expected or isinstance(result, Unknown), seed


TRUTH: dict[str, list[Result]] = {}
"""By node: what an honest reader says, read once."""


def test_tester__in_process_evm__gives_the_same_kinds_of_answer(tester: Any) -> None:
    reads = _batch(tester)
    client = _client(tester.node.url, tester)
    snapshot = client.snapshot(client.head())
    results = snapshot.read(reads)
    client.close()
    kinds = [type(r) for r in results[-9:]]
    assert kinds == [Reverted, NoCode, NoCode, Unknown, Unknown, Ok, Ok, Ok, Ok]
    assert all(isinstance(r, Ok) for r in results[:3])
