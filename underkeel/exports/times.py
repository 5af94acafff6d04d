"""Times of exports: what `--from` and `--to` mean, and how a moment is written."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError

FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LAST: Final = 253_370_764_800.0
"""9999: a day before the last that can be written in any zone."""


@dataclass(frozen=True, slots=True)
class Span:
    """since ≤ at < until, and the zone that people read."""

    since: float
    until: float
    zone: tzinfo

    def local(self, at: float) -> str:
        """Return ISO-8601 with the zone's offset at that moment."""
        return iso(at, self.zone)


def iso(at: float, zone: tzinfo | None = None) -> str:
    """Return ISO-8601, to the microsecond where there are any; `Z` where no zone is given."""
    moment = datetime.fromtimestamp(at, zone or UTC)
    text = moment.isoformat()
    return text if zone is not None else text.replace("+00:00", "Z")


def zone_of(name: str) -> tzinfo:
    """Return a time zone; raises `UsageError` with the nearest name."""
    if name == "UTC":
        return UTC  # a machine without zone data has it too
    zones = available_timezones()
    if name not in zones:
        raise UsageError(f"--tz {name!r} is not a time zone; {did_you_mean(name, zones)}")
    return ZoneInfo(name)


def parse(option: str, text: str, zone: tzinfo) -> float:
    """Return the moment that a date or a time names; without an offset it is of the zone."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        todo = "write 2026-01-31, or 2026-01-31T18:00, or 2026-01-31T18:00+01:00"
        raise UsageError(f"{option} {text!r} is not a time; {todo}") from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    try:
        return min(max((moment - FIRST).total_seconds(), 0.0), LAST)
    except OverflowError:  # the first and the last day that there are
        return 0.0 if moment.year == 1 else LAST
