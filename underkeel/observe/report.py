"""Observations of one chain's report: everything that it says, and what it leaves out.

A series that was there and is absent is hidden by a gap of the scope, and then unknown; or it is
gone: the position is closed, the allowance revoked.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from chain.types import Address
from protocols.types import Unreadable
from underkeel.config.model import Settings
from underkeel.observe import prices
from underkeel.observe.changes import compared, of_changes
from underkeel.observe.metrics import CHAIN_METRICS, CHANGE
from underkeel.observe.positions import (
    doubts,
    names_of,
    native_balance,
    of_position,
    position_labels,
    ratio,
)
from underkeel.observe.types import Gap, Labels, Observation, Observed, Scope, labels
from underkeel.portfolio import ChainReport
from underkeel.valuation import totals
from underkeel.wiring import spenders_of

WALLET: Final = "wallet"
BALANCES: Final = frozenset({"wallet_native_balance", "gas_reserve_ratio"})
ALLOWANCES: Final = frozenset({"allowance_unlimited"})


def observe(
    report: ChainReport,
    settings: Settings,
    now: float,
    before: Mapping[str, Any] | None = None,
    success_at: float | None = None,
    only: frozenset[str] | None = None,
) -> Observed:
    """Return everything that a report says, and what it leaves out.

    `before` is the last fingerprint of this chain as it was stored, `success_at` when the chain
    was last read whole, by our clock; None: never. With `only`, what is of positions is said of
    those alone; positions that are not there any more belong to them.
    """
    names = names_of(settings)
    fingerprint = dict(before or {})
    if report.at is not None:
        held = (assessed.position for assessed in report.positions)
        fingerprint = compared(report.name, held, before, now)
    found = [
        *_chain(report, now, success_at),
        *of_changes(report.name, fingerprint, CHANGE, now),
    ]
    if report.at is not None:
        at = float(report.at.timestamp)
        found += _positions(report, names, only)
        found += prices.of_prices(report, at)
        found += _markets(report, at)
        found += _wallets(report, settings, at)
        found += _sums(report, at)
    scope = Scope(
        report.name, CHAIN_METRICS, report.at, tuple(_gaps(report, names, success_at)), only
    )
    return Observed(scope, tuple(found), fingerprint)


def _chain(report: ChainReport, now: float, success_at: float | None) -> Iterator[Observation]:
    of = labels(chain=report.name)
    up = report.fault is None and report.at is not None
    yield Observation("chain_up", of, Decimal(up), "", now, report.at, report.cause)
    read_at = report.read_at if up else success_at
    age = None if read_at is None else Decimal(max(0, round(now - read_at)))
    cause = "" if age is not None else f"never read whole: {report.cause}"
    yield Observation("data_age", of, age, cause, now, report.at, report.cause)


def _positions(
    report: ChainReport, names: Mapping[Address, str], only: frozenset[str] | None
) -> Iterator[Observation]:
    assert report.valuation is not None  # a chain that was read has prices, if only none
    spenders = spenders_of(report.markets)
    for found in report.positions:
        held = found.position
        if only is None or held.id in only:
            of = position_labels(held, report.name, names)
            yield from of_position(found, report.valuation, of, float(held.at.timestamp), spenders)


def _markets(report: ChainReport, at: float) -> Iterator[Observation]:
    causes: dict[tuple[str, str], str] = {(m.adapter, m.name): "" for m in report.markets}
    for unread in report.unreadable:
        causes[unread.protocol, unread.market] = unread.cause
    for (protocol, market), cause in causes.items():
        of = labels(chain=report.name, protocol=protocol, market=market)
        yield Observation("market_unread", of, Decimal(bool(cause)), "", at, report.at, cause)


def _wallets(report: ChainReport, settings: Settings, at: float) -> Iterator[Observation]:
    if not any(market.adapter == WALLET for market in report.markets):
        return
    lost = {u.owner: u.cause for u in report.unreadable if u.protocol == WALLET}
    held = {a.position.owner: a.position for a in report.positions if a.position.kind == WALLET}
    for name, wallet in settings.wallets.items():
        owner = Address(wallet.address)
        of = labels(chain=report.name, wallet=name)
        cause = lost.get(owner) or lost.get(None) or ""
        position, value = held.get(owner), Decimal(0)
        if position is not None:
            cause = cause or next((u for u in position.unknown if u.startswith("native")), "")
            value = native_balance(position) or Decimal(0)
        told = None if cause else value
        yield Observation("wallet_native_balance", of, told, cause, at, report.at)
        policy = settings.policy.get(name)
        if wallet.signer is not None and policy is not None and policy.min_gas_balance_eth:
            times = None if told is None else told / policy.min_gas_balance_eth
            yield Observation("gas_reserve_ratio", of, times, cause, at, report.at)


def _sums(report: ChainReport, at: float) -> Iterator[Observation]:
    of = labels(chain=report.name)
    assert report.valuation is not None  # as above
    held = [assessed.position for assessed in report.positions]
    whole = totals([(held, report.valuation)], len(report.unreadable))
    missing = [*whole.unpriced, *(u.cause for u in report.unreadable)]
    cause = f"not all of it is known: {missing[0]}" if missing else ""
    worth = None if whole.partial else whole.priced_usd
    yield Observation("chain_equity_usd", of, worth, cause or "", at, report.at)
    healths, unknown = [], ""
    for found in report.positions:
        judged = found.liquidation
        if judged.status.value == "unknown":
            if judged.health_raw is not None or found.position.kind == "lending":
                unknown = doubts(found)
        elif judged.health_raw is not None:
            healths.append(ratio(judged.health_raw, judged.health_scale))
    unknown = unknown or next((u.cause for u in report.unreadable if u.protocol != WALLET), "")
    least = min(healths, default=None)
    if unknown and (least is None or least >= 1):
        yield Observation("chain_worst_health", of, None, unknown, at, report.at)
    elif least is not None:
        yield Observation("chain_worst_health", of, least, "", at, report.at)


def _gaps(
    report: ChainReport, names: Mapping[Address, str], success_at: float | None
) -> Iterator[Gap]:
    of = labels(chain=report.name)
    if report.at is None:
        yield Gap(of, report.cause or "the chain was not read", success_at)
        return
    for unread in report.unreadable:
        yield from _hidden_by(unread, report, names)
    if report.unreadable:
        yield Gap(of, report.unreadable[0].cause, metrics=prices.METRICS)
    for found in report.positions:
        held = found.position
        if held.kind == WALLET and held.unknown:
            owner = labels(chain=report.name, wallet=names.get(held.owner, held.owner))
            yield Gap(owner, held.unknown[0], metrics=ALLOWANCES)
    if report.fault is not None:
        yield Gap(of, report.cause)


def _hidden_by(
    unread: Unreadable, report: ChainReport, names: Mapping[Address, str]
) -> Iterator[Gap]:
    of = labels(chain=report.name)
    prefix = f"{report.chain_id}:{unread.protocol}:{unread.root}:"
    if unread.owner is not None:
        prefix += unread.owner
    yield Gap(of, unread.cause, positions=prefix)
    if unread.protocol == WALLET:
        owner: Labels = of
        if unread.owner is not None:
            owner = labels(chain=report.name, wallet=names.get(unread.owner, unread.owner))
        yield Gap(owner, unread.cause, metrics=BALANCES | ALLOWANCES)


__all__ = ["names_of", "observe", "position_labels"]
