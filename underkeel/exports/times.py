"""Times of exports: what `--from` and `--to` mean, and how a moment is written."""

from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError

FIRST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Span:
    """since ≤ at < until, and the zone that people read."""

    since: float
    until: float
    zone: ZoneInfo

    def local(self, at: float) -> str:
        """Return ISO-8601 with the zone's offset at that moment."""
        return iso(at, self.zone)


def iso(at: float, zone: ZoneInfo | None = None) -> str:
    """Return ISO-8601, to the microsecond where there are any; `Z` where no zone is given."""
    moment = datetime.fromtimestamp(at, zone or UTC)
    text = moment.isoformat()
    return text if zone is not None else text.replace("+00:00", "Z")


def zone_of(name: str) -> ZoneInfo:
    """Return a time zone; raises `UsageError` with the nearest name."""
    zones = available_timezones()
    if name not in zones and name != "UTC":
        raise UsageError(f"--tz {name!r} is not a time zone; {did_you_mean(name, zones)}")
    return ZoneInfo(name)


def parse(option: str, text: str, zone: ZoneInfo) -> float:
    """Return the moment that a date or a time names; without an offset it is of the zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        todo = "write 2026-01-31, or 2026-01-31T18:00, or 2026-01-31T18:00+01:00"
        raise UsageError(f"{option} {text!r} is not a time; {todo}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return (moment - FIRST).total_seconds()
