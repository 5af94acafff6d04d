"""What can be done with a lending position, by protocol: one shape for all strategies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chain.calls import Unknown
from chain.types import Address
from chain.units import YEAR
from executor.plan.lab import Lab
from protocols.aave_v3 import actions as aave
from protocols.aave_v3.contracts import GET_POOL
from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2 import actions as compound
from protocols.compound_v2.state import CMarket, CompoundAccount
from protocols.effects import Effect
from protocols.morpho_blue import actions as morpho
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Side, State, Token


class Verbs(Protocol):
    """What an account, or somebody for it, can do with one position."""

    def spender(self, token: Token) -> Address:
        """Return who takes what is repaid or added of a token."""
        ...

    def takes(self, token: Token) -> bool:
        """Tell whether the account may hold and owe a token here."""
        ...

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay from the sender."""
        ...

    def add(self, token: Token, amount: int) -> Effect | None:
        """Add collateral from the sender; None where only the owner can."""
        ...

    def withdraw(self, token: Token, amount: int, *, whole: bool = False) -> Effect:
        """Take collateral out, by the owner to the owner; `whole` with what it earns until then."""
        ...

    def borrow(self, token: Token, amount: int) -> Effect | None:
        """Borrow more, by the owner to the owner; None where the market lends no such token."""
        ...

    def repay_with_supply(self, debt: Leg, amount: int) -> Effect | None:
        """Repay with what the owner supplied of the same token; None where there is no such way."""
        ...


@dataclass(frozen=True, slots=True)
class AaveVerbs:
    """In an Aave v3 pool."""

    pool: Address
    owner: Address

    def spender(self, token: Token) -> Address:
        """Return the pool."""
        return self.pool

    def takes(self, token: Token) -> bool:
        """Return true: the pool itself refuses what it does not list."""
        return True

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay; any amount not below the debt clears it."""
        return aave.repay(self.pool, debt.token.address, amount, self.owner, _mode(debt))

    def add(self, token: Token, amount: int) -> Effect | None:
        """Supply."""
        return aave.supply(self.pool, token.address, amount, self.owner)

    def withdraw(self, token: Token, amount: int, *, whole: bool = False) -> Effect:
        """Withdraw."""
        return aave.withdraw(self.pool, token.address, aave.MOST if whole else amount, self.owner)

    def borrow(self, token: Token, amount: int) -> Effect | None:
        """Borrow at the variable rate."""
        return aave.borrow(self.pool, token.address, amount, self.owner)

    def repay_with_supply(self, debt: Leg, amount: int) -> Effect | None:
        """Burn aTokens against the debt."""
        return aave.repay_with_atokens(self.pool, debt.token.address, amount, _mode(debt))


@dataclass(frozen=True, slots=True)
class MorphoVerbs:
    """In one market of Morpho Blue."""

    morpho: Address
    owner: Address
    state: MorphoPosition

    def spender(self, token: Token) -> Address:
        """Return Morpho."""
        return self.morpho

    def takes(self, token: Token) -> bool:
        """Tell whether a token is one of the market's two."""
        params = self.state.params
        return token.address in (params.loan_token, params.collateral_token)

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay; all of it goes by shares, since rounded assets may be worth one share more."""
        if whole:
            shares = self.state.borrow_shares
            return morpho.repay(self.morpho, self.state.params, self.owner, shares=shares)
        return morpho.repay(self.morpho, self.state.params, self.owner, assets=amount)

    def add(self, token: Token, amount: int) -> Effect | None:
        """Supply collateral."""
        return morpho.supply_collateral(self.morpho, self.state.params, amount, self.owner)

    def withdraw(self, token: Token, amount: int, *, whole: bool = False) -> Effect:
        """Withdraw collateral, which earns nothing."""
        return morpho.withdraw_collateral(
            self.morpho, self.state.params, amount, self.owner, self.owner
        )

    def borrow(self, token: Token, amount: int) -> Effect | None:
        """Borrow the market's one loan token."""
        if token.address != self.state.params.loan_token:
            return None
        return morpho.borrow(self.morpho, self.state.params, amount, self.owner, self.owner)

    def repay_with_supply(self, debt: Leg, amount: int) -> Effect | None:
        """Return None: what one lends in a market is no collateral there."""
        return None


@dataclass(frozen=True, slots=True)
class CompoundVerbs:
    """In the markets of one Comptroller that the owner is in."""

    markets: Mapping[Address, CMarket]
    """By underlying."""
    owner: Address
    own: bool
    """Whether the owner sends."""

    def spender(self, token: Token) -> Address:
        """Return the cToken."""
        return self.markets[token.address].ctoken

    def takes(self, token: Token) -> bool:
        """Tell whether the account is in a token's market."""
        return token.address in self.markets

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay; of tokens all that is owed, of the native coin the exact amount."""
        market = self.markets[debt.token.address]
        most = compound.MOST if whole and not market.native else amount
        if self.own:
            return compound.repay(market, most)
        return compound.repay_for(market, most, self.owner)

    def add(self, token: Token, amount: int) -> Effect | None:
        """Supply; for the sender only."""
        return compound.supply(self.markets[token.address], amount) if self.own else None

    def withdraw(self, token: Token, amount: int, *, whole: bool = False) -> Effect:
        """Redeem."""
        return compound.redeem_underlying(self.markets[token.address], amount)

    def borrow(self, token: Token, amount: int) -> Effect | None:
        """Borrow in a market that the owner is in."""
        market = self.markets.get(token.address)
        return None if market is None else compound.borrow(market, amount)

    def repay_with_supply(self, debt: Leg, amount: int) -> Effect | None:
        """Return None: Compound has no such way."""
        return None


def _mode(debt: Leg) -> int:
    return aave.STABLE if debt.name == "stable" else aave.VARIABLE


def pool_of(lab: Lab, provider: Address) -> Address | Unknown:
    """Return the pool behind a `PoolAddressesProvider`."""
    (result,) = lab.client.snapshot(lab.at).read([GET_POOL.at(provider)])
    found: Address | Unknown = GET_POOL.known(result)
    return found


def _aave(lab: Lab, position: Position) -> AaveVerbs | str:
    pool = pool_of(lab, position.root)
    return pool.reason if isinstance(pool, Unknown) else AaveVerbs(pool, position.owner)


def _morpho(_lab: Lab, position: Position) -> MorphoVerbs:
    assert isinstance(position.state, MorphoPosition)
    return MorphoVerbs(position.root, position.owner, position.state)


def _compound(lab: Lab, position: Position) -> CompoundVerbs:
    state = position.state
    assert isinstance(state, CompoundAccount)
    markets = {one.market.underlying.address: one.market for one in state.holdings}
    return CompoundVerbs(markets, position.owner, lab.wallet == position.owner)


VERBS: Final[Mapping[type[State], Callable[[Lab, Any], Verbs | str]]] = {
    AaveAccount: _aave,
    CompoundAccount: _compound,
    MorphoPosition: _morpho,
}


def verbs_of(lab: Lab, position: Position) -> Verbs | str:
    """Return what can be done with a position; text says why nothing can."""
    make = VERBS.get(type(position.state)) if position.state is not None else None
    if make is None:
        return f"nothing of {position.protocol} is known that could be done"
    return make(lab, position)


def debts(position: Position) -> tuple[Leg, ...]:
    """Return what is owed."""
    return tuple(leg for leg in position.legs if leg.side is Side.DEBT and leg.amount)


def owed_later(lab: Lab, leg: Leg) -> int:
    """Return a little more than what a debt is at the block: interest to the plan's time.

    A year at 100 % would add less; what is not needed stays in the wallet.
    """
    elapsed = lab.time - lab.at.timestamp
    return leg.amount + leg.amount * elapsed // YEAR + 1


def collaterals(position: Position) -> tuple[Leg, ...]:
    """Return what counts as collateral, the largest first by the protocol's own price."""
    found = [leg for leg in position.legs if leg.side is Side.COLLATERAL and leg.amount]
    return tuple(sorted(found, key=value, reverse=True))


def value(leg: Leg) -> float:
    """Return about what a leg is worth by the protocol's own price, to order legs by."""
    raw = getattr(leg.price, "raw", 0)
    decimals = getattr(leg.price, "decimals", 0)
    return float(leg.amount * raw) / 10.0 ** ((leg.token.decimals or 0) + decimals)
