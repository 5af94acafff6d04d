"""Find who has been given allowances, from the tokens' own logs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from eth_utils.crypto import keccak

from chain.types import Address, address_of_word
from protocols.adapter import Log, LogFilter, Market

APPROVAL: Final = keccak(text="Approval(address,address,uint256)")


@dataclass(frozen=True, slots=True)
class SpenderDiscovery:
    """Which spenders accounts have approved; `protocols.adapter.Discovery` for `spenders`.

    Only the wallet's own tokens are asked: any contract may log an approval nobody gave.
    """

    key: ClassVar[str] = "spenders"

    def filters(self, market: Market, accounts: Sequence[Address]) -> tuple[LogFilter, ...]:
        """Return one filter per token, for the approvals that `accounts` gave."""
        if not accounts:
            return ()
        owners = tuple("0x" + account[2:].lower().rjust(64, "0") for account in accounts)
        return tuple(
            LogFilter(token, ("0x" + APPROVAL.hex(), owners))
            for token in market.params.get("tokens", ())
        )

    def found(self, logs: Iterable[Log]) -> tuple[str, ...]:
        """Return the spenders that the logs name, each once; other logs are passed over.

        An NFT's approval has the same first topic and one topic more.
        """
        spenders = (
            address_of_word(log.topics[2])
            for log in logs
            if len(log.topics) == 3 and log.topics[0] == APPROVAL
        )
        return tuple(dict.fromkeys(spenders))


SPENDERS: Final = SpenderDiscovery()
