"""Who was found to own what, in the order of owners and indexes, and what was not learned."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from chain.calls import ReadFailed
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.types import Position, Reading, Unreadable
from protocols.uniswap_v3.facts import Nft, Place, Pool, Range
from protocols.uniswap_v3.position import PROTOCOL, build


@dataclass(slots=True)
class Ledger:
    """What is known of some accounts of one market."""

    market: Market
    accounts: Sequence[Address]
    at: BlockRef
    version: str = ""
    positions: dict[Place, Position] = field(default_factory=dict)
    unreadable: list[tuple[Place, str]] = field(default_factory=list)

    @property
    def root(self) -> Address:
        """The position manager."""
        return self.market.root

    def address(self, n: int) -> Address:
        """Return the account at a place."""
        return self.accounts[n]

    def take(self, place: Place, nft: Nft, pool: Pool, held: Range | ReadFailed) -> None:
        """Note a position, or why it cannot be told."""
        try:
            self.positions[place] = build(self.market, self.version, nft, pool, held, self.at)
        except ReadFailed as failure:
            self.lost(place, f"token {nft.token_id}: {failure.cause}")

    def lost(self, place: Place, cause: str) -> None:
        """Note what could not be read."""
        self.unreadable.append((place, cause))

    def drop(self, owners: Collection[int]) -> None:
        """Forget what was noted of some owners, to learn it anew."""
        if owners:
            kept = self.positions.items()
            self.positions = {place: one for place, one in kept if place[0] not in owners}
            self.unreadable = [one for one in self.unreadable if one[0][0] not in owners]

    def reading(self) -> Reading:
        """Return everything, first what could be read."""
        market = self.market
        missing = (
            Unreadable(PROTOCOL, market.name, market.root, self.accounts[place[0]], cause, self.at)
            for place, cause in sorted(self.unreadable)
        )
        return Reading((*(one for _, one in sorted(self.positions.items())), *missing))
