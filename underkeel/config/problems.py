"""What is wrong with a config, one line each, with the nearest name and what to do."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

MOST_LISTED: Final = 24


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it."""

    where: str
    """The file, or the environment variable."""
    key: str
    """Dotted, e.g. `chains.ethereum.markets[0].vault`; empty where the whole file is meant."""
    what: str
    todo: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: {self.key}" if self.key else self.where
        return one_line(f"{place}: {self.what}" + (f"; {self.todo}" if self.todo else ""))


def one_line(text: str) -> str:
    """Return the text with everything that could break a line or a terminal escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def nearest(word: str, names: Iterable[str]) -> str | None:
    """Return the name that the writer most likely meant, if any is near."""
    known = sorted(set(names))
    folded = {name.casefold().replace("-", "_"): name for name in known}
    found = difflib.get_close_matches(
        word.casefold().replace("-", "_"), list(folded), n=1, cutoff=0.6
    )
    return folded[found[0]] if found else None


def did_you_mean(word: str, names: Iterable[str]) -> str:
    """Say the nearest name, or list what there is."""
    known = sorted(set(names))
    close = nearest(word, known)
    if close is not None:
        return f"did you mean {close!r}?"
    listed = ", ".join(known[:MOST_LISTED]) + (", …" if len(known) > MOST_LISTED else "")
    return f"there is {listed}" if listed else "there is none to choose from"


def dotted(loc: Iterable[str | int]) -> str:
    """Return a path into the config as people write it."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text
