"""How a command can end, and the errors of the application.

::

    AppError            1
    ├── UsageError      2  what was asked makes no sense
    ├── ConfigError     4  the config or a secret is at fault; one line per problem
    ├── ChainDown       5  a chain could not be reached, or its head is old
    └── PolicyRefused   6  a wallet's policy lets nothing of it be signed
"""

from collections.abc import Sequence
from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of every command."""

    OK = 0
    ERROR = 1
    USAGE = 2
    ATTENTION = 3
    """Something is liquidatable or unknown (`status`)."""
    CONFIG = 4
    CHAIN = 5
    """An RPC is down, answers for another chain, or its head is stale."""
    POLICY = 6
    """The wallet's policy refused."""
    REVERTED = 7
    """A transaction was mined and failed."""
    OUTCOME = 8
    """It is not known whether something sent takes effect: never tried again by itself."""


class AppError(Exception):
    """The command cannot go on; the message says what to do."""

    code = Exit.ERROR


class UsageError(AppError):
    """The arguments make no sense."""

    code = Exit.USAGE


class ConfigError(AppError):
    """The config or a secret it names is at fault."""

    code = Exit.CONFIG

    def __init__(self, problems: Sequence[object]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class ChainDown(AppError):
    """A chain that the command needs could not be read."""

    code = Exit.CHAIN


class PolicyRefused(AppError):
    """A wallet's policy refused; the message names every rule and what to change."""

    code = Exit.POLICY
