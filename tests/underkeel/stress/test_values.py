"""What moves each leg: powers of primitives through expressions, caps, quotes and oracles."""

from dataclasses import replace

import pytest

from chain.types import ZERO_ADDRESS
from protocols.aave_v3.state import AaveAccount
from protocols.types import Leg, Price, Side, Token
from risk.assess import assess
from tests.risk.morpho_states import BASE, COLLATERAL, LOAN, ORACLE, QUOTE, parts
from tests.risk.morpho_states import position as morpho
from tests.support.fake_chain import AT, address
from tests.underkeel.stress.build import ETH_FEED, LINK, STAKED, VAULT, loan, portfolio, wallet
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.stress.factors import Known, composite, matches, names_of, powers_of
from underkeel.stress.grid import grid
from underkeel.stress.library import library
from underkeel.stress.run import Book, Play, named
from underkeel.stress.values import exposed, expr_powers
from underkeel.valuation import Valuation

A, B, C = address(0xA1), address(0xB1), address(0xC1)


@pytest.mark.parametrize(
    ("source", "powers", "blind"),
    [
        (f"feed({A})", {A: 1}, ()),
        (f"mul(feed({A}), ratio({B}))", {A: 1, f"ratio({B})": 1}, ()),
        (f"div(feed({A}), mul(feed({B}), feed({B})))", {A: 1, B: -2}, ()),
        (f"div(mul(feed({A}), feed({B})), feed({A}))", {B: 1}, ()),
        (f"cap(mul(feed({A}), oracle({C})), const(2))", {A: 1, C: 1}, ()),
        (f"mul(feed({A}), min(feed({B}), feed({C})))", {A: 1}, (B, C)),
        ("const(105, 2)", {}, ()),
        ("whatever", {"whatever": 1}, ()),
    ],
)
def test_powers__of_every_expression(source: str, powers: object, blind: tuple[str, ...]) -> None:
    assert expr_powers(source) == (powers, frozenset(blind))


def test_staked_token__quoted_in_ether__moves_with_the_ratio_and_with_ether() -> None:
    (one,) = [v for e in Book.of(portfolio()).positions for v in e.legs if v.leg.token == STAKED]
    assert one.powers == {f"ratio({VAULT})": 1, ETH_FEED: 1}
    assert one.usd == pytest.approx(2_200)


def test_aave_leg__capped_quote__has_room_up_to_its_cap() -> None:
    held = loan()
    state = held.state
    assert isinstance(state, AaveAccount)
    first, second = state.holdings
    assert first.reserve.quote is not None
    capped = replace(first.reserve.quote, cap=2_500 * 10**8)
    first = replace(first, reserve=replace(first.reserve, quote=capped))
    held = replace(held, state=replace(state, holdings=(first, second)))
    chain = portfolio(held).chains[0]
    assert chain.valuation is not None
    one = exposed(held, chain.valuation).legs[0]
    assert one.room == pytest.approx(1.25)
    assert one.multiple({ETH_FEED: 3.0}) == pytest.approx(1.25)


@pytest.mark.parametrize("whole", [True, False])
def test_morpho_collateral__follows_the_feeds_behind_the_oracle_and_the_loan(whole: bool) -> None:
    state = morpho()
    oracle = state.oracle
    assert oracle is not None
    state = replace(state, oracle=replace(oracle, parts=None if whole else parts()))
    price = Price(COLLATERAL, LOAN, oracle.price, 24, "oracle(o)", ORACLE, None)
    held = replace(
        wallet(Leg(Token(COLLATERAL, "WETH", 18), 10**18, Side.COLLATERAL, price)), state=state
    )
    dollars = Price(LOAN, "USD", 10**8, 8, f"feed({A})", A, AT.timestamp)
    (one,) = exposed(held, Valuation.of((dollars,), (), (held,), AT)).legs
    assert one.usd == pytest.approx(3_000)
    behind: dict[str, int] = {ORACLE: 1} if whole else {BASE: 1, QUOTE: -1}
    assert one.powers == {**behind, A: 1}


def test_names__labels_symbols_ratios_and_groups() -> None:
    eth = Known("main", A, "ETH / USD", {"WETH"})
    ratio = Known("main", B, "wstETH / ETH", set())
    bare = Known("main", C, "", {"CRV"})
    steth = Known("main", address(0xD1), "stETH / USD", set())
    known = (eth, ratio, bare, steth)
    groups = {"ETH": ["stETH", "wstETH"]}
    assert matches("WETH", known, groups) == (eth, steth)
    assert matches("wstETH/ETH", known, groups) == (ratio,)
    assert matches("crv", known, groups) == (bare,)
    assert matches(A.lower(), known) == (eth,)
    assert matches("wstETH", known) == ()
    assert names_of(known) == {"ETH", "wstETH/ETH", "CRV", "stETH"}


def test_composite__factor_that_is_a_product__moves_as_its_parts() -> None:
    assert composite(f"mul(feed({A}), feed({B}))") == ((A, 1), (B, 1))
    assert composite(f"div(feed({A}), feed({B}))") == ((A, 1), (B, -1))
    assert composite(A) == ((A, 1),)
    assert composite("odd name") == (("odd name", 1),)


def test_price_in_ether__moves_with_ether_though_nobody_holds_any() -> None:
    coin = Price(ZERO_ADDRESS, "USD", 2_000 * 10**8, 8, f"feed({A})", A, AT.timestamp)
    coin = replace(coin, label="ETH / USD")
    own = Price(LINK.address, "ETH", 10**16, 18, f"feed({B})", B, AT.timestamp)
    own = replace(own, label="LINK / ETH")
    held = wallet(Leg(LINK, 100 * 10**18, Side.ASSET, own))
    valuation = Valuation.of((coin,), (), (held,), AT)
    chain = ChainReport("main", 1, AT, (assess(held),), valuation=valuation)
    book = Book.of(Portfolio((), (chain,), {}))
    (one,) = book.positions[0].legs
    assert one.powers == {B: 1, A: 1}
    assert one.usd == pytest.approx(2_000)
    assert {k.shown for k in book.factors} == {"ETH / USD", "LINK / ETH"}
    # LINK in ether falls by what LINK falls over what ether falls: its dollars by their product
    result = named(book, library(), "march-2023", Play())
    assert result.loss_usd == pytest.approx(2_000 * 0.07)
    whys = {m.known.shown: m.why for m in result.moved}
    assert whys == {"ETH / USD": "ETH", "LINK / ETH": "other over ETH"}
    found = grid(book, library(), ("ETH", "LINK"), Play(), (-0.5, 0.0))
    assert found.loss_usd[0] == pytest.approx((1_000.0, 0.0))


def test_ratio_of_one_kind__stays__unless_named() -> None:
    ratio = Known("main", B, "wstETH / ETH", set())
    assert powers_of("ETH", (ratio,), library().groups) == ()
    assert powers_of("wstETH/ETH", (ratio,), library().groups) == ((ratio, 1),)
    dollars = Known("main", C, "USDC / ETH", set())
    assert powers_of("ETH", (dollars,), library().groups) == ((dollars, -1),)


def test_opaque_oracle_of_a_pair__moves_as_one_over_the_other_and_liquidates() -> None:
    state = morpho(shares=2_000 * 10**12)
    assert state.oracle is not None
    price = Price(COLLATERAL, LOAN, state.oracle.price, 24, f"oracle({ORACLE})", ORACLE, None)
    weth, usdc = Token(COLLATERAL, "WETH", 18), Token(LOAN, "USDC", 6)
    legs = (
        Leg(weth, 10**18, Side.COLLATERAL, price),
        Leg(usdc, state.borrowed, Side.DEBT),
    )
    held = replace(wallet(*legs), state=state, kind="lending")
    dollars = Price(LOAN, "USD", 10**8, 8, f"feed({A})", A, AT.timestamp, label="USDC / USD")
    valuation = Valuation.of((dollars,), (), (held,), AT)
    chain = ChainReport("main", 1, AT, (assess(held),), prices=(dollars,), valuation=valuation)
    book = Book.of(Portfolio((), (chain,), {}))
    assert {k.shown for k in book.factors} == {"WETH / USDC", "USDC / USD"}
    result = named(book, library(), "june-2022", Play())
    assert {m.known.shown: m.why for m in result.moved}["WETH / USDC"].startswith("ETH over ")
    assert result.liquidated == 1
