"""What changed since an earlier block, and what the change of rules does to every health.

Health is reckoned three times: at the earlier block, now, and now under the rules of then: the
position's present amounts and prices with the thresholds, flags and oracles it had. The difference
of the last two is what was done to the position, whatever the market did.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, cast

from chain.calls import Call, Ok
from chain.client import ChainSpec, Client
from chain.snapshot import Snapshot
from chain.types import Address, InvalidAddress, parse_address
from protocols.aave_v3.state import AaveAccount, Holding, Quote
from protocols.compound_v2.state import CompoundAccount
from protocols.prices import feed
from protocols.types import Position
from risk.exposure.diff import Change, changes
from risk.liquidation import engine_for, health
from underkeel.exposure.reading import Read
from underkeel.portfolio import Open


@dataclass(frozen=True, slots=True)
class Effect:
    """One position's health, then and now."""

    position: str
    scale: int
    then: int | None
    now: int | None
    under_old_rules: int | None
    """Present amounts and prices, earlier rules; None where that cannot be told."""
    cause: str = ""
    """Why not."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One chain at two blocks."""

    name: str
    then: int
    now: int
    changes: tuple[Change, ...]
    effects: tuple[Effect, ...]


class Pinned:
    """A client whose head is one block; everything else is the client's own."""

    def __init__(self, client: Client, number: int) -> None:
        self._client = client
        self._number = number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def __enter__(self) -> "Pinned":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._client.close()

    def head(self) -> Any:
        """Return the block."""
        return self._client.block(self._number)

    def at_head(self, read: Any, attempts: int = 3) -> Any:
        """Return what `read` makes of the block."""
        return read(self._client.snapshot(self.head()))


def pinned(opener: Open, number: int) -> Open:
    """Return how to make clients whose head is a block of that number."""

    def opened(spec: ChainSpec, /) -> AbstractContextManager[Client]:
        client = opener(replace(spec, max_block_age_s=None)).__enter__()
        return cast(AbstractContextManager[Client], Pinned(client, number))

    return opened


def compare(then: Read, now: Read, snapshot: Snapshot) -> Difference:
    """Return what changed between two readings of one chain; `snapshot` is of the later block."""
    found = changes(then.survey, now.survey, then.dependencies, now.dependencies)
    earlier = {p.id: p for p in then.positions}
    pairs = [(earlier[p.id], p) for p in now.positions if p.id in earlier]
    answers = _answers(snapshot, _replaced(pairs))
    effects = [e for old, new in pairs if (e := _effect(old, new, answers)) is not None]
    return Difference(now.name, then.at.number, now.at.number, found, tuple(effects))


def _replaced(pairs: Iterable[tuple[Position, Position]]) -> tuple[Address, ...]:
    """Return the feeds that priced something then and do not now."""
    found: dict[Address, None] = {}
    for old, new in pairs:
        if isinstance(old.state, AaveAccount) and isinstance(new.state, AaveAccount):
            fresh = {h.reserve.id: h.reserve.quote for h in new.state.holdings}
            for holding in old.state.holdings:
                quote, other = holding.reserve.quote, fresh.get(holding.reserve.id)
                if quote and other and quote.factor != other.factor:
                    try:
                        found[parse_address(quote.factor)] = None
                    except InvalidAddress:
                        continue
    return tuple(found)


def _answers(snapshot: Snapshot, feeds: Sequence[Address]) -> Mapping[str, int]:
    reads: list[Call] = [feed.LATEST.at(address) for address in feeds]
    results = snapshot.read(reads) if reads else []
    told: dict[str, int] = {}
    for address, result in zip(feeds, results, strict=True):
        answer = feed.LATEST.known(result)
        if isinstance(result, Ok) and isinstance(answer, tuple) and answer[1] > 0:
            told[address] = answer[1]
    return told


def _effect(old: Position, new: Position, answers: Mapping[str, int]) -> Effect | None:
    before, after = health(old), health(new)
    if before is None and after is None:
        return None
    engine = engine_for(new) or engine_for(old)
    scale = engine.scale if engine else 1
    ruled, cause = _under_old_rules(old, new, answers)
    under = health(ruled) if ruled is not None else None
    return Effect(new.id, scale, before, after, under, cause)


def _under_old_rules(
    old: Position, new: Position, answers: Mapping[str, int]
) -> tuple[Position | None, str]:
    """Return the present position under the rules of then; None with the cause."""
    if isinstance(old.state, CompoundAccount) and isinstance(new.state, CompoundAccount):
        return _under_old_factors(old.state, new, new.state)
    if not isinstance(old.state, AaveAccount) or not isinstance(new.state, AaveAccount):
        return new, ""  # a Morpho market's rules cannot change
    rules = {h.reserve.id: h for h in old.state.holdings}
    holdings: list[Holding] = []
    for holding in new.state.holdings:
        was = rules.get(holding.reserve.id)
        if was is None:
            return None, f"{holding.reserve.symbol} was not held then: its rules are not known"
        quote = _old_quote(was.reserve.quote, holding.reserve.quote, answers)
        if quote is None:
            return None, f"{holding.reserve.symbol}: its former oracle does not answer any more"
        reserve = replace(holding.reserve, configuration=was.reserve.configuration, quote=quote)
        holdings.append(replace(holding, reserve=reserve))
    state = replace(new.state, holdings=tuple(holdings), emode=old.state.emode)
    return replace(new, state=state), ""


def _under_old_factors(
    old: CompoundAccount, new: Position, now: CompoundAccount
) -> tuple[Position | None, str]:
    """Return a Compound position under the collateral factors of then; None with the cause."""
    rules = {one.market.ctoken: one.market for one in old.holdings}
    holdings = []
    for one in now.holdings:
        was, market = rules.get(one.market.ctoken), one.market
        if was is None:
            return None, f"{market.symbol} was not held then: its rules are not known"
        if was.quote and market.quote and was.quote.factor != market.quote.factor:
            return None, f"{market.symbol}: its price came from elsewhere then"
        factor, deprecated = was.collateral_factor, was.deprecated
        market = replace(market, collateral_factor=factor, deprecated=deprecated)
        holdings.append(replace(one, market=market))
    return replace(new, state=replace(now, holdings=tuple(holdings))), ""


def _old_quote(was: Quote | None, now: Quote | None, answers: Mapping[str, int]) -> Quote | None:
    if was is None or now is None or was.factor == now.factor:
        return now
    raw = answers.get(was.factor)
    return None if raw is None else replace(was, raw=raw)
