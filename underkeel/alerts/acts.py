"""What people do to alerts: acknowledge, silence, end a silence. In the caller's transaction.

A silence is told to those whom it keeps from hearing: whoever took over the page could else make
everything go quiet and nobody would know.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import orjson
from sqlalchemy import Connection

from underkeel.alerts.board import state_of
from underkeel.alerts.engine import acknowledged
from underkeel.alerts.rules import Rules, alike
from underkeel.alerts.words import moment
from underkeel.config.alerts import SEVERITIES
from underkeel.config.problems import one_line
from underkeel.store import alerts, events, outbox, silences
from underkeel.store.events import Event
from underkeel.store.outbox import Message

LONGEST_S: Final = 31 * 86_400
"""A silence that outlives those who know of it is how alerts are missed."""
TITLE_MOST: Final = 200
"""Characters of a title: who writes the matchers may be a thief with the page."""
MOST: Final = 100
"""Silences within an hour: each is told, and a thief with the page shall not drown the channels."""


def ack(db: Connection, key: str, by: str, now: float) -> bool:
    """Say that somebody looks after an alert; False where it does not fire, or did not exist.

    Reminders and escalation end; a worse level, or not being readable, is told again.
    """
    row = alerts.some(db, [key]).get(key)
    if row is None:
        return False
    before = state_of(row)
    state = acknowledged(before, by, now)
    if state is before:
        return False
    after = replace(
        row, state=state.phase.value, since=state.since, acked_at=now, acked_by=by,
        body=orjson.dumps(state).decode(), changed_at=now,
    )  # fmt: skip
    alerts.put(db, [after])
    text = f"acknowledged by {by}: {row.title}"
    body: dict[str, object] = {"rule": row.rule, "state": "acked", "what": "acked", "by": by}
    events.add(db, _event(row.labels, key, text, row.severity, body, now))
    return True


def silence(
    db: Connection,
    rules: Rules,
    match: Mapping[str, str],
    until: float,
    by: str,
    why: str,
    now: float,
) -> int:
    """Keep messages back until a time, tell the channels of it, and return the silence's id.

    Raises `ValueError` for one of nothing in particular, that is over already, or too long, and
    where there are too many.
    """
    if not match:
        raise ValueError("a silence of everything would be one of nothing in particular")
    if not now < until <= now + LONGEST_S:
        raise ValueError(f"a silence ends within {LONGEST_S // 86_400} days, and not before now")
    if len(silences.recent(db, now - 3600)) >= MOST:
        raise ValueError(f"there were {MOST} silences within an hour; switch rules off instead")
    made = silences.add(db, dict(match), until, by, why, now)
    asked = ", ".join(f"{name}={text}" for name, text in sorted(match.items()))
    text = f"silenced by {by}: {asked}" + (f" ({why})" if why else "")
    body = {"silence": made, "match": dict(match), "until": until, "what": "silenced", "by": by}
    events.add(db, _event(match, match.get("alert", ""), text, "info", body, now))
    lines = [f"Until {moment(until)} nobody is told of alerts with {one_line(asked)}."]
    if why:
        lines.append(f"Why: {one_line(why)}")
    lines.append(f"If that is not wanted: underkeel alert unsilence {made}")
    if rules.page:
        lines.append(f"{rules.page}/alerts")
    for channel in _kept_from(rules, match):
        message = Message(
            # With the time: another database counts the same numbers.
            id=f"silence:{made}:{int(now * 1000)}:{channel}",
            channel=channel,
            severity="info",
            title=f"● INFO {_cut(one_line(text))}",
            body="\n".join(lines),
            payload={"silence": body},
            rule=match.get("rule", ""),
            state="silenced",
        )
        outbox.put(db, message, now)
    return made


def _cut(text: str) -> str:
    return text if len(text) <= TITLE_MOST else text[: TITLE_MOST - 1] + "…"


def _kept_from(rules: Rules, match: Mapping[str, str]) -> Iterator[str]:
    """Yield the channels that would hear the mildest of what a silence may keep back.

    Of a rule that tells nobody of what is mild, those that it tells of what is worse.
    """
    asked = match.get("rule", "*")
    told = {
        channel
        for rule in rules.by_id.values()
        if alike(rule.id, asked)
        for channel in next(filter(None, (rule.notify[one] for one in SEVERITIES)), ())
    }
    return (channel for channel in rules.channels if channel in told)


def unsilence(db: Connection, id_: int, by: str, now: float) -> bool:
    """End a silence; what it kept back is told. False where none of that id holds."""
    if not silences.end(db, id_, now):
        return False
    body = {"silence": id_, "what": "unsilenced", "by": by}
    events.add(db, _event({}, "", f"silence {id_} ended by {by}", "info", body, now))
    return True


def _event(
    labels: Mapping[str, str],
    key: str,
    text: str,
    severity: str,
    body: dict[str, object],
    now: float,
) -> Event:
    return Event(
        at=now,
        kind="alert",
        text=text,
        severity=severity or "info",
        chain=labels.get("chain", ""),
        wallet=labels.get("wallet", ""),
        position=labels.get("position", ""),
        alert=key,
        body=body,
    )
