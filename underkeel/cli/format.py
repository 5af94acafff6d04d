"""Numbers as people read them: never rounded towards safety, never by colour alone."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_UP, Decimal, localcontext
from typing import Final
from zoneinfo import ZoneInfo

from chain.types import Address
from risk.types import Boundary, Direction, Liquidation, Status

WORDS: Final = {
    Status.SAFE: ("✔", "safe", "green"),
    Status.LIQUIDATABLE: ("✖", "LIQUIDATABLE", "bold red"),
    Status.SOFT: ("◐", "soft liquidation", "bold yellow"),
    Status.NOT_LIQUIDATABLE: ("–", "no debt", "dim"),
    Status.UNKNOWN: ("?", "UNKNOWN", "bold yellow"),
}
"""Icon, word and style of each status."""
MAX_HEALTH: Final = 1_000_000
SECOND_STEPS: Final = ((31_536_000, "y"), (86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def health(found: Liquidation) -> str:
    """Return health to four digits, rounded down: 1.00001 is 1.0000, 0.99999 is 0.9999."""
    return level(found.health_raw, found.health_scale)


def level(raw: int | None, scale: int) -> str:
    """Return a health of so many parts of its scale, as `health` does."""
    if raw is None:
        return "–"
    if raw >= MAX_HEALTH * scale:
        return "> 1,000,000"
    units = raw * 10_000 // scale
    return f"{units // 10_000:,}.{units % 10_000:04d}"


def scaled(raw: int, decimals: int) -> Decimal:
    """Return an integer with its decimals, exactly."""
    with localcontext() as exact:
        exact.prec = 120
        return Decimal(raw).scaleb(-decimals)


def amount(raw: int, decimals: int | None, sign: int = 1) -> str:
    """Return base units as whole tokens to six digits after the point, towards zero."""
    if decimals is None:
        return f"{sign * raw} base units"
    value = scaled(sign * raw, decimals)
    if value == 0:
        return "0"
    return _digits(value, 6)


def price(raw: int, decimals: int, *, up: bool = False) -> str:
    """Return a price to about six significant digits, and no fewer than two after the point.

    It is cut off, or rounded `up` where the lower one would promise more safety than there is.
    """
    value = scaled(raw, decimals)
    places = max(2, 5 - value.adjusted()) if value else 2
    return _digits(value, min(places, 24), fixed=2, up=up)


def usd(value: Decimal | float | None) -> str:
    """Return dollars to the cent; a debt is negative; what is unknown says so."""
    if value is None:
        return "unpriced"
    with localcontext() as exact:
        exact.prec = 400  # the longest float has 309 digits before the point
        cents = Decimal(value).quantize(Decimal("0.01"), rounding=ROUND_HALF_EVEN)
    return f"{cents:,.2f}" if cents else "0.00"


def distance(found: Boundary) -> str:
    """Return how far the factor may move, towards zero: never further than it is."""
    percent = Decimal(repr(found.distance_frac)) * 100
    sign = "+" if found.direction is Direction.UP and percent >= 0 else ""
    places = 2 if abs(percent) >= 1 else 4
    return f"{sign}{_digits(percent, places, fixed=2)} %"


def percent(part: int, whole: int) -> str:
    """Return a signed share of a whole, to two digits, away from zero: never less than it is."""
    hundredths = -(-abs(part) * 10_000 // abs(whole)) if whole else 0
    sign = "-" if part < 0 else "+"
    return f"{sign}{hundredths // 100:,}.{hundredths % 100:02d} %"


def duration(seconds: int) -> str:
    """Return a time in its two largest units, rounded down."""
    if seconds <= 0:
        return "now"
    parts: list[str] = []
    for size, unit in SECOND_STEPS:
        if seconds >= size and len(parts) < 2:
            parts.append(f"{seconds // size} {unit}")
            seconds %= size
        elif parts:
            break
    return " ".join(parts)


def age(seconds: int | None) -> str:
    """Return how old something is."""
    if seconds is None:
        return "age unknown"
    if seconds < 0:
        return f"{duration(-seconds)} ahead of this clock"
    return f"{duration(seconds)} ago" if seconds else "just now"


def local_time(timestamp: int, zone: str) -> str:
    """Return a time in the configured zone, with its offset."""
    place = UTC if zone == "UTC" else ZoneInfo(zone)
    return datetime.fromtimestamp(timestamp, place).strftime("%Y-%m-%d %H:%M:%S %z")


def short(address: Address | str) -> str:
    """Return an address in short."""
    return f"{address[:6]}…{address[-4:]}"


def lines(items: Sequence[str]) -> str:
    """Join what is listed."""
    return "; ".join(items)


def _digits(value: Decimal, places: int, fixed: int = 0, *, up: bool = False) -> str:
    """Return a number cut off after some places; trailing zeros go, down to `fixed` places."""
    with localcontext() as exact:
        exact.prec = 120
        rounding = ROUND_UP if up else ROUND_DOWN
        cut = value.quantize(Decimal(1).scaleb(-places), rounding=rounding)
    if cut == 0 and value != 0:
        return ("-" if value < 0 else "") + f"< {Decimal(1).scaleb(-places):f}".replace("< -", "<")
    text = f"{cut:,.{places}f}"
    whole, _, fraction = text.partition(".")
    fraction = fraction.rstrip("0").ljust(fixed, "0")
    return f"{whole}.{fraction}" if fraction else whole
