"""Say what a token calls itself, whoever asks.

Reads: `symbol()` and `decimals()` of the token, two reads, foldable into any adapter's round.
Old tokens answer `symbol()` with a bytes32; some have no `decimals()`, some neither. A token may
call itself anything, so text is cleaned before it can reach a terminal or a page.
"""

from collections.abc import Sequence
from typing import Final

from chain.abi import Function
from chain.calls import NoCode, Ok, Pointer, Read, ReadFailed, Result, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols.types import Token

SYMBOL: Final = Function("symbol()(string)")
NAME: Final = Function("name()(string)")
DECIMALS: Final = Function("decimals()(uint8)")

READS: Final = 2
"""How many reads `reads` gives, and how many results `describe` takes."""
MAX_TEXT: Final = 40
"""Longest symbol or name kept; a token of ten thousand letters is a nuisance, not a name."""


def reads(token: Address | Pointer) -> tuple[Read, Read]:
    """Return the reads that `describe` decodes, in its order."""
    return SYMBOL.at(token), DECIMALS.at(token)


def describe(address: Address, results: Sequence[Result]) -> tuple[Token, tuple[str, ...]]:
    """Return the token, and what about it is unknown, in words.

    A token that answers `decimals()` with a revert or with nothing does not say: its decimals are
    None and nothing is unknown. Decimals that we failed to learn are None too, with a cause. A
    symbol that is absent or unreadable becomes the short address; it is for display only.
    """
    symbol, decimals = results
    unknown: tuple[str, ...] = ()
    number: int | None = None
    try:
        number = DECIMALS.decode(decimals)
    except ReadFailed as failure:
        if isinstance(decimals, Unknown | NoCode) or (isinstance(decimals, Ok) and decimals.data):
            unknown = (f"token {short(address)}: {failure.cause}",)
    return Token(address, text(symbol) or short(address), number), unknown


def native(symbol: str) -> Token:
    """Return the native coin of a chain; every EVM chain counts it in 1e18."""
    return Token(ZERO_ADDRESS, symbol, 18)


def text(result: Result) -> str | None:
    """Return a token's own text, `string` or bytes32, cleaned; None where there is none.

    Unprintable characters (controls, direction overrides, zero widths) are dropped and runs of
    blanks become one, so that no token can forge a line or hide another's name.
    """
    if not isinstance(result, Ok):
        return None
    if len(result.data) == 32:
        raw = result.data.split(b"\0", 1)[0].decode("utf-8", "replace")
    else:
        decoded = SYMBOL.known(result)
        if isinstance(decoded, Unknown):
            return None
        raw = str(decoded)
    clean = " ".join("".join(c if c.isprintable() else " " for c in raw).split())
    return clean[:MAX_TEXT] or None


def short(address: Address) -> str:
    """Return an address as people recognise it: `0x1234…abcd`."""
    return f"{address[:6]}…{address[-4:]}"
