"""What is told on the other channels, and on the pages, when one of them does not work."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from underkeel.store import events, outbox
from underkeel.store.events import Event

RULE: Final = "delivery-failing"
NAMED: Final = 20


class Teller:
    """Writes messages about one channel to the others, in the transaction that found them out."""

    def __init__(self, db: Connection, channel: str, others: Sequence[str], now: float) -> None:
        self._db = db
        self._channel = channel
        self._others = others
        self._now = now
        self._alert = f"{RULE}/{channel}"

    def open(self) -> bool:
        """Whether it was told that the channel fails, and not yet that it works."""
        last = events.before(self._db, None, 1, alert=self._alert)
        return bool(last) and last[0].body.get("state") == "firing"

    def failing(self, cause: str) -> None:
        """Tell that messages do not arrive."""
        self._tell(
            "firing",
            f"Channel {self._channel} does not deliver",
            f"{cause}\nMessages to it are kept and tried again; until then only the other "
            "channels tell you of alerts.",
        )

    def working(self) -> None:
        """Tell that messages arrive again."""
        self._tell(
            "resolved",
            f"Channel {self._channel} delivers again",
            "What waited for it is being sent, in order.",
        )

    def gave_up(self, titles: Sequence[str], cause: str) -> None:
        """Tell which messages will never arrive there."""
        self._tell(
            "gave-up",
            f"Channel {self._channel}: {len(titles)} message(s) given up",
            f"{cause}\nNever delivered there:\n{_listed(titles)}",
            f"gave-up/{self._channel}",
        )

    def unknown_channel(self, titles: Sequence[str]) -> None:
        """Tell what waited for a channel that the config no longer has."""
        self._tell(
            "gave-up",
            f"Channel {self._channel} is no longer in the config: {len(titles)} message(s) waited",
            f"Never delivered there:\n{_listed(titles)}",
            f"gave-up/{self._channel}",
        )

    def _tell(self, state: str, title: str, body: str, alert: str = "") -> None:
        severity = "info" if state == "resolved" else "critical"
        number = events.add(
            self._db,
            Event(self._now, "channel", title, severity, alert=alert or self._alert,
                  body={"channel": self._channel, "state": state, "text": body}),
        )  # fmt: skip
        # With the time: another database, such as that of the dry run, counts the same numbers.
        at = int(self._now * 1000)
        for other in self._others:
            message = outbox.Message(
                id=f"{alert or self._alert}/{number}/{at}/{other}",
                channel=other,
                severity=severity,
                title=title,
                body=body,
                payload={"channel": self._channel},
                alert=alert or self._alert,
                rule=RULE,
                state=state,
            )
            outbox.put(self._db, message, self._now)


def _listed(titles: Sequence[str]) -> str:
    lines = [f"- {title}" for title in titles[:NAMED]]
    if len(titles) > NAMED:
        lines.append(f"- and {len(titles) - NAMED} more; the alerts page has them all")
    return "\n".join(lines)
