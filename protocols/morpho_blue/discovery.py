"""Find the markets an account has used, and who borrowed in a market, from Morpho's own logs.

A position comes into being only by `Supply`, `SupplyCollateral` or `Borrow` on behalf of its owner
(and by fee shares, for Morpho's one fee recipient, which no log of its own announces).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from eth_utils.crypto import keccak

from chain.types import Address
from protocols.adapter import Log, LogFilter, Market


def _topic(signature: str) -> bytes:
    return keccak(text=signature)


SUPPLY: Final = _topic("Supply(bytes32,address,address,uint256,uint256)")
SUPPLY_COLLATERAL: Final = _topic("SupplyCollateral(bytes32,address,address,uint256)")
BORROW: Final = _topic("Borrow(bytes32,address,address,address,uint256,uint256)")


@dataclass(frozen=True, slots=True)
class MarketDiscovery:
    """Which markets accounts have entered; `protocols.adapter.Discovery` for `market_ids`."""

    key: ClassVar[str] = "market_ids"

    def filters(self, market: Market, accounts: Sequence[Address]) -> tuple[LogFilter, ...]:
        """Return the two filters whose logs name every market that `accounts` entered.

        The owner is the third indexed argument of the supplies and the second of `Borrow`.
        """
        if not accounts:
            return ()
        owners = tuple("0x" + account[2:].lower().rjust(64, "0") for account in accounts)
        supplies = (_hex(SUPPLY), _hex(SUPPLY_COLLATERAL))
        return (
            LogFilter(market.root, (supplies, None, None, owners)),
            LogFilter(market.root, (_hex(BORROW), None, owners)),
        )

    def found(self, logs: Iterable[Log]) -> tuple[str, ...]:
        """Return the market ids that the logs name, each once; other logs are passed over."""
        ids = (
            _hex(log.topics[1])
            for log in logs
            if len(log.topics) > 1 and log.topics[0] in (SUPPLY, SUPPLY_COLLATERAL, BORROW)
        )
        return tuple(dict.fromkeys(ids))


@dataclass(frozen=True, slots=True)
class BorrowerDiscovery:
    """Who ever borrowed in some markets; `protocols.adapter.Discovery` for `borrowers`."""

    key: ClassVar[str] = "borrowers"

    def filters(self, market: Market, accounts: Sequence[Address]) -> tuple[LogFilter, ...]:
        """Return one filter for the loans of all markets that `market_ids` names."""
        ids = tuple(str(i) for i in market.params["market_ids"])
        return (LogFilter(market.root, (_hex(BORROW), ids)),) if ids else ()

    def found(self, logs: Iterable[Log]) -> tuple[str, ...]:
        """Return each borrower of each market once, as 0x and 104 hex digits: market, account."""
        owners = (
            _hex(log.topics[1]) + log.topics[2][-20:].hex()
            for log in logs
            if len(log.topics) == 4 and log.topics[0] == BORROW
        )
        return tuple(dict.fromkeys(owners))


DISCOVERY: Final = MarketDiscovery()
BORROWERS: Final = BorrowerDiscovery()


def _hex(word: bytes) -> str:
    return "0x" + word.hex()
