"""Where a factor's history is, and how the parts make the whole."""

import numpy as np
import pytest

from chain.calls import Ok, Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS
from protocols.prices import expr
from protocols.prices.feed import DECIMALS, LATEST, UNDERLYING
from risk.market.types import PriceSeries
from tests.protocols.prices.build import NO, address, latest, words
from tests.risk.market.build import series
from tests.support.referee import drive
from underkeel.history.sources import Behind, NoHistory, combined, needed, read_behind

ORACLE, A, B, V = (address(n) for n in (1, 2, 3, 4))


def behind(answers: dict[Read, Result]) -> Behind:
    """Run on a dictionary; the rest reverts."""
    return drive(read_behind(ORACLE), lambda batch: [answers.get(read, NO) for read in batch])


def test_read_behind__feed_with_rounds__is_itself() -> None:
    found = behind({LATEST.at(ORACLE): latest(5), DECIMALS.at(ORACLE): words(8)})
    assert found == Behind(ORACLE, (ORACLE,), (8,))


def test_read_behind__adapter_without_rounds__is_the_feeds_it_names() -> None:
    found = behind(
        {
            UNDERLYING[2].at(ORACLE): words(int(A, 16)),
            UNDERLYING[3].at(ORACLE): words(int(B, 16)),
            UNDERLYING[0].at(ORACLE): words(int(ZERO_ADDRESS, 16)),
            DECIMALS.at(A): words(18),
            DECIMALS.at(B): words(8),
        }
    )
    assert found == Behind(ORACLE, (A, B), (18, 8))


def test_read_behind__computed_price__round_zero_has_no_past() -> None:
    with pytest.raises(ReadFailed, match="names no feed"):
        behind({LATEST.at(ORACLE): latest(5, round_id=0), DECIMALS.at(ORACLE): words(8)})


@pytest.mark.parametrize("bad", [Unknown("down"), Ok(b"")])
def test_read_behind__not_learned__fails(bad: Result) -> None:
    with pytest.raises(ReadFailed):
        behind({LATEST.at(ORACLE): bad})


def test_needed__share_price_in_a_product__is_held_constant() -> None:
    _, moving = needed(f"mul(feed({A}), ratio({V}))")
    assert moving == (expr.Feed(A),)


@pytest.mark.parametrize(
    ("factor", "cause"),
    [
        (f"ratio({V})", "share price has no history"),
        (f"min(feed({A}), ratio({V}))", "compares a share price"),
        (f"mul(feed({A}), cap(ratio({V}), const(2)))", "compares a share price"),
        ("const(1)", "is a constant"),
        ("nonsense(", "not a price source"),
    ],
)
def test_needed__no_past_tells_it__says_why(factor: str, cause: str) -> None:
    with pytest.raises(NoHistory, match=cause):
        needed(factor)


PARTS: dict[expr.Primitive, PriceSeries] = {
    expr.Feed(A): series([10, 20, 40], [2.0, 4.0, 8.0], A),
    expr.Feed(B): series([15, 40, 50], [3.0, 5.0, 1.0], B),
}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f"mul(feed({A}), feed({B}))", [6, 12, 40, 8]),
        (f"div(feed({A}), feed({B}))", [2 / 3, 4 / 3, 8 / 5, 8]),
        (f"min(feed({A}), feed({B}))", [2, 3, 5, 1]),
        (f"cap(mul(feed({A}), feed({B})), const(100, 1))", [6, 10, 10, 8]),
        (f"mul(feed({A}), feed({B}), ratio({V}))", [6, 12, 40, 8]),
    ],
)
def test_combined__each_part__counts_at_its_last_known_value(
    text: str, values: list[float]
) -> None:
    found = combined(text, "x", expr.parse(text), PARTS)
    assert found.times.tolist() == [15, 20, 40, 50]
    assert found.prices == pytest.approx(values)
    assert (found.factor, found.label) == (text, "x")
    assert np.all(np.diff(found.times) > 0)


def test_combined__one_feed__is_its_own_history() -> None:
    only: dict[expr.Primitive, PriceSeries] = {expr.Feed(A): PARTS[expr.Feed(A)]}
    found = combined(A, "ETH / USD", expr.Feed(A), only)
    assert found.times.tolist() == [10, 20, 40]
    assert (found.factor, found.label) == (A, "ETH / USD")
