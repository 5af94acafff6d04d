"""The liquidation ladder: how far each price may move before each position can be liquidated."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from risk.types import Assessment, Status
from underkeel.plots.style import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    PAPER,
    QUIET,
    RULE,
    YELLOW,
    figure,
    heading,
    percent,
    save,
)
from underkeel.stress.factors import whole_oracle

MOST_ROWS: Final = 40
FARTHEST: Final = 1.0
"""Moves beyond are drawn at the edge; their number is told."""


@dataclass(frozen=True, slots=True)
class Rung:
    """One price of one position."""

    position: str
    factor: str
    distance: float
    price: str
    status: Status


def rungs(assessments: Iterable[Assessment]) -> tuple[list[Rung], list[str]]:
    """Return what to draw, nearest first, and the positions whose distance is not known."""
    found: list[Rung] = []
    unknown: list[str] = []
    for one in assessments:
        name = f"{one.position.market} · {one.position.owner[:6]}"
        judged = one.liquidation
        if judged.status is Status.UNKNOWN:
            unknown.append(name)
        inner = len(judged.boundary) > 1
        for edge in judged.boundary:
            if inner and edge.factor == whole_oracle(one.position):
                continue  # the feeds behind it are told
            price = edge.price_raw / 10**edge.decimals
            found.append(
                Rung(
                    name,
                    edge.label or edge.factor[:10],
                    edge.distance_frac,
                    f"{price:,.4g}" if price < 1_000 else f"{price:,.0f}",
                    judged.status,
                )
            )
    found.sort(key=lambda r: (r.status is not Status.LIQUIDATABLE, abs(r.distance)))
    return found, unknown


def _look(rung: Rung) -> tuple[str, str, str]:
    """Return colour, marker and word: near is orange, far is blue, and each has its own shape."""
    if rung.status is Status.LIQUIDATABLE:
        return ORANGE, "X", "liquidatable now"
    if rung.status is Status.UNKNOWN:
        return QUIET, "d", "not sure"
    near = abs(rung.distance)
    if near < 0.1:
        return ORANGE, "s", "near"
    return (YELLOW, "^", "watch") if near < 0.25 else (BLUE if near < 0.5 else GREEN, "o", "")


def _told(found: Sequence[Rung], unknown: Sequence[str]) -> str:
    """Return the one line above the picture; what is past its edge has no way left to go."""
    past = dict.fromkeys(r.position for r in found if r.status is Status.LIQUIDATABLE)
    if past:
        return f"Liquidatable now: {len(past)}, drawn with the way back to safety."
    if found:
        return f"Nearest: {found[0].factor} {percent(found[0].distance)} for {found[0].position}."
    return "Nothing is known." if unknown else "Nothing here can be liquidated by a price."


def draw_ladder(assessments: Iterable[Assessment], target: Path) -> None:
    """Write the ladder."""
    found, unknown = rungs(assessments)
    hidden = max(0, len(found) - MOST_ROWS)
    found = found[:MOST_ROWS]
    width, height = 10.5, 1.85 + 0.36 * max(len(found), 1)
    with figure(width, height) as drawn:
        axes = drawn.add_axes((0.33, 0.85 / height, 0.63, 0.36 * max(len(found), 1) / height))
        axes.axvline(0, color=INK, linewidth=1.2)
        for i, rung in enumerate(found):
            y = len(found) - 1 - i
            at = max(-FARTHEST, min(FARTHEST, rung.distance))
            colour, marker, word = _look(rung)
            axes.plot([0, at], [y, y], color=colour, linewidth=2.4, solid_capstyle="round")
            axes.plot([at], [y], marker, color=colour, markersize=8)
            beyond = " →" if abs(rung.distance) > FARTHEST else ""
            told = f"{percent(rung.distance)}{beyond} at {rung.price}"
            side = 1 if at >= 0 else -1
            axes.annotate(
                told + (f" · {word}" if word else ""), (at, y), (9 * side, 0),
                textcoords="offset points", ha="left" if side > 0 else "right", va="center",
                size=8.5, bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
            )  # fmt: skip
        axes.set_yticks(
            range(len(found)), [f"{r.position}   {r.factor}" for r in reversed(found)], size=8.5
        )
        reach = max([0.3, *(min(FARTHEST, abs(r.distance)) for r in found)])
        low = -reach * 1.75 if any(r.distance < 0 for r in found) else -0.05
        high = reach * 1.75 if any(r.distance > 0 for r in found) else 0.05
        axes.set_xlim(low, high)
        axes.set_ylim(-0.7, max(len(found), 1) - 0.3)
        ticks = [t for t in axes.get_xticks() if -FARTHEST <= t <= FARTHEST and low <= t <= high]
        axes.set_xticks(ticks, [percent(t) for t in ticks])
        axes.grid(axis="x", color=RULE, linewidth=0.8)
        axes.set_axisbelow(True)
        axes.tick_params(length=0)
        for name in ("top", "right", "left", "bottom"):
            axes.spines[name].set_visible(False)
        heading(drawn, "How far prices may move before a liquidation", _told(found, unknown))
        note = "One price alone, all else as at the block. →: farther than drawn."
        note += f" {hidden} farther not drawn." if hidden else ""
        note += f" Unknown: {', '.join(unknown[:4])}." if unknown else ""
        drawn.text(0.035, 0.2 / height, note, size=8.5, color=QUIET, va="center")
        save(drawn, target)
