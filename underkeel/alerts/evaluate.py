"""Bring the alerts of one reading up to date, in the caller's transaction.

States, events and messages are written together, or not at all: a process that is killed leaves
nothing half told. Judging the same reading again at the same time changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from chain.types import BlockRef
from underkeel.alerts import engine
from underkeel.alerts.board import Board, Card, plain
from underkeel.alerts.engine import Phase, severity
from underkeel.alerts.mute import Inhibitors, silenced
from underkeel.alerts.notice import Kind, notice
from underkeel.alerts.route import Notice, messages
from underkeel.alerts.rules import Rules
from underkeel.observe import study
from underkeel.observe.metrics import CHAIN_METRICS
from underkeel.observe.types import Gap, Labels, Observation, Observed, Scope, labels
from underkeel.store import documents, events, outbox, silences
from underkeel.store.events import Event

PLACE: Final = "alerts-block"
"""The kind of document that says up to which block a chain was judged."""
SETTLE_S: Final = 60
"""An older block than the last is not looked at for so long: an endpoint lags, or it was forked
away. After that the chain really is there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an evaluation did."""

    firing: int = 0
    """Alerts that fire now, acknowledged or not, of those that were looked at."""
    changed: int = 0
    """Rows written or removed."""
    messages: int = 0
    """Messages put into the outbox: the delivery should be woken."""
    events: int = 0
    older: bool = False
    """Nothing was done: the block is older than one that was judged."""


def evaluate(db: Connection, rules: Rules, observed: Observed, now: float) -> Outcome:
    """Judge what was observed by the rules; write alert states, events and messages."""
    scope = observed.scope
    if _older(db, scope, now):
        return Outcome(older=True)
    board = Board.load(db, rules, scope.chain, scope.metrics)
    seen: set[str] = set()
    for one in observed.observations:
        _judge(board, one, seen, now)
    dropped = _absent(db, board, observed, seen, now)
    return _settle(db, board, dropped, scope.block, now, _debts(observed))


def _judge(board: Board, one: Observation, seen: set[str], now: float) -> None:
    """Bring the alerts of one series up to date."""
    value, block = one.value, one.block.number if one.block else None
    for match in board.rules.of(one.metric, one.labels):
        key, rule = match.key, match.rule
        seen.add(key)
        card = board.cards.get(key)
        known_ok = card is None and key in board.known
        if known_ok and value is not None and engine.calm(rule, None, value):
            continue
        card = board.card(rule, key, match.labels, now)
        card.saw(one)
        if value is None:
            since = one.at if one.block is None else now
            card.state = engine.unread(rule, card.state, since, now)
        else:
            card.state = engine.read(rule, card.state, value, now, block)


def _absent(
    db: Connection, board: Board, observed: Observed, seen: set[str], now: float
) -> set[str]:
    """Judge what was not observed, and return the keys of what there is no longer."""
    scope = observed.scope
    missing = [key for key in board.known if key not in seen]
    if scope.only is not None:
        about = [(key, orjson.loads(board.known[key]).get("position")) for key in missing]
        missing = [key for key, position in about if position is None or position in scope.only]
    if not missing:
        return set()
    dropped: set[str] = set()
    block = scope.block.number if scope.block else None
    for card in board.fetch(db, missing):
        of: Labels = tuple(sorted(card.labels.items()))
        gap = scope.hidden(card.rule.metric, of)
        if gap is not None:
            since = now if gap.since is None else gap.since
            card.value, card.cause, card.note = None, plain(gap.cause), ""
            card.block, card.at = block, since
            card.state = engine.unread(card.rule, card.state, since, now)
            continue
        card.state = engine.gone(card.state, now)
        card.cause, card.note = "", "no longer there"
        if not card.state.alight and card.state.phase is not Phase.RESOLVED:
            dropped.add(card.key)
    return dropped


def tick(db: Connection, rules: Rules, now: float) -> Outcome:
    """Do what only time asks for: reminders, escalation, unknown for too long, silences' ends.

    To be called every few seconds, whatever the chains do.
    """
    board = Board.load_live(db, rules)
    dropped: set[str] = set()
    for card in board.cards.values():
        state = engine.clamped(card.state, now, None)
        if state.blind_since is not None:
            state = engine.unread(card.rule, state, state.blind_since, now)
        card.state = state
        chain = card.labels.get("chain")
        if engine.expired(state, now) or (chain is not None and chain not in rules.chains):
            dropped.add(card.key)
    return _settle(db, board, dropped, None, now, {})


def unwatched(chain: str, since: float) -> Observed:
    """Return the reading of a chain that nobody has tried to read: its watcher hangs."""
    of = labels(chain=chain)
    gap = Gap(of, "its watcher has not tried to read it", since)
    return Observed(Scope(chain, CHAIN_METRICS, None, (gap,)), ())


def _settle(
    db: Connection,
    board: Board,
    dropped: Iterable[str],
    block: BlockRef | None,
    now: float,
    debts: dict[str, Decimal],
) -> Outcome:
    """Decide who is told, and write everything."""
    away = set(dropped)
    cards = [card for key, card in board.cards.items() if key not in away]
    quiet = silences.active(db, now)
    inhibitors = Inhibitors(cards)
    notices: list[Notice] = []
    happened: list[Event] = []
    for card in sorted(cards, key=lambda card: card.key):
        card.silenced, card.inhibited = silenced(card, quiet), inhibitors.of(card)
        muted = bool(card.silenced or card.inhibited)
        how_bad = severity(card.rule, card.state) or card.worst
        card.state, kind, to = notice(card.rule, card.state, muted, now)
        if kind is not None and to:
            debt = debts.get(card.labels.get("position", ""))
            notices.append(Notice(card, kind, to, how_bad, debt))
        happened += _events(card, kind, how_bad, now)
        card.worst = severity(card.rule, card.state) or card.worst
    written = board.write(db, now, away)
    sent = [outbox.put(db, m, now) for m in messages(board.rules, notices, block, now)]
    events.add_all(db, happened)
    firing = sum(card.state.alight for card in cards)
    return Outcome(firing, written, sum(sent), len(happened))


def _events(card: Card, kind: Kind | None, how_bad: str, now: float) -> list[Event]:
    """Return what happened to an alert, for the timeline; what is muted changes quietly."""
    was = card.before.state if card.before else "ok"
    is_, alight = card.state.phase.value, card.state.alight
    began = alight and was not in ("firing", "acked") and not card.inhibited
    ended = (
        not alight and was in ("firing", "acked") and not (card.before and card.before.inhibited)
    )
    told = kind in (Kind.RAISED, Kind.LOWERED, Kind.STALE, Kind.SEEN, Kind.ESCALATED)
    if not (began or ended or told):
        return []
    given = card.labels
    what = kind.value if told and kind is not None else is_
    return [
        Event(
            at=now,
            kind="alert",
            text=card.title,
            severity=how_bad or "info",
            chain=given.get("chain", ""),
            wallet=given.get("wallet", ""),
            position=given.get("position", ""),
            alert=card.key,
            body={"rule": card.rule.id, "state": is_, "what": what, "silenced": card.silenced},
        )
    ]


def _debts(observed: Observed) -> dict[str, Decimal]:
    """Return the debts that were read with the rest, by position."""
    return {
        dict(one.labels)["position"]: one.value
        for one in observed.observations
        if one.metric == "debt_usd" and one.value is not None
    }


def _older(db: Connection, scope: Scope, now: float) -> bool:
    """Tell whether a later block of the chain was judged just now; remember this one if not."""
    block = scope.block
    if block is None:
        return False
    stored = documents.get(db, PLACE, scope.chain)
    if stored is not None and stored.block_number is not None:
        if (stored.block_number, stored.block_hash) == (block.number, block.hash):
            return False
        if block.number < stored.block_number and 0 <= now - stored.at < SETTLE_S:
            return True
    documents.put(
        db, PLACE, scope.chain, b"{}", at=now, block_number=block.number, block_hash=block.hash
    )
    return False


def studied(db: Connection, rules: Rules, document: Mapping[str, Any], now: float) -> Outcome:
    """Judge an exposure study against the last one: to be called where its document is stored."""
    before = {one.chain: one.value for one in documents.all(db, study.KIND)}
    done = []
    for observed in study.observe_study(document, before, now):
        documents.put(db, study.KIND, observed.scope.chain, observed.fingerprint, at=now)
        done.append(evaluate(db, rules, observed, now))
    return Outcome(
        sum(one.firing for one in done),
        sum(one.changed for one in done),
        sum(one.messages for one in done),
        sum(one.events for one in done),
    )
