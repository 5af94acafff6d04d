"""Somebody has to say yes to what is signed."""

import sys

from underkeel.cli.options import Globals
from underkeel.errors import UsageError


def answerable(options: Globals, *, yes: bool) -> None:
    """Raise `UsageError` where a yes is needed and nobody can give it."""
    if not yes and not options.may_ask:
        raise UsageError(
            "--yes is missing: live execution asks for the chain's name, and nobody can answer"
        )


def confirm(chain: str, options: Globals, *, yes: bool) -> None:
    """Have the chain's name typed; `--yes` stands for it, inside the policy's caps."""
    answerable(options, yes=yes)
    if yes:
        return
    print(f"type the chain's name ({chain}) to sign and send: ", end="", file=sys.stderr)
    sys.stderr.flush()
    if input().strip() != chain:
        raise UsageError("that is not the chain's name; nothing was signed")
