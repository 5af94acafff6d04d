"""Value at risk of a portfolio: from history where there is one, widened and said where not."""

import numpy as np
import pytest

from protocols.types import Leg, Side
from risk.market.types import DAY_S, PriceSeries
from tests.underkeel.stress.build import (
    ETH_FEED,
    LINK_FEED,
    ODD,
    USDC_FEED,
    loan,
    portfolio,
    wallet,
)
from underkeel.stress.run import Book, Play
from underkeel.stress.tail import Market, at_risk, key, split

QUIET = lambda _what, _done, _all: None  # noqa: E731


def history(factor: str, sigma: float, seed: int) -> PriceSeries:
    dice = np.random.default_rng(seed)
    prices = 100 * np.exp(np.cumsum(dice.normal(size=500) * sigma))
    return PriceSeries(factor, "", np.arange(500) * DAY_S + 1_600_000_000, prices, "made")


def test_at_risk__history_and_none__numbers_order_and_what_was_assumed() -> None:
    book = Book.of(portfolio(loan(), wallet(), wallet(Leg(ODD, 1, Side.ASSET))))
    series: dict[tuple[str, str], PriceSeries] = {
        ("main", ETH_FEED): history(ETH_FEED, 0.04, 1),
        ("main", USDC_FEED): history(USDC_FEED, 0.001, 2),
    }
    missing: dict[tuple[str, str], str] = {("main", LINK_FEED): "no rounds"}
    market = Market.of(book, series, missing, {key("main", LINK_FEED): 0.05})
    found = at_risk(book, market, Play(), 7 * DAY_S, 400, QUIET)
    assert found.paths == 400
    assert [t.level for t in found.tails] == [0.95, 0.99]
    assert found.tails[0].var_usd <= found.tails[0].es_usd <= found.tails[1].es_usd
    assert sum(found.parts.values()) == pytest.approx(found.tails[1].es_usd)
    assert set(found.parts) == {one.position.id for one in book.positions[:2]}
    assert 0 < found.liquidated_frac < 1
    assert any("no rounds" in why for why in found.assumed.values())
    assert any("ODD has no price" in cause for cause in found.unknown)
    by = {(s.volatility, s.toward_one): s.tail.var_usd for s in found.sweep}
    assert by[1.0, 0.0] < by[2.0, 0.0] < by[3.0, 0.0]
    assert found.worst[0].loss_usd < found.worst[1].loss_usd
    again = at_risk(book, market, Play(), 7 * DAY_S, 400, QUIET)
    assert again == found


def test_at_risk__nothing_known__no_tail_rather_than_zero() -> None:
    book = Book.of(portfolio(wallet(Leg(ODD, 1, Side.ASSET)), down=True))
    found = at_risk(book, Market.of(book, {}, {}, {}), Play(), DAY_S, 200, QUIET)
    assert (found.tails, found.sweep, found.worst) == ((), (), ())
    assert len(found.unknown) == 3


def test_key__and_back() -> None:
    assert split(key("main", "mul(a, b)")) == ("main", "mul(a, b)")


@pytest.mark.parametrize("days", [1, 30])
def test_at_risk__longer__loses_more(days: int) -> None:
    book = Book.of(portfolio(wallet()))
    market = Market.of(book, {}, {}, {})
    one = at_risk(book, market, Play(), DAY_S, 300, QUIET)
    many = at_risk(book, market, Play(), days * DAY_S, 300, QUIET)
    assert many.tails[0].var_usd >= one.tails[0].var_usd
