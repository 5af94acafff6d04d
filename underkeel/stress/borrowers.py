"""Who borrows from the vaults of a portfolio: found in Morpho's logs, read at the same block."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from chain.calls import ReadFailed, Reads, gather
from chain.client import connect
from chain.errors import ChainError
from chain.snapshot import Snapshot
from chain.types import ZERO_ADDRESS, Address, BlockRef, checksum
from protocols.adapter import Market
from protocols.erc4626.state import QueueMarket, VaultHolding
from protocols.morpho import MARKET, Totals, decode_totals
from protocols.morpho_blue.adapter import MorphoBlue
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position, Reading, Unreadable
from risk.scenario.lending import Lent, Stake
from underkeel.cache import cache_folder
from underkeel.config.load import Config
from underkeel.discovery import Memory, Progress, Search
from underkeel.portfolio import ChainReport, Open, Portfolio, spec_of

AT_ONCE: Final = 500
"""Borrowers read by one program."""
MOST: Final = 50_000
"""Borrowers of one market; of one with more it is said that they were not read."""


@dataclass(frozen=True, slots=True)
class Borrowers:
    """What vaults stand to lose by their own borrowers."""

    stakes: Mapping[str, Stake] = field(default_factory=dict)
    """By position."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """By position: why its borrowers are not all known."""


def borrowers_of(
    config: Config,
    portfolio: Portfolio,
    progress: Progress,
    opener: Open = connect,
    cache: Path | None = None,
) -> Borrowers:
    """Read the borrowers of every MetaMorpho vault in a portfolio."""
    folder = cache_folder() if cache is None else cache
    stakes: dict[str, Stake] = {}
    unknown: dict[str, str] = {}
    for report in portfolio.chains:
        held = [a.position for a in report.positions if _lends(a.position)]
        if report.at is None or not held:
            continue
        try:
            with opener(
                spec_of(report.name, config.settings.chains[report.name], config)
            ) as client:
                snapshot = client.snapshot(report.at)
                search = Search(
                    client, report.at, Memory.open(folder, report.at.chain_id), progress
                )
                lent = _markets(report, held, snapshot, search, progress)
        except ChainError as error:
            unknown |= {p.id: f"its borrowers: {config.scrub(str(error))}" for p in held}
            continue
        for position in held:
            found = _stake(position, lent)
            if isinstance(found, Stake):
                stakes[position.id] = found
            else:
                unknown[position.id] = found
    return Borrowers(stakes, unknown)


def _lends(position: Position) -> bool:
    state = position.state
    return isinstance(state, VaultHolding) and state.metamorpho is not None


def _queue(position: Position) -> tuple[tuple[Address, QueueMarket], ...]:
    """Return the markets that a vault has something in and that lend at all."""
    state = position.state
    if not isinstance(state, VaultHolding) or state.metamorpho is None:
        return ()
    inner = state.metamorpho
    return tuple(
        (inner.morpho, one)
        for one in inner.queue
        if one.supplied and one.collateral_token != ZERO_ADDRESS
    )


Found = Mapping[tuple[Address, str], "Lent | str | None"]
"""By Morpho and market: who owes, None where nobody does, or why that is not known."""


def _markets(
    report: ChainReport,
    held: Sequence[Position],
    snapshot: Snapshot,
    search: Search,
    progress: Progress,
) -> Found:
    wanted: dict[Address, dict[str, None]] = {}
    for position in held:
        for morpho, one in _queue(position):
            wanted.setdefault(morpho, {})[one.market_id] = None
    found: dict[tuple[Address, str], Lent | str | None] = {}
    total = sum(len(ids) for ids in wanted.values())
    for morpho, ids in wanted.items():
        owners = _owners(report, morpho, tuple(sorted(ids)), search)
        for market_id in ids:
            progress(f"{report.name}: borrowers of vaults", len(found), total)
            found[morpho, market_id] = (
                owners
                if isinstance(owners, str)
                else _lent(morpho, market_id, owners.get(market_id, []), snapshot)
            )
    progress(f"{report.name}: borrowers of vaults", total, total)
    return found


def _owners(
    report: ChainReport, morpho: Address, ids: tuple[str, ...], search: Search
) -> dict[str, list[Address]] | str:
    """Return who ever borrowed, by market, or why that could not be found: one search for all."""
    known = (m.params for m in report.markets if (m.adapter, m.root) == ("morpho-blue", morpho))
    first = next((int(params.get("from_block", 0)) for params in known), 0)
    params = {"market_ids": ids, "from_block": first}
    market = Market("morpho-borrowers", "borrowers of vaults", morpho, params)
    filled, missed = search.complete(market, (morpho,))
    if missed is not None:
        return missed.cause
    found: dict[str, list[Address]] = {}
    for text in filled.params["borrowers"]:
        found.setdefault(text[:66], []).append(checksum("0x" + text[66:]))
    return found


def _lent(
    morpho: Address, market_id: str, owners: Sequence[Address], snapshot: Snapshot
) -> Lent | str | None:
    name = f"market {market_id[:10]}…"
    if len(owners) > MOST:
        return f"{name} has had {len(owners):,} borrowers; more than {MOST:,} are not read"
    reading = Market("morpho-blue", name, morpho, {"market_ids": (market_id,)})
    at, adapter = snapshot.at, MorphoBlue()
    programs = [
        adapter.read(reading, owners[i : i + AT_ONCE], at) for i in range(0, len(owners), AT_ONCE)
    ]
    states: list[MorphoPosition] = []
    for outcome in snapshot.run(gather(programs)):
        if isinstance(outcome, ReadFailed):
            return f"{name}: {outcome.cause}"
        cause = _kept(outcome, states)
        if cause:
            return f"{name}: {cause}"
    return _whole(name, market_id, states, snapshot.run(_totals(morpho, market_id, at)))


def _kept(reading: Reading, states: list[MorphoPosition]) -> str:
    """Add whoever owes; return why somebody could not be read, empty where all were."""
    for one in reading.positions:
        if isinstance(one, Unreadable):
            return one.cause
        if one.unknown:
            return "; ".join(one.unknown)
        if isinstance(one.state, MorphoPosition) and one.state.borrow_shares:
            states.append(one.state)
    return ""


def _totals(morpho: Address, market_id: str, at: BlockRef) -> Reads[Totals | str]:
    (answer,) = yield [MARKET.at(morpho, bytes.fromhex(market_id[2:]))]
    try:
        return decode_totals(answer, at.timestamp)
    except ReadFailed as failure:
        return failure.cause


def _whole(
    name: str, market_id: str, states: Sequence[MorphoPosition], totals: Totals | str
) -> Lent | str | None:
    """Return the market, only if those found owe all that it lends; None where nobody does."""
    if isinstance(totals, str):
        return f"{name}: {totals}"
    owed, total = sum(s.borrow_shares for s in states), totals.borrow_shares
    if owed != total:
        return f"{name}: those found owe {owed / (total or 1):.2%} of what it lends"
    if not states:
        return None
    oracle = states[0].oracle
    if oracle is None or oracle.parts is None:
        return f"{name}: its oracle does not say what moves its price"
    return Lent(market_id, tuple(states))


def _stake(position: Position, lent: Found) -> Stake | str:
    """Return what a vault has in each market that somebody owes in, or why that is unknown."""
    state = position.state
    assert isinstance(state, VaultHolding)
    assert state.metamorpho is not None
    assets = state.metamorpho.total_assets
    rows: list[tuple[Lent, float]] = []
    for morpho, one in _queue(position):
        found = lent[morpho, one.market_id]
        if isinstance(found, str):
            return f"its borrowers: {found}"
        if found is not None and assets:
            rows.append((found, one.supplied / found.totals.supply_assets / assets))
    return Stake(tuple(rows))
