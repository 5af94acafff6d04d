"""Prices that a configuration names."""

from collections.abc import Sequence
from fractions import Fraction

import pytest
from eth_abi.abi import encode

from chain.calls import Ok, Read, Result, Unknown
from chain.types import ZERO_ADDRESS
from protocols.prices import expr
from protocols.prices.configured import PriceRow, parse_quote, parse_row, read_prices
from protocols.types import Price, Unpriced
from tests.protocols.prices.build import AT, NO, NOW, address, feed_results, latest, words
from tests.support.referee import drive

A, B, C, D = (address(n) for n in range(0xA, 0xE))


def prices(
    rows: Sequence[PriceRow], answers: Sequence[Result], sequencer: bool = False
) -> tuple[Price | Unpriced, ...]:
    """Run the reader on answers given in the order of its reads, in exactly one round."""
    rounds = 0

    def answer(batch: Sequence[Read]) -> Sequence[Result]:
        nonlocal rounds
        rounds += 1
        assert len(batch) == len(answers)
        return answers

    found = drive(read_prices(rows, AT, D if sequencer else None), answer)
    assert rounds == 1
    return found


def row(feed: str, quote: str = "USD", heartbeat_s: int | None = None) -> PriceRow:
    """Return a row for token A."""
    return PriceRow(A, expr.parse(feed), quote, heartbeat_s)


def test_read_prices__bare_feed__keeps_its_integers() -> None:
    (found,) = prices([row(B)], feed_results(latest(3000_12345678)))
    assert found == Price(
        A, "USD", 3000_12345678, 8, f"feed({B})", B, NOW - 60, 25 * 3600, "ETH / USD"
    )


def test_read_prices__own_heartbeat__makes_it_stale_sooner() -> None:
    (found,) = prices([row(B, heartbeat_s=30)], feed_results(latest(5)))
    assert isinstance(found, Price)
    assert (found.heartbeat_s, found.problems) == (30, ("stale: 60 s old, promised every 30 s",))


def test_read_prices__broken_feed__is_unpriced_and_leaves_the_others() -> None:
    rows = [row(B), row(C)]
    broken, sound = prices(rows, [*feed_results(latest(0)), *feed_results(latest(5))])
    assert broken == Unpriced(A, f"feed({B})", f"feed({B}): the feed answers 0")
    assert isinstance(sound, Price)


def test_read_prices__same_feed_twice__is_read_once() -> None:
    both = prices([row(B), row(B, "ETH")], feed_results(latest(5)))
    assert [p.quote for p in both if isinstance(p, Price)] == ["USD", "ETH"]


def test_read_prices__product_with_a_vault__is_exact_and_names_both() -> None:
    answers = [*feed_results(latest(2 * 10**8)), words(1_500_000), words(18), words(6)]
    (found,) = prices([row(f"mul(feed({B}), ratio({C}))")], answers)
    assert isinstance(found, Price)
    assert Fraction(found.raw, 10**found.decimals) == 3
    assert found.factor == found.source == f"mul(feed({B}), ratio({C}))"


@pytest.mark.parametrize(
    "answers",
    [
        [words(0), words(18), words(6)],
        [NO, words(18), words(6)],
        [words(5), NO, words(6)],
        [words(5), words(18), Unknown("timeout")],
    ],
)
def test_read_prices__vault_without_worth_or_decimals__is_unpriced(answers: list[Result]) -> None:
    (found,) = prices([row(f"ratio({C})")], answers)
    assert isinstance(found, Unpriced)


def observed(*cumulatives: int) -> Ok:
    """Return an answer of `observe`."""
    return Ok(encode(["int56[]", "uint160[]"], [list(cumulatives), [0] * len(cumulatives)]))


def test_read_prices__twap__is_the_mean_tick_rounded_down_in_whole_tokens() -> None:
    answers = [observed(0, -196256 * 1800 + 1), words(18), words(6)]
    (found,) = prices([row(f"twap({B}, 1800)")], answers)
    assert isinstance(found, Price)
    value = found.raw / 10**found.decimals
    assert value == pytest.approx(1.0001**-196256 * 1e12, rel=1e-12)
    assert found.factor == f"twap({B}, 1800)"


def test_read_prices__twap_of_a_young_pool__is_unpriced() -> None:
    (found,) = prices([row(f"twap({B}, 1800)")], [NO, words(18), words(6)])
    assert isinstance(found, Unpriced)
    (found,) = prices([row(f"twap({B}, 1800)")], [observed(1), words(18), words(6)])
    assert isinstance(found, Unpriced)


def test_read_prices__division_by_zero_and_dust__are_unpriced() -> None:
    feeds = feed_results(latest(1), words(30))
    (found,) = prices([row(f"div(feed({B}), const(0))")], feeds)
    assert found == Unpriced(A, f"div(feed({B}), const(0))", "divides by zero")
    (found,) = prices([row(f"mul(feed({B}), const(1))")], feeds)
    assert found == Unpriced(A, f"mul(feed({B}), const(1))", "is worth nothing to 18 decimals")


def test_read_prices__sequencer_down__is_a_problem_of_every_price() -> None:
    answers = [words(1, 1, 5, 5, 1), *feed_results(latest(5))]
    (found,) = prices([row(B)], answers, sequencer=True)
    assert isinstance(found, Price)
    assert found.problems == ("the sequencer is down since 5",)


def test_read_prices__constant__is_a_price_without_age() -> None:
    (found,) = prices([row("const(104, 2)")], [])
    assert isinstance(found, Price)
    assert (found.raw, found.decimals, found.updated_at) == (104 * 10**16, 18, None)


def test_parse_row__as_written_in_a_config() -> None:
    parsed = parse_row({"token": ZERO_ADDRESS, "feed": B, "quote": "usd", "heartbeat": 3600})
    assert parsed == PriceRow(ZERO_ADDRESS, expr.Feed(B), "USD", 3600)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token": None}, "are text"),
        ({"feed": "nonsense"}, "not a price source"),
        ({"feed": 5}, "are text"),
        ({"token": "0x12"}, "is not an address"),
        ({"quote": "US dollars"}, "a quote is USD"),
        ({"quote": "0x12"}, "is not an address"),
        ({"heartbeat": 0}, "number of seconds"),
        ({"heartbeat": True}, "number of seconds"),
        ({"heartbeat": "1h"}, "number of seconds"),
        ({"beat": 1}, "no key 'beat'"),
    ],
)
def test_parse_row__wrong__says_what_is_wrong(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_row({"token": A, "feed": B, "quote": "USD"} | change)


def test_parse_row__key_missing__names_it() -> None:
    with pytest.raises(ValueError, match="'feed' is missing"):
        parse_row({"token": A, "quote": "USD"})


def test_parse_quote__address__gets_its_checksum() -> None:
    assert parse_quote(A.lower()) == A
