"""Dollar prices from many sources."""

from dataclasses import replace
from fractions import Fraction

from chain.types import ZERO_ADDRESS, Address
from protocols.prices.book import PriceBook
from protocols.prices.twap import PoolCheck
from protocols.types import Leg, Price, Side, Token, Unpriced
from tests.protocols.prices.build import NOW, address

WETH, STETH, USDC, VAULT, OTHER = (address(n) for n in range(1, 6))


def price(
    token: Address,
    raw: int,
    quote: str = "USD",
    *,
    decimals: int = 8,
    source: str = "own",
    problems: tuple[str, ...] = (),
) -> Price:
    """Return a price as an adapter would give it."""
    return Price(token, quote, raw, decimals, source, source, NOW, 3600, "label", problems)


def usd(book: PriceBook, token: Address) -> Fraction:
    """Return a price that must be there."""
    found = book.usd(token)
    assert isinstance(found, Price)
    assert found.quote == "USD"
    return Fraction(found.raw, 10**found.decimals)


def cause(book: PriceBook, token: Address) -> str:
    """Return why there is no price."""
    found = book.usd(token)
    assert isinstance(found, Unpriced)
    return found.cause


def test_usd__no_source__says_so() -> None:
    assert cause(PriceBook(), WETH) == "no source has a price for it"


def test_usd__own_oracle_first() -> None:
    book = PriceBook(own=[price(WETH, 100)], configured=[price(WETH, 101, source="feed")])
    found = book.usd(WETH)
    assert isinstance(found, Price)
    assert (found.source, found.problems) == ("own", ())


def test_usd__own_oracle_unsound__takes_the_next_sound_one() -> None:
    book = PriceBook(
        own=[price(WETH, 100, problems=("stale",))], configured=[price(WETH, 101, source="feed")]
    )
    found = book.usd(WETH)
    assert isinstance(found, Price)
    assert (found.source, found.problems) == ("feed", ())


def test_usd__all_unsound__keeps_the_problem() -> None:
    book = PriceBook(own=[price(WETH, 100, problems=("stale",))])
    found = book.usd(WETH)
    assert isinstance(found, Price)
    assert found.problems == ("stale",)


def test_usd__sources_beyond_two_percent_apart__are_flagged() -> None:
    near = PriceBook(own=[price(WETH, 100)], configured=[price(WETH, 102, source="feed")])
    far = PriceBook(own=[price(WETH, 100)], configured=[price(WETH, 103, source="feed")])
    assert near.usd(WETH) == price(WETH, 100)
    assert far.usd(WETH) == price(WETH, 100, problems=("differs by 3.0% from feed",))


def test_usd__sources_further_apart_than_a_float_can_say__are_flagged() -> None:
    least = price(WETH, 1, decimals=255, source="b")
    found = PriceBook(own=[price(WETH, 2**255, decimals=0), least]).usd(WETH)
    assert isinstance(found, Price)
    assert found.problems == ("differs by more than a million times from b",)


def test_usd__source_unpriced__takes_another_or_tells_the_cause() -> None:
    bad = Unpriced(WETH, "own", "reverted")
    assert usd(PriceBook(own=[bad], configured=[price(WETH, 100)]), WETH) == Fraction(100, 10**8)
    assert cause(PriceBook(own=[bad]), WETH) == "own: reverted"


def test_usd__quoted_in_the_native_coin__is_converted_exactly() -> None:
    book = PriceBook(
        configured=[
            price(STETH, 117 * 10**16, "ETH", decimals=18, source="feed(a)"),
            price(ZERO_ADDRESS, 3000_12345678, source="feed(b)", problems=("stale",)),
        ]
    )
    assert usd(book, STETH) == Fraction(117, 100) * Fraction(300012345678, 10**8)
    found = book.usd(STETH)
    assert isinstance(found, Price)
    assert found.source == found.factor == "mul(feed(a), feed(b))"
    assert (found.problems, found.label) == (("stale",), "label × label")


def test_usd__quoted_in_a_token__follows_the_chain() -> None:
    book = PriceBook(own=[price(VAULT, 2, STETH, decimals=0), price(STETH, 3, WETH, decimals=0)])
    assert cause(book, VAULT).endswith("no source has a price for it")
    priced = replace(book, configured=[price(WETH, 5, decimals=0)])
    assert usd(priced, VAULT) == 30


def test_usd__quoted_in_each_other__ends() -> None:
    book = PriceBook(own=[price(VAULT, 1, STETH), price(STETH, 1, VAULT)])
    assert "quoted in each other" in cause(book, VAULT)


def test_usd__unknown_quote__is_never_taken_for_dollars() -> None:
    book = PriceBook(configured=[price(WETH, 1, "BTC")])
    assert "nothing says what BTC is worth" in cause(book, WETH)


def test_usd__price_of_zero__is_no_price() -> None:
    assert "its price is 0" in cause(PriceBook(own=[price(WETH, 0)]), WETH)


def test_usd__wrapped_native__is_the_native_coin() -> None:
    book = PriceBook(own=[price(WETH, 100)], wrapped_native=WETH)
    assert usd(book, ZERO_ADDRESS) == usd(book, WETH) == Fraction(100, 10**8)


def test_usd__same_source_from_two_adapters__counts_once() -> None:
    one = PriceBook(own=[price(WETH, 100), price(WETH, 100)])
    assert one == PriceBook(own=[price(WETH, 100), price(WETH, 100)])
    assert one.usd(WETH) == price(WETH, 100)
    both = PriceBook(own=[price(VAULT, 100)], checks=[check(AT_3000)])
    assert both.usd(VAULT) == price(VAULT, 100)


def test_leg_usd__protocols_own_price_wins_even_when_the_book_knows_another() -> None:
    token = Token(STETH, "stETH", 18)
    book = PriceBook(own=[price(STETH, 100), price(WETH, 7)])
    leg = Leg(token, 1, Side.COLLATERAL, price(STETH, 2, WETH, decimals=0))
    found = book.leg_usd(leg)
    assert isinstance(found, Price)
    assert (found.raw, found.decimals) == (14, 8)
    unpriced = Unpriced(STETH, "own", "reverted")
    assert book.leg_usd(replace(leg, price=unpriced)) == unpriced
    assert book.leg_usd(replace(leg, price=None)) == price(STETH, 100)


def check(tick: int, depth1: int = 10**11) -> PoolCheck:
    """Return what a WETH/USDC pool of 18 and 6 decimals says; 1e11 is 100,000 USDC of depth."""
    return PoolCheck(OTHER, WETH, USDC, tick, 1800, 18, 6, depth1)


AT_3000 = -196256
"""1.0001^-196256 · 1e12 = 3000.0."""


def test_usd__pool_agrees__has_no_problem() -> None:
    book = PriceBook(own=[price(WETH, 3000_00000000), price(USDC, 10**8)], checks=[check(AT_3000)])
    assert book.usd(WETH) == price(WETH, 3000_00000000)


def test_usd__pool_differs__is_flagged_on_both_sides() -> None:
    book = PriceBook(own=[price(WETH, 3200_00000000), price(USDC, 10**8)], checks=[check(AT_3000)])
    for token in (WETH, USDC):
        found = book.usd(token)
        assert isinstance(found, Price)
        assert found.problems == (f"differs by 6.7% from twap({OTHER}, 1800)",)


def test_usd__thin_pool_differs__has_no_say() -> None:
    own = [price(WETH, 3200_00000000), price(USDC, 10**8)]
    thin = PriceBook(own=own, checks=[check(AT_3000, 10**10 - 1)])
    assert thin.usd(WETH) == own[0]
    deep = PriceBook(own=own, checks=[check(AT_3000, 10**10)])
    assert deep.usd(WETH) != own[0]


def test_usd__pool_with_an_unpriced_token__has_no_say() -> None:
    book = PriceBook(own=[price(WETH, 3200_00000000)], checks=[check(AT_3000)])
    assert book.usd(WETH) == price(WETH, 3200_00000000)
