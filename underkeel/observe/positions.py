"""What is measured of one position."""

from collections.abc import Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Final

from chain.types import ZERO_ADDRESS, Address
from protocols.types import Leg, Position, Side
from risk.types import Assessment, Status
from underkeel.config.model import Settings
from underkeel.observe.types import Labels, Observation
from underkeel.valuation import Valuation

MOST_CAUSES: Final = 3
"""Causes that are told of one unknown value."""


def names_of(settings: Settings) -> dict[Address, str]:
    """Return what the config calls the accounts."""
    return {Address(wallet.address): name for name, wallet in settings.wallets.items()}


def position_labels(position: Position, chain: str, names: Mapping[Address, str]) -> Labels:
    """Return the labels of everything that is measured of a position."""
    return (
        ("chain", chain),
        ("market", position.market),
        ("position", position.id),
        ("protocol", position.protocol),
        ("wallet", names.get(position.owner, position.owner)),
    )


def ratio(raw: int, scale: int) -> Decimal:
    """Return a contract's integer by its scale, exactly where that is a power of ten."""
    with localcontext() as exact:
        exact.prec = 120
        return Decimal(raw) / scale


def of_position(
    found: Assessment,
    valuation: Valuation,
    labels: Labels,
    at: float,
    spenders: Mapping[Address, str],
) -> Iterator[Observation]:
    """Yield everything that is measured of a position; what is not known with its cause.

    `spenders` are the names of contracts that owners give allowances to.
    """
    yield from _risk(found, labels, at)
    yield from _worth(found, valuation, labels, at)
    if found.position.kind == "wallet":
        yield from _allowances(found.position, labels, at, spenders)


def doubts(found: Assessment) -> str:
    """Return why a position cannot be judged; empty where it can."""
    held, judged = found.position, found.liquidation
    causes = list(dict.fromkeys((*judged.causes, *held.unknown)))
    if not causes and not held.verified:
        causes = list(held.notes) or ["its numbers are not as the protocol's own"]
    if not causes and judged.status is Status.UNKNOWN:
        causes = ["it could not be judged"]
    more = f" and {len(causes) - MOST_CAUSES} more" if len(causes) > MOST_CAUSES else ""
    return "; ".join(causes[:MOST_CAUSES]) + more


def _risk(found: Assessment, labels: Labels, at: float) -> Iterator[Observation]:
    held, judged, block = found.position, found.liquidation, found.position.at
    doubt = doubts(found)
    flag = Decimal(bool(doubt))
    yield Observation("position_unknown", labels, flag, "", at, block, doubt)
    unknown = judged.status is Status.UNKNOWN
    if judged.health_raw is None and not (unknown and _may_owe(held)):
        return

    def known(metric: str, value: Decimal | None) -> Observation:
        told = None if unknown else value
        return Observation(metric, labels, told, doubt if unknown else "", at, block)

    health = None
    if judged.health_raw is not None:
        health = ratio(judged.health_raw, judged.health_scale)
    yield known("health_factor", health)
    taken = judged.status is Status.LIQUIDATABLE
    yield known("liquidatable", Decimal(taken))
    if unknown or taken or judged.boundary:
        nearest = Decimal(0)
        if judged.boundary and not taken:
            nearest = abs(Decimal(repr(judged.boundary[0].distance_frac)))
        yield known("liquidation_distance", nearest)
    if judged.time_to_liq_s is not None:
        yield known("time_to_liquidation", Decimal(judged.time_to_liq_s))


def _may_owe(held: Position) -> bool:
    return held.kind == "lending" or any(leg.side is Side.DEBT for leg in held.legs)


def _worth(
    found: Assessment, valuation: Valuation, labels: Labels, at: float
) -> Iterator[Observation]:
    held, block = found.position, found.position.at
    for metric, side in (("collateral_usd", Side.COLLATERAL), ("debt_usd", Side.DEBT)):
        legs = [leg for leg in held.legs if leg.side is side]
        if legs:
            value, cause = _sum(legs, valuation)
            yield Observation(metric, labels, value, cause, at, block)
    equity = valuation.equity(held)
    cause = ""
    if equity is None:
        _, cause = _sum(held.legs, valuation)
        cause = cause or doubts(found) or "a part of it is unknown"
    yield Observation("equity_usd", labels, equity, cause, at, block)


def _sum(legs: tuple[Leg, ...] | list[Leg], valuation: Valuation) -> tuple[Decimal | None, str]:
    total, unpriced = Decimal(0), []
    for leg in legs:
        value = valuation.usd(leg)
        if value is None:
            unpriced.append(leg.token.symbol)
        else:
            total += abs(value)
    if unpriced:
        return None, f"no price of {', '.join(dict.fromkeys(unpriced))}"
    return total, ""


def _allowances(
    held: Position, labels: Labels, at: float, spenders: Mapping[Address, str]
) -> Iterator[Observation]:
    given = dict(labels)
    for one in held.allowances:
        if one.unlimited:
            of = (
                ("asset", one.token.address),
                ("chain", given["chain"]),
                ("spender", one.spender),
                ("wallet", given["wallet"]),
            )
            known = spenders.get(one.spender)
            note = one.token.symbol + (f" to {known}" if known else "")
            yield Observation("allowance_unlimited", of, Decimal(1), "", at, held.at, note)


def native_balance(held: Position) -> Decimal | None:
    """Return a wallet's native coin in whole coins; None where it was not read."""
    for leg in held.legs:
        if leg.token.address == ZERO_ADDRESS and leg.token.decimals is not None:
            return ratio(leg.amount, 10**leg.token.decimals)
    return None
