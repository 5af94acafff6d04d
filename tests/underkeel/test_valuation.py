"""What positions are worth: never a partial sum, nothing twice, debts negative."""

from dataclasses import replace
from decimal import Decimal

import pytest

from chain.types import ZERO_ADDRESS
from protocols.types import Leg, Position, Price, Side, Token, Unpriced
from risk.liquidation.engine import Seizure
from risk.types import Status
from tests.support.fake_chain import AT, address
from underkeel.valuation import Valuation, assess, profit, totals, worth

COIN = Token(address(1), "COIN", 18)
USDX = Token(address(2), "USDX", 6)
ODD = Token(address(3), "ODD", None)
SHARE = Token(address(4), "vCOIN", 18)
OWNER = address(9)


def price(token: Token, whole: int, **more: object) -> Price:
    base = Price(token.address, "USD", whole * 10**8, 8, "feed(x)", "x", AT.timestamp)
    return replace(base, **more)  # type: ignore[arg-type]


def valuation(*prices: Price | Unpriced) -> Valuation:
    return Valuation.of((), prices, (), AT)


def position(*legs: Leg, kind: str = "lending") -> Position:
    return Position(f"1:{kind}", kind, "", kind, ZERO_ADDRESS, OWNER, kind, legs, AT)


BOTH = valuation(price(COIN, 2_000), price(USDX, 1))


def test_equity__assets_and_fees_less_debts__rewards_not_counted() -> None:
    held = position(
        Leg(COIN, 10**18, Side.COLLATERAL),
        Leg(USDX, 500 * 10**6, Side.DEBT),
        Leg(USDX, 5 * 10**6, Side.FEE),
        Leg(ODD, 7, Side.REWARD),
    )
    assert BOTH.equity(held) == Decimal("1505")
    assert BOTH.usd(held.legs[1]) == Decimal("-500")


@pytest.mark.parametrize(
    "spoilt",
    [
        Leg(ODD, 1, Side.ASSET),
        Leg(SHARE, 1, Side.DEBT),
        Leg(COIN, 1, Side.ASSET, Unpriced(COIN.address, "feed(x)", "stale")),
    ],
)
def test_equity__anything_unpriced__unknown_not_partial(spoilt: Leg) -> None:
    assert BOTH.equity(position(Leg(COIN, 10**18, Side.ASSET), spoilt)) is None


def test_equity__unread_part__unknown() -> None:
    held = replace(position(Leg(COIN, 1, Side.ASSET)), unknown=("the debt: timed out",))
    assert BOTH.equity(held) is None


def test_worth__zero_amount_or_price__zero_is_only_said_of_nothing() -> None:
    assert worth(0, ODD, Unpriced(ODD.address, "", "")) == 0
    assert worth(1, COIN, price(COIN, 0)) is None


def test_worth__more_than_there_is_on_earth__is_unknown() -> None:
    whole = Token(address(5), "H", 0)
    assert worth(10**24, whole, price(COIN, 1)) == Decimal(10) ** 24
    assert worth(10**77, whole, price(COIN, 1)) is None
    assert worth(10**77, whole, price(COIN, 1), -1) is None
    assert BOTH.equity(position(Leg(COIN, 10**77, Side.ASSET))) is None


def test_assess__fault_of_ours__is_that_positions_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Position) -> None:
        raise TypeError("no such thing")

    monkeypatch.setattr("underkeel.valuation.assess_liquidation", broken)
    found = assess(position(Leg(COIN, 1, Side.ASSET)), BOTH, None)
    assert found.liquidation.status is Status.UNKNOWN
    assert found.equity_usd is None
    assert found.position.unknown == ("internal error: TypeError: no such thing",)
    assert found.position.legs


def test_price__own_quote_has_no_dollar_price__the_books_is_taken() -> None:
    own = price(COIN, 5, quote=address(77))
    assert BOTH.usd(Leg(COIN, 10**18, Side.ASSET, own)) == Decimal(2_000)


def test_totals__receipt_listed_in_the_wallet__counts_once() -> None:
    held = position(Leg(COIN, 10**18, Side.ASSET), kind="vault")
    vault = replace(held, receipts=(SHARE.address,))
    wallet = position(Leg(SHARE, 10**18, Side.ASSET), Leg(COIN, 10**18, Side.ASSET), kind="wallet")
    sums = totals([([vault, wallet], BOTH)], 0)
    assert (sums.priced_usd, sums.partial) == (Decimal(4_000), False)


def test_totals__unpriced_token_or_position__named_and_partial() -> None:
    wallet = position(Leg(COIN, 10**18, Side.ASSET), Leg(ODD, 1, Side.ASSET), kind="wallet")
    loan = position(Leg(COIN, 10**18, Side.COLLATERAL), Leg(ODD, 1, Side.DEBT))
    sums = totals([([wallet, loan], BOTH)], 0)
    assert sums.priced_usd == Decimal(2_000)
    assert sums.partial
    assert sums.unpriced == (f"{wallet.id}: ODD", loan.id)
    assert totals([], 1).partial
    cut = replace(wallet, legs=(), unknown=("native balance: timed out",))
    assert totals([([cut], BOTH)], 0).unpriced == (f"{cut.id}: native balance: timed out",)


def test_profit__engine_does_not_count_in_dollars__valued_here() -> None:
    taken = Seizure(USDX.address, 900 * 10**6, COIN.address, 5 * 10**17, 0, None)
    held = position(Leg(COIN, 10**18, Side.COLLATERAL), Leg(USDX, 10**9, Side.DEBT))
    assert profit(held, taken, BOTH) == 100.0
    assert profit(held, replace(taken, profit_usd=7.0), BOTH) == 7.0
    assert profit(held, taken, valuation(price(COIN, 2_000))) is None
    assert profit(position(), taken, BOTH) is None


def test_assess__nothing_to_liquidate__stays_so_however_old_the_price() -> None:
    old = price(COIN, 1, updated_at=AT.timestamp - 1_000)
    found = assess(position(Leg(COIN, 10**18, Side.ASSET, old)), BOTH, 10)
    assert found.liquidation.status is Status.NOT_LIQUIDATABLE
    assert found.equity_usd == 1.0
