"""What changed: rules and price sources of markets, compared with the last that were stored.

The fingerprint of a chain is a compact document: per market and subject (a reserve, a category, a
vault) each rule with its value, and the changes of the last week. What is not read is not compared:
a rule keeps its last known value until it is read again.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Final

from protocols.aave_v3.state import AaveAccount, EMode, Reserve
from protocols.compound_v2.state import CMarket, CompoundAccount
from protocols.erc4626.state import MetaMorpho, VaultHolding
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position
from underkeel.observe.types import Observation

VERSION: Final = 1
REMEMBERED_S: Final = 7 * 86_400
"""How long a change is told of."""
MOST_SUBJECTS: Final = 5_000
MOST_CHANGES: Final = 200
ORACLE: Final = "oracle"
"""The fact that says where a price comes from."""

Facts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Subject:
    """What rules are of."""

    protocol: str
    market: str
    name: str
    """For people: a symbol, or what it is."""
    key: str
    """The same as long as it is the same: protocol, root and address or number."""


def facts_of(position: Position, seen: set[str] | None = None) -> Iterator[tuple[Subject, Facts]]:
    """Yield the rules that one position shows of its market, each subject once.

    `seen` are the subjects that other positions showed already: they say the same.
    """
    done: set[str] = set() if seen is None else seen
    for name, part, facts in _shown(position):
        key = f"{position.protocol}:{position.root}:{part}"
        if key not in done:
            done.add(key)
            yield Subject(position.protocol, position.market, name, key), facts()


def _shown(position: Position) -> Iterator[tuple[str, str, Callable[[], Facts]]]:
    """Yield name, place and facts of each subject; the facts are made only where they are new."""
    if position.version:
        yield position.market, "rules", lambda: {"version of the rules": position.version}
    state = position.state
    if isinstance(state, AaveAccount):
        for holding in state.holdings:
            one = holding.reserve
            yield one.symbol, one.asset, partial(_reserve, one)
        if state.emode is not None:
            number = state.emode.category
            yield f"e-mode {number}", f"emode:{number}", partial(_emode, state.emode)
    elif isinstance(state, CompoundAccount):
        for held in state.holdings:
            market = held.market
            yield market.symbol, market.ctoken, partial(_ctoken, market)
        yield "Comptroller", state.comptroller, partial(_comptroller, state)
    elif isinstance(state, MorphoPosition):
        if state.oracle is not None and state.oracle.parts is not None:
            yield position.market, state.market_id, partial(_feeds, state)
    elif isinstance(state, VaultHolding) and state.metamorpho is not None:
        yield position.market, state.vault, partial(_metamorpho, state.metamorpho)


def compared(
    chain: str, positions: Iterable[Position], before: Mapping[str, Any] | None, now: float
) -> dict[str, Any]:
    """Return the new fingerprint: rules as they are, and every change of the last week."""
    known: dict[str, Facts] = {}
    changes: list[dict[str, Any]] = []
    if before and before.get("version") == VERSION:
        known = {key: dict(facts) for key, facts in before["facts"].items()}
        changes = [one for one in before["changes"] if now - one["at"] < REMEMBERED_S]
    seen: set[str] = set()
    for position in positions:
        for subject, facts in facts_of(position, seen):
            was = known.setdefault(subject.key, {})
            for what, value in facts.items():
                if what in was and was[what] != value:
                    changes.append(_change(subject, what, was[what], value, position, now))
                was[what] = value
    if len(known) > MOST_SUBJECTS:
        known = dict(list(known.items())[-MOST_SUBJECTS:])
    return {
        "version": VERSION,
        "chain": chain,
        "facts": known,
        "changes": changes[-MOST_CHANGES:],
    }


def _change(
    subject: Subject, what: str, was: str, value: str, position: Position, now: float
) -> dict[str, Any]:
    return {
        "metric": "oracle_change_age" if what == ORACLE else "parameter_change_age",
        "protocol": subject.protocol,
        "market": subject.market,
        "subject": subject.name,
        "what": what,
        "before": was,
        "after": value,
        "at": now,
        "block": position.at.number,
    }


def of_changes(
    chain: str, fingerprint: Mapping[str, Any], labels: tuple[str, ...], now: float
) -> Iterator[Observation]:
    """Yield how long ago each remembered change was; of one thing that changed twice, the last."""
    last: dict[tuple[tuple[str, str], ...], dict[str, Any]] = {}
    for one in fingerprint.get("changes", ()):
        of = tuple(sorted((name, chain if name == "chain" else str(one[name])) for name in labels))
        last[(("metric", one["metric"]), *of)] = one
    for (_, *rest), one in last.items():
        note = f"{one['what']}: {one['before']} → {one['after']}"
        if one.get("block") is not None:
            note += f", block {one['block']}"
        age = Decimal(max(0, int(now - one["at"])))
        yield Observation(one["metric"], tuple(rest), age, "", now, None, note)


def _reserve(one: Reserve) -> Facts:
    bits = one.configuration
    facts = {
        "liquidation threshold": _bps(one.liquidation_threshold),
        "max LTV": _bps(one.max_ltv),
        "liquidation bonus": _bps(one.liquidation_bonus),
        "active": _yes(one.active),
        "frozen": _yes(one.frozen),
        "paused": _yes(one.paused),
        "borrowing": _yes(bool(bits >> 58 & 1)),
        "siloed": _yes(one.siloed),
        "debt ceiling": str(one.debt_ceiling),
        "borrow cap": str(bits >> 80 & (1 << 36) - 1),
        "supply cap": str(bits >> 116 & (1 << 36) - 1),
        "e-mode category": str(one.emode_category),
    }
    if one.quote is not None:
        facts[ORACLE] = one.quote.factor
    return facts


def _emode(mode: EMode) -> Facts:
    return {
        "liquidation threshold": _bps(mode.liquidation_threshold),
        "liquidation bonus": _bps(mode.liquidation_bonus),
        "collateral": "by reserve" if mode.bitmap is None else hex(mode.bitmap),
    }


def _ctoken(market: CMarket) -> Facts:
    facts = {
        "collateral factor": _wad(market.collateral_factor),
        "listed": _yes(market.listed),
        "deprecated": _yes(market.deprecated),
        "supplying paused": _yes(market.mint_paused),
        "seize share": _wad(market.seize_share),
    }
    if market.quote is not None:
        facts[ORACLE] = market.quote.factor
    return facts


def _comptroller(state: CompoundAccount) -> Facts:
    return {
        "close factor": _wad(state.close_factor),
        "liquidation incentive": _wad(state.incentive),
        "seizing paused": _yes(state.seize_paused),
    }


def _feeds(state: MorphoPosition) -> Facts:
    oracle = state.oracle
    assert oracle is not None  # asked before
    assert oracle.parts is not None
    leaves = (*oracle.parts.base_feeds, *oracle.parts.quote_feeds)
    return {ORACLE: ", ".join([oracle.address, *(leaf.feed for leaf in leaves)])}


def _metamorpho(vault: MetaMorpho) -> Facts:
    pending = vault.pending_timelock_s
    return {
        "fee": _wad(vault.fee),
        "owner": vault.owner,
        "curator": vault.curator,
        "guardian": vault.guardian,
        "timelock": f"{vault.timelock_s} s",
        "timelock to come": "none" if pending is None else f"{pending} s",
        "guardian to come": vault.pending_guardian or "none",
    }


def _bps(value: int) -> str:
    return f"{value / 100:g} %"


def _wad(value: int) -> str:
    return f"{Decimal(value).scaleb(-18).normalize():f}"


def _yes(value: bool) -> str:
    return "yes" if value else "no"
