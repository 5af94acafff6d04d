"""Plans that its owner wants whatever the health: which tokens and markets the row names."""

from collections.abc import Sequence
from fractions import Fraction

from chain.types import Address, InvalidAddress, parse_address
from executor.plan import leaving, swapping, weights
from executor.plan.candidate import Candidate, No
from executor.plan.lab import Lab
from executor.plan.types import Action
from protocols.adapter import Market
from protocols.types import Leg, Position, Price, Side, Token
from risk.liquidation import engine_for
from underkeel.config.plans import PlanTable
from underkeel.config.problems import did_you_mean
from underkeel.errors import UsageError


def proposals(lab: Lab, row: PlanTable, position: Position) -> list[Candidate | No]:
    """Return what would do what the row says; raises `UsageError` for a row that does not say."""
    match row.kind:
        case Action.EXIT_VAULT:
            return leaving.exit_vault(lab, position)
        case Action.CLOSE_LP:
            return leaving.close_lp(lab, position)
        case Action.SWEEP_ALLOWANCES:
            return leaving.sweep_allowances(lab, position)
        case Action.MOVE:
            return leaving.move(lab, position, _leg(row, position), _market(lab, row))
        case Action.REBALANCE:
            return weights.rebalance(lab, position, _targets(lab, row), Fraction(row.band))
    change = swapping.Change(position, _asset(lab, row), _least_health(row, position))
    if row.kind == Action.DEBT_SWAP:
        return swapping.debt_swap(lab, change)
    return swapping.collateral_swap(lab, change)


def _least_health(row: PlanTable, position: Position) -> int:
    """Return what health must stay above: what the row restores to, else the edge itself."""
    engine = engine_for(position)
    scale = engine.scale if engine is not None else 1
    wanted = row.restore_to or row.fire_below
    exact = Fraction(wanted) * scale if wanted is not None else Fraction(scale)
    return -(-exact.numerator // exact.denominator)


def _asset(lab: Lab, row: PlanTable) -> Address:
    if row.asset is None:
        raise UsageError("to which token? write asset in a [[plan]] of this kind")
    return token_named(lab, row.asset).address


def _leg(row: PlanTable, position: Position) -> Leg:
    """Return the supply that is to be moved: the one that is named, or the only one."""
    legs = [g for g in position.legs if g.side in (Side.ASSET, Side.COLLATERAL) and g.amount]
    if row.asset is not None:
        wanted = row.asset.casefold()
        legs = [g for g in legs if wanted in (g.token.symbol.casefold(), g.token.address.lower())]
    if len(legs) != 1:
        raise UsageError(
            f"{position.market}: {len(legs)} supplies match; name one by asset in the plan"
        )
    return legs[0]


def _market(lab: Lab, row: PlanTable) -> Market:
    names = {market.name: market for market in lab.markets}
    if row.to_market is None or row.to_market not in names:
        given = row.to_market or ""
        raise UsageError(f"to which market? to_market = {given!r}; {did_you_mean(given, names)}")
    return names[row.to_market]


def _targets(lab: Lab, row: PlanTable) -> tuple[weights.Target, ...]:
    if not row.weights:
        raise UsageError(f"which weights? write weights in [[plan]] {row.name!r}")
    return tuple(
        weights.Target(token_named(lab, name), Fraction(share))
        for name, share in row.weights.items()
    )


def token_named(lab: Lab, text: str) -> Token:
    """Return a token by its address, or by a symbol that one token of the chain's markets has."""
    if text[:2].lower() == "0x":
        try:
            address = parse_address(text)
        except InvalidAddress as error:
            raise UsageError(str(error)) from None
        return _described(lab, address)
    found = {t.address: t for t in _known(lab) if t.symbol.casefold() == text.casefold()}
    if len(found) == 1:
        return next(iter(found.values()))
    if found:
        raise UsageError(f"{len(found)} tokens are called {text!r}; give the address")
    raise UsageError(
        f"no token called {text!r} is known; {did_you_mean(text, [t.symbol for t in _known(lab)])}"
    )


def _described(lab: Lab, address: Address) -> Token:
    token = swapping.describe(lab, address)
    if isinstance(token, str):
        raise UsageError(token)
    return token


def _known(lab: Lab) -> Sequence[Token]:
    """Return every token of the positions, and every one that has a price."""
    held = [leg.token for position in lab.positions for leg in position.legs]
    addresses = {token.address for token in held}
    priced = {
        price.token
        for price in (*lab.book.own, *lab.book.configured)
        if isinstance(price, Price) and price.token not in addresses and int(price.token, 16)
    }
    return [
        *held,
        *(t for a in sorted(priced) if isinstance(t := swapping.describe(lab, a), Token)),
    ]
