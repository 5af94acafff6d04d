"""From what is to be told to messages: one for all alerts of a group, for each channel."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from chain.types import BlockRef
from underkeel.alerts.board import Card
from underkeel.alerts.notice import Kind
from underkeel.alerts.rules import Rules
from underkeel.alerts.words import TEXTS, duration, limit, moment, shown
from underkeel.config.alerts import RANK
from underkeel.config.problems import one_line
from underkeel.observe.metrics import METRICS
from underkeel.store.outbox import Message

MOST_LISTED: Final = 20
"""Alerts that are spelled out in one message."""
MOST_TOLD: Final = 200
"""Alerts in what programs are told, the worst first: receivers refuse megabytes."""
TOGETHER: Final = {
    Kind.FIRED: "firing", Kind.RAISED: "firing", Kind.LOWERED: "firing", Kind.SEEN: "firing",
    Kind.STALE: "unknown", Kind.REMINDER: "repeat", Kind.ESCALATED: "escalated",
    Kind.RESOLVED: "resolved",
}  # fmt: skip
"""What may share a message, and what that message is called."""
WORDS: Final = {
    Kind.FIRED: "", Kind.RAISED: "worse", Kind.LOWERED: "better", Kind.SEEN: "readable again",
    Kind.STALE: "unknown", Kind.REMINDER: "still", Kind.ESCALATED: "nobody acknowledged it",
    Kind.RESOLVED: "over",
}  # fmt: skip
MARKS: Final = {"critical": "✖ CRITICAL", "warning": "▲ WARNING", "info": "● INFO"}
OVER: Final = "✔ RESOLVED"


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert that is to be told, and to whom."""

    card: Card
    kind: Kind
    to: tuple[str, ...]
    severity: str
    debt_usd: Decimal | None = None
    """Of its position, where that was read with it."""

    @property
    def why(self) -> Kind:
        """The kind in people's words: what fires because it is unread is unknown to them."""
        unread = self.kind is Kind.FIRED and self.card.unread_only
        return Kind.STALE if unread else self.kind


def messages(
    rules: Rules, notices: Iterable[Notice], block: BlockRef | None, now: float
) -> list[Message]:
    """Return the messages for some notices, each with an id that no other has."""
    groups: dict[tuple[str, ...], list[Notice]] = {}
    for notice in notices:
        card = notice.card
        shared = [
            f"{name}={card.labels[name]}"
            for name in card.rule.table.group_by
            if name in card.labels
        ]
        for channel in [one for one in notice.to if one in rules.channels]:
            key = (channel, card.rule.id, TOGETHER[notice.why], *shared)
            groups.setdefault(key, []).append(notice)
    return [
        _message(rules, channel, state, members, block, now)
        for (channel, _rule, state, *_shared), members in groups.items()
    ]


def _message(
    rules: Rules,
    channel: str,
    state: str,
    members: Sequence[Notice],
    block: BlockRef | None,
    now: float,
) -> Message:
    worst = sorted(members, key=_badness)
    first = worst[0]
    told = sorted(f"{n.card.key}:{n.card.state.seq}" for n in members)
    # With the time: an alert that was forgotten and fires again begins to count anew.
    digest = hashlib.sha256("\n".join([channel, state, repr(now), *told]).encode()).hexdigest()[:32]
    return Message(
        id=f"alert-{digest}",
        channel=channel,
        severity=first.severity,
        title=_title(worst),
        body=_body(rules, worst, block, now),
        payload={
            "alerts": [_plain(notice) for notice in worst[:MOST_TOLD]],
            "left_out": max(0, len(worst) - MOST_TOLD),
            "block": None
            if block is None
            else {"chain_id": str(block.chain_id), "number": str(block.number), "hash": block.hash},
        },
        alert=first.card.key,
        rule=first.card.rule.id,
        state=state,
    )


def _badness(notice: Notice) -> tuple[int, bool, Decimal, str]:
    """Order notices of one rule, the worst first; of what is unknown nobody can tell."""
    card = notice.card
    value = card.value or Decimal(0)
    far = value if card.rule.below else -value
    return -RANK[notice.severity], card.value is None, far, card.key


def mark(notice: Notice) -> str:
    """Return sign and word of a notice: never colour alone."""
    return OVER if notice.kind is Kind.RESOLVED else MARKS[notice.severity]


def _title(worst: Sequence[Notice]) -> str:
    first = worst[0]
    said = WORDS[first.why]
    head = f"{mark(first)} {first.card.rule.id}" + (f" ({said})" if said else "")
    if len(worst) == 1:
        return f"{head}: {first.card.title}"
    return f"{head}: {len(worst)} alerts, the worst {first.card.title}"


def _body(rules: Rules, worst: Sequence[Notice], block: BlockRef | None, now: float) -> str:
    parts = ["\n".join(_lines(notice, now)) for notice in worst[:MOST_LISTED]]
    if len(worst) > MOST_LISTED:
        parts.append(f"… and {len(worst) - MOST_LISTED} more.")
    first = worst[0]
    tail = []
    if block is not None:
        age = duration(max(0, int(now - block.timestamp)))
        tail.append(f"Block {block.number} of {moment(block.timestamp)}, {age} ago.")
    elif first.card.block is not None:
        tail.append(f"Last read at block {first.card.block}.")
    if first.kind is not Kind.RESOLVED:
        if first.card.rule.table.say:
            tail.append(first.card.rule.table.say)
        todo = TEXTS[first.card.rule.metric].do.format_map(first.card.labels)
        tail.append(f"What to do: {todo}")
        ids = " ".join(notice.card.key[:12] for notice in worst[:MOST_LISTED])
        tail.append(f"Acknowledge: underkeel alert ack {ids}")
    if rules.page:
        tail.append(f"{rules.page}/alerts")
    return "\n\n".join([*parts, "\n".join(tail)])


def _lines(notice: Notice, now: float) -> list[str]:
    card, rule = notice.card, notice.card.rule
    lines = [card.title]
    level = rule.levels[max(card.state.level, 1) - 1]
    side = "below" if rule.below else "above"
    ends = "at or above" if rule.below else "at or below"
    if notice.kind is Kind.RESOLVED:
        lines.append(f"Over after {_since(card, now)}.")
    elif METRICS[rule.metric].unit != "bool":  # what is so or not has no value to tell
        lines.append(
            f"Value: {_value(card)}; {level.severity} {side} {limit(rule.metric, level.fire)}, "
            f"ends {ends} {limit(rule.metric, level.clear)}."
        )
    if card.cause:
        lines.append(f"Unknown because: {card.cause}")
    if card.state.blind_since is not None:
        lines.append(f"Not read since {moment(card.state.blind_since)}.")
    if repay := _repay(notice, level.clear):
        lines.append(repay)
    if card.labels.get("position"):
        lines.append(f"Position: {one_line(card.labels['position'])}")
    return lines


def _value(card: Card) -> str:
    return shown(card.rule.metric, card.value)


def _since(card: Card, now: float) -> str:
    began = card.before.since if card.before else card.state.since
    return duration(max(0, int(now - began)))


def _repay(notice: Notice, target: Decimal) -> str:
    """Say what repaying from outside would do: health is collateral over debt."""
    card, debt = notice.card, notice.debt_usd
    if card.rule.metric != "health_factor" or not card.value or debt is None or debt <= 0:
        return ""
    if notice.kind is Kind.RESOLVED or card.value >= target or target <= 0:
        return ""
    amount = debt * (1 - card.value / target)
    reached = f"{target.normalize():f}"
    return f"Repaying about {amount:,.2f} USD of its debt would bring health to {reached}."


def _plain(notice: Notice) -> dict[str, Any]:
    card = notice.card
    level = card.rule.levels[max(card.state.level, 1) - 1]
    return {
        "key": card.key,
        "rule": card.rule.id,
        "metric": card.rule.metric,
        "labels": card.labels,
        "state": card.state.phase.value,
        "why": notice.why.value,
        "severity": notice.severity,
        "title": card.title,
        "value": None if card.value is None else str(card.value),
        "threshold": str(level.fire),
        "clear": str(level.clear),
        "cause": card.cause or None,
        "note": card.note or None,
        "block_number": None if card.block is None else str(card.block),
        "since": moment(card.state.since),
    }
