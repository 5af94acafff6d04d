"""Where output goes: documents and tables to stdout, progress and notes to stderr."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from underkeel.cli.options import Globals

LEAST_WIDTH: Final = 72
"""Columns: in a narrower terminal lines break, where tables would lose whose position it is."""


def console(options: Globals, *, stderr: bool = False) -> Console:
    """Return a console; tables keep to 80 columns where there is no terminal to ask."""
    # a colourless console still draws bold, which is not colour
    screen = Console(stderr=stderr, no_color=options.no_color, highlight=False, emoji=False)
    screen.width = max(screen.width, LEAST_WIDTH)
    return screen


class _OneLine(logging.Formatter):
    """Says what happened without the traceback, unless `$UNDERKEEL_DEBUG` asks for it."""

    def formatException(self, ei: Any) -> str:  # noqa: N802  (the base class's name)
        return super().formatException(ei) if os.environ.get("UNDERKEEL_DEBUG") else ""

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).rstrip()


def log_to_stderr(options: Globals) -> None:
    """Send warnings of every room to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.ERROR if options.quiet else logging.WARNING)


def say_written(options: Globals, target: Path) -> None:
    """Tell on stderr which file was written."""
    if not options.quiet:
        console(options, stderr=True).print(f"written to {target}", style="dim", soft_wrap=True)


def print_document(document: BaseModel) -> None:
    """Print a document as JSON; parts that were not computed are left out."""
    import json

    data = document.model_dump(mode="json", by_alias=True, exclude_unset=True)
    data = {"schema": data["schema"], **data}  # first, for people
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def progress(options: Globals) -> Iterator[Any]:
    """Yield what to call with (what, done, all); draws bars on stderr, where one can see them."""
    if options.quiet:
        yield lambda _what, _done, _all: None
        return
    screen = console(options, stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bars:

        def tell(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what.replace("[", "\\["), total=max(total, 1))
            bars.update(tasks[what], completed=done)

        yield tell
