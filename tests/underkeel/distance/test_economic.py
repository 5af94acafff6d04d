"""Where the oracle's eye and the market part, and where nobody knows."""

from dataclasses import replace
from typing import Any

import pytest

from protocols.aave_v3.state import Quote
from protocols.morpho_blue.state import MorphoOracle, VaultLeaf
from protocols.prices.twap import PoolCheck
from protocols.types import Leg, Price, Side, Token
from risk.distance.economic import Apart, distance, economic_health
from tests.risk import aave_states as aave
from tests.risk import morpho_states as morpho
from tests.support.fake_chain import AT, address
from tests.underkeel.distance import scene
from underkeel.cli.joint import Extras, rows
from underkeel.distance.economic import aparts_of
from underkeel.documents.build import risk_document
from underkeel.documents.study import extended
from underkeel.valuation import Valuation

FEED = f"feed({address(70)})"
STETH, DAI = Token(scene.asset(0), "stETH", 18), Token(scene.asset(1), "DAI", 18)


def loan(quote: Quote, source: str, *, aged: bool = True, **given: Any) -> Any:
    """Return 10 stETH at a quote for 20,000 DAI, and the prices that are known of it."""
    state = aave.account(
        10,
        aave.supplied(aave.reserve(0, quote), 10**19),
        aave.owed(aave.reserve(1, aave.quote(10**8, "dai")), 20_000 * 10**18),
    )
    at = AT.timestamp - 5 if aged else None
    price = Price(STETH.address, "USD", quote.price(), 8, source, quote.factor, at)
    held = Leg(STETH, 10**19, Side.COLLATERAL, price)
    owed = scene.priced(DAI, 20_000 * 10**18, Side.DEBT, FEED)
    assert isinstance(owed.price, Price)
    own = (price, owed.price)
    valuation = Valuation.of(own, given.get("configured", ()), (), AT)
    if "checks" in given:
        book = replace(valuation.book, checks=given["checks"])
        valuation = replace(valuation, book=book)
    return scene.portfolio(scene.held(state, held, owed, name="a"), valuation=valuation)


def apart(portfolio: Any) -> Apart:
    return aparts_of(portfolio)["a"]


def test_apart__market_feeds__are_one_distance() -> None:
    found = apart(loan(aave.quote(3000 * 10**8, "eth"), FEED))
    assert found.oracle_frac == pytest.approx(20 / 24 - 1)
    assert found.economic_frac == pytest.approx(20 / 24 - 1)


def test_apart__price_above_its_cap__has_more_than_the_oracle_says() -> None:
    quote = aave.quote(3000 * 10**8, "eth", cap=2700 * 10**8)
    found = apart(loan(quote, f"cap({FEED}, const(270000000000, 8))"))
    assert found.oracle_frac == pytest.approx(20 / 21.6 - 1)
    assert found.economic_frac == pytest.approx(20 / 24 - 1)


@pytest.mark.parametrize(
    ("source", "word"),
    [
        (f"mul({FEED}, const(115, 2))", "a protocol's ratio"),
        (f"mul({FEED}, ratio({address(5)}))", "a protocol's ratio"),
        (f"mul({FEED}, feed({address(6)}))", "a product"),
        ("const(1)", "fixed"),
        (f"oracle({address(7)})", "does not tell"),
        ("fallback oracle", "does not tell"),
    ],
)
def test_apart__oracle_without_a_market__is_unknown_with_the_cause(source: str, word: str) -> None:
    portfolio = loan(aave.quote(3000 * 10**8, "eth"), source)
    found = apart(portfolio)
    assert found.oracle_frac == pytest.approx(20 / 24 - 1)
    assert found.economic_frac is None
    assert word in found.causes[0]
    document = extended(risk_document(portfolio, 0.0), None, {}, aparts_of(portfolio))
    judged = document.positions[0].liquidation
    assert judged.economic_distance_frac is None
    assert judged.oracle_distance_frac == found.oracle_frac
    said = [v for _, v in rows(Extras(apart=aparts_of(portfolio)), portfolio.assessments[0])]
    assert any("not known at market prices" in str(line) for line in said)


def test_apart__feed_without_a_time__is_no_market() -> None:
    assert apart(loan(aave.quote(3000 * 10**8, "eth"), FEED, aged=False)).economic_frac is None


def test_apart__configured_market_price__shows_a_depeg() -> None:
    market = Price(STETH.address, "USD", 2700 * 10**8, 8, f"feed({address(71)})", "x", AT.timestamp)
    source = f"mul({FEED}, const(115, 2))"
    found = apart(loan(aave.quote(3000 * 10**8, "eth"), source, configured=(market,)))
    assert found.oracle_frac == pytest.approx(20 / 24 - 1)
    assert found.economic_frac == pytest.approx(20 / 21.6 - 1)


@pytest.mark.parametrize("first", [True, False])
def test_apart__pool_with_depth__is_a_market_and_a_thin_one_is_not(first: bool) -> None:
    sides = (STETH.address, DAI.address) if first else (DAI.address, STETH.address)
    tick = 79_009 if first else -79_009  # 1.0001^79009 is about 2,699
    depth = 10**24 if first else 10**21

    def pool(deep: int) -> PoolCheck:
        return PoolCheck(address(72), *sides, tick, 1800, 18, 18, deep)

    source = f"mul({FEED}, const(115, 2))"
    quote = aave.quote(3000 * 10**8, "eth")
    found = apart(loan(quote, source, checks=(pool(depth),)))
    assert found.economic_frac == pytest.approx(20 / 21.6 - 1, abs=1e-3)
    assert apart(loan(quote, source, checks=(pool(1),))).economic_frac is None


def morpho_loan(oracle: MorphoOracle, dollars: int | None = 10**8) -> Any:
    state = morpho.position(oracle=oracle)
    price = Price(scene.WETH.address, scene.USDC.address, oracle.price, 24, "x", "x", None)
    held = Leg(scene.WETH, 10**18, Side.COLLATERAL, price)
    owed = Leg(scene.USDC, state.borrowed, Side.DEBT, None)
    own = (
        ()
        if dollars is None
        else (Price(scene.USDC.address, "USD", dollars, 8, FEED, "usdc", AT.timestamp),)
    )
    valuation = Valuation.of(own, (), (), AT)
    return scene.portfolio(scene.held(state, held, owed, name="a"), valuation=valuation)


def oracle(**changes: Any) -> MorphoOracle:
    made = replace(morpho.parts(), **changes)
    worth = made.price()
    assert worth is not None
    return MorphoOracle(morpho.ORACLE, worth, made)


def test_apart__morpho_over_market_feeds__are_one_distance() -> None:
    found = apart(morpho_loan(oracle()))
    assert found.economic_frac == pytest.approx(found.oracle_frac)


def test_apart__morpho_takes_a_coin_for_a_dollar__what_it_owes_is_its_price() -> None:
    base = replace(morpho.feed(morpho.BASE, 3000 * 10**8), label="ETH / USD")
    fixed = oracle(base_feeds=(base,), quote_feeds=(), scale=10**16)
    found = apart(morpho_loan(fixed, dollars=125 * 10**6))
    assert found.economic_frac == pytest.approx((1 + found.oracle_frac) * 1.25 - 1)
    unknown = apart(morpho_loan(fixed, dollars=None))
    assert unknown.economic_frac is None
    assert "takes one USDC for a dollar" in unknown.causes[0]


def test_apart__morpho_over_a_vault__needs_a_market() -> None:
    vault = VaultLeaf(address(73), 10**18, 10**18)
    found = apart(morpho_loan(oracle(base_vault=vault, scale=10**6)))
    assert found.economic_frac is None
    assert "not made of market feeds alone" in found.causes[0]


def test_distance__no_health__is_beyond_everything() -> None:
    assert distance(2.0) == -0.5
    assert distance(0.0) == float("inf")
    assert economic_health(None, {}) is None
