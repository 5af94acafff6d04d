"""Draw a liquidation curve as SVG, with nothing but text."""

from collections.abc import Iterator
from fractions import Fraction
from html import escape
from math import floor, log10

from underkeel.scan.report import Scan

WIDTH, HEIGHT = 760, 420
LEFT, RIGHT, TOP, BOTTOM = 92, 24, 54, 62


def svg(scan: Scan) -> str:
    """Return the picture: liquidatable debt as bars, accounts above them, moves below.

    Raises `ValueError` where there is no curve.
    """
    if scan.curve is None:
        raise ValueError("there is no curve to draw")
    unit = scan.unit_usd
    values = [p.debt * (1.0 if unit is None else unit) for p in scan.curve.points]
    top = _round_up(max(values, default=0.0))
    what = "debt that can be liquidated" + (", USD" if unit is not None else ", base units")
    title = f"{scan.market.name}: if {scan.curve_name} moves"
    where = f"chain {scan.at.chain_id}, block {scan.at.number} ({scan.at.hash[:10]})"
    if scan.curve.unknown:
        where += f"; without {scan.curve.unknown:,} unknown accounts"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title, quote=True)}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 22, title, size=16),
        _text(LEFT, 40, f"{what}; {where}", fill="#555555"),
        *_grid(top),
        *_bars(scan, values, top),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _grid(top: float) -> Iterator[str]:
    for i in range(5):
        y = _y(top * i / 4, top)
        yield (
            f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="#dddddd"/>'
        )
        yield _text(LEFT - 8, y + 4, short(top * i / 4), anchor="end")


def _bars(scan: Scan, values: list[float], top: float) -> Iterator[str]:
    points = scan.curve.points if scan.curve else ()
    step = (WIDTH - LEFT - RIGHT) / max(len(points), 1)
    for i, (point, value) in enumerate(zip(points, values, strict=True)):
        x, y = LEFT + i * step, _y(value, top)
        middle, base = x + step / 2, HEIGHT - BOTTOM
        label = f"{percent(point.move)}, {point.liquidatable} accounts, {short(value)}"
        yield (
            f'<rect x="{x + step * 0.12:.1f}" y="{y:.1f}" width="{step * 0.76:.1f}" '
            f'height="{base - y:.1f}" fill="#1f5f8b"><title>{escape(label)}</title></rect>'
        )
        yield _text(middle, y - 5, f"{point.liquidatable:,}", anchor="middle", size=10)
        yield _text(middle, base + 18, percent(point.move), anchor="middle")
    yield _text(
        (WIDTH + LEFT - RIGHT) / 2, HEIGHT - 18, "move of the price (on the bars: accounts)",
        anchor="middle", fill="#555555",
    )  # fmt: skip


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value / top)


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", size: int = 12, fill: str = "#222222"
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="{fill}">{escape(text)}</text>'
    )


def _round_up(value: float) -> float:
    """Return the next round number; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return next(
        m * power for m in (1, 1.2, 1.5, 2, 3, 4, 5, 6, 8, 10) if m * power >= value * (1 - 1e-12)
    )


def percent(move: Fraction) -> str:
    """Return a move in whole percents, with its sign."""
    return f"{float(move):+.0%}" if move else "0%"


def short(value: float) -> str:
    """Return a number in three digits and a letter."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
