"""What nodes say to a transaction, as data: words of the clients, and what they mean.

A reply never decides whether a transaction failed: only a nonce that is finally spent does. Words
that are not in the table, and silence, are `UNKNOWN`.
"""

from enum import StrEnum
from typing import Final


class Reply(StrEnum):
    """What one endpoint said to one payload."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    """It has these very bytes already."""
    NONCE_TOO_LOW = "nonce too low"
    """The nonce is spent, by these bytes or by others."""
    UNDERPRICED = "underpriced"
    """It holds another payload at this nonce, and this one does not pay 10 % more."""
    FEE_TOO_LOW = "fee too low"
    """Less than the base fee, the node's minimum, or what its full pool asks."""
    INSUFFICIENT = "insufficient funds"
    NOT_YET = "not yet"
    """A gap below the nonce, a limit of transactions under way, or a node that still syncs."""
    REFUSED = "refused"
    """This node will not take these bytes, however often they are sent."""
    UNKNOWN = "unknown"
    """No reply, or one that is not understood: the payload may be on its way."""


R = Reply

WORDS: Final[tuple[tuple[str, Reply, str], ...]] = (
    # Longer words first: the first that is found in the message, in lower case, counts.
    ("replacement transaction underpriced", R.UNDERPRICED, "geth, besu, erigon, reth, anvil"),
    ("replacement underpriced", R.UNDERPRICED, "anvil"),
    ("replacementnotallowed", R.UNDERPRICED, "nethermind"),
    ("replacement not allowed", R.UNDERPRICED, "nethermind"),
    ("could not replace existing", R.UNDERPRICED, "erigon"),
    ("future transaction tries to replace pending", R.UNDERPRICED, "geth"),
    ("unknown transaction", R.REFUSED, "erigon, besu"),
    ("already known", R.KNOWN, "geth, erigon, reth, nethermind"),
    ("alreadyknown", R.KNOWN, "nethermind"),
    ("already imported", R.KNOWN, "anvil"),
    ("known transaction", R.KNOWN, "besu"),
    ("existing tx with same hash", R.KNOWN, "erigon"),
    ("nonce too low", R.NONCE_TOO_LOW, "geth, besu, erigon, reth, arbitrum, anvil"),
    ("oldnonce", R.NONCE_TOO_LOW, "nethermind"),
    ("nonce too high", R.NOT_YET, "geth, arbitrum, anvil"),
    ("incorrect nonce", R.NOT_YET, "besu"),
    ("noncegap", R.NOT_YET, "nethermind"),
    ("noncetoofarinfuture", R.NOT_YET, "nethermind"),
    ("in-flight transaction limit", R.NOT_YET, "geth"),
    ("gapped-nonce", R.NOT_YET, "geth"),
    ("authority already reserved", R.NOT_YET, "geth"),
    ("pendingtxsofconflictingtype", R.NOT_YET, "nethermind"),
    ("account limit exceeded", R.NOT_YET, "geth"),
    ("sync is still in progress", R.NOT_YET, "besu"),
    ("syncing", R.NOT_YET, "nethermind"),
    ("queue full", R.NOT_YET, "arbitrum"),
    ("max fee per gas less than block base fee", R.FEE_TOO_LOW, "geth, reth, arbitrum, anvil"),
    ("gas price below configured minimum", R.FEE_TOO_LOW, "besu"),
    ("transaction underpriced", R.FEE_TOO_LOW, "geth, reth"),
    ("feetoolow", R.FEE_TOO_LOW, "nethermind"),
    ("fee too low", R.FEE_TOO_LOW, "erigon"),
    ("sub-pool is full", R.FEE_TOO_LOW, "erigon"),
    ("txpool is full", R.FEE_TOO_LOW, "geth, reth"),
    ("underpriced", R.FEE_TOO_LOW, "erigon"),
    ("insufficient funds", R.INSUFFICIENT, "geth, erigon, reth, arbitrum, anvil"),
    ("insufficientfunds", R.INSUFFICIENT, "nethermind"),
    ("upfront cost exceeds account balance", R.INSUFFICIENT, "besu"),
    ("exceeds the configured cap", R.REFUSED, "geth, reth"),
    ("fee cap exceeded", R.REFUSED, "besu"),
    ("intrinsic gas too low", R.REFUSED, "geth, erigon, reth, arbitrum, anvil"),
    ("intrinsic gas exceeds gas limit", R.REFUSED, "besu"),
    ("exceeds block gas limit", R.REFUSED, "geth, besu, reth"),
    ("gas limit too high", R.REFUSED, "geth"),
    ("gaslimitexceeded", R.REFUSED, "nethermind"),
    ("invalid sender", R.REFUSED, "geth, erigon, reth"),
    ("invalid signature", R.REFUSED, "besu"),
    ("invalid chain id", R.REFUSED, "geth, anvil"),
    ("wrong chainid", R.REFUSED, "besu"),
    ("transaction type not supported", R.REFUSED, "geth, reth"),
    ("notsupportedtxtype", R.REFUSED, "nethermind"),
    ("oversized data", R.REFUSED, "geth, erigon, reth"),
    ("maxtxsizeexceeded", R.REFUSED, "nethermind"),
    ("priority fee per gas higher than max fee", R.REFUSED, "geth, reth, anvil"),
)
"""Words in lower case, their meaning, and whose they are."""


def meaning(text: str) -> Reply:
    """Return what a node's error message means; `UNKNOWN` where the table does not have it."""
    words = text.lower()
    return next((reply for needle, reply, _ in WORDS if needle in words), Reply.UNKNOWN)


_ORDER: Final = (
    R.ACCEPTED, R.KNOWN, R.NONCE_TOO_LOW, R.UNDERPRICED, R.FEE_TOO_LOW, R.INSUFFICIENT,
    R.NOT_YET, R.UNKNOWN, R.REFUSED,
)  # fmt: skip


def best(replies: list[Reply]) -> Reply:
    """Return the most telling of several endpoints' replies; `UNKNOWN` of none."""
    return min(replies, key=_ORDER.index, default=Reply.UNKNOWN)
