"""Tables as data: what a page shows is a tree of these, and templates draw each kind once.

A drawing is made in the browser from the table beside it, so the two cannot differ.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LONGEST: Final = 64
"""Characters of a name that a page shows; tokens and markets choose their own names."""
UNSAFE: Final = {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}
"""Unicode categories that turn text around, hide it, or break its line."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One value: how it is written, what it sorts by, and how it is drawn."""

    text: str
    kind: str = "text"
    sort: float | str | None = None
    """The exact value, for sorting and drawing; None sorts last."""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """One column; numbers are set flush right."""

    key: str
    label: str
    number: bool = False
    wide: bool = False
    """May take what room is left."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    cells: Sequence[Cell]
    id: str = ""
    tone: str = ""
    """bad, warn, unknown or nothing: how its edge is marked, besides its words."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table, sorted as it comes; the browser may sort it by another column."""

    id: str
    caption: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    empty: str = "Nothing here."
    draw: str = ""
    """Which drawing the browser makes of it: `lines`, `heat`, `treemap`, `sankey`; or none."""
    title: str = ""
    """What the drawing shows, in a sentence."""
    unit: str = ""
    """Of what is drawn: a `ratio` has its edge at 1."""
    filtered: bool = False


def name(text: str, longest: int = LONGEST) -> str:
    """Return a name that somebody else chose: no control characters, and not too long."""
    shown = "".join(
        f"⟨U+{ord(c):04X}⟩" if unicodedata.category(c) in UNSAFE else c for c in text[: longest + 1]
    )
    return shown if len(shown) <= longest and len(text) <= longest else shown[: longest - 1] + "…"


def words(text: str) -> Cell:
    """Return text of our own."""
    return Cell(text, sort=text.casefold())


def named(text: str) -> Cell:
    """Return a name that somebody else chose."""
    return Cell(name(text), "name", text.casefold()[:LONGEST])


def number(text: str, value: float | None) -> Cell:
    """Return a number as it is written, and what it sorts by."""
    return Cell(text, "number", value)


def unknown(cause: str = "") -> Cell:
    """Return what is not known, and why."""
    return Cell(name(cause, 300) if cause else "", "unknown", None)


def address(text: str, label: str = "") -> Cell:
    """Return an address that can be copied."""
    return Cell(text, "address", text.lower(), {"label": name(label) if label else ""})


def link(text: str, href: str, below: str = "") -> Cell:
    """Return a link to a page of ours; `below` in small."""
    more = {"href": href, "below": name(below) if below else ""}
    return Cell(name(text), "link", text.casefold()[:LONGEST], more)


def lines(items: Sequence[str]) -> Cell:
    """Return several short texts, one below the other."""
    return Cell("; ".join(items), "lines", None, {"items": [name(item, 300) for item in items]})


def state(icon: str, word: str, tone: str = "") -> Cell:
    """Return an icon and a word."""
    return Cell(word, "state", word.casefold(), {"icon": icon, "tone": tone})


def moment(at: float | None, text: str, stale_after: int | None = None) -> Cell:
    """Return a time with its age, which ticks in the browser; None: it has not been."""
    if at is None:
        return unknown("no time is known")
    return Cell(text, "moment", at, {"at": int(at), "stale_after": stale_after})


def block(height: str, at: int, text: str) -> Cell:
    """Return the block that something was read at, with its age."""
    return Cell(text, "block", at, {"at": at, "stale_after": None, "block": f"{int(height):,}"})
