"""The alerts of one reading while they are judged: loaded once, written once."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection

from underkeel.alerts.engine import Mark, Phase, State, Told, severity
from underkeel.alerts.rules import Rule, Rules
from underkeel.alerts.words import sentence, where
from underkeel.config.problems import one_line
from underkeel.observe.types import Labels, Observation
from underkeel.store import alerts
from underkeel.store.alerts import AlertRow

log = logging.getLogger(__name__)

MOST_WORDS: Final = 400
"""Characters of a cause or a note."""


def plain(text: str) -> str:
    """Return what a chain or an endpoint said so that it cannot pass for our own words."""
    return one_line(text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]} …")


@dataclass(slots=True)
class Card:
    """One alert that is more than ok, or was: its state, and what was observed of it last."""

    rule: Rule
    key: str
    labels: dict[str, str]
    state: State
    before: AlertRow | None
    """As it is stored; None: not yet."""
    value: Decimal | None = None
    cause: str = ""
    note: str = ""
    block: int | None = None
    at: float = 0.0
    """When the value was so."""
    silenced: str = ""
    inhibited: str = ""
    worst: str = ""
    began: State | None = None
    """The state as it is stored."""

    @property
    def unchanged(self) -> bool:
        """Whether its row would be as it is stored: told quickly, for there are thousands."""
        before = self.before
        return (
            before is not None
            and self.state == self.began
            and self.cause == before.cause
            and self.note == before.note
            and self.silenced == before.silenced
            and self.inhibited == before.inhibited
            and (self.value == before.value or self.title == before.title)
        )

    def saw(self, one: Observation) -> None:
        """Take what was observed as the last that is known."""
        self.value, self.at = one.value, one.at
        self.cause, self.note = plain(one.cause), plain(one.note)
        self.block = one.block.number if one.block else None

    @property
    def severity(self) -> str:
        """How bad it is while it fires; of what is over, how bad it was."""
        now = severity(self.rule, self.state)
        return now or (self.worst if self.state.phase is Phase.RESOLVED else "")

    @property
    def unread_only(self) -> bool:
        """Whether nothing but not being readable is the matter."""
        return self.state.stale and not self.state.level

    @property
    def title(self) -> str:
        """What is the matter and where, in a line."""
        rule, state = self.rule, self.state
        value = None if self.unread_only else self.value
        level = rule.levels[max(state.level, 1) - 1]
        over = state.phase is Phase.RESOLVED
        text = sentence(rule, self.labels, value, level, over=over)
        note = f" ({self.note})" if self.note and (over or value is not None) else ""
        return one_line(f"{where(rule.metric, self.labels)}: {text}{note}")

    def row(self, now: float) -> AlertRow:
        """Return it as it is to be stored."""
        state, ok = self.state, self.state.phase is Phase.OK
        return AlertRow(
            key=self.key,
            rule=self.rule.id,
            chain=self.labels.get("chain", ""),
            metric=self.rule.metric,
            labels=self.labels,
            state=state.phase.value,
            severity=self.severity,
            title="" if ok else self.title,
            value=None if ok else self.value,
            cause="" if ok else self.cause,
            note="" if ok else self.note,
            since=state.since,
            changed_at=now,
            acked_at=state.acked_at,
            acked_by=state.acked_by,
            silenced=self.silenced,
            inhibited=self.inhibited,
            block_number=None if ok else self.block,
            body="" if ok and state.ended_at is None else orjson.dumps(state).decode(),
        )


def card_of(row: AlertRow, rule: Rule) -> Card:
    """Return a stored alert, of a rule that there still is."""
    state = state_of(row)
    return Card(
        rule, row.key, row.labels, fitted(state, rule), row, row.value, row.cause, row.note,
        row.block_number, row.changed_at, row.silenced, row.inhibited, row.severity, state,
    )  # fmt: skip


def state_of(row: AlertRow) -> State:
    """Return the engine's state; a plain ok one where the body says nothing.

    Of a body that cannot be read, or that another version wrote, too: what fires is then told once
    more, and one row does not keep all others of its chain from being judged.
    """
    if not row.body:
        return State(since=row.since)
    try:
        return _decoded(row.body)
    except (ValueError, TypeError, KeyError, AttributeError):
        log.warning("the state of alert %s cannot be read: it begins anew", row.key[:12])
        return State(since=row.since)


@lru_cache(maxsize=1 << 13)
def _decoded(text: str) -> State:
    body: dict[str, Any] = orjson.loads(text)
    told = body.pop("told")
    told["channels"] = tuple(told["channels"])
    marks = tuple(None if mark is None else Mark(**mark) for mark in body.pop("marks"))
    keeping = body.pop("keeping")
    return State(
        **body | {"phase": Phase(body["phase"])},
        marks=marks,
        keeping=None if keeping is None else Mark(**keeping),
        told=Told(**told),
    )


def fitted(state: State, rule: Rule) -> State:
    """Return a state that fits its rule: the config may have fewer levels by now."""
    count = len(rule.levels)
    if state.level <= count and len(state.marks) in (0, count):
        return state
    return replace(state, level=min(state.level, count), marks=())


@dataclass(slots=True)
class Board:
    """A chain's alerts during one evaluation."""

    chain: str
    rules: Rules
    known: dict[str, str] = field(default_factory=dict)
    """Key, and labels as JSON, of every alert of the chain and the metrics of the reading."""
    cards: dict[str, Card] = field(default_factory=dict)
    """What is not simply ok, and what is written for the first time."""
    orphans: list[str] = field(default_factory=list)
    """Alerts of rules that there are no more."""

    @classmethod
    def load(cls, db: Connection, rules: Rules, chain: str, metrics: Iterable[str]) -> "Board":
        """Read a chain's alerts: all that are not ok, and the keys of those of some metrics."""
        board = cls(chain, rules, alerts.brief(db, chain, metrics))
        board._take(alerts.live(db, chain).values())
        return board

    @classmethod
    def load_live(cls, db: Connection, rules: Rules) -> "Board":
        """Read every alert that is not ok, of all chains."""
        board = cls("", rules)
        board._take(alerts.live(db).values())
        return board

    def _take(self, rows: Iterable[AlertRow]) -> None:
        for row in rows:
            rule = self.rules.by_id.get(row.rule)
            if rule is None or rule.metric != row.metric or not rule.matches(row.labels):
                self.orphans.append(row.key)
            else:
                self.cards[row.key] = card_of(row, rule)

    def card(self, rule: Rule, key: str, labels: Labels, now: float) -> Card:
        """Return an alert to be judged, with a new state where there was none."""
        found = self.cards.get(key)
        if found is None:
            found = Card(rule, key, dict(labels), State(since=now), None)
            self.cards[key] = found
        return found

    def fetch(self, db: Connection, keys: Iterable[str]) -> list[Card]:
        """Return further alerts by key, from the database where they are not here yet."""
        wanted = list(keys)
        self._take(alerts.some(db, [key for key in wanted if key not in self.cards]).values())
        return [self.cards[key] for key in wanted if key in self.cards]

    def write(self, db: Connection, now: float, dropped: Iterable[str]) -> int:
        """Store what changed, forget what is over, and return how many rows that were."""
        away = {*dropped, *self.orphans}
        rows = []
        for key, card in self.cards.items():
            if key not in away and not card.unchanged:
                rows.append(card.row(now))
        alerts.put(db, rows)
        alerts.drop(db, sorted(away))
        return len(rows) + len(away)
