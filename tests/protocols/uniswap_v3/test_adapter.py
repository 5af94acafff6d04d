"""What the adapter makes of answers that the world's honest contracts never give."""

from collections.abc import Sequence

import pytest
from eth_abi.abi import encode

from chain.calls import NoCode, Ok, Read, ReadFailed, Result, Reverted, Run, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols import tokens
from protocols.adapter import Market
from protocols.prices.twap import OBSERVE, WINDOW_S
from protocols.types import Leg, Position, Reading, Side, Unreadable
from protocols.uniswap_v3 import UniswapV3, UniswapV3State, math, plain, pool_checks
from protocols.uniswap_v3 import contracts as c
from tests.protocols.prices.build import AT, NO, address, text, words
from tests.support.referee import drive

MANAGER, FACTORY, POOL, ALICE = (address(n) for n in range(0xA1, 0xA5))
T0, T1 = address(0xB0), address(0xB1)
MARKET = Market("uniswap-v3", "fork", MANAGER, {})
POINTER = c.GET_POOL.pointer(FACTORY, T0, T1, 500)
SIZE, LOWER, UPPER = 10**18, -600, 600
KEY = c.position_key(MANAGER, LOWER, UPPER)

META = dict(zip(tokens.reads(T0), (text("ZERO"), words(18)), strict=True)) | dict(
    zip(tokens.reads(T1), (text("ONE"), words(6)), strict=True)
)


def nft(liquidity: int = SIZE, owed: int = 0, lower: int = LOWER, upper: int = UPPER) -> Ok:
    """Return an answer of `positions(id)`."""
    kinds = ["uint96", "address", "address", "address", "uint24", "int24", "int24"]
    kinds += ["uint128", "uint256", "uint256", "uint128", "uint128"]
    values = [0, ZERO_ADDRESS, T0, T1, 500, lower, upper, liquidity, 0, 0, owed, owed]
    return Ok(encode(kinds, values))


def tick(outside: int = 0, *, set_up: bool = True) -> Ok:
    """Return an answer of `ticks`."""
    return words(SIZE, 0, outside, outside, 0, 0, 0, int(set_up))


SOUND: dict[Read, Result] = {
    c.FACTORY.at(MANAGER): words(int(FACTORY, 16)),
    c.NAME.at(MANAGER): text("Fork Positions"),
    c.BALANCE_OF.at(MANAGER, ALICE): words(1),
    c.TOKEN_OF_OWNER.at(MANAGER, ALICE, 0): words(7),
    c.POSITIONS.at(MANAGER, 7): nft(),
    c.GET_POOL.at(FACTORY, T0, T1, 500): words(int(POOL, 16)),
    # The protocol fee of PancakeSwap's slot0 needs 32 bits.
    c.SLOT0.at(POINTER): words(math.Q96, 0, 0, 1, 1, 209_718_400, 1),
    c.GROWTH0.at(POINTER): words(0),
    c.GROWTH1.at(POINTER): words(0),
    c.LIQUIDITY.at(POINTER): words(SIZE),
    c.TICKS.at(POINTER, LOWER): tick(),
    c.TICKS.at(POINTER, UPPER): tick(),
    c.POOL_POSITIONS.at(POINTER, KEY): words(SIZE, 0, 0, 0, 0),
    OBSERVE.at(POINTER, [WINDOW_S, 0]): Ok(encode(["int56[]", "uint160[]"], [[0, -1], [0, 0]])),
    **META,
}


def read(*changes: tuple[Read, Result], accounts: Sequence[Address] = (ALICE,)) -> Reading:
    """Run the adapter on the sound answers with some changed; the rest reverts."""
    answers = SOUND | dict(changes)
    program = UniswapV3().read(MARKET, accounts, AT)
    return drive(program, lambda batch: [answers.get(read, NO) for read in batch])


def position(*changes: tuple[Read, Result]) -> Position:
    """Return the only position there is."""
    (found,) = read(*changes).positions
    assert isinstance(found, Position)
    return found


def cause(*changes: tuple[Read, Result]) -> str:
    """Return why there is none."""
    (found,) = read(*changes).positions
    assert isinstance(found, Unreadable)
    assert found.owner == ALICE
    return found.cause


def state(found: Position) -> UniswapV3State:
    """Return a position's state."""
    assert isinstance(found.state, UniswapV3State)
    return found.state


def test_read__sound_fork__is_a_position() -> None:
    found = position()
    assert found.id == f"1:uniswap-v3:{MANAGER}:{ALICE}:7"
    assert (found.version, found.market, found.kind) == ("Fork Positions", "fork", "liquidity")
    assert [leg.side for leg in found.legs] == [Side.ASSET, Side.ASSET, Side.FEE, Side.FEE]
    assert (state(found).pool, state(found).in_range, found.unknown) == (POOL, True, ())
    check = state(found).twap
    assert check is not None
    assert (check.tick, check.source) == (-1, f"twap({POOL}, 1800)")
    assert check.depth1 == SIZE // 200


def test_pool_checks__one_per_pool() -> None:
    found = position()
    missing = Unreadable("uniswap-v3", "fork", MANAGER, ALICE, "", AT)
    assert pool_checks([found, found, missing]) == (state(found).twap,)


@pytest.mark.parametrize("bad", [NO, NoCode(), Unknown("down"), words(2**200), Ok(b"")])
def test_read__factory_unreadable__fails_the_market(bad: Result) -> None:
    with pytest.raises(ReadFailed, match=r"factory|no position manager at"):
        read((c.FACTORY.at(MANAGER), bad))


BALANCE = c.BALANCE_OF.at(MANAGER, ALICE)


def test_read__balance_unreadable__is_unreadable() -> None:
    assert cause((BALANCE, Unknown("down"))) == "balanceOf: down"


def test_read__balance_says_fewer_than_there_are__is_unreadable() -> None:
    assert "there is one more" in cause((BALANCE, words(0)))


def test_read__balance_says_more_than_there_are__is_unreadable_beside_the_position() -> None:
    found, missing = read((BALANCE, words(2))).positions
    assert isinstance(found, Position)
    assert isinstance(missing, Unreadable)
    assert missing.cause == "token at index 1: tokenOfOwnerByIndex: reverted without a reason"


def test_read__absurd_balance__is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plain, "MOST", 66)
    found, *missing = read((BALANCE, words(2**256 - 1))).positions
    assert isinstance(found, Position)
    causes = [m.cause for m in missing if isinstance(m, Unreadable)]
    assert f"{2**256 - 1} tokens, of which only 66 are read" in causes
    assert len(causes) == 66


def test_read__no_nfts__takes_one_round() -> None:
    rounds = 0

    def answer(batch: Sequence[Read]) -> Sequence[Result]:
        nonlocal rounds
        rounds += not isinstance(batch[0], Run)
        changed = SOUND | {BALANCE: words(0), c.TOKEN_OF_OWNER.at(MANAGER, ALICE, 0): NO}
        return [changed.get(read, NO) for read in batch]

    assert drive(UniswapV3().read(MARKET, [ALICE], AT), answer) == Reading()
    assert rounds == 1


def test_read__empty_nft__is_no_position() -> None:
    assert read((c.POSITIONS.at(MANAGER, 7), nft(0))).positions == ()


@pytest.mark.parametrize(
    ("where", "answer", "expected"),
    [
        (c.POSITIONS.at(MANAGER, 7), NO, "token 7: positions: reverted"),
        (c.POSITIONS.at(MANAGER, 7), nft(lower=600, upper=600), "is not a range"),
        (c.POSITIONS.at(MANAGER, 7), nft(upper=900_000), "is not a range"),
        (c.GET_POOL.at(FACTORY, T0, T1, 500), words(0), "knows no such pool"),
        (c.GET_POOL.at(FACTORY, T0, T1, 500), Unknown("down"), "getPool: down"),
        (c.SLOT0.at(POINTER), NO, "slot0: reverted"),
        (c.SLOT0.at(POINTER), words(0, 0, 0, 0, 0, 0, 0), "0 is not a price"),
    ],
)
def test_read__amounts_cannot_be_known__is_unreadable(
    where: Read, answer: Result, expected: str
) -> None:
    assert expected in cause((where, answer))


@pytest.mark.parametrize(
    ("where", "answer", "expected"),
    [
        (c.GROWTH0.at(POINTER), NO, "feeGrowthGlobal0X128: reverted"),
        (c.GROWTH1.at(POINTER), Unknown("down"), "feeGrowthGlobal1X128: down"),
        (c.TICKS.at(POINTER, LOWER), Ok(b""), "ticks: answered 0 bytes"),
        (c.TICKS.at(POINTER, UPPER), tick(set_up=False), "contradict"),
        (c.POOL_POSITIONS.at(POINTER, KEY), NO, "positions: reverted"),
        (c.POOL_POSITIONS.at(POINTER, KEY), words(SIZE - 1, 0, 0, 0, 0), "contradict"),
    ],
)
def test_read__fees_cannot_be_known__are_no_legs_and_named(
    where: Read, answer: Result, expected: str
) -> None:
    found = position((where, answer))
    assert [leg.side for leg in found.legs] == [Side.ASSET, Side.ASSET]
    assert min(leg.amount for leg in found.legs) > 0
    (unknown,) = found.unknown
    assert unknown.startswith("uncollected fees: ")
    assert expected in unknown


def test_read__owed_without_liquidity__is_what_the_pool_still_has() -> None:
    changes = (
        (c.POSITIONS.at(MANAGER, 7), nft(0, owed=50)),
        (c.POOL_POSITIONS.at(POINTER, KEY), words(0, 0, 0, 50, 49)),
        (c.TICKS.at(POINTER, LOWER), tick(set_up=False)),
    )
    assert [leg.amount for leg in position(*changes).legs] == [0, 0, 50, 49]


def test_read__owed_without_liquidity__token0_too_is_capped_by_the_pool() -> None:
    changes = (
        (c.POSITIONS.at(MANAGER, 7), nft(0, owed=50)),
        (c.POOL_POSITIONS.at(POINTER, KEY), words(0, 0, 0, 48, 51)),
    )
    assert [leg.amount for leg in position(*changes).legs] == [0, 0, 48, 50]


def test_read__growth_outside_and_inside__counts_per_token() -> None:
    unit = 2**128 // SIZE + 1  # growth that earns the position one base unit
    changes = (
        (c.GROWTH0.at(POINTER), words(100 * unit)),
        (c.GROWTH1.at(POINTER), words(200 * unit)),
        (c.TICKS.at(POINTER, LOWER), words(SIZE, 0, 10 * unit, 70 * unit, 0, 0, 0, 1)),
        (c.TICKS.at(POINTER, UPPER), words(SIZE, 0, 30 * unit, 50 * unit, 0, 0, 0, 1)),
        (c.POSITIONS.at(MANAGER, 7), nft(owed=5)),
        (c.POOL_POSITIONS.at(POINTER, KEY), words(SIZE, 0, 0, 9, 4)),
    )
    assert [leg.amount for leg in position(*changes).legs[2:]] == [60 + 5, 80 + 4]


@pytest.mark.parametrize(
    ("at", "inside"), [(LOWER - 1, False), (LOWER, True), (UPPER - 1, True), (UPPER, False)]
)
def test_read__edges__lower_is_in_range_and_upper_is_not(at: int, inside: bool) -> None:
    slot0 = words(math.sqrt_ratio_at_tick(at), at, 0, 1, 1, 0, 1)
    assert state(position((c.SLOT0.at(POINTER), slot0))).in_range is inside


@pytest.mark.parametrize(
    ("price", "sound"),
    [
        (math.MIN_SQRT_RATIO - 1, False),
        (math.MIN_SQRT_RATIO, True),
        (math.MAX_SQRT_RATIO - 1, True),
        (math.MAX_SQRT_RATIO, False),
    ],
)
def test_read__price__is_within_the_contracts_limits(price: int, sound: bool) -> None:
    slot0 = words(price, 0, 0, 1, 1, 0, 1)
    (found,) = read((c.SLOT0.at(POINTER), slot0)).positions
    assert isinstance(found, Position) is sound


def test_read__widest_range__is_a_range() -> None:
    edge = math.MAX_TICK
    key = c.position_key(MANAGER, -edge, edge)
    changes = (
        (c.POSITIONS.at(MANAGER, 7), nft(lower=-edge, upper=edge)),
        (c.POOL_POSITIONS.at(POINTER, key), words(SIZE, 0, 0, 0, 0)),
        (c.TICKS.at(POINTER, -edge), tick()),
        (c.TICKS.at(POINTER, edge), tick()),
    )
    assert state(position(*changes)).in_range


def test_read__sum_wraps_at_128_bits__pays_what_is_left_and_nothing_negative() -> None:
    alone = position().legs[0].amount
    wrapped = 2**128 - alone + 5
    changes = (
        (c.POSITIONS.at(MANAGER, 7), nft(owed=wrapped)),
        (c.POOL_POSITIONS.at(POINTER, KEY), words(SIZE, 0, 0, wrapped, wrapped)),
    )
    legs = position(*changes).legs
    assert (legs[0].amount, legs[2].amount) == (5, 0)


def test_read__token_without_decimals__keeps_base_units_and_has_no_greeks() -> None:
    found = position((tokens.reads(T0)[1], NO))
    assert found.legs[0].token.decimals is None
    assert (state(found).greeks, state(found).twap, found.unknown) == (None, None, ())


def test_read__decimals_not_learned__are_named() -> None:
    (unknown,) = position((tokens.reads(T1)[1], Unknown("down"))).unknown
    assert unknown.endswith("decimals: down")


@pytest.mark.parametrize(
    ("where", "answer"),
    [
        (OBSERVE.at(POINTER, [WINDOW_S, 0]), Reverted(b"OLD")),
        (OBSERVE.at(POINTER, [WINDOW_S, 0]), Ok(encode(["int56[]", "uint160[]"], [[1], [1]]))),
        (c.LIQUIDITY.at(POINTER), NO),
    ],
)
def test_read__pool_cannot_be_asked_for_its_mean__has_no_check(where: Read, answer: Result) -> None:
    found = position((where, answer))
    assert state(found).twap is None
    assert pool_checks([found]) == ()
    assert found.unknown == ()


def test_read__two_owners__one_unreadable__the_other_stays() -> None:
    bob = address(0xA9)
    reading = read(accounts=(bob, ALICE))
    found, missing = reading.positions
    assert isinstance(found, Position)
    assert isinstance(missing, Unreadable)
    assert (found.owner, missing.owner) == (ALICE, bob)


def test_legs__are_the_two_tokens() -> None:
    found = position()
    assert [leg.token.symbol for leg in found.legs] == ["ZERO", "ONE", "ZERO", "ONE"]
    assert all(isinstance(leg, Leg) and leg.price is None for leg in found.legs)
