"""What `allow` lets a wallet call, at the addresses that the chain names."""

import pytest

from chain.calls import Ok, ReadFailed, Reverted
from chain.types import ZERO_ADDRESS, Address
from executor.guard.codec import EXECUTE, PAUSE
from executor.policy.calls import Known, read_call
from executor.policy.grants import (
    GET_POOL,
    GUARD_EXECUTE,
    GUARD_PAUSE,
    MARKETS,
    NAMES,
    POSITIONS,
    ROUTERS,
    V3_IN,
    V3_MULTICALL,
    resolve,
    table,
    written,
)
from executor.policy.rules import Rule
from executor.swaps import balancer_v2, uniswap_v2, uniswap_v3
from protocols.adapter import Market
from protocols.erc4626.actions import redeem
from protocols.morpho_blue import actions as morpho
from protocols.uniswap_v3 import actions as uniswap
from protocols.wallet import actions as wallet
from tests.executor.policy.scene import SAFE, STRANGER, TARGET, USDC, WALLET, WETH

KNOWN = Known(frozenset({WALLET, SAFE}), frozenset({USDC, WETH}), frozenset({TARGET}))
PARAMS = "0x" + "77" * 20


def resolved(
    allow: list[str], markets: list[Market], pool: Address | None = TARGET
) -> dict[Address, dict[bytes, object]]:
    program = resolve(
        allow,
        markets,
        routers={STRANGER: "uniswap-v3"},
        tokens=[USDC],
        wrapped=WETH,
        guards=[SAFE],
        extra={PARAMS: [written("claim(address,uint256)")]},  # type: ignore[dict-item]
    )
    try:
        reads = next(program)
    except StopIteration as stop:
        return dict(stop.value)
    assert len(reads) == 1
    word = bytes(12) + bytes.fromhex((pool or ZERO_ADDRESS)[2:])
    try:
        program.send([Reverted(b"") if pool is None else Ok(word)])
    except StopIteration as stop:
        return dict(stop.value)
    raise AssertionError("it reads once")


def test_resolve__names__open_their_contracts_and_no_others() -> None:
    root = Market("aave-v3", "a", STRANGER, {})
    vault = Market("erc4626", "v", SAFE, {})
    found = resolved(["aave-v3", "wallet"], [root, vault])
    assert set(found) == {TARGET, USDC, WETH, SAFE, Address(PARAMS)}
    assert STRANGER not in found
    assert len(found[TARGET]) == 7
    assert set(found[WETH]) == {wallet.WRAP.selector, wallet.UNWRAP.selector}
    assert STRANGER in resolved(["uniswap-v3"], [])
    assert set(resolved([], [root])) == {USDC, SAFE, Address(PARAMS)}


@pytest.mark.parametrize("pool", [None, ZERO_ADDRESS], ids=["reverts", "zero"])
def test_resolve__root_without_a_pool__fails(pool: Address | None) -> None:
    with pytest.raises(ReadFailed):
        resolved(["aave-v3"], [Market("aave-v3", "a", STRANGER, {})], pool)
    assert GET_POOL.selector.hex() == "026b1d5f"


def test_rows__are_what_encoders_and_contracts_use() -> None:
    assert GUARD_EXECUTE.selector == EXECUTE.selector
    assert GUARD_PAUSE.selector == PAUSE.selector
    routers = {kind: set(table(rows)) for kind, rows in ROUTERS.items()}
    assert {uniswap_v2.SWAP_IN.selector, uniswap_v2.SWAP_OUT.selector} <= routers["uniswap-v2"]
    assert {uniswap_v3.SWAP_IN.selector, uniswap_v3.MULTICALL.selector} <= routers["uniswap-v3"]
    assert routers["balancer-v2"] == {balancer_v2.SWAP.selector}
    assert set(MARKETS) | set(ROUTERS) == set(NAMES)


def faults(rows: object, data: bytes, target: Address = TARGET) -> list[Rule]:
    reading = read_call({target: table(rows)}, KNOWN, target, 0, data)  # type: ignore[arg-type]
    return [rule for rule, _ in reading.faults]


def test_morpho__callbacks_and_strangers__are_refused() -> None:
    rows = MARKETS["morpho-blue"]
    params = (USDC, WETH, TARGET, TARGET, 1)
    assert faults(rows, morpho.REPAY.encode(params, 5, 0, WALLET, b"")) == []
    assert faults(rows, morpho.REPAY.encode(params, 5, 0, WALLET, b"\x01")) == [Rule.ARGUMENT]
    for owner, to, wrong in ((WALLET, SAFE, 0), (STRANGER, SAFE, 1), (WALLET, STRANGER, 1)):
        data = morpho.WITHDRAW_COLLATERAL.encode(params, 5, owner, to)
        assert faults(rows, data) == [Rule.ARGUMENT] * wrong
    assert faults(rows, morpho.SET_AUTHORIZATION.encode(STRANGER, True)) == [Rule.SELECTOR]


def test_vault__redeem_to_a_stranger__is_refused() -> None:
    assert faults(MARKETS["erc4626"], redeem(TARGET, 5, WALLET, SAFE).data) == []
    assert faults(MARKETS["erc4626"], redeem(TARGET, 5, WALLET, STRANGER).data) == [Rule.ARGUMENT]


def test_multicall__every_inner_call__is_read_too() -> None:
    good = uniswap.close(TARGET, 7, 100, (1, 2), WALLET, 99).data
    assert faults(POSITIONS, good) == []
    bad = uniswap.close(TARGET, 7, 100, (1, 2), STRANGER, 99).data
    assert faults(POSITIONS, bad) == [Rule.ARGUMENT]
    hidden = uniswap.MULTICALL.encode([uniswap.MULTICALL.encode([b"\x12\x34\x56\x78"])])
    assert faults(POSITIONS, hidden) == [Rule.SELECTOR]
    swap = V3_IN.encode((b"\x01", STRANGER, 1, 2, 3))
    data = V3_MULTICALL.encode(9, [swap])
    assert faults(ROUTERS["uniswap-v3"], data) == [Rule.ARGUMENT]


def test_reading__trades__are_told_from_what_trades_nothing() -> None:
    for rows, data, swaps in (
        (MARKETS["erc4626"], redeem(TARGET, 5, WALLET, SAFE).data, False),
        (ROUTERS["uniswap-v3"], V3_IN.encode((b"", WALLET, 1, 2, 3)), True),
        (ROUTERS["uniswap-v3"], V3_MULTICALL.encode(1, [V3_IN.encode((b"", SAFE, 1, 2, 3))]), True),
        (POSITIONS, uniswap.collect(TARGET, 7, WALLET).data, False),
    ):
        assert read_call({TARGET: table(rows)}, KNOWN, TARGET, 0, data).swaps is swaps


def test_written__by_hand__addresses_are_the_owners_and_bytes_empty() -> None:
    grant = written("claim(address,uint256,bytes)")
    data = grant.function.encode(WALLET, 1, b"")
    assert faults([grant], data) == []
    assert faults([grant], grant.function.encode(STRANGER, 1, b"")) == [Rule.ARGUMENT]
    assert faults([grant], grant.function.encode(WALLET, 1, b"x")) == [Rule.ARGUMENT]
    for text in ("f(address[])", "f((address,uint256))", "f", "f(address)(bool)", ""):
        with pytest.raises(ValueError, match="argument"):
            written(text)
