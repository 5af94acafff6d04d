"""Read, at the block of a portfolio, everything that its positions stand on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

from chain.calls import ReadFailed, gather
from chain.client import Client
from chain.networks import by_id
from chain.snapshot import Snapshot
from chain.types import Address, BlockRef
from protocols.adapter import Market
from protocols.exposure.dependencies import Values, dependencies
from protocols.exposure.roles import Grant, grant_of
from protocols.exposure.state import Dependencies, Link, LinkKind, Survey
from protocols.exposure.survey import roles_unread, survey
from protocols.tokens import short
from protocols.types import Position
from risk.exposure.exits import Taking, takings
from underkeel.discovery import Memory, Progress, Search
from underkeel.exposure.history import since
from underkeel.portfolio import ChainReport
from underkeel.valuation import SIGN, Valuation, worth

LOG_PASSES: Final = 6
"""How often newly found role holders may lead to further contracts with roles."""
MOST_GRANTS: Final = 2_000
"""Grants of one contract whose holders are asked for; of one with more they stay unknown."""
ROLES: Final = "access-control"


@dataclass(frozen=True, slots=True)
class Read:
    """What one chain's positions stand on, at one block."""

    name: str
    at: BlockRef
    positions: tuple[Position, ...]
    ead_usd: Mapping[str, float | None]
    """By position: what could be lost of it; None where it has no price."""
    dependencies: tuple[Dependencies, ...]
    survey: Survey
    takings: Mapping[str, tuple[tuple[Taking, float | None], ...]]
    """By position: its allowances, and what each lets go in dollars."""
    changed: Mapping[str, int] = field(default_factory=dict)
    """By address: the time from which the code is what it is, where history was asked for."""


def read_chain(
    client: Client,
    report: ChainReport,
    cache: Path,
    progress: Progress,
    *,
    logs: bool = True,
    history: bool = False,
) -> Read:
    """Return what the positions of one chain stand on, at the report's own block."""
    assert report.at is not None
    assert report.valuation is not None
    at, valuation = report.at, report.valuation
    snapshot = client.snapshot(at)
    positions = tuple(a.position for a in report.positions)
    received = {(p.owner, token) for p in positions for token in p.receipts}
    ead = {p.id: _exposure_at_default(p, valuation, received) for p in positions}
    progress(f"{report.name}: what positions stand on", 0, 3)
    direct = _direct(snapshot, positions, valuation)
    taken = {p.id: _taken(p, valuation) for p in positions if p.allowances}
    direct = tuple(_with_spenders(d, taken.get(d.position, ()), ead[d.position]) for d in direct)
    progress(f"{report.name}: what positions stand on", 1, 3)
    search = Search(client, at, Memory.open(cache, at.chain_id), progress) if logs else None
    found = _followed(snapshot, direct, search)
    progress(f"{report.name}: what positions stand on", 2, 3)
    changed = since(client, at, found, progress) if history else {}
    progress(f"{report.name}: what positions stand on", 3, 3)
    return Read(report.name, at, positions, ead, direct, found, taken, changed)


def _direct(
    snapshot: Snapshot, positions: Sequence[Position], valuation: Valuation
) -> tuple[Dependencies, ...]:
    programs = [dependencies(p, _values(p, valuation)) for p in positions]
    outcomes = snapshot.run(gather(programs))
    return tuple(
        Dependencies(p.id, unknown=(outcome.cause,)) if isinstance(outcome, ReadFailed) else outcome
        for p, outcome in zip(positions, outcomes, strict=True)
    )


def _values(position: Position, valuation: Valuation) -> Values:
    worths = (valuation.usd(leg) for leg in position.legs)
    return Values(tuple(None if w is None else Fraction(w) for w in worths))


def _followed(snapshot: Snapshot, direct: Sequence[Dependencies], search: Search | None) -> Survey:
    """Return the survey, with the holders of roles that only logs name where they were read."""
    network = by_id(snapshot.at.chain_id)
    block_time = network.block_time_s if network else 0.0
    found = snapshot.run(survey(direct, block_time_s=block_time))
    grants: dict[Address, Sequence[Grant]] = {}
    tried: set[Address] = set()
    for _ in range(LOG_PASSES if search else 0):
        unread = [a for a in roles_unread(found) if a not in tried]
        if not unread or search is None:
            break
        for address in unread:
            tried.add(address)
            market = Market(ROLES, f"roles of {address[:10]}…", address, {})
            filled, missed = search.complete(market, (address,))
            texts = filled.params.get("grants", ())
            if missed is None and len(texts) <= MOST_GRANTS:
                grants[address] = [grant_of(text) for text in texts]
        found = snapshot.run(survey(direct, grants, found.facts, block_time))
    return found


def _exposure_at_default(
    position: Position, valuation: Valuation, received: set[tuple[Address, Address]]
) -> float | None:
    """Return what could be lost: never more than equity, because a loan is not owed beyond it.

    Of a wallet, what stands for another position counts there.
    """
    if position.unknown:
        return None
    total = Fraction(0)
    for leg in position.legs:
        counted_elsewhere = (
            position.kind == "wallet" and (position.owner, leg.token.address) in received
        )
        if not SIGN[leg.side] or counted_elsewhere:
            continue
        value = valuation.usd(leg)
        if value is None:
            return None
        total += Fraction(value)
    return max(0.0, float(total))


def _taken(position: Position, valuation: Valuation) -> tuple[tuple[Taking, float | None], ...]:
    unread = {
        given.token.address: cause
        for given in position.allowances
        for cause in position.unknown
        if short(given.token.address) in cause
    }
    rows = []
    for taking in takings(position.allowances, position.legs, unread):
        token = taking.allowance.token
        value = None
        if taking.takes is not None:
            usd = worth(taking.takes, token, valuation.book.usd(token.address))
            value = None if usd is None else float(usd)
        rows.append((taking, value))
    return tuple(rows)


def _with_spenders(
    direct: Dependencies,
    taken: Sequence[tuple[Taking, float | None]],
    ead: float | None,
) -> Dependencies:
    """Return the dependencies with whoever may take tokens, at the part that he may take.

    Allowances to one spender add up; what has no price counts whole.
    """
    shares: dict[Address, float] = {}
    named: dict[Address, list[str]] = {}
    for taking, value in taken:
        spender = taking.allowance.spender
        share = 1.0
        if taking.takes == 0:
            share = 0.0
        elif value is not None and ead:
            share = value / ead
        shares[spender] = min(1.0, shares.get(spender, 0.0) + share)
        named.setdefault(spender, []).append(taking.allowance.token.symbol)
    links = tuple(
        Link(direct.position, spender, LinkKind.SPENDER,
             f"allowance of {', '.join(named[spender])}", share)
        for spender, share in shares.items()
    )  # fmt: skip
    return replace(direct, links=(*direct.links, *links))
