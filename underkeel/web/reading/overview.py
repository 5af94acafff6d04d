"""Everything at a glance."""

import bisect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from underkeel.documents import models
from underkeel.documents.overview import Nearest, OverviewTotals, TrendPoint, WalletSum
from underkeel.store.points import find, points
from underkeel.web.reading.common import moment
from underkeel.web.reading.portfolio import Held, nearness

MOST: Final = 12
DAY_S: Final = 86_400
SPAN_S: Final = 900
STALE_S: Final = 3_600
"""A value older than this says nothing of a later time."""
EQUITY: Final = "chain_equity_usd"
HEALTH: Final = "chain_worst_health"


def nearest(positions: Iterable[models.Position], most: int = MOST) -> list[Nearest]:
    """Return the positions that have a debt, the nearest to liquidation first."""
    owed = [one for one in positions if one.liquidation.health_raw is not None]
    return [near(one) for one in sorted(owed, key=nearness)[:most]]


def near(one: models.Position) -> Nearest:
    """Return a position, shortly."""
    judged = one.liquidation
    edge = judged.boundary[0] if judged.boundary else None
    return Nearest(
        id=one.id,
        chain=one.chain,
        protocol=one.protocol,
        market=one.market,
        owner=one.owner,
        owner_name=one.owner_name,
        status=judged.status,
        health_raw=judged.health_raw,
        health_scale=judged.health_scale,
        collateral_usd=side_usd(one, "collateral"),
        debt_usd=side_usd(one, "debt"),
        distance_frac=edge.distance_frac if edge else None,
        factor=(edge.label or edge.factor) if edge else None,
        time_to_liq_s=judged.time_to_liq_s,
        timestamp=one.provenance.timestamp,
        block_number=one.provenance.block_number,
    )


def side_usd(one: models.Position, side: str) -> float | None:
    """Return what one side of a position is worth, above zero; None where a part is unknown."""
    values = [leg.value_usd for leg in one.legs if leg.side == side]
    return None if None in values else abs(sum(value or 0.0 for value in values))


def totals(all_: Held) -> OverviewTotals:
    """Return the sums of everything."""
    owed = [one for one in all_.positions if one.liquidation.health_raw is not None]
    sums = all_.totals
    whole = not all_.unknown
    return OverviewTotals(
        equity_usd=sums.equity_usd,
        priced_usd=sums.priced_usd,
        collateral_usd=_sum(owed, "collateral") if whole else None,
        debt_usd=_sum(owed, "debt") if whole else None,
        partial=sums.partial,
        unpriced=sums.unpriced,
        positions=sums.positions,
        liquidatable=sums.liquidatable,
        unknown=sums.unknown,
    )


def _sum(positions: Sequence[models.Position], side: str) -> float | None:
    values = [side_usd(one, side) for one in positions]
    return None if None in values else sum(value or 0.0 for value in values)


def wallets(all_: Held, names: Mapping[str, str]) -> list[WalletSum]:
    """Return each account's sums; `names` is what the config calls an address.

    What stands for another position counts there only, as in the sum of everything.
    """
    receipts = {(p.chain, p.owner, token) for p in all_.positions for token in p.receipts or ()}
    of: dict[str, list[models.Position]] = {address: [] for address in names}
    for one in all_.positions:
        of.setdefault(one.owner, []).append(one)
    found = []
    for address, positions in of.items():
        values = [value for one in positions for value in _worths(one, receipts)]
        whole = not all_.unknown and None not in values
        priced = sum(value or 0.0 for value in values)
        worst = nearest(positions, 1)
        found.append(
            WalletSum(
                address=address,
                name=names.get(address),
                positions=str(len(positions)),
                equity_usd=priced if whole else None,
                priced_usd=priced,
                worst=worst[0] if worst else None,
            )
        )
    return found


def _worths(one: models.Position, receipts: Collection[tuple[str, str, str]]) -> list[float | None]:
    """Return what a position adds to a sum: itself, or what a wallet holds token by token."""
    if one.kind != "wallet":
        return [one.equity_usd]
    held = [leg.value_usd for leg in one.legs if (one.chain, one.owner, leg.asset) not in receipts]
    return [*held, *([None] if one.unknown else [])]


def unknown_words(unknown: Iterable[models.Unknown]) -> list[str]:
    """Return what could not be read, in words."""
    return [": ".join(part for part in (u.chain, u.market or "", u.cause) if part) for u in unknown]


def trend(db: Connection, chains: Sequence[str], now: float) -> list[TrendPoint]:
    """Return the last day in steps and now; where one chain is unknown, all is unknown."""
    since = now - now % SPAN_S - DAY_S
    ends = [*(since + (i + 1) * SPAN_S for i in range(DAY_S // SPAN_S)), now]
    equity = [_steps(db, EQUITY, chain, ends) for chain in chains]
    owing = [
        c for c in chains if find(db, HEALTH, {"chain": c}) or not find(db, EQUITY, {"chain": c})
    ]
    health = [_steps(db, HEALTH, chain, ends) for chain in owing]  # one without debts has no series
    found = [
        TrendPoint(
            at=moment(end),
            equity_usd=_known([steps[i] for steps in equity], sum),
            worst_health=_known([steps[i] for steps in health], min),
        )
        for i, end in enumerate(ends)
    ]
    known = (i for i, p in enumerate(found) if (p.equity_usd, p.worst_health) != (None, None))
    return found[next(known, len(found)) :]


def _known(values: Sequence[float | None], of: Callable[[Iterable[float]], float]) -> float | None:
    known = [value for value in values if value is not None]
    return of(known) if known and len(known) == len(values) else None


def _steps(db: Connection, metric: str, chain: str, ends: Sequence[float]) -> list[float | None]:
    """Return the last value at the end of each step; None where it is unknown or too old."""
    series = find(db, metric, {"chain": chain})
    if not series:
        return [None] * len(ends)
    read = points(db, series[0].id, ends[0] - STALE_S, ends[-1] + 1)
    times = [point.at for point in read]
    found: list[float | None] = []
    for end in ends:
        at = bisect.bisect_right(times, end) - 1
        old = at < 0 or end - times[at] > STALE_S
        value = None if old else read[at].value
        found.append(None if value is None else float(value))
    return found
