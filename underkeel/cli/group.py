"""The root of all commands: global options in any place, errors as exit codes, help in order."""

import sys
from typing import Any, Final

import typer
from typer.core import TyperGroup

from underkeel.cli.options import hoist
from underkeel.errors import AppError

ORDER: Final = [
    "demo", "init", "doctor", "config", "positions", "risk", "status", "exposure", "oracles",
    "stress", "scan", "run", "dash", "alert", "export", "db", "mcp", "plan", "execute", "tx",
    "wallet", "pause", "resume",
]  # fmt: skip
"""Of the commands in the help: to begin, to look, to be told, to act."""


class RootGroup(TyperGroup):
    """Takes the global options in any place, and turns our errors into exit codes."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the commands as one meets them."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Move the global options to the front, then parse as usual."""
        return super().parse_args(ctx, hoist(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours is a message on stderr and its exit code."""
        try:
            return super().invoke(ctx)
        except AppError as error:
            from underkeel.config.problems import one_line

            for line in str(error).splitlines():
                print(f"error: {one_line(line)}", file=sys.stderr)
            raise typer.Exit(int(error.code)) from error
