"""The options that every command takes, wherever they are written."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FLAGS: Final = ("--json", "--no-input", "--quiet", "--no-color")
VALUED: Final = ("--config",)


@dataclass(frozen=True, slots=True)
class Globals:
    """What was asked of every command."""

    config: Path | None = None
    json: bool = False
    no_input: bool = False
    quiet: bool = False
    no_color: bool = False

    @property
    def may_ask(self) -> bool:
        """Return whether there is somebody to answer."""
        return not self.no_input and sys.stdin.isatty() and sys.stderr.isatty()


def globals_of(ctx: Any) -> Globals:
    """Return the options of a running command."""
    found = ctx.find_object(Globals)
    assert isinstance(found, Globals)  # the root callback sets them before any command
    return found


def hoist(args: Sequence[str]) -> list[str]:
    """Return the arguments with the global options in front; nothing after `--` is touched."""
    front: list[str] = []
    rest: list[str] = []
    given = list(args)
    while given:
        arg = given.pop(0)
        if arg == "--":
            rest += [arg, *given]
            break
        if arg in FLAGS or arg.startswith(tuple(f"{name}=" for name in VALUED)):
            front.append(arg)
        elif arg in VALUED and given:
            front += [arg, given.pop(0)]
        else:
            rest.append(arg)
    return [*front, *rest]
