"""Say in words that a root address is not what the config takes it for."""

from chain.abi import Function
from chain.calls import NoCode, Ok, ReadFailed, Result, Reverted
from chain.types import Address


def check_root(root: Address, what: str, function: Function, result: Result) -> None:
    """Raise `ReadFailed` where a root's first answer shows that it is no `what`.

    An answer that we failed to get shows nothing and passes; so does one that does not decode,
    which the adapter's own decoding names.
    """
    if isinstance(result, NoCode):
        raise ReadFailed(f"no {what} at {root}: no contract at that address")
    if isinstance(result, Reverted) or (isinstance(result, Ok) and not result.data):
        raise ReadFailed(f"{root} is no {what}: it has no {function.name}()")
