"""The kinds of plans that are offered."""

from typing import Final

from executor.plan.ladder import RESTORING
from executor.plan.types import Action

ACTIONS: Final[tuple[Action, ...]] = tuple(RESTORING)
"""What can restore a health, in the order of the ladder."""
RESTORE: Final = "restore-health"
KINDS: Final[tuple[str, ...]] = (RESTORE, *(action.value for action in ACTIONS))
