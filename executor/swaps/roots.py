"""Check that the contracts of a venue belong together, as they say themselves."""

from chain.abi import Function
from chain.calls import ReadFailed, Result
from chain.types import Address


def belongs(
    venue: str, what: str, helper: Address, root: Address, function: Function, result: Result
) -> None:
    """Raise `ReadFailed` unless a helper names the root: a wrong one could quote anything."""
    named = function.known(result)
    if named != root:
        raise ReadFailed(f"{venue}: the {what} {helper} does not name {root}: it says {named}")
