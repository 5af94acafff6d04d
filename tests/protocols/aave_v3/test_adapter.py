"""The adapter on made-up pools of every release, and on pools that fail in every part."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chain.calls import NoCode, Ok, ReadFailed, Result, Reverted, Unknown
from chain.types import Address
from chain.units import RAY
from protocols import tokens
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.state import AaveAccount, Discount, EMode, Holding, StableDebt
from protocols.types import Position, Price, Side, Unpriced, Unreadable
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.aave_v3.fake import (
    CONTROLLER,
    ORACLE,
    OWNER,
    POOL,
    PROVIDER,
    REWARD,
    SENTINEL,
    FakeChain,
    feed_of,
    publish,
    token_of,
    view,
)
from tests.protocols.prices.build import AT, NOW, address
from tests.risk.aave_states import (
    account,
    accounts,
    configuration,
    owed,
    quote,
    reserve,
    supplied,
    transcribed,
)

UNIT = 10**18
HELD = reserve(0, quote(2000 * 10**8, "eth"))
DEBT = reserve(1, quote(10**8, "usd"))
LOAN = (supplied(HELD, 10 * UNIT), owed(DEBT, 5000 * UNIT))
FAILURES = (Unknown("timed out"), Reverted(b""), NoCode(), Ok(b""))


def loan(revision: int | None = 10, **more: Any) -> AaveAccount:
    return account(revision, *LOAN, **more)


def state_of(position: Position) -> AaveAccount:
    assert isinstance(position.state, AaveAccount)
    return position.state


def status(position: Position) -> Status:
    return assess_liquidation(position).status


@given(accounts(revisions=(1, 2, 3, 4, 5, 6, 8, 9, 10, 11)))
@settings(max_examples=120, deadline=None)
def test_read__any_account_of_any_release__is_understood_and_verified(state: AaveAccount) -> None:
    chain = publish(state)
    position = chain.position()
    assert chain.rounds <= 3
    assert position.verified, position.notes
    assert not position.unknown
    assert position.version == f"rev {state.rules.revision}"
    assert transcribed(state_of(position)) == transcribed(state)
    later = NOW + 10**8
    assert transcribed(state_of(position), at=later) == transcribed(state, at=later)
    held = [h for h in state_of(position).holdings if h.scaled_supply or h.borrowing]
    assert [h.scaled_supply for h in held] == [
        h.scaled_supply for h in state.holdings if h.scaled_supply or h.borrowing
    ]
    sides = {leg.side for leg in position.legs}
    assert sides <= {Side.ASSET, Side.COLLATERAL, Side.DEBT}


def test_read__a_sound_loan__is_safe_with_its_prices() -> None:
    reading = publish(loan()).read()
    (position,) = reading.positions
    assert isinstance(position, Position)
    assert status(position) is Status.SAFE
    assert position.id == f"{AT.chain_id}:aave-v3:{PROVIDER}:{OWNER}"
    first, second = reading.prices
    assert isinstance(first, Price)
    assert (first.raw, first.decimals, first.quote) == (2000 * 10**8, 8, "USD")
    assert first.factor == feed_of("eth")
    assert (first.source, first.label) == (f"feed({feed_of('eth')})", "eth / USD")
    assert first.updated_at == NOW - 60
    assert [(leg.name, leg.amount, leg.price) for leg in position.legs] == [
        ("supply", 10 * UNIT, first),
        ("variable", 5000 * UNIT, second),
    ]


@pytest.mark.parametrize("revision", [12, 0, 99, None])
def test_read__unknown_revision__is_the_newest_unverified(revision: int | None) -> None:
    state = loan(revision)
    chain = publish(state)
    if revision is None:
        chain.tell(POOL, c.POOL_REVISION, says=Ok(b""))
    position = chain.position()
    assert not position.verified
    assert "is not a release we know; read as rev 11" in position.notes[0]
    assert status(position) is Status.UNKNOWN
    assert assess_liquidation(position).health_raw == transcribed(state)[3]


def test_read__fork_without_grace_periods__does_not_miss_them() -> None:
    chain = publish(loan(12))
    chain.tell(POOL, c.GET_GRACE_PERIOD, HELD.asset, says=Reverted(b""))
    assert not chain.position().unknown
    known = publish(loan(10))
    known.tell(POOL, c.GET_GRACE_PERIOD, HELD.asset, says=Reverted(b""))
    assert known.position().unknown


def test_read__view_disagrees__is_unverified_and_says_by_how_much() -> None:
    chain = publish(loan())
    chain.tell(POOL, c.GET_USER_ACCOUNT_DATA, OWNER, says=(1, 2, 0, 3, 0, 4))
    position = chain.position()
    assert not position.verified
    assert [note.split(":")[0] for note in position.notes] == [
        "collateral",
        "debt",
        "threshold",
        "health",
    ]
    assert status(position) is Status.UNKNOWN


@pytest.mark.parametrize("failure", FAILURES)
def test_read__view_fails__is_never_safe(failure: Result) -> None:
    chain = publish(loan())
    chain.tell(POOL, c.GET_USER_ACCOUNT_DATA, OWNER, says=failure)
    assert status(chain.position()) is Status.UNKNOWN


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(
    ("target", "function", "args"),
    [
        (POOL, c.GET_RESERVE_DATA, (HELD.asset,)),
        (ORACLE, c.GET_ASSET_PRICE, (HELD.asset,)),
        (ORACLE, c.GET_SOURCE, (DEBT.asset,)),
        (token_of(0xB, 0), c.SCALED_BALANCE_OF, (OWNER,)),
        (token_of(0xD, 1), c.SCALED_BALANCE_OF, (OWNER,)),
    ],
)
def test_read__a_vital_part_fails__leaves_the_rest_and_no_health(
    target: Address, function: Any, args: tuple[Any, ...], failure: Result
) -> None:
    chain = publish(loan())
    chain.tell(target, function, *args, says=failure)
    position = chain.read((OWNER,)).positions[0]
    assert isinstance(position, Position)
    assert position.unknown
    assert position.state is None
    assert position.legs
    assert status(position) is Status.UNKNOWN


@pytest.mark.parametrize("failure", FAILURES)
def test_read__what_concerns_only_some_fails__others_are_whole(failure: Result) -> None:
    other = Holding(reserve(2, quote(10**8, "x")), 7 * UNIT)
    state = account(10, *LOAN, other)
    chain = publish(state)
    chain.tell(token_of(0xB, 2), c.SCALED_BALANCE_OF, OWNER, says=failure)
    position = chain.position()
    # the balance is not known, and health does not need it
    assert position.unknown
    assert assess_liquidation(position).health_raw == transcribed(state)[3]
    assert [leg.token.symbol for leg in position.legs] == ["T0", "T1"]


def test_read__price_of_idle_supply_fails__is_unpriced_and_nothing_else() -> None:
    state = account(10, *LOAN, Holding(reserve(2, None), 7 * UNIT))
    chain = publish(state)
    chain.tell(ORACLE, c.GET_SOURCE, address(0xA2), says=feed_of("x"))
    position = chain.position()
    assert isinstance(position.legs[2].price, Unpriced)
    assert not position.unknown
    assert status(position) is Status.SAFE
    chain.tell(ORACLE, c.GET_ASSET_PRICE, address(0xA2), says=0)
    unpriced = chain.position().legs[2].price
    assert isinstance(unpriced, Unpriced)
    assert unpriced.cause == "the oracle answers 0"


@pytest.mark.parametrize("function", [c.GET_USER_CONFIGURATION, c.GET_USER_EMODE])
def test_read__one_accounts_flags_fail__is_unreadable_alone(function: Any) -> None:
    chain = publish(loan())
    chain.tell(POOL, function, address(0xEF), says=Unknown("timed out"))
    unreadable, position = chain.read().positions
    assert isinstance(unreadable, Unreadable)
    assert unreadable.owner == address(0xEF)
    assert "timed out" in unreadable.cause
    assert isinstance(position, Position)
    assert status(position) is Status.SAFE


@pytest.mark.parametrize(
    ("target", "function"),
    [
        (PROVIDER, c.GET_POOL),
        (PROVIDER, c.GET_PRICE_ORACLE),
        (POOL, c.GET_RESERVES_LIST),
        (POOL, c.POOL_REVISION),
    ],
)
def test_read__the_market_fails__raises(target: Address, function: Any) -> None:
    chain = publish(loan())
    chain.tell(target, function, says=Unknown("timed out"))
    with pytest.raises(ReadFailed, match="timed out"):
        chain.read()


def test_read__emode_unreadable__leaves_health_unknown() -> None:
    for revision, bitmap in ((4, None), (10, 1)):
        chain = publish(loan(revision, emode=EMode(1, 9000, 10100, bitmap)))
        for function in (c.EMODE_CONFIG, c.EMODE_DATA):
            chain.tell(POOL, function, 1, says=Unknown("timed out"))
        position = chain.position()
        assert position.state is None
        assert "e-mode 1" in position.unknown[0]


def test_read__emodes_own_price__replaces_or_not() -> None:
    bits = configuration(category=1)
    held = reserve(0, quote(2000 * 10**8, "eth"), bits)
    emode = EMode(1, 9000, 10100, None, quote(1500 * 10**8, "mode"))
    state = account(3, supplied(held, UNIT), LOAN[1], emode=emode)
    chain = publish(state)
    position = chain.position()
    assert position.verified
    assert isinstance(position.legs[0].price, Price)
    assert position.legs[0].price.raw == 1500 * 10**8
    # at 0 the reserve's own price holds again
    chain.tell(ORACLE, c.GET_ASSET_PRICE, address(0xE0E), says=0)
    view(chain, replace(state, emode=replace(emode, quote=None)))
    position = chain.position()
    assert position.verified
    assert isinstance(position.legs[0].price, Price)
    assert position.legs[0].price.raw == 2000 * 10**8
    # a revert takes everybody's health in the category with it
    chain.tell(ORACLE, c.GET_ASSET_PRICE, address(0xE0E), says=Reverted(b""))
    assert chain.position().state is None


def test_read__stable_and_variable_debt__are_two_legs() -> None:
    stable = StableDebt(100 * UNIT, RAY // 10, NOW - 31_536_000)
    position = publish(account(1, LOAN[0], owed(DEBT, 50 * UNIT, stable=stable))).position()
    assert position.verified
    assert [leg.name for leg in position.legs] == ["supply", "variable", "stable"]
    assert position.legs[2].amount > 110 * UNIT


@pytest.mark.parametrize("revision", [1, 3, 4, 5, 6, 7])
def test_read__discounted_debt__is_asked_of_its_token_to_3_3(revision: int) -> None:
    grown = reserve(1, quote(10**8, "gho"), borrow_index=12 * RAY // 10)
    state = account(revision, LOAN[0], owed(grown, 100 * UNIT))
    chain, token = publish(state), token_of(0xD, 1)
    assert chain.position().verified  # its token does not know the question
    chain.tell(token, c.GET_DISCOUNT_PERCENT, OWNER, says=3000)
    chain.tell(token, c.GET_PREVIOUS_INDEX, OWNER, says=11 * RAY // 10)
    position = chain.position()
    assert position.legs[1].amount == 117 * UNIT
    # to 3.2 the pool's own health counts the debt before the discount
    assert position.verified is (revision < 7)
    assert state_of(position).holdings[1].discount == Discount(3000, 11 * RAY // 10)
    chain.tell(token, c.GET_DISCOUNT_PERCENT, OWNER, says=Unknown("timed out"))
    assert chain.position().state is None


@pytest.mark.parametrize(("revision", "bits"), [(7, 1 << 252), (8, 0)])
def test_read__debt_that_cannot_be_discounted__is_not_asked(revision: int, bits: int) -> None:
    bitmap = configuration() | bits
    grown = reserve(1, quote(10**8, "usd"), bitmap, borrow_index=12 * RAY // 10)
    chain, token = publish(account(revision, LOAN[0], owed(grown, 100 * UNIT))), token_of(0xD, 1)
    chain.tell(token, c.GET_DISCOUNT_PERCENT, OWNER, says=3000)
    chain.tell(token, c.GET_PREVIOUS_INDEX, OWNER, says=11 * RAY // 10)
    position = chain.position()
    assert position.legs[1].amount == 120 * UNIT
    assert position.verified


@pytest.mark.parametrize(
    ("answer", "allowed", "unknown"),
    [
        (True, True, False),
        (False, False, False),
        (Reverted(b""), False, False),
        (NoCode(), False, False),
        (Unknown("timed out"), True, True),
    ],
)
def test_read__sentinel__is_asked_where_there_is_one(
    answer: Any, allowed: bool, unknown: bool
) -> None:
    chain = publish(loan())
    chain.tell(PROVIDER, c.GET_SENTINEL, says=SENTINEL)
    chain.tell(SENTINEL, c.IS_LIQUIDATION_ALLOWED, says=answer)
    position = chain.position()
    assert state_of(position).liquidation_allowed is allowed
    assert bool(position.unknown) is unknown
    newest = publish(loan(11))
    newest.tell(PROVIDER, c.GET_SENTINEL, says=Reverted(b""))
    assert not newest.position().unknown
    chain.tell(PROVIDER, c.GET_SENTINEL, says=Unknown("timed out"))
    assert chain.position().unknown


def test_read__configuration__becomes_notes() -> None:
    flags = 1 << 57 | 1 << 62
    odd = reserve(0, quote(10**8, "a"), configuration(ltv=0, flags=flags, ceiling=5))
    shut = reserve(1, quote(10**8, "b"), configuration(flags=1 << 56 | 1 << 60))
    dead = reserve(2, quote(10**8, "c"), configuration(ltv=0, threshold=0), grace_until=NOW + 9)
    quiet = reserve(3, quote(10**8, "d"))
    held = (
        Holding(odd, UNIT, 1, collateral=True, borrowing=True),
        Holding(shut, UNIT),
        supplied(dead, UNIT),
        Holding(quiet, 0, collateral=True),
    )
    position = publish(account(4, *held)).position()
    assert set(position.notes) == {
        "T0 is not active",
        "T0 is frozen: no new supply or debt",
        "T0 is isolated collateral under a debt ceiling",
        "T0 is collateral with LTV 0: it must be withdrawn first",
        "T0 is borrowed siloed: no other asset may be",
        "T1 is paused: nothing moves, no liquidation either",
        f"T2 cannot be liquidated until {NOW + 9}",
        "T2 is collateral with LTV 0: it must be withdrawn first",
        "T2 is flagged as collateral and counts for nothing",
    }
    assert position.legs[-1].side is Side.ASSET


def test_read__flag_of_a_dropped_reserve__is_ignored_as_the_pool_does() -> None:
    chain = publish(loan())
    chain.tell(POOL, c.GET_USER_CONFIGURATION, OWNER, says=0b11_00_01_10)
    assert status(chain.position()) is Status.SAFE


def rewarding() -> FakeChain:
    chain = publish(loan())
    chain.tell(token_of(0xB, 0), c.GET_CONTROLLER, says=CONTROLLER)
    chain.tell(CONTROLLER, c.GET_REWARDS_LIST, says=[REWARD])
    chain.tell(REWARD, tokens.SYMBOL, says="RWD")
    chain.tell(REWARD, tokens.DECIMALS, says=6)
    both = [token_of(0xB, 0), token_of(0xD, 0)]
    chain.tell(CONTROLLER, c.GET_ALL_USER_REWARDS, both, OWNER, says=([REWARD], [42]))
    chain.tell(CONTROLLER, c.GET_ALL_USER_REWARDS, both, address(0xEF), says=([REWARD], [0]))
    return chain


def test_read__rewards__are_claimable_legs_of_whoever_has_any() -> None:
    chain = rewarding()
    position = chain.position()
    leg = position.legs[-1]
    assert (leg.side, leg.amount, leg.token.symbol, leg.token.decimals) == (
        Side.REWARD,
        42,
        "RWD",
        6,
    )
    assert status(position) is Status.SAFE
    assert chain.rounds == 3


@pytest.mark.parametrize("failure", FAILURES)
def test_read__rewards_fail__are_unknown_and_never_safe(failure: Result) -> None:
    chain = rewarding()
    both = [token_of(0xB, 0), token_of(0xD, 0)]
    chain.tell(CONTROLLER, c.GET_ALL_USER_REWARDS, both, OWNER, says=failure)
    position = chain.position()
    assert "rewards" in position.unknown[0]
    assert status(position) is Status.UNKNOWN
    hidden = rewarding()
    hidden.tell(token_of(0xB, 0), c.GET_CONTROLLER, says=failure)
    assert any("T0 rewards" in cause for p in hidden.read().positions for cause in p.unknown)  # type: ignore[union-attr]


def test_read__names_of_rewards_fail__amounts_stay() -> None:
    chain = rewarding()
    chain.tell(CONTROLLER, c.GET_REWARDS_LIST, says=Reverted(b""))
    leg = chain.position().legs[-1]
    assert (leg.amount, leg.token.decimals) == (42, None)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_read__answers_lost_at_random__never_look_safe_or_smaller(data: st.DataObject) -> None:
    chain = rewarding()
    truth = chain.position()
    keys = sorted(chain.answers, key=str)
    for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, max_size=3)):
        chain.answers[key] = data.draw(st.sampled_from(FAILURES[:1] + FAILURES[3:]))
    try:
        positions = chain.read((OWNER,)).positions
    except ReadFailed:
        return
    for position in positions:
        if isinstance(position, Unreadable):
            continue
        if status(position) is Status.SAFE:
            assert [leg.amount for leg in position.legs] == [leg.amount for leg in truth.legs]
    assert positions
