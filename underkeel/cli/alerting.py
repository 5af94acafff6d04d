"""What `alert list`, `ack`, `silence`, `unsilence` and `silences` do."""

import getpass
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from rich import box
from rich.padding import Padding
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection

from underkeel.alerts import acts
from underkeel.alerts.mute import given_of, matches
from underkeel.alerts.rules import rules_of
from underkeel.alerts.words import duration, where
from underkeel.cli.format import local_time
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document
from underkeel.config.load import Config, load
from underkeel.config.problems import did_you_mean, one_line
from underkeel.config.values import DURATION, seconds
from underkeel.documents.alerts import Alert, AlertsDocument
from underkeel.documents.paging import ActionDocument
from underkeel.errors import AppError, Exit, UsageError
from underkeel.observe.metrics import METRICS
from underkeel.store import alerts, silences
from underkeel.store.open import open_store
from underkeel.store.store import Store
from underkeel.web.reading.alerting import alerts_document, silences_document

FIRING: Final = {
    "critical": ("✖", "bold red"), "warning": ("▲", "bold yellow"), "info": ("●", "default"),
}  # fmt: skip
"""Sign and style of what fires, by its severity."""
STATES: Final = {
    "firing": ("✖", "bold red"), "unknown": ("?", "bold yellow"), "acked": ("◔", "yellow"),
    "pending": ("…", "yellow"), "resolved": ("✔", "green"), "ok": ("✔", "dim"),
}  # fmt: skip
"""Sign and style of each state; its word is the state's own."""
LEAST_ID: Final = 4
SHOWN_ID: Final = 12
MATCHERS: Final = frozenset(
    {"alert", "rule", "severity", *(name for m in METRICS.values() for name in m.labels)}
)


def list_alerts(options: Globals, *, every: bool, rule: str | None, chain: str | None) -> Exit:
    """Print alerts; ok only where none of the shown is unknown or fires worse than info."""
    config = load(options.config)
    with _store(config) as store, store.reading() as db:
        now = store.clock()
        found = alerts_document(db, now, rule=rule, chain=chain)
        quiet = silences_document(db, now)
        fine = alerts_document(db, now, state="ok", rule=rule, chain=chain) if every else None
    listed = [*found.alerts, *(fine.alerts if fine else ())]
    if options.json:
        print_document(found.model_copy(update={"alerts": listed}))
    else:
        zone = config.settings.timezone
        held = sum(one.active for one in quiet.silences)
        _show(options, found, listed, zone, held)
    bad = any(
        one.state == "unknown" or (one.state == "firing" and one.severity != "info")
        for one in listed
    )
    return Exit.ATTENTION if bad else Exit.OK


def ack_alerts(options: Globals, wanted: Sequence[str], by: str | None) -> Exit:
    """Acknowledge some alerts, or all that match."""
    ids = [text for text in wanted if "=" not in text]
    with _store(load(options.config)) as store, store.writing() as db:
        match = _matchers(db, [text for text in wanted if "=" in text])
        named = {row.key: row for row in (_one(alerts.named(db, text), text) for text in ids)}
        rows = [*(named if ids else alerts.live(db)).values()]
        rows = [row for row in rows if not match or matches(match, given_of(row))]
        now, who = store.clock(), by or _me()
        done = [row for row in rows if acts.ack(db, row.key, who, now)]
    if not done:
        why = f"{rows[0].key[:SHOWN_ID]} is {rows[0].state}" if rows else "nothing matches"
        raise AppError(f"{why}: there is nothing to acknowledge")
    text = done[0].title if len(done) == 1 else f"{len(done)} alerts"
    return _said(options, "ack", f"acknowledged: {text}", done[0].key if len(named) == 1 else None)


def silence_alerts(
    options: Globals, wanted: Sequence[str], lasts: str | None, why: str, by: str | None
) -> Exit:
    """Silence what matches, or one alert."""
    if lasts is None:
        raise UsageError("how long is missing; give --for, such as --for 2h")
    if not DURATION.fullmatch(lasts.strip()):
        raise UsageError(f"--for {lasts!r} is no time; write for example 30m, 2h or 1d")
    if not wanted:
        raise UsageError("what to silence is missing; give LABEL=VALUE, or an alert's id")
    config = load(options.config)
    rules = rules_of(config.settings)
    with _store(config) as store, store.writing() as db:
        match = _matchers(db, wanted)
        now = store.clock()
        known = any(matches(match, given_of(row)) for row in alerts.every(db))
        try:
            made = acts.silence(db, rules, match, now + seconds(lasts), by or _me(), why, now)
        except ValueError as error:
            raise UsageError(str(error)) from None
    text = f"silence {made}: quiet for {duration(seconds(lasts))}"
    if not known:
        text += "; no alert is of that yet: see how names are written in `underkeel alert list`"
    return _said(options, "silence", text, str(made))


def end_silence(options: Globals, id_: int, by: str | None) -> Exit:
    """End a silence."""
    with _store(load(options.config)) as store, store.writing() as db:
        if not acts.unsilence(db, id_, by or _me(), store.clock()):
            raise AppError(f"no silence {id_} holds; see `underkeel alert silences`")
    return _said(options, "unsilence", f"silence {id_} is over", str(id_))


def list_silences(options: Globals) -> Exit:
    """Print silences, those that hold first."""
    config = load(options.config)
    with _store(config) as store, store.reading() as db:
        found = silences_document(db, store.clock())
    if options.json:
        print_document(found)
        return Exit.OK
    table = Table("id", "state", "what", "until", "by", "why", box=box.SIMPLE)
    for one in found.silences:
        match = ", ".join(f"{name}={value}" for name, value in sorted(one.match.items()))
        state = Text("◑ holds", "yellow") if one.active else Text("– over", "dim")
        what, by, why = (Text(one_line(text)) for text in (match, one.by, one.reason))
        table.add_row(one.id, state, what, one.until[:16] + "Z", by, why)
    console(options).print(table if found.silences else "no silences")
    return Exit.OK


def alert_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield ids and titles of alerts that fire, for the shell."""
    try:
        with _store(load(None)) as store, store.reading() as db:
            found = [row for row in alerts.live(db).values() if row.state == "firing"]
    except AppError:
        return
    for row in found:
        if row.key.startswith(incomplete):
            yield row.key[:SHOWN_ID], row.title


def silence_ids(incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield ids of silences that hold, and what they are of."""
    try:
        with _store(load(None)) as store, store.reading() as db:
            found = silences.active(db, store.clock())
    except AppError:
        return
    for one in found:
        if str(one.id).startswith(incomplete):
            yield str(one.id), ", ".join(f"{k}={v}" for k, v in sorted(one.matchers.items()))


@contextmanager
def _store(config: Config) -> Iterator[Store]:
    store = open_store(config, create=False)
    try:
        yield store
    finally:
        store.close()


def _matchers(db: Connection, wanted: Sequence[str]) -> dict[str, str]:
    """Return what is asked for by labels, or by an alert's id."""
    match: dict[str, str] = {}
    for text in wanted:
        name, equals, value = text.partition("=")
        if not equals:
            name, value = "alert", _one(alerts.named(db, text), text).key
            if match.get(name, value) != value:
                raise UsageError("one silence is of one alert, or of all that have the labels")
        if name not in MATCHERS:
            raise UsageError(f"{name!r} is no label; {did_you_mean(name, MATCHERS)}")
        match[name] = value
    return match


def _one(found: Sequence[alerts.AlertRow], prefix: str) -> alerts.AlertRow:
    if len(prefix) < LEAST_ID:
        raise UsageError(f"{prefix!r} is too short for an id; give at least {LEAST_ID} characters")
    if not found:
        raise UsageError(f"no alert's id begins with {prefix!r}; see `underkeel alert list`")
    if len(found) > 1:
        raise UsageError(f"{len(found)} alerts' ids begin with {prefix!r}; give more of it")
    return found[0]


def _me() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id that has no name
        return "command line"


def _said(options: Globals, action: str, text: str, id_: str | None) -> Exit:
    if options.json:
        print_document(
            ActionDocument.model_validate(
                {"schema": "underkeel.action/1", "action": action, "text": text, "id": id_}
            )
        )
    else:
        console(options).print(Text(text), soft_wrap=True)
    return Exit.OK


def _show(
    options: Globals, found: AlertsDocument, listed: Sequence[Alert], zone: str, held: int
) -> None:
    screen = console(options)
    counts = found.counts
    words = [
        f"{number} {name}"
        for name, number in (
            ("critical", counts.critical), ("warning", counts.warning), ("info", counts.info),
            ("acknowledged", counts.acked), ("pending", counts.pending),
            ("unknown", counts.unknown), ("muted", counts.silenced),
        )
        if number != "0"
    ]  # fmt: skip
    if held:
        words.append(f"{held} silence(s): `underkeel alert silences`")
    screen.print(", ".join(words) or "no alerts")
    for one in listed:
        icon, style = STATES[one.state]
        if one.state == "firing":
            icon, style = FIRING.get(one.severity or "", (icon, style))
        head = Text(f"{icon} {one.state}", style)
        head.append(f" {one.severity}" if one.severity else "", style)
        head.append(f"  {one.rule}", "bold")
        screen.print()
        screen.print(head)
        for line in _what(one):
            screen.print(Padding(Text(one_line(line)), (0, 0, 0, 2)))
        tail = Text(f"{one.id[:SHOWN_ID]}, since {_since(one, zone)}", "dim")
        screen.print(Padding(tail, (0, 0, 0, 2)))


def _what(one: Alert) -> Iterator[str]:
    yield one.title or where(one.metric or "", one.labels)
    if one.cause:
        yield f"because: {one.cause}"
    if one.silenced_by:
        yield f"◑ silence {one.silenced_by}"
    if one.inhibited_by:
        yield f"◑ said by {one.inhibited_by}"
    if one.acked_by:
        yield f"◔ {one.acked_by} looks after it"


def _since(one: Alert, zone: str) -> str:
    at = datetime.fromisoformat(one.since)
    return local_time(int(at.timestamp()), zone)
