"""The status of any position, and what it is worth."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from protocols.aave_v3.state import AaveAccount
from protocols.types import Leg, Position, Price, Side, State, Token, Unpriced
from risk import liquidation
from risk.assess import assess
from risk.liquidation import assess_liquidation, engine_of, health, reprice, seizure
from risk.types import Direction, Liquidation, OracleHealth, Status
from risk.valuation import equity_usd, leg_usd, price_of
from tests.risk.aave_states import NOW, account, owed, position, quote, reserve, supplied

UNIT = 10**18


def loan(debt: int, **of_quote: Any) -> AaveAccount:
    held = reserve(0, quote(10**8, "a", **of_quote))
    other = reserve(1, quote(10**8, "b", label="B / USD", updated_at=NOW - 50, heartbeat_s=60))
    return account(10, supplied(held, 10_000 * UNIT), owed(other, debt * UNIT))


def test_assess__sound_loan__is_safe_with_its_edges_nearest_first() -> None:
    found = assess_liquidation(position(loan(4_000)))
    assert found.status is Status.SAFE
    assert found.causes == ()
    assert (found.health_raw, found.health_scale) == (2 * UNIT, UNIT)
    assert [(b.factor, b.direction, b.price_raw) for b in found.boundary] == [
        ("a", Direction.DOWN, 49_999_999),
        ("b", Direction.UP, 200_000_001),
    ]
    assert found.oracle == OracleHealth(50, 60)
    assert (found.time_to_liq_s, found.time_exact) == (None, True)
    # at the nearest edge half of the debt is taken with five per cent on top
    assert found.close_factor_frac == 0.5
    assert found.expected_loss_usd == pytest.approx(100, rel=1e-6)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"unknown": ("rewards: timed out",)}, "rewards: timed out"),
        ({"verified": False, "notes": ("we say 1, it says 2",)}, "we say 1, it says 2"),
        ({"verified": False}, "not verified"),
    ],
)
def test_assess__doubts__replace_safe_and_stand_beside_liquidatable(
    changes: dict[str, Any], cause: str
) -> None:
    doubtful = assess_liquidation(replace(position(loan(4_000)), **changes))
    assert (doubtful.status, doubtful.causes) == (Status.UNKNOWN, (cause,))
    assert doubtful.health_raw == 2 * UNIT
    taken = assess_liquidation(replace(position(loan(9_000)), **changes))
    assert (taken.status, taken.causes) == (Status.LIQUIDATABLE, (cause,))
    assert taken.time_to_liq_s == 0


def test_assess__stale_price__is_unknown_and_named() -> None:
    stale = assess_liquidation(position(loan(4_000, problems=("stale: 9 s old",), label="A / USD")))
    assert (stale.status, stale.causes) == (Status.UNKNOWN, ("A / USD: stale: 9 s old",))
    unnamed = assess_liquidation(position(loan(4_000, problems=("stale",))))
    assert unnamed.causes == ("a: stale",)


def test_assess__nothing_owed__cannot_be_liquidated() -> None:
    held = reserve(0, quote(10**8, "a", problems=("stale",)))
    state = account(10, supplied(held, UNIT))
    assert assess_liquidation(position(state)).status is Status.NOT_LIQUIDATABLE
    partly = assess_liquidation(position(state, unknown=("x",)))
    assert (partly.status, partly.causes) == (Status.UNKNOWN, ("x",))


def test_assess__no_state__is_unknown_only_if_something_is() -> None:
    assert assess_liquidation(position(None)) == Liquidation(Status.NOT_LIQUIDATABLE, None, 1)
    dark = assess_liquidation(position(None, unknown=("debt: timed out",)))
    assert (dark.status, dark.causes) == (Status.UNKNOWN, ("debt: timed out",))
    assert health(position(None)) is None
    assert seizure(position(None)) is None


def test_assess__ages_unknown__says_so() -> None:
    held, debt = reserve(0, quote(10**8, "a")), reserve(1, quote(10**8, "b"))
    ageless = account(10, supplied(held, UNIT), owed(debt, UNIT // 2))
    assert assess_liquidation(position(ageless)).oracle == OracleHealth(None, None)
    base = quote(10**8, "const", constant=True)
    held, debt = reserve(0, base), reserve(1, base)
    fixed = account(10, supplied(held, UNIT), owed(debt, UNIT // 2))
    assert assess_liquidation(position(fixed)).oracle is None


@dataclass(frozen=True, slots=True)
class Broken(State):
    """A state whose protocol would fail."""


class Failing:
    scale = 7

    def health(self, *_: object) -> int:
        raise ZeroDivisionError("the oracle would revert")


def test_assess__protocols_arithmetic_fails__is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liquidation, "ENGINES", {Broken: lambda _: Failing()})
    found = assess_liquidation(replace(position(None), state=Broken()))
    assert found.status is Status.UNKNOWN
    assert (found.health_scale, found.causes) == (7, ("the oracle would revert",))


def test_engine_of__nothing_or_a_stranger__is_none() -> None:
    assert engine_of(None) is None
    assert engine_of(Broken()) is None


DOLLAR = Price(reserve(0, None).asset, "USD", 3 * 10**8, 8, "feed(x)", "a", None)
TOKEN = Token(DOLLAR.token, "T", 18)


def holding(*legs: Leg, **more: Any) -> Position:
    return replace(position(None), legs=legs, **more)


def test_reprice__a_factor__moves_legs_and_state() -> None:
    state = loan(4_000)
    owes = Token(state.holdings[1].reserve.asset, "B", 18)
    other = Price(Token(owes.address, "R", 18).address, "USD", 10**8, 8, "feed(y)", "b", None)
    legs = (
        Leg(TOKEN, UNIT, Side.COLLATERAL, DOLLAR),
        Leg(owes, UNIT, Side.DEBT, other),
        Leg(owes, UNIT, Side.ASSET, Unpriced(owes.address, "x", "y")),
    )
    moved = reprice(replace(position(state), legs=legs), {"a": 7})
    first, second, third = moved.legs
    assert isinstance(first.price, Price)
    assert isinstance(second.price, Price)
    assert (first.price.raw, second.price.raw) == (7, 10**8)
    assert third == legs[2]
    assert health(moved) == health(position(state), {"a": 7}) == 8_000 * 7 * UNIT // (4_000 * 10**8)
    # without an engine a leg follows its own factor
    (alone,) = reprice(holding(legs[0]), {"a": 5}).legs
    assert isinstance(alone.price, Price)
    assert alone.price.raw == 5


def test_seizure__liquidatable__is_what_the_engine_says() -> None:
    taken = seizure(position(loan(9_000)))
    assert taken is not None
    assert taken.repaid == 9_000 * UNIT


def test_equity__assets_less_debts__without_rewards() -> None:
    legs = (
        Leg(TOKEN, 10 * UNIT, Side.COLLATERAL, DOLLAR),
        Leg(TOKEN, 4 * UNIT, Side.DEBT, DOLLAR),
        Leg(TOKEN, UNIT, Side.FEE, DOLLAR),
        Leg(TOKEN, 5 * UNIT, Side.REWARD, DOLLAR),
        Leg(TOKEN, 0, Side.ASSET, None),
    )
    assert equity_usd(holding(*legs)) == 21.0
    assert assess(holding(*legs)).equity_usd == 21.0
    assert equity_usd(holding(*legs, unknown=("a leg may be missing",))) is None


@pytest.mark.parametrize(
    "leg",
    [
        Leg(TOKEN, 1, Side.ASSET, None),
        Leg(TOKEN, 1, Side.ASSET, Unpriced(TOKEN.address, "x", "reverted")),
        Leg(TOKEN, 1, Side.DEBT, replace(DOLLAR, quote="ETH")),
        Leg(replace(TOKEN, decimals=None), 1, Side.ASSET, DOLLAR),
    ],
)
def test_equity__one_leg_without_a_dollar_value__is_none(leg: Leg) -> None:
    assert leg_usd(leg) is None
    assert equity_usd(holding(Leg(TOKEN, UNIT, Side.ASSET, DOLLAR), leg)) is None


def test_price_of__a_leg__is_its_price_if_it_has_one() -> None:
    assert price_of(Leg(TOKEN, 1, Side.ASSET, DOLLAR)) == DOLLAR
    assert price_of(Leg(TOKEN, 1, Side.ASSET, None)) is None
