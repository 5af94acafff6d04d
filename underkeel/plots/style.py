"""How every picture looks: one opaque card, readable on light and dark pages.

Colours are of Okabe and Ito's palette, told apart by all common kinds of colour vision; whatever a
colour says, a number, a word or a shape says too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from underkeel.errors import AppError

PAPER: Final = "#fbfaf7"
INK: Final = "#22272e"
QUIET: Final = "#6b7280"
RULE: Final = "#dcdad4"
BLUE: Final = "#0072b2"
ORANGE: Final = "#d55e00"
YELLOW: Final = "#e69f00"
GREEN: Final = "#009e73"

SETTINGS: Final[Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.facecolor": PAPER,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "xtick.color": QUIET,
    "ytick.color": INK,
    "svg.fonttype": "none",
    "svg.hashsalt": "underkeel",
}


@contextmanager
def figure(width: float, height: float) -> Iterator[Any]:
    """Yield a figure in inches, drawn without any display and forgotten afterwards."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with mpl.rc_context(SETTINGS):
        drawn = Figure(figsize=(width, height))
        FigureCanvasAgg(drawn)
        yield drawn


def save(drawn: Any, target: Path) -> None:
    """Write a picture whole or not at all; raises `AppError`."""
    kind = target.suffix[1:].lower()
    half = target.with_name(f".{target.name}.half")
    metadata = {"Date": None} if kind == "svg" else {}
    try:
        drawn.savefig(half, format=kind, dpi=160, metadata=metadata)
        half.replace(target)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise AppError(f"cannot write {target}: {error.strerror}") from None


def heading(drawn: Any, title: str, below: str) -> None:
    """Write a title and what it means in words, at the top left."""
    height = drawn.get_size_inches()[1]
    drawn.text(0.035, 1 - 0.32 / height, title, size=15, weight="bold", va="center")
    drawn.text(0.035, 1 - 0.62 / height, below, size=10, color=QUIET, va="center")


def short(value: float) -> str:
    """Return dollars in three digits and a letter, with a true minus."""
    sign, size = ("−" if value < 0 else ""), abs(value)
    for scale, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if size >= scale * 0.9995:
            return f"{sign}{size / scale:.3g}{letter}"
    return f"{sign}{size:.3g}" if size >= 1 else "0"


def percent(move: float) -> str:
    """Return a move in whole percents, with a true minus."""
    told = f"{abs(move):.0%}"
    return told if told == "0%" else ("−" if move < 0 else "+") + told
