"""Scan a Compound v2 market: its borrowers from logs, their accounts by a lens, judged by integers.

Debt is only ever opened with a cToken's `Borrow`, and cTokens only ever arrive with a `Transfer`
(minting is one from the cToken), so that the two find everybody. Each account is judged by the
integer engine; how far it is, in floats. Principals are not public, so a debt is known within a
base unit or two: an account on that edge is read again alone, where the contract says its debt.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from eth_utils.crypto import keccak

from chain.calls import ReadFailed, Reads
from chain.client import Client
from chain.types import Address, BlockRef
from chain.units import WAD
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.bulk import Accounts, read_accounts
from protocols.compound_v2.math import owed
from protocols.compound_v2.state import CompoundAccount
from protocols.types import Position
from risk.bulk import Curve, CurvePoint
from risk.distance.linear import margin_of
from risk.liquidation.compound_v2 import ENGINE
from risk.liquidation.engine import NOW, Factor
from underkeel.scan.accounts import Sources
from underkeel.scan.report import Counts, Row

BORROW: Final = "Borrow(address,uint256,uint256,uint256)"
TRANSFER: Final = "Transfer(address,address,uint256)"
DOLLAR: Final = 10**36
"""Of an oracle's price times base units."""


@dataclass(slots=True)
class Judged:
    """One account and what is known of it."""

    account: str
    state: CompoundAccount | None
    status: str
    health: float | None = None
    cause: str | None = None


def sources(root: Address, *, borrowers_only: bool) -> Reads[Sources]:
    """Read where a market's logs are. Raises `ReadFailed` where there is no Comptroller."""
    (answer,) = yield [c.GET_ALL_MARKETS.at(root)]
    events = (BORROW,) if borrowers_only else (BORROW, TRANSFER)
    topics = tuple("0x" + keccak(text=event).hex() for event in events)
    return Sources(tuple(c.GET_ALL_MARKETS.decode(answer)), topics, in_data=True)


def read(client: Client, market: Market, at: BlockRef, owners: bytes, shard: int) -> list[Judged]:
    """Return every account of `owners`, 20 bytes each, judged; raises `ReadFailed`."""
    packed = np.frombuffer(owners, np.uint8).reshape(-1, 20)
    snapshot = client.snapshot(at)
    found: list[Judged] = []
    edge: list[int] = []
    for start in range(0, len(packed), shard):
        some = snapshot.bulk(read_accounts(market, packed[start : start + shard], at))
        for row in range(len(some)):
            one = _judged(some, row)
            if one is None:
                edge.append(len(found))
                one = Judged(some.grid.address(row), None, "unknown", cause="on the edge")
            found.append(one)
    for i in edge:
        found[i] = _alone(client, market, at, Address(found[i].account))
    return found


def _judged(some: Accounts, row: int) -> Judged | None:
    """Return what is known of an account; None where a base unit of debt decides."""
    account = some.grid.address(row)
    try:
        state = some.state(row)
        least = some.state(row, least=True)
    except ReadFailed as failure:
        return Judged(account, None, "unknown", cause=failure.cause)
    healths = ENGINE.health(state), ENGINE.health(least)
    if healths[0] is None or healths[1] is None:
        return Judged(account, state, "not_liquidatable")
    if (healths[0] < WAD) is not (healths[1] < WAD):
        return None
    return _with(account, state, healths[0], (*some.rules.foreign, *some.rules.unknown))


def _alone(client: Client, market: Market, at: BlockRef, account: Address) -> Judged:
    """Read an account by the adapter."""
    reading = client.snapshot(at).run(CompoundV2().read(market, [account], at))
    position = next((p for p in reading.positions if isinstance(p, Position)), None)
    state = position.state if position else None
    if position is None or not isinstance(state, CompoundAccount):
        return Judged(account, None, "unknown", cause="it could not be read")
    health = ENGINE.health(state)
    return _with(account, state, WAD if health is None else health, position.unknown)


def _with(account: str, state: CompoundAccount, health: int, doubts: Sequence[str]) -> Judged:
    problems = [f"{f.label or f.name}: {p}" for f in ENGINE.factors(state) for p in f.problems]
    cause = next(iter((*doubts, *problems)), None)
    status = "liquidatable" if health < WAD else "unknown" if cause else "safe"
    return Judged(account, state, status, health / WAD, cause)


def report(
    found: Sequence[Judged], below: float | None, top: int | None
) -> tuple[Counts, tuple[Row, ...], float | None]:
    """Return the counts, the rows that pass the filters, the worst first, and the unit."""
    dollars = all(one.state.dollars for one in found if one.state is not None)
    unit = 1.0 if dollars else None
    ranked = sorted(found, key=_rank)
    kept = [one for one in ranked if below is None or _rank(one) < below][:top]
    values = [_value(one.state) for one in found if one.state is not None]
    counts = Counts(
        accounts=len(found),
        borrowers=sum(one.health is not None for one in found),
        liquidatable=sum(one.status == "liquidatable" for one in found),
        unknown=sum(one.status == "unknown" for one in found),
        unread=sum(one.state is None for one in found),
        settled=0,
        collateral_usd=sum(v[0] for v in values) if dollars else None,
        debt_usd=sum(v[1] for v in values) if dollars else None,
    )
    return counts, tuple(_row(one, dollars=dollars) for one in kept), unit


def _rank(one: Judged) -> float:
    if one.state is None:
        return -1.0
    return float("inf") if one.health is None else one.health


def _row(one: Judged, *, dollars: bool) -> Row:
    move, factor = _nearest(one) if one.state is not None else (None, None)
    values = _value(one.state) if one.state is not None and dollars else None
    return Row(
        account=one.account,
        status=one.status,
        health=one.health,
        distance_frac=move,
        factor=factor,
        collateral_usd=values[0] if values else None,
        debt_usd=values[1] if values else None,
        cause=one.cause,
    )


def _value(state: CompoundAccount, prices: Mapping[str, int] = NOW) -> tuple[float, float]:
    """Return collateral that counts and debts, in the oracle's currency."""
    held = due = 0.0
    for one in state.holdings:
        quote = one.market.quote
        if quote is None or not one.entered:
            continue
        price = quote.price(prices.get(quote.factor))
        if one.counts:
            held += one.supplied * price / DOLLAR
        due += owed(one.debt, price) / WAD
    return held, due


def _nearest(one: Judged) -> tuple[float | None, str | None]:
    """Return by what fraction which factor alone has to move least, in floats."""
    if one.state is None or one.status == "not_liquidatable":
        return None, None
    if one.status == "liquidatable":
        return 0.0, None
    margin = margin_of(one.state)
    if margin is None:
        return None, None
    labels = {f.name: f.label or f.name for f in ENGINE.factors(one.state)}
    moves = [
        (-margin.h0 / slope, labels[name])
        for name, slope in zip(margin.factors, margin.slope.tolist(), strict=True)
        if slope and -margin.h0 / slope > -1 and name in labels
    ]
    return min(moves, key=lambda pair: abs(pair[0]), default=(None, None))


def factors_of(found: Sequence[Judged]) -> dict[str, Factor]:
    """Return every factor that an account hangs on, by name."""
    states = (one.state for one in found if one.state is not None)
    return {f.name: f for state in states for f in ENGINE.factors(state)}


def curve(
    found: Sequence[Judged], raws: Mapping[str, int], moves: Sequence[Fraction]
) -> Iterator[CurvePoint]:
    """Yield the market with factors moved together; debts are the greatest they can be."""
    states = [one.state for one in found if one.state is not None and one.health is not None]
    for move in moves:
        prices = {name: max(1, int(raw * (1 + move))) for name, raw in raws.items()}
        taken = [s for s in states if (h := ENGINE.health(s, prices)) is not None and h < WAD]
        values = [_value(state, prices) for state in taken]
        yield CurvePoint(
            move,
            len(taken),
            sum(v[0] for v in values),
            sum(v[1] for v in values),
            sum(max(v[1] - v[0], 0.0) for v in values),
            0,
        )


__all__ = ["Curve", "curve", "factors_of", "read", "report", "sources"]
