"""What can be done with a lending position, by protocol: one shape for all strategies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from chain.calls import Unknown
from chain.types import Address
from executor.plan.lab import Lab
from protocols.aave_v3 import actions as aave
from protocols.aave_v3.contracts import GET_POOL
from protocols.aave_v3.state import AaveAccount
from protocols.effects import Effect
from protocols.morpho_blue import actions as morpho
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Side, State, Token


class Verbs(Protocol):
    """What an account, or somebody for it, can do with one position."""

    @property
    def spender(self) -> Address:
        """Return who takes the tokens that are repaid or added."""
        ...

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay from the sender."""
        ...

    def add(self, token: Token, amount: int) -> Effect:
        """Add collateral from the sender."""
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

    @property
    def spender(self) -> Address:
        """Return the pool."""
        return self.pool

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay; any amount not below the debt clears it."""
        return aave.repay(self.pool, debt.token.address, amount, self.owner, _mode(debt))

    def add(self, token: Token, amount: int) -> Effect:
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

    @property
    def spender(self) -> Address:
        """Return Morpho."""
        return self.morpho

    def repay(self, debt: Leg, amount: int, *, whole: bool) -> Effect:
        """Repay; all of it goes by shares, since rounded assets may be worth one share more."""
        if whole:
            shares = self.state.borrow_shares
            return morpho.repay(self.morpho, self.state.params, self.owner, shares=shares)
        return morpho.repay(self.morpho, self.state.params, self.owner, assets=amount)

    def add(self, token: Token, amount: int) -> Effect:
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


VERBS: Final[Mapping[type[State], Callable[[Lab, Any], Verbs | str]]] = {
    AaveAccount: _aave,
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


def collaterals(position: Position) -> tuple[Leg, ...]:
    """Return what counts as collateral, the largest first by the protocol's own price."""
    found = [leg for leg in position.legs if leg.side is Side.COLLATERAL and leg.amount]
    return tuple(sorted(found, key=_value, reverse=True))


def _value(leg: Leg) -> float:
    raw = getattr(leg.price, "raw", 0)
    decimals = getattr(leg.price, "decimals", 0)
    return float(leg.amount * raw) / 10.0 ** ((leg.token.decimals or 0) + decimals)
