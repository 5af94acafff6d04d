"""Price sources as expressions: what a price is made of, written down.

A risk factor is a primitive of such an expression, not a token: a loan against sDAI that is priced
by `mul(feed(DAI/USD), ratio(sDAI))` does not see the market price of sDAI at all. The text of an
expression is what `Price.source` holds and what a configuration may write; `parse` and `str`
are inverse.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Final, TypeAlias

from chain.types import Address, InvalidAddress, parse_address


@dataclass(frozen=True, slots=True)
class Feed:
    """A Chainlink-compatible feed: whole quotes per whole token."""

    address: Address

    def __str__(self) -> str:
        return f"feed({self.address})"


@dataclass(frozen=True, slots=True)
class Ratio:
    """The share price of an ERC-4626 vault: whole assets per whole share."""

    vault: Address

    def __str__(self) -> str:
        return f"ratio({self.vault})"


@dataclass(frozen=True, slots=True)
class Twap:
    """The time-weighted geometric mean of a Uniswap v3 pool: whole token1 per whole token0."""

    pool: Address
    window_s: int

    def __str__(self) -> str:
        return f"twap({self.pool}, {self.window_s})"


@dataclass(frozen=True, slots=True)
class Opaque:
    """An oracle that does not say what it is made of."""

    address: Address

    def __str__(self) -> str:
        return f"oracle({self.address})"


@dataclass(frozen=True, slots=True)
class Constant:
    """A price that somebody wrote down: `raw / 10**decimals`."""

    raw: int
    decimals: int = 0

    def __str__(self) -> str:
        return f"const({self.raw}, {self.decimals})" if self.decimals else f"const({self.raw})"


@dataclass(frozen=True, slots=True)
class Product:
    """The product of all parts."""

    parts: tuple["Expr", ...]

    def __str__(self) -> str:
        return f"mul({', '.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Quotient:
    """One price over another."""

    over: "Expr"
    under: "Expr"

    def __str__(self) -> str:
        return f"div({self.over}, {self.under})"


@dataclass(frozen=True, slots=True)
class Min:
    """The lowest of all parts."""

    parts: tuple["Expr", ...]

    def __str__(self) -> str:
        return f"min({', '.join(map(str, self.parts))})"


@dataclass(frozen=True, slots=True)
class Cap:
    """A price that the protocol does not let rise above a ceiling, so it hides what is above."""

    inner: "Expr"
    ceiling: "Expr"

    def __str__(self) -> str:
        return f"cap({self.inner}, {self.ceiling})"


Primitive: TypeAlias = Feed | Ratio | Twap | Opaque
Expr: TypeAlias = Primitive | Constant | Product | Quotient | Min | Cap


class NotAnExpression(ValueError):
    """The text is not a price expression."""

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            f"{text!r} is not a price source: {reason}; write the address of a feed, or an "
            "expression such as mul(feed(0x…), ratio(0x…))"
        )
        self.text = text
        self.reason = reason


def children(expr: Expr) -> tuple[Expr, ...]:
    """Return the direct parts of an expression."""
    match expr:
        case Product(parts) | Min(parts):
            return parts
        case Quotient(a, b) | Cap(a, b):
            return (a, b)
        case _:
            return ()


def primitives(expr: Expr) -> tuple[Primitive, ...]:
    """Return what moves a price, each once, in the order written."""
    return tuple(dict.fromkeys(_leaves(expr)))


def _leaves(expr: Expr) -> Iterator[Primitive]:
    if isinstance(expr, Feed | Ratio | Twap | Opaque):
        yield expr
    for part in children(expr):
        yield from _leaves(part)


def factor(expr: Expr) -> str:
    """Return the risk factor: the one primitive's address, or the whole text where several move it.

    The address of a feed or of an opaque oracle; the text of a ratio or a TWAP.
    """
    moved_by = primitives(expr)
    if len(moved_by) == 1 and isinstance(moved_by[0], Feed | Opaque):
        return moved_by[0].address
    return str(moved_by[0]) if len(moved_by) == 1 else str(expr)


def evaluate(expr: Expr, known: Mapping[Primitive, Fraction]) -> Fraction:
    """Return the exact value; raises `KeyError` for a primitive that `known` lacks.

    Raises `ZeroDivisionError` when a divisor is zero.
    """
    match expr:
        case Constant(raw, decimals):
            return Fraction(raw, 10**decimals)
        case Product(parts):
            value = Fraction(1)
            for part in parts:
                value *= evaluate(part, known)
            return value
        case Quotient(over, under):
            return evaluate(over, known) / evaluate(under, known)
        case Min(parts):
            return min(evaluate(part, known) for part in parts)
        case Cap(inner, ceiling):
            return min(evaluate(inner, known), evaluate(ceiling, known))
        case _:
            return known[expr]


_TOKEN: Final = re.compile(r"\s*([A-Za-z0-9]+|[(),])")
MAX_DEPTH: Final = 32


@lru_cache(maxsize=8_192)
def parse(text: str) -> Expr:
    """Return the expression in `text`; a bare address is a feed.

    Raises `NotAnExpression`.
    """
    words: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise NotAnExpression(text, f"did not expect {text[position:].strip()[:1]!r}")
        words.append(match[1])
        position = match.end()
    if len(words) == 1 and words[0].lower().startswith("0x"):
        return Feed(_address(text, words[0]))
    words.reverse()
    expr = _parse(text, words, 0)
    if words:
        raise NotAnExpression(text, f"did not expect {words[-1]!r} after the end")
    return expr


def _parse(text: str, words: list[str], depth: int) -> Expr:
    if depth > MAX_DEPTH:
        raise NotAnExpression(text, f"nested deeper than {MAX_DEPTH}")
    name = _take(text, words)
    if name in _COMPOUND:
        least, most, build = _COMPOUND[name]
        _expect(text, words, "(")
        parts = [_parse(text, words, depth + 1)]
        while words and words[-1] == ",":
            words.pop()
            parts.append(_parse(text, words, depth + 1))
        _expect(text, words, ")")
        if not least <= len(parts) <= most:
            raise NotAnExpression(text, f"{name} takes {'two' if most == 2 else 'two or more'}")
        return build(tuple(parts))
    if name not in ("feed", "ratio", "oracle", "twap", "const"):
        raise NotAnExpression(text, f"there is no {name!r}")
    _expect(text, words, "(")
    first, second = _take(text, words), None
    if name in ("twap", "const") and words and words[-1] == ",":
        words.pop()
        second = _natural(text, _take(text, words))
    _expect(text, words, ")")
    match name:
        case "feed":
            return Feed(_address(text, first))
        case "ratio":
            return Ratio(_address(text, first))
        case "oracle":
            return Opaque(_address(text, first))
        case "const":
            return Constant(_natural(text, first), second or 0)
        case _:
            if not second:
                raise NotAnExpression(text, "twap takes a pool and a window in seconds")
            return Twap(_address(text, first), second)


_COMPOUND: Final[dict[str, tuple[int, int, Callable[[tuple[Expr, ...]], Expr]]]] = {
    "mul": (2, MAX_DEPTH, Product),
    "min": (2, MAX_DEPTH, Min),
    "div": (2, 2, lambda parts: Quotient(parts[0], parts[1])),
    "cap": (2, 2, lambda parts: Cap(parts[0], parts[1])),
}


def _take(text: str, words: list[str]) -> str:
    if not words:
        raise NotAnExpression(text, "it ends too early")
    return words.pop()


def _expect(text: str, words: list[str], wanted: str) -> None:
    word = _take(text, words)
    if word != wanted:
        raise NotAnExpression(text, f"expected {wanted!r} and found {word!r}")


def _address(text: str, word: str) -> Address:
    try:
        return parse_address(word)
    except InvalidAddress as error:
        raise NotAnExpression(text, str(error)) from error


def _natural(text: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= 78):
        raise NotAnExpression(text, f"{word!r} is not a whole number")
    return int(word)
