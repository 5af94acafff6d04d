"""Nothing is lost between Python and either database."""

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, MetaData, Table, insert, select

from tests.fixtures_store import BEGIN
from underkeel.store.store import Store
from underkeel.store.types import Exact, Json, Utc, Words, dumps, from_micros, to_micros

LAST_US = 8_589_934_592 * 1_000_000
"""2242: until then a double tells microseconds apart."""
box = Table(
    "box",
    MetaData(),
    Column("n", Integer, primary_key=True),
    Column("utc", Utc),
    Column("exact", Exact),
    Column("words", Words),
    Column("json", Json),
)
TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=8,
)
HARD: list[dict[str, Any]] = [
    {"utc": 0.0, "exact": Decimal(2**256 - 1), "words": "", "json": None},
    {"utc": -1.5, "exact": Decimal(-(2**255)), "words": "a\nb\t'\"\\%", "json": []},
    {"utc": 1_790_000_000.000001, "exact": Decimal("1e-77"), "words": "🌊 ünder", "json": {"a": 1}},
    {"utc": 8_589_934_591.999999, "exact": Decimal("0.10"), "words": "\u200f", "json": ["\u0000"]},
    {"utc": None, "exact": None, "words": None, "json": {"": [None, True, 2**62, "x" * 9999]}},
]


@given(st.integers(0, LAST_US))
def test_micros__every_microsecond_until_2242__there_and_back(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e13])
def test_micros__no_time__is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="is no time"):
        to_micros(value)


def test_exact__no_number__is_refused(memory: Store) -> None:
    with pytest.raises(Exception, match="is no number"):
        put(memory, exact=Decimal("NaN"))


@pytest.fixture(scope="module")
def memory() -> Iterator[Store]:
    opened = Store.attach("sqlite://", mode="live")
    with opened.writing() as db:
        box.metadata.create_all(db)
    yield opened
    opened.close()


def put(store: Store, **values: Any) -> Any:
    with store.writing() as db:
        db.execute(box.delete())
        db.execute(insert(box).values(n=1, **values))
        return db.execute(select(box)).one()


@given(st.decimals(allow_nan=False, allow_infinity=False), JSON)
@settings(deadline=None, max_examples=50)
def test_columns__anything__reads_back(memory: Store, number: Decimal, value: Any) -> None:
    row = put(memory, exact=number, json=value)
    assert str(row.exact) == str(number)
    assert dumps(row.json) == dumps(value)


@given(TEXT)
@settings(deadline=None, max_examples=50)
def test_words__anything__is_text_of_the_same_length_or_less(memory: Store, text: str) -> None:
    found = put(memory, words=text).words
    if "\x00" not in text and text.isprintable():
        assert found == text
    assert "\x00" not in found
    found.encode()  # no half of a character


def test_columns__hard_values__are_the_same_on_both(store: Store) -> None:
    with store.writing() as db:
        box.metadata.create_all(db)
        db.execute(insert(box), [{"n": n} | row for n, row in enumerate(HARD)])
        found = db.execute(select(box).order_by(box.c.n)).all()
    for row, given_row in zip(found, HARD, strict=True):
        assert row.utc == given_row["utc"]
        assert str(row.exact) == str(given_row["exact"])
        assert row.words == given_row["words"]
        assert row.json == given_row["json"]


def test_json__what_json_has_not__is_text() -> None:
    assert dumps({"a": Decimal("1.50"), "b": 2**70}) == b'{"a":"1.50","b":"%d"}' % (2**70)
    with pytest.raises(TypeError):
        dumps({"a": object()})
    assert to_micros(BEGIN) == 1_790_000_000_000_000
