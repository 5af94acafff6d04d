"""What an Aave oracle's price is made of, and when not to trust it."""

from typing import Any

import pytest

from chain.calls import Reverted, Unknown
from chain.types import ZERO_ADDRESS
from protocols.aave_v3 import contracts as c
from protocols.prices import feed
from protocols.types import Price, Unpriced
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.aave_v3.fake import FALLBACK, ORACLE, FakeChain, feed_of, publish
from tests.protocols.aave_v3.test_adapter import DEBT, HELD, LOAN, UNIT, loan, state_of, status
from tests.protocols.prices.build import NOW, address, latest
from tests.risk.aave_states import account, owed, transcribed


def first_price(chain: FakeChain) -> Price:
    price = chain.read().prices[0]
    assert isinstance(price, Price)
    return price


def test_price__feed_answers_nothing_above_zero__is_the_fallbacks() -> None:
    chain = publish(loan())
    chain.tell(ORACLE, c.GET_FALLBACK_ORACLE, says=FALLBACK)
    for answer in (0, -5):
        chain.tell(feed_of("eth"), c.LATEST_ANSWER, says=answer)
        chain.tell(feed_of("eth"), feed.LATEST, says=latest(answer))
        price = first_price(chain)
        assert price.raw == 2000 * 10**8  # the oracle's word, not the feed's
        assert price.source == f"fallback oracle({FALLBACK}) of {HELD.asset}"
        assert price.problems == (f"its feed answers {answer}, so the fallback oracle prices it",)
        assert status(chain.position()) is Status.UNKNOWN
    chain.tell(ORACLE, c.GET_SOURCE, HELD.asset, says=ZERO_ADDRESS)
    chain.tell(ORACLE, c.GET_FALLBACK_ORACLE, says=Unknown("timed out"))
    assert first_price(chain).problems == ("the fallback oracle prices it",)
    assert first_price(chain).factor == f"fallback oracle of {HELD.asset}"


def test_price__stale_feed__is_never_safe_but_may_be_liquidatable() -> None:
    for debt, expected in ((5000, Status.UNKNOWN), (17_000, Status.LIQUIDATABLE)):
        chain = publish(account(10, LOAN[0], owed(DEBT, debt * UNIT)))
        old = latest(2000 * 10**8, updated=NOW - 200_000)
        chain.tell(feed_of("eth"), feed.LATEST, says=old)
        found = assess_liquidation(chain.position())
        assert found.status is expected
        assert any("stale" in cause for cause in found.causes)


def test_price__source_without_rounds__has_no_age() -> None:
    chain = publish(loan())
    chain.tell(feed_of("eth"), feed.LATEST, says=Reverted(b""))
    price = first_price(chain)
    assert (price.updated_at, price.problems) == (None, ())
    assert status(chain.position()) is Status.SAFE
    chain.tell(feed_of("eth"), c.LATEST_ANSWER, says=Unknown("timed out"))
    assert "timed out" in first_price(chain).problems[0]


def test_price__round_not_finished__is_a_problem() -> None:
    chain = publish(loan())
    chain.tell(feed_of("eth"), feed.LATEST, says=latest(2000 * 10**8, updated=0))
    assert first_price(chain).problems


def test_price__capped_ratio__is_taken_apart_into_the_base_feed() -> None:
    chain, source = publish(loan()), feed_of("eth")
    base = address(0xBA5E)
    chain.tell(source, feed.LATEST, says=Reverted(b""))
    chain.tell(source, c.RATIO_BASE, says=base)
    chain.tell(source, c.GET_RATIO, says=125 * 10**16)
    chain.tell(source, c.RATIO_DECIMALS, says=18)
    chain.tell(base, feed.LATEST, says=latest(1600 * 10**8))
    price = first_price(chain)
    assert price.factor == base
    assert price.source == f"mul(feed({base}), const({125 * 10**16}, 18))"
    assert (price.raw, price.updated_at) == (2000 * 10**8, NOW - 60)
    position = chain.position()
    (edge, *_) = assess_liquidation(position).boundary
    assert (edge.factor, edge.current_raw) == (base, 1600 * 10**8)
    # a ratio that does not give the oracle's price, as when it is capped, explains nothing
    chain.tell(source, c.GET_RATIO, says=126 * 10**16)
    assert first_price(chain).factor == source


def test_price__capped_stable__is_its_feed_under_a_cap() -> None:
    chain, source = publish(loan()), feed_of("usd")
    base = address(0xBA5E)
    chain.tell(source, feed.LATEST, says=Reverted(b""))
    chain.tell(source, c.CAPPED_BASE, says=base)
    chain.tell(source, c.GET_PRICE_CAP, says=104 * 10**6)
    chain.tell(base, feed.LATEST, says=latest(10**8))
    price = chain.read().prices[1]
    assert isinstance(price, Price)
    assert (price.factor, price.source) == (base, f"cap(feed({base}), const({104 * 10**6}, 8))")
    state = state_of(chain.position())
    assert state.holdings[1].reserve.quote is not None
    assert state.holdings[1].reserve.quote.price(2 * 10**8) == 104 * 10**6
    chain.tell(source, c.GET_PRICE_CAP, says=9 * 10**7)
    capped = chain.read().prices[1]
    assert isinstance(capped, Price)
    assert capped.factor == source


def test_price__base_currency_is_a_token__counts_in_it() -> None:
    chain = publish(loan())
    chain.tell(ORACLE, c.BASE_CURRENCY, says=DEBT.asset)
    chain.tell(ORACLE, c.BASE_CURRENCY_UNIT, says=10**8)
    held, base = chain.read().prices
    assert isinstance(held, Price)
    assert isinstance(base, Price)
    assert held.quote == base.quote == DEBT.asset
    assert base.source == f"const({10**8}, 8)"
    position = chain.position()
    assert state_of(position).base_decimals is None
    assert [b.factor for b in assess_liquidation(position).boundary] == [feed_of("eth")]


@pytest.mark.parametrize("unit", [0, 3, Unknown("timed out"), Reverted(b"")])
def test_price__unit_is_no_power_of_ten__is_unpriced_and_health_stands(unit: Any) -> None:
    chain = publish(loan())
    chain.tell(ORACLE, c.BASE_CURRENCY_UNIT, says=unit)
    assert all(isinstance(price, Unpriced) for price in chain.read().prices)
    position = chain.position()
    assert assess_liquidation(position).health_raw == transcribed(loan())[3]
    chain.tell(ORACLE, c.BASE_CURRENCY_UNIT, says=10**18)
    price = first_price(chain)
    assert (price.quote, price.decimals) == (ZERO_ADDRESS, 18)
