"""What positions are worth, and the whole judgement of one.

A leg is valued at the price its protocol uses where that is in dollars, else at the price book's.
A position with anything unpriced or unread is worth "unknown", never a partial sum. Rewards are
shown and not counted: they are not owned yet.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Final

from chain.networks import by_id
from chain.types import BlockRef
from protocols.prices.book import PriceBook
from protocols.types import Leg, Position, Price, Side, Token, Unpriced
from protocols.uniswap_v3 import pool_checks
from risk.liquidation import assess_liquidation
from risk.liquidation.engine import Seizure
from risk.types import Assessment, Liquidation, Status

log = logging.getLogger(__name__)

SIGN: Final[Mapping[Side, int]] = {
    Side.ASSET: 1,
    Side.COLLATERAL: 1,
    Side.DEBT: -1,
    Side.FEE: 1,
    Side.REWARD: 0,
}
"""How a leg counts towards equity."""

MOST_USD: Final = Decimal(10) ** 24
"""No one thing is worth so much: what comes to more rests on a false amount or price."""


@dataclass(frozen=True, slots=True)
class Valuation:
    """The prices of one chain at one block."""

    book: PriceBook
    at: BlockRef

    @classmethod
    def of(
        cls,
        own: Iterable[Price | Unpriced],
        configured: Iterable[Price | Unpriced],
        positions: Sequence[Position],
        at: BlockRef,
    ) -> "Valuation":
        """Collect every price that a snapshot brought along."""
        network = by_id(at.chain_id)
        book = PriceBook(
            own=tuple(own),
            configured=tuple(configured),
            checks=pool_checks(positions),
            native_symbol=network.native.symbol if network else "ETH",
            wrapped_native=network.native.wrapped if network else None,
        )
        return cls(book, at)

    def price(self, leg: Leg) -> Price | Unpriced:
        """Return the dollar price of a leg's token: its protocol's own, else the book's."""
        own = self.book.leg_usd(leg)
        if isinstance(own, Unpriced) and isinstance(leg.price, Price):
            return self.book.usd(leg.token.address)
        return own

    def usd(self, leg: Leg) -> Decimal | None:
        """Return what a leg is worth, negative for a debt; None without price or decimals."""
        return worth(leg.amount, leg.token, self.price(leg), -1 if leg.side is Side.DEBT else 1)

    def equity(self, position: Position) -> Decimal | None:
        """Return assets less debts; None where any part is unknown or has no price."""
        if position.unknown:
            return None
        total = Decimal(0)
        for leg in position.legs:
            if not SIGN[leg.side]:
                continue
            value = self.usd(leg)
            if value is None:
                return None
            total += value
        return total


def worth(amount: int, token: Token, price: Price | Unpriced, sign: int = 1) -> Decimal | None:
    """Return dollars to 28 digits, or None where they cannot be known, or cannot be true."""
    if amount == 0:
        return Decimal(0)
    if token.decimals is None or not isinstance(price, Price) or price.raw <= 0:
        return None
    with localcontext() as exact:
        exact.prec = 28
        value = Decimal(sign * amount * price.raw).scaleb(-(token.decimals + price.decimals))
    return value if abs(value) <= MOST_USD else None


def assess(position: Position, valuation: Valuation, max_price_age_s: int | None) -> Assessment:
    """Return a position with its liquidation and its worth; never raises.

    A fault of ours in judging one position is that position's unknown.
    """
    try:
        liquidation = assess_liquidation(position)
        if max_price_age_s is not None:
            liquidation = _aged(position, liquidation, valuation.at, max_price_age_s)
        equity = valuation.equity(position)
        return Assessment(position, liquidation, None if equity is None else float(equity))
    except Exception as fault:  # one position must not end the others
        log.exception("%s could not be judged", position.id)
        cause = f"internal error: {type(fault).__name__}: {fault}"
        doubted = replace(position, unknown=(*position.unknown, cause), state=None)
        unknown = Liquidation(Status.UNKNOWN, None, 1, causes=doubted.unknown)
        return Assessment(doubted, unknown, None)


def _aged(position: Position, found: Liquidation, at: BlockRef, limit_s: int) -> Liquidation:
    """Return the judgement with `safe` withdrawn where a price is older than the owner allows."""
    if found.status not in (Status.SAFE, Status.UNKNOWN):
        return found
    old = {
        leg.price.label or leg.token.symbol: at.timestamp - leg.price.updated_at
        for leg in position.legs
        if isinstance(leg.price, Price)
        and leg.price.updated_at is not None
        and at.timestamp - leg.price.updated_at > limit_s
    }
    causes = tuple(
        f"the price of {name} is {age} s old, more than max_price_age = {limit_s} s"
        for name, age in old.items()
    )
    if not causes:
        return found
    return replace(found, status=Status.UNKNOWN, causes=(*found.causes, *causes))


def profit(position: Position, taken: Seizure, valuation: Valuation) -> float | None:
    """Return what a liquidator gains before gas, in dollars: the engine's word, else by value."""
    if taken.profit_usd is not None:
        return taken.profit_usd
    worths: list[Decimal] = []
    for token, amount in ((taken.collateral, taken.seized), (taken.debt, taken.repaid)):
        leg = next((leg for leg in position.legs if leg.token.address == token), None)
        value = valuation.usd(replace(leg, amount=amount, side=Side.ASSET)) if leg else None
        if value is None:
            return None
        worths.append(value)
    return float(worths[0] - worths[1])


@dataclass(frozen=True, slots=True)
class Totals:
    """What all positions are worth together."""

    priced_usd: Decimal
    """What has a price, debts subtracted."""
    partial: bool
    """Whether anything is missing from it."""
    unpriced: tuple[str, ...]
    """Positions, or tokens in a wallet, that are not in it."""


def totals(chains: Iterable[tuple[Sequence[Position], Valuation]], unread: int) -> Totals:
    """Add up what is owned, each thing once.

    A lending or liquidity position counts whole or not at all: half of one would be a lie about
    debt. A wallet counts token by token, but for the receipts of other positions: vault shares and
    aTokens count there only, and a debt token is no asset.
    """
    total, missing = Decimal(0), []
    for positions, valuation in chains:
        receipts = {(p.owner, token) for p in positions for token in p.receipts}
        for position in positions:
            if position.kind != "wallet":
                equity = valuation.equity(position)
                if equity is None:
                    missing.append(position.id)
                else:
                    total += equity
                continue
            missing += [f"{position.id}: {cause}" for cause in position.unknown]
            for leg in position.legs:
                if (position.owner, leg.token.address) in receipts:
                    continue
                value = valuation.usd(leg)
                if value is None:
                    missing.append(f"{position.id}: {leg.token.symbol}")
                else:
                    total += value
    return Totals(total, bool(missing) or unread > 0, tuple(missing))
