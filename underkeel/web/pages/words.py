"""What documents say, in the words and digits that pages show: those of the command line."""

from datetime import UTC, datetime
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from typing import Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

from risk.types import Status
from underkeel.cli import format as fmt
from underkeel.documents.models import Boundary
from underkeel.web.pages import gauge
from underkeel.web.pages.cells import Cell, name, number, state, unknown

TONES: Final = {
    Status.SAFE: "good",
    Status.LIQUIDATABLE: "bad",
    Status.SOFT: "bad",
    Status.NOT_LIQUIDATABLE: "",
    Status.UNKNOWN: "unknown",
}
SEVERITIES: Final = {
    "critical": ("▲", "critical", "bad"),
    "warning": ("◆", "warning", "warn"),
    "info": ("●", "info", ""),
}
"""Icon, word and tone."""
STATES: Final = {
    "ok": ("✔", "ok", "good"),
    "pending": ("◔", "pending", "warn"),
    "firing": ("▲", "firing", "bad"),
    "acked": ("✓", "acknowledged", "warn"),
    "resolved": ("✔", "resolved", "good"),
    "unknown": ("?", "unknown", "unknown"),
}
CHAINS: Final = {
    "ok": ("✔", "ok", "good"),
    "stale": ("?", "stale", "unknown"),
    "down": ("✖", "down", "bad"),
}
DIGITS: Final = Decimal("0.0001")


def status(value: str, *, doubt: bool = False) -> Cell:
    """Return a position's status; one with unknown parts is never called calm."""
    found = Status(value)
    if doubt and found in (Status.SAFE, Status.NOT_LIQUIDATABLE):
        found = Status.UNKNOWN
    icon, word, _ = fmt.WORDS[found]
    return state(icon, word.lower(), TONES[found])


def severity(value: str | None) -> Cell:
    """Return how bad an alert is."""
    return state(*SEVERITIES.get(value or "", ("–", value or "none", "")))


def alert_state(value: str, severity_: str | None = None) -> Cell:
    """Return an alert's state; what fires is as loud as its severity."""
    if value == "firing" and severity_ in SEVERITIES:
        icon, _, tone = SEVERITIES[severity_]
        return state(icon, value, tone)
    return state(*STATES.get(value, ("?", value, "unknown")))


def health(raw: str | None, scale: str, cause: str = "") -> Cell:
    """Return a health as digits beside its depth; none without a debt."""
    if raw is None:
        return unknown(cause) if cause else Cell("–", "number", None)
    found, whole = int(raw), int(scale)
    return Cell(
        fmt.level(found, whole),
        "health",
        float(Fraction(found, whole)) if found < 10**12 * whole else 1e12,
        {"bar": gauge.bar(gauge.depth(found, whole)), "exact": exact(found, whole)},
    )


def exact(raw: int, scale: int) -> str:
    """Return a fraction with all its digits, where the scale is a power of ten."""
    digits = len(str(scale)) - 1
    if 10**digits != scale:
        return f"{raw:,} / {scale:,}"
    text = f"{fmt.scaled(raw, digits):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def dollars(value: float | None, cause: str = "no price") -> Cell:
    """Return dollars to the cent; none is unknown, never nought."""
    if value is None:
        return unknown(cause)
    return Cell(fmt.usd(value), "usd", value, {"debt": value < 0})


def amount(raw: str | None, decimals: str | None, sign: int = 1, cause: str = "") -> Cell:
    """Return an amount in whole tokens, with its base units to be seen on demand."""
    if raw is None:
        return unknown(cause)
    places = None if decimals is None else int(decimals)
    shown = fmt.amount(int(raw), places, sign)
    sort = float(fmt.scaled(sign * int(raw), places or 0))
    return Cell(shown, "amount", sort, {"raw": f"{int(raw):,}", "debt": sign < 0})


def percent(frac: float | None, places: int = 2, *, signed: bool = False, cause: str = "") -> Cell:
    """Return a fraction as a percentage, cut off towards zero."""
    if frac is None:
        return unknown(cause)
    return number(percent_text(frac, places, signed=signed), frac)


def percent_text(frac: float, places: int = 2, *, signed: bool = False) -> str:
    """Return a percentage, cut off towards zero; a small one is not called nought."""
    value = Decimal(repr(frac)) * 100
    least = Decimal(1).scaleb(-places)
    if value and abs(value) < least:
        return f"{'−' if value < 0 else ''}< {least:f} %"
    cut = value.quantize(least, rounding=ROUND_DOWN)
    sign = "−" if cut < 0 else "+" if signed and cut > 0 else ""
    return f"{sign}{abs(cut):,f} %"


def seconds(value: str | int | None, *, exact: bool = True, none: str = "not in sight") -> Cell:
    """Return a time span; none where there is none to tell."""
    if value is None:
        return number(none, None)
    found = int(value)
    about = "" if exact or found <= 0 else "about "
    return number(about + fmt.duration(found), found)


def edge(found: Boundary) -> str:
    """Return where a price liquidates: `ETH / USD ≤ 1,700.00`."""
    down = found.direction == "down"
    text = fmt.price(int(found.price_raw), int(found.decimals), up=down)
    return f"{name(found.label, 24) or fmt.short(found.factor)} {'≤' if down else '≥'} {text}"


def way_back(found: Boundary) -> str:
    """Return the price that ends a liquidation: `safe if ETH / USD ≥ 1,700.00, +5.10 %`."""
    down, raw, current = found.direction == "down", found.safe_price_raw, int(found.current_raw)
    text = fmt.price(int(raw), int(found.decimals), up=down)
    move = f", {fmt.percent(int(raw) - current, current)}" if current else ""
    label = name(found.label, 24) or fmt.short(found.factor)
    return f"safe if {label} {'≥' if down else '≤'} {text}{move}"


def distance(found: Boundary) -> str:
    """Return how far that is from here, towards zero: never further than it is."""
    about = "" if found.exact else "about "
    return about + percent_text(found.distance_frac, signed=True)


def ratio(value: float) -> str:
    """Return a health that is known as a float only, cut off like an exact one."""
    cut = Decimal(repr(min(value, float(fmt.MAX_HEALTH)))).quantize(DIGITS, rounding=ROUND_DOWN)
    return f"{cut:,}"


def identity(text: str) -> str:
    """Return a hash or an address in short, and other names as they are."""
    return fmt.short(text) if text.startswith("0x") and len(text) in (42, 66) else name(text)


def beside(protocol: str, owner: str, owner_name: str | None, chain: str) -> str:
    """Return what stands below a position's title: whose, where, and by which adapter."""
    return f"{whose(owner, owner_name)} on {chain} · {protocol}"


def page_of(position: str) -> str:
    """Return where a position's own page is."""
    return f"/positions/{quote(position, safe=':')}"


def part(position: str) -> str:
    """Return which of several positions of one owner in one market an id means."""
    rest = position.split(":")[4:]
    if not rest:
        return ""
    return f"#{rest[0]}" if len(rest[0]) < 14 else f"#{fmt.short(rest[0])}"


def whose(owner: str, owner_name: str | None) -> str:
    """Return an owner's name, or its address in short."""
    return name(owner_name) if owner_name else fmt.short(owner)


def epoch(moment: str | None) -> float | None:
    """Return a document's time as seconds since 1970."""
    if moment is None:
        return None
    return datetime.fromisoformat(moment.replace("Z", "+00:00")).timestamp()


def clock(at: float, zone: str) -> str:
    """Return a time in the configured zone, with the zone's short name."""
    place = UTC if zone == "UTC" else ZoneInfo(zone)
    return datetime.fromtimestamp(at, place).strftime("%Y-%m-%d %H:%M:%S %Z")


def whole(value: str | None) -> int | None:
    """Return a document's integer as one."""
    return None if value is None else int(value)


def size(value: str | None) -> str:
    """Return bytes in words."""
    if value is None:
        return "size unknown"
    left, unit = float(value), "bytes"
    for unit in ("bytes", "KiB", "MiB", "GiB", "TiB"):
        if left < 1024 or unit == "TiB":
            break
        left /= 1024
    return f"{left:,.0f} {unit}" if unit == "bytes" else f"{left:,.1f} {unit}"
