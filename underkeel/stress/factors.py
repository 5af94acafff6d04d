"""Which prices a portfolio hangs on, by chain, what they are called, and what a name moves.

A name is the base of a feed's label in dollars (`ETH` for `ETH / USD`), a pair (`stETH/ETH`), or,
where a price has no label, the symbol of a token that hangs on it. A price of one token in another
moves as the one over the other, unless it is named itself.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from protocols.morpho_blue.state import FeedLeaf, MorphoPosition
from protocols.prices import expr
from protocols.types import Position, Price
from risk.liquidation import engine_for
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.shock import bases_of, same_name

DOLLARS = frozenset({"USD"})


@dataclass(slots=True)
class Known:
    """One primitive price of one chain."""

    chain: str
    name: str
    label: str = ""
    symbols: set[str] = field(default_factory=set)

    @property
    def base(self) -> str:
        """Return what its label prices; the address or expression without one."""
        found = bases_of(self.label)
        return next(iter(found), "")

    @property
    def quote(self) -> str:
        """Return what its label counts in; empty without one."""
        return self.label.rpartition("/")[2].strip() if "/" in self.label else ""

    @property
    def is_ratio(self) -> bool:
        """Return whether it prices one token in another, and not in money."""
        if self.name.startswith(("ratio(", "twap(")):
            return True
        return bool(self.quote) and self.quote.upper() not in DOLLARS

    @property
    def shown(self) -> str:
        """Return what people read."""
        return self.label or (", ".join(sorted(self.symbols)) or self.name)

    def names(self) -> set[str]:
        """Return what it may be called."""
        found = {self.base} if self.base else set(self.symbols)
        if self.is_ratio:
            found = {f"{self.base}/{self.quote}"} if self.base else set()
        return found | {self.name}

    def called(self, name: str) -> bool:
        """Tell whether a name means it."""
        return any(
            same_name(name.replace(" ", ""), mine.replace(" ", "")) or name.lower() == mine.lower()
            for mine in self.names()
        )


def factors_of(
    portfolio: Portfolio, more: Iterable[tuple[str, FeedLeaf]] = ()
) -> tuple[Known, ...]:
    """Return every primitive price of every chain, each once per chain; `more` by chain."""
    found: dict[tuple[str, str], Known] = {}
    for chain in portfolio.chains:
        for name, label, symbol in _named(chain):
            known = found.setdefault((chain.name, name), Known(chain.name, name))
            known.label = known.label or label
            if symbol:
                known.symbols.add(symbol)
    for chain_name, leaf in more:
        at = (chain_name, leaf.feed)
        found.setdefault(at, Known(chain_name, leaf.feed, leaf.label))
    return tuple(found.values())


def _named(chain: ChainReport) -> Iterator[tuple[str, str, str]]:
    symbols: dict[str, str] = {}
    for assessed in chain.positions:
        for leg in assessed.position.legs:
            symbols[leg.token.address] = leg.token.symbol
    for assessed in chain.positions:
        yield from _engine_factors(assessed.position)
        whole = whole_oracle(assessed.position)
        for leg in assessed.position.legs:
            # the dollar price, so that what a protocol's own price is quoted in is there too
            price = chain.valuation.price(leg) if chain.valuation else None
            if isinstance(price, Price):
                told = parts_of(price.source, price.label, leg.token.symbol)
                yield from (part for part in told if part[0] != whole)
    for price in chain.prices:
        if isinstance(price, Price) and price.token in symbols:
            yield from parts_of(price.source, price.label, symbols[price.token])


def _engine_factors(position: Position) -> Iterator[tuple[str, str, str]]:
    engine = engine_for(position)
    if engine is None:
        return
    whole = whole_oracle(position)
    factors = engine.factors(position.state)
    inner = any(f.name != whole for f in factors)
    for factor in factors:
        if factor.name == whole and inner:
            continue  # the feeds behind it are the factors
        label = "" if factor.name == whole else factor.label
        tokens = [
            leg.token.symbol
            for leg in position.legs
            if isinstance(leg.price, Price) and leg.price.factor == factor.name
        ]
        yield from parts_of(factor.name, label, tokens[0] if tokens else "")
        if factor.name == whole:
            yield factor.name, factor.label, ""


def whole_oracle(position: Position) -> str:
    """Return the name of an oracle that is made of other factors, or would be; empty if none."""
    state = position.state
    if isinstance(state, MorphoPosition) and state.oracle is not None:
        return state.oracle.address
    return ""


def parts_of(source: str, label: str, symbol: str) -> Iterator[tuple[str, str, str]]:
    """Yield (factor, label, symbol) of a price's primitives; a symbol only where there is one."""
    try:
        moved_by = expr.primitives(expr.parse(source))
    except expr.NotAnExpression:
        yield source, label, symbol
        return
    labels = label.split(" × ") if label else []
    feeds = [p for p in moved_by if isinstance(p, expr.Feed | expr.Opaque)]
    matched = len(labels) == len(feeds)
    told: dict[expr.Expr, str] = dict(zip(feeds, labels, strict=True)) if matched else {}
    for primitive in moved_by:
        alone = symbol if len(moved_by) == 1 else ""
        yield expr.factor(primitive), told.get(primitive, ""), alone


@lru_cache(maxsize=4_096)
def composite(name: str) -> tuple[tuple[str, int], ...]:
    """Return the factors behind an engine's factor that is made of several, with their powers."""
    try:
        found = followed(expr.parse(name))[0]
    except expr.NotAnExpression:
        return ((name, 1),)
    return tuple(found.items()) or ((name, 1),)


def followed(parsed: expr.Expr) -> tuple[dict[str, int], frozenset[str]]:
    """Return the powers of each primitive in a price, and those that cannot be followed.

    Of a cap only what is under it is followed: the ceiling is the protocol's, not the market's. The
    lowest of several prices cannot be followed: which one it is may change.
    """
    match parsed:
        case expr.Constant():
            return {}, frozenset()
        case expr.Product(parts):
            powers: dict[str, int] = {}
            blind: frozenset[str] = frozenset()
            for part in parts:
                more, unseen = followed(part)
                powers, blind = multiplied(powers, more), blind | unseen
            return powers, blind
        case expr.Quotient(over, under):
            up, a = followed(over)
            down, b = followed(under)
            return multiplied(up, {f: -p for f, p in down.items()}), a | b
        case expr.Cap(inner, _):
            return followed(inner)
        case expr.Min():
            return {}, frozenset(expr.factor(p) for p in expr.primitives(parsed))
        case _:
            return {expr.factor(parsed): 1}, frozenset()


def multiplied(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the powers of a product of two prices."""
    total = {f: one.get(f, 0) + other.get(f, 0) for f in {**one, **other}}
    return {f: p for f, p in total.items() if p}


def matches(
    name: str, known: Iterable[Known], groups: Mapping[str, Sequence[str]] | None = None
) -> tuple[Known, ...]:
    """Return the prices that a name moves: those it names, and those of its group in dollars."""
    group = next((m for head, m in (groups or {}).items() if same_name(head, name)), ())
    return tuple(
        k
        for k in known
        if k.called(name) or (not k.is_ratio and any(k.called(member) for member in group))
    )


def names_of(known: Iterable[Known]) -> set[str]:
    """Return every name that would match something."""
    return {n for k in known for n in k.names() if not n.startswith("0x")}


def powers_of(
    name: str, known: Iterable[Known], groups: Mapping[str, Sequence[str]]
) -> tuple[tuple[Known, int], ...]:
    """Return the prices that a name moves, and how: a price counted in it moves the other way."""
    members = (name, *next((m for head, m in groups.items() if same_name(head, name)), ()))

    def meant(word: str) -> bool:
        return any(same_name(word, member) for member in members)

    found = []
    for one in known:
        if one.called(name):
            found.append((one, 1))
        elif one.is_ratio and one.base:
            found.append((one, meant(one.base) - meant(one.quote)))
        elif not one.is_ratio:
            found.append((one, int(any(one.called(member) for member in members))))
    return tuple((one, power) for one, power in found if power)
