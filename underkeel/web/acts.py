"""The few things that can be done from a page: acknowledge, silence, pause.

Nothing here signs, sends, or lifts the kill switch: that is the command line's alone.
"""

import logging
from collections.abc import Mapping
from typing import Final

from executor.policy.switch import Switch
from underkeel.alerts import acts as alerts
from underkeel.alerts.rules import Rules
from underkeel.observe.metrics import METRICS
from underkeel.store import events
from underkeel.store.errors import StoreError
from underkeel.store.store import Store
from underkeel.web.problems import Refusal

log = logging.getLogger(__name__)

BY: Final = "web"
LEAST_S: Final = 60
MOST_S: Final = alerts.LONGEST_S
MOST_MATCHERS: Final = 12
MOST_WORDS: Final = 400
LABELS: Final = frozenset(
    {
        "alert",
        "rule",
        "severity",
        *(label for metric in METRICS.values() for label in metric.labels),
    }
)
"""What a silence can name."""


class Acts:
    """What a page may do; each says what was done, in words."""

    def __init__(self, store: Store, switch: Switch, rules: Rules) -> None:
        self._store = store
        self._rules = rules
        self._switch = switch

    def ack(self, key: str) -> str:
        """Acknowledge an alert: no more reminders, no escalation. Raises `Refusal`."""
        with self._store.writing() as db:
            done = alerts.ack(db, key, BY, self._store.clock())
        if not done:
            raise Refusal(409, "there is no such alert, or it is not firing")
        return "acknowledged"

    def silence(self, match: Mapping[str, str], seconds: int, reason: str) -> str:
        """Hold back messages that match; return the silence's id. Raises `Refusal`."""
        unknown = sorted(set(match) - LABELS)
        if unknown:
            raise Refusal(422, f"{unknown[0]!r} is no label; there is {', '.join(sorted(LABELS))}")
        if not match or len(match) > MOST_MATCHERS:
            raise Refusal(422, "say what to silence: a rule, a chain, a wallet …")
        if not LEAST_S <= seconds <= MOST_S:
            raise Refusal(422, "a silence lasts a minute to 31 days")
        now = self._store.clock()
        with self._store.writing() as db:
            try:
                id_ = alerts.silence(
                    db, self._rules, match, now + seconds, BY, reason[:MOST_WORDS], now
                )
            except ValueError as error:
                raise Refusal(409, str(error)) from None
        return str(id_)

    def unsilence(self, key: str) -> str:
        """End a silence. Raises `Refusal`."""
        if not (key.isascii() and key.isdecimal() and len(key) < 19):
            raise Refusal(404, "there is no such silence")
        with self._store.writing() as db:
            done = alerts.unsilence(db, int(key), BY, self._store.clock())
        if not done:
            raise Refusal(409, "there is no such silence, or it is over")
        return "ended"

    def pause(self, reason: str) -> str:
        """Make the pause file: nothing new is signed from now on. Raises `Refusal`."""
        said = " ".join(reason.split())[:MOST_WORDS] or "no reason given"
        try:
            self._switch.pause(f"from the web page: {said}")
        except OSError as error:
            detail = f"the pause file cannot be written ({error.strerror}): end the executor"
            raise Refusal(503, detail) from None
        self._note(said)
        return self._switch.paused() or "paused"

    def _note(self, said: str) -> None:
        """Write the event; a database that fails must not undo a pause."""
        try:
            with self._store.writing() as db:
                event = events.Event(
                    self._store.clock(), "pause", f"paused from the web page: {said}", "warning"
                )
                events.add(db, event)
        except StoreError as error:
            log.warning("paused, but not noted: %s", error)
