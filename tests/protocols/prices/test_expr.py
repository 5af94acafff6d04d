"""Price expressions: written, read, valued."""

from contextlib import suppress
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.types import checksum
from protocols.prices.expr import (
    Cap,
    Constant,
    Expr,
    Feed,
    Min,
    NotAnExpression,
    Opaque,
    Primitive,
    Product,
    Quotient,
    Ratio,
    Twap,
    evaluate,
    factor,
    parse,
    primitives,
)
from tests.protocols.prices.build import address

A, B, C = address(0xA), address(0xB), address(0xC)

addresses = st.binary(min_size=20, max_size=20).map(lambda raw: checksum("0x" + raw.hex()))
leaves: st.SearchStrategy[Expr] = st.one_of(
    addresses.map(Feed),
    addresses.map(Ratio),
    addresses.map(Opaque),
    st.builds(Twap, addresses, st.integers(1, 10**6)),
    st.builds(Constant, st.integers(0, 10**40), st.integers(0, 36)),
)
expressions: st.SearchStrategy[Expr] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: Product(tuple(parts))),
        st.lists(inner, min_size=2, max_size=4).map(lambda parts: Min(tuple(parts))),
        st.builds(Quotient, inner, inner),
        st.builds(Cap, inner, inner),
    ),
    max_leaves=8,
)


@given(expressions)
def test_parse__of_what_str_writes__is_the_same(expression: Expr) -> None:
    assert parse(str(expression)) == expression


@given(st.text(max_size=60))
def test_parse__any_text__gives_an_expression_or_says_why_not(text: str) -> None:
    with suppress(NotAnExpression):
        assert parse(str(parse(text))) == parse(text)


def test_parse__bare_address__is_a_feed() -> None:
    assert parse(A) == Feed(A)
    assert parse(f"  {A.lower()} ") == Feed(A)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "ends too early"),
        ("feed", "ends too early"),
        (f"feed[{A}]", "did not expect '['"),
        (f"fed({A})", "there is no 'fed'"),
        (f"feed({A}", "ends too early"),
        (f"feed({A}))", "after the end"),
        (f"feed({A}, 3)", "expected ')'"),
        (f"twap({A})", "a window"),
        (f"twap({A}, 0)", "a window"),
        (f"twap({A}, x)", "not a whole number"),
        (f"mul({A})", "there is no '0x"),
        (f"mul(feed({A}))", "two or more"),
        (f"div(feed({A}), feed({A}), feed({A}))", "takes two"),
        ("feed(0x1234)", "40 hex digits"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD0", "40 hex digits"),
        ("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "its checksum is wrong"),
        ("mul(" * 40, "nested deeper"),
    ],
)
def test_parse__wrong_text__says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(NotAnExpression, match="not a price source") as raised:
        parse(text)
    assert reason in str(raised.value)


def test_primitives__shared_ones__are_there_once() -> None:
    expression = Cap(Product((Feed(A), Ratio(B))), Min((Feed(A), Twap(C, 60), Constant(2))))
    assert primitives(expression) == (Feed(A), Ratio(B), Twap(C, 60))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (Feed(A), A),
        (Opaque(A), A),
        (Ratio(A), f"ratio({A})"),
        (Cap(Feed(A), Constant(104, 2)), A),
        (Quotient(Feed(A), Feed(B)), f"div(feed({A}), feed({B}))"),
        (Constant(1), "const(1)"),
    ],
)
def test_factor__is_what_moves_the_price(expression: Expr, expected: str) -> None:
    assert factor(expression) == expected


def test_evaluate__every_kind__is_exact() -> None:
    known: dict[Primitive, Fraction] = {Feed(A): Fraction(3, 7), Ratio(B): Fraction(5, 3)}
    third = Fraction(1, 3)
    assert evaluate(Product((Feed(A), Ratio(B), Constant(14))), known) == 10
    assert evaluate(Quotient(Constant(1), Constant(3)), known) == third
    assert evaluate(Min((Feed(A), Constant(4, 1))), known) == Fraction(2, 5)
    assert evaluate(Cap(Ratio(B), Constant(104, 2)), known) == Fraction(104, 100)
    assert evaluate(Cap(Feed(A), Constant(104, 2)), known) == Fraction(3, 7)


def test_evaluate__unknown_primitive__is_never_one() -> None:
    with pytest.raises(KeyError):
        evaluate(Product((Feed(A), Constant(2))), {})
