"""Put one account's position together and hold it against the pool's own view."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chain.abi import explain
from chain.calls import Ok, Unknown
from chain.types import Address, BlockRef
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.account import User
from protocols.aave_v3.market import Broken, Listed, Pool
from protocols.aave_v3.math import (
    counts,
    health,
    lines,
    quote_of,
    stable_debt,
    supply_balance,
    totals,
    variable_debt,
)
from protocols.aave_v3.rewards import Claimable
from protocols.aave_v3.state import AaveAccount, EMode, Holding
from protocols.adapter import Market
from protocols.types import Leg, Position, Price, Side, Token, Unpriced

PROTOCOL = "aave-v3"


@dataclass(frozen=True, slots=True)
class Found:
    """All that was learned of one account."""

    user: User
    holdings: Sequence[Holding]
    """Of every listed reserve that could be read."""
    failed: Mapping[int, str]
    """Causes by reserve id where balances could not be read."""
    emode: EMode | Unknown | None
    emode_price: Price | Unpriced | None
    claimable: Sequence[Claimable]


def assemble(
    market: Market,
    at: BlockRef,
    pool: Pool,
    reserves: Sequence[Listed],
    broken: Sequence[Broken],
    prices: Mapping[Address, Price | Unpriced],
    found: Found,
) -> Position | None:
    """Return the position; None where there is nothing and nothing is unknown."""
    user, by_id = found.user, {one.reserve.id: one for one in reserves}
    held = [h for h in found.holdings if h.scaled_supply or h.borrowing or h.collateral]
    account = AaveAccount(
        rules=pool.rules,
        timestamp=at.timestamp,
        holdings=tuple(sorted(held, key=lambda h: h.reserve.id)),
        emode=None if isinstance(found.emode, Unknown) else found.emode,
        liquidation_allowed=pool.liquidation_allowed,
        base_decimals=pool.base.decimals if pool.base.quote == "USD" else None,
    )
    unknown = [f"{one.asset}: {one.cause}" for one in broken]
    unknown += found.failed.values()
    vital = _missing(user, account, by_id, broken, found)
    unknown += [cause for cause in vital if cause not in unknown]

    legs = [
        leg
        for h in account.holdings
        for leg in _legs(account, h, by_id[h.reserve.id].token, prices, found.emode_price)
    ]
    notes = list(pool.notes)
    for claim in found.claimable:
        legs += claim.legs
        unknown += claim.unknown
    if not legs and not unknown:
        return None
    if user.configuration:
        unknown += pool.unknown
    for h in account.holdings:
        unknown += by_id[h.reserve.id].unknown
    notes += _notes(account)

    state = None if vital else account
    disagreement, blind = _compare(user, state)
    return Position(
        id=f"{at.chain_id}:{PROTOCOL}:{market.root}:{user.owner}",
        protocol=PROTOCOL,
        version=pool.rules.version,
        market=market.name,
        root=market.root,
        owner=user.owner,
        kind="lending",
        legs=tuple(legs),
        at=at,
        state=state,
        verified=pool.rules.known and not disagreement,
        notes=tuple(dict.fromkeys((*disagreement, *notes))),
        unknown=tuple(dict.fromkeys((*unknown, *blind))),
        receipts=tuple(token for h in account.holdings for token in by_id[h.reserve.id].receipts),
    )


def _missing(
    user: User,
    account: AaveAccount,
    by_id: Mapping[int, Listed],
    broken: Sequence[Broken],
    found: Found,
) -> list[str]:
    """Say what health needs and we do not know; empty where health is known."""
    causes = []
    if isinstance(found.emode, Unknown):
        causes.append(f"e-mode {user.category}: {found.emode.reason}")
    flagged = user.flagged()
    if broken and flagged - by_id.keys():
        causes += [f"{one.asset}: {one.cause}" for one in broken]
    causes += [found.failed[i] for i in flagged & found.failed.keys()]
    for holding in account.holdings:
        reserve = holding.reserve
        if reserve.id in flagged and quote_of(account, holding) is None:
            causes.append(f"{reserve.symbol}: the oracle gives no price")
    return causes


def _legs(
    account: AaveAccount,
    holding: Holding,
    token: Token,
    prices: Mapping[Address, Price | Unpriced],
    emode_price: Price | Unpriced | None,
) -> Iterable[Leg]:
    rules, at = account.rules, account.timestamp
    price = prices[token.address]
    if emode_price is not None and account.emode and account.emode.covers(holding.reserve):
        price = emode_price
    if holding.scaled_supply:
        side = Side.COLLATERAL if counts(account, holding) else Side.ASSET
        yield Leg(token, supply_balance(holding, at, rules), side, price, "supply")
    if holding.scaled_debt:
        yield Leg(token, variable_debt(holding, at, rules), Side.DEBT, price, "variable")
    if holding.stable is not None:
        yield Leg(token, stable_debt(holding.stable, at, rules), Side.DEBT, price, "stable")


def _notes(account: AaveAccount) -> Iterable[str]:
    """Say what of the configuration its owner should know."""
    if account.emode is not None:
        yield f"e-mode {account.emode.category}"
    for holding in account.holdings:
        reserve = holding.reserve
        if not (holding.scaled_supply or holding.scaled_debt or holding.stable):
            continue
        if not reserve.active:
            yield f"{reserve.symbol} is not active"
        if reserve.paused:
            yield f"{reserve.symbol} is paused: nothing moves, no liquidation either"
        elif reserve.frozen:
            yield f"{reserve.symbol} is frozen: no new supply or debt"
        if reserve.grace_until >= account.timestamp:
            yield f"{reserve.symbol} cannot be liquidated until {reserve.grace_until}"
        if holding.collateral and account.rules.isolation and reserve.debt_ceiling:
            yield f"{reserve.symbol} is isolated collateral under a debt ceiling"
        in_emode = account.emode is not None and account.emode.covers(reserve)
        if holding.collateral and holding.scaled_supply and not (reserve.max_ltv or in_emode):
            yield f"{reserve.symbol} is collateral with LTV 0: it must be withdrawn first"
        if holding.borrowing and account.rules.isolation and reserve.siloed:
            yield f"{reserve.symbol} is borrowed siloed: no other asset may be"
        if holding.collateral and holding.scaled_supply and not counts(account, holding):
            yield f"{reserve.symbol} is flagged as collateral and counts for nothing"


def _compare(user: User, state: AaveAccount | None) -> tuple[list[str], list[str]]:
    """Hold our totals and health against `getUserAccountData` of the same block.

    Returns disagreements, and why the view could not be asked.
    """
    if not isinstance(user.view, Ok):
        cause = f"getUserAccountData: {explain(user.view)}"
        if isinstance(user.view, Unknown):
            return [], [cause]
        return ([f"the pool's own view fails: {cause}"] if state is not None else []), []
    view = c.GET_USER_ACCOUNT_DATA.known(user.view)
    if isinstance(view, Unknown):
        return [], [view.reason]
    if state is None:
        return [], []
    collateral, debt, _, threshold, _, sound = view
    sums = totals(lines(state, state.timestamp), state.rules, {})
    ours = {
        "collateral": (sums.collateral, collateral),
        "debt": (sums.debt, debt),
        "threshold": (sums.weighted // sums.collateral if sums.collateral else 0, threshold),
        "health": (health(sums, state.rules), sound),
    }
    return [
        f"{what}: we reckon {mine}, getUserAccountData says {theirs}"
        for what, (mine, theirs) in ours.items()
        if mine != theirs
    ], []
