"""Make a plan: read the account, look whether anything is to be done, try what could be.

An account that is not known whole is not planned for: what was not read might be what matters.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final

from chain.client import Client, connect
from chain.errors import ChainError
from chain.types import Address
from executor.plan.build import Request
from executor.plan.candidate import Goal
from executor.plan.cost import gas_price
from executor.plan.lab import Lab
from executor.plan.ladder import cheapest, restore
from executor.plan.stake import stake_of, weighed
from executor.plan.types import Action, Blocked, Nothing, Plan, Planned
from executor.swaps import Limits
from executor.types import Trigger
from protocols.types import Position
from risk.types import Assessment
from underkeel.config.load import Config
from underkeel.config.plans import PlanTable
from underkeel.config.venues import venues_of
from underkeel.discovery import Progress
from underkeel.errors import ChainDown, UsageError
from underkeel.plans.kinds import ACTIONS, OTHERS, RESTORE, concerns
from underkeel.plans.wanted import Wanted
from underkeel.plans.wishes import proposals
from underkeel.portfolio import ChainReport, Open, read_portfolio, spec_of

SHOWN: Final = 4
"""Digits of a health in words."""


@dataclass(frozen=True, slots=True)
class Made:
    """What came of it, and on which chain; None where no chain has such a position."""

    planned: Planned
    chain: str | None
    report: ChainReport | None


def make(
    config: Config,
    asked: Wanted,
    tell: Progress = lambda _what, _done, _all: None,
    opener: Open = connect,
    cache: Path | None = None,
) -> Made:
    """Return the plan, or why there is none. Raises `ChainDown` where the chain was not read."""
    accounts = tuple(dict.fromkeys((asked.account, asked.wallet)))
    portfolio = read_portfolio(config, accounts, tell, opener, cache)
    chains = [c for c in portfolio.chains if asked.row.match.chain in (None, c.name)]
    for chain in chains:
        if chain.at is None or chain.fault is not None:
            raise ChainDown(f"{chain.name}: {chain.cause}; nothing is planned on what is not read")
    found = [(c, a) for c in chains for a in c.positions if _matches(asked, a.position)]
    if not found:
        unknown = [text for c in chains for text in _unknown(c, asked.account)]
        name = asked.row.name
        if unknown:
            return Made(Blocked(name, tuple(unknown)), None, None)
        return Made(Nothing(name, "no position matches"), None, None)
    chain, chosen = min(found, key=lambda pair: _level(pair[1]))
    unknown = _unknown(chain, asked.account)
    if unknown:
        return Made(Blocked(asked.row.name, tuple(unknown)), chain.name, chain)
    try:
        with opener(spec_of(chain.name, config.settings.chains[chain.name], config)) as client:
            tell("planning", 0, 1)
            planned = _planned(client, config, chain, chosen, asked, len(found))
            tell("planning", 1, 1)
    except ChainError as error:  # endpoints that disagree, a block that left the chain
        raise ChainDown(config.scrub(f"{chain.name}: {error}")) from None
    return Made(planned, chain.name, chain)


def _matches(asked: Wanted, position: Position) -> bool:
    """Tell whether a position is meant: one of the account, by what the row says."""
    match = asked.row.match
    if position.owner != asked.account or not concerns(asked.row.kind, position):
        return False
    if match.protocol is not None and match.protocol != position.protocol:
        return False
    if match.market is not None and match.market.casefold() not in position.market.casefold():
        return False
    if match.position is None:
        return True
    return match.position == position.id or position.id.endswith(f":{match.position}")


def _level(assessed: Assessment) -> Fraction:
    """Return the health, to find the lowest; without a debt it is the highest there is."""
    found = assessed.liquidation
    if found.health_raw is None:
        return Fraction(10**12)
    return Fraction(found.health_raw, found.health_scale)


def _unknown(chain: ChainReport, account: Address) -> list[str]:
    """Return everything about the account that was not read or does not add up."""
    causes = [
        f"{part.protocol} {part.market}: {part.cause}"
        for part in chain.unreadable
        if part.owner in (None, account)
    ]
    for assessed in chain.positions:
        position = assessed.position
        if position.owner != account:
            continue
        doubts = position.unknown if position.verified else (*position.unknown, *position.notes)
        causes += [f"{position.protocol} {position.market}: {doubt}" for doubt in doubts]
    return causes


def _planned(
    client: Client, config: Config, chain: ChainReport, chosen: Assessment, asked: Wanted, many: int
) -> Planned:
    row, position = asked.row, chosen.position
    notes = [f"price: {cause}" for cause in chosen.liquidation.causes]
    lab = _lab(client, config, chain, asked)
    if row.kind in OTHERS:
        if many > 1:
            raise UsageError(f"{many} positions match; name one by --position or match in [[plan]]")
        request = Request(
            row.name, "its owner wants it", None, lab.time, gas_price(lab), tuple(notes)
        )
        return cheapest(lab, proposals(lab, row, position), request)
    if many > 1:
        notes.append(f"{many} positions match; this is about the least healthy one")
    return _restored(lab, chosen, asked, notes)


def _restored(lab: Lab, chosen: Assessment, asked: Wanted, notes: Sequence[str]) -> Planned:
    row, position, found = asked.row, chosen.position, chosen.liquidation
    health, scale = found.health_raw, found.health_scale
    if health is None:
        return Nothing(row.name, f"{position.market}: there is no debt")
    if row.restore_to is None:
        raise UsageError(
            f"to which health? give --target-health, or restore_to in [[plan]] {row.name!r}"
        )
    target = _raw(row.restore_to, scale)
    fire = target if asked.forced or row.fire_below is None else _raw(row.fire_below, scale)
    said = f"health of {position.market} is {_text(health, scale)}"
    if health >= fire:
        return Nothing(row.name, f"{said}, not below {_text(fire, scale)}")
    trigger = Trigger("health_factor", position.id, fire, health, lab.at.number)
    why = f"{said}, below {_text(fire, scale)}; {_text(target, scale)} is to be reached"
    request = Request(row.name, why, trigger, lab.time, gas_price(lab), tuple(notes))
    planned = restore(lab, Goal(position, target), actions_of(row), request)
    stake = stake_of(found, row.volatility)
    if asked.forced or stake is None or not isinstance(planned, Plan):
        return planned
    return weighed(lab, planned, position.id, stake)


def _lab(client: Client, config: Config, chain: ChainReport, asked: Wanted) -> Lab:
    assert chain.at is not None
    assert chain.valuation is not None
    accounts, row = (asked.account, asked.wallet), asked.row
    return Lab(
        client=client,
        at=chain.at,
        time=chain.at.timestamp + row.valid_for,
        account=asked.account,
        wallet=asked.wallet,
        markets=chain.markets,
        positions=tuple(a.position for a in chain.positions if a.position.owner in accounts),
        book=chain.valuation.book,
        venues=venues_of(config.settings.chains[chain.name]),
        limits=Limits(
            slippage_bps=row.max_slippage_bps,
            max_cost_bps=row.max_cost_bps,
            max_gain_bps=row.max_cost_bps,
        ),
        guard=None if row.guard is None else Address(row.guard),
    )


def actions_of(row: PlanTable) -> Sequence[Action]:
    """Return what a row lets a plan do."""
    if row.kind != RESTORE:
        return (Action(row.kind),)
    return tuple(Action(name) for name in row.actions) or ACTIONS


def _raw(health: Decimal, scale: int) -> int:
    """Return a health in the engine's integers, rounded up: never less than was asked for."""
    exact = Fraction(health) * scale
    return -(-exact.numerator // exact.denominator)


def _text(raw: int, scale: int) -> str:
    """Return a health in words, rounded down."""
    units = raw * 10**SHOWN // scale
    return f"{units // 10**SHOWN:,}.{units % 10**SHOWN:0{SHOWN}d}"
