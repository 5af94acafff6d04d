"""Read what a MetaMorpho vault lends to, as far as withdrawals and shares hang on it.

Reads: of the vault `MORPHO`, `withdrawQueueLength`, `withdrawQueue(i)`, `fee`, `feeRecipient`,
`lastTotalAssets`, `lostAssets` (1.1 only), `DECIMALS_OFFSET`, `timelock`, `owner`, `curator`,
`guardian` and what is pending of them; of each market Morpho's `idToMarketParams`, `market`,
`position`, the vault's `config` and `pendingCap`, and the IRM's `borrowRateView`.
Rounds: as `MetaMorpho._accruedFeeShares`, `_simulateWithdrawMorpho` and `ERC4626` do, down.
A vault is a MetaMorpho when it answers like one, never by its name.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from chain.abi import Function
from chain.calls import Call, Ok, Read, ReadFailed, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address, BlockRef
from chain.units import WAD, mul_div_down
from protocols.erc4626.state import MetaMorpho, QueueMarket
from protocols.morpho import (
    BORROW_RATE_VIEW,
    ID_TO_MARKET_PARAMS,
    MARKET,
    POSITION,
    AccrualReverts,
    MarketParams,
    Totals,
    accrue,
    decode_params,
    decode_totals,
    rate_read,
)

MORPHO: Final = Function("MORPHO()(address)")
QUEUE_LENGTH: Final = Function("withdrawQueueLength()(uint256)")
FEE: Final = Function("fee()(uint96)")
FEE_RECIPIENT: Final = Function("feeRecipient()(address)")
LAST_TOTAL_ASSETS: Final = Function("lastTotalAssets()(uint256)")
LOST_ASSETS: Final = Function("lostAssets()(uint256)")
DECIMALS_OFFSET: Final = Function("DECIMALS_OFFSET()(uint8)")
TIMELOCK: Final = Function("timelock()(uint256)")
OWNER: Final = Function("owner()(address)")
CURATOR: Final = Function("curator()(address)")
GUARDIAN: Final = Function("guardian()(address)")
PENDING_TIMELOCK: Final = Function("pendingTimelock()(uint192,uint64)")
PENDING_GUARDIAN: Final = Function("pendingGuardian()(address,uint64)")
WITHDRAW_QUEUE: Final = Function("withdrawQueue(uint256)(bytes32)")
CONFIG: Final = Function("config(bytes32)(uint184,bool,uint64)")
PENDING_CAP: Final = Function("pendingCap(bytes32)(uint192,uint64)")
BALANCE_OF: Final = Function("balanceOf(address)(uint256)")

_TELLING: Final = (MORPHO, QUEUE_LENGTH, LAST_TOTAL_ASSETS)
"""What no other vault answers all of."""
_OWN: Final = (
    *_TELLING,
    FEE,
    FEE_RECIPIENT,
    LOST_ASSETS,
    DECIMALS_OFFSET,
    TIMELOCK,
    OWNER,
    CURATOR,
    GUARDIAN,
    PENDING_TIMELOCK,
    PENDING_GUARDIAN,
)
MAX_QUEUE: Final = 30
"""`ConstantsLib.MAX_QUEUE_LENGTH`."""
READS: Final = len(_OWN) + MAX_QUEUE
"""How many reads `reads` gives, and how many results `detect` takes."""
_PER_MARKET: Final = 5


@dataclass(frozen=True, slots=True)
class Detected:
    """A MetaMorpho, by its own answers; its markets are still to be read."""

    facts: MetaMorpho
    ids: tuple[bytes, ...]
    last_total_assets: int
    decimals_offset: int


@dataclass(frozen=True, slots=True)
class Queued:
    """One market of the queue; its rate is still to be read."""

    params: MarketParams
    totals: Totals
    shares: int
    row: QueueMarket


def reads(vault: Address) -> tuple[Read, ...]:
    """Return the reads that `detect` decodes; the queue is read to its longest, unasked."""
    queue = (WITHDRAW_QUEUE.at(vault, i) for i in range(MAX_QUEUE))
    return (*(function.at(vault) for function in _OWN), *queue)


def detect(results: Sequence[Result]) -> Detected | None:
    """Return what the vault says of itself, None for another kind of vault.

    Raises `ReadFailed` when it may be a MetaMorpho but an answer is missing.
    """
    own = dict(zip(_OWN, results, strict=False))
    if any(isinstance(own[function], Reverted) for function in _TELLING):
        return None
    if any(isinstance(own[function], Ok) and not _whole(own[function]) for function in _TELLING):
        return None
    said: dict[Function, Any] = {f: f.decode(r) for f, r in own.items() if f is not LOST_ASSETS}
    length = said[QUEUE_LENGTH]
    if length > MAX_QUEUE:
        raise ReadFailed(f"withdrawQueueLength: {length} is more than {MAX_QUEUE}")
    lost = None if isinstance(own[LOST_ASSETS], Reverted) else LOST_ASSETS.decode(own[LOST_ASSETS])
    queue = tuple(WITHDRAW_QUEUE.decode(r) for r in results[len(_OWN) : len(_OWN) + length])
    timelock, guardian = said[PENDING_TIMELOCK], said[PENDING_GUARDIAN]
    facts = MetaMorpho(
        version="1.0" if lost is None else "1.1",
        morpho=said[MORPHO],
        queue=(),
        real_assets=0,
        total_assets=0,
        lost_assets=lost,
        fee=said[FEE],
        fee_recipient=said[FEE_RECIPIENT],
        fee_shares=0,
        owner=said[OWNER],
        curator=said[CURATOR],
        guardian=said[GUARDIAN],
        timelock_s=said[TIMELOCK],
        pending_timelock_s=timelock[0] if timelock[1] else None,
        pending_guardian=guardian[0] if guardian[1] else None,
    )
    return Detected(facts, queue, said[LAST_TOTAL_ASSETS], said[DECIMALS_OFFSET])


def _whole(result: Result) -> bool:
    return isinstance(result, Ok) and len(result.data) == 32


def market_reads(found: Detected, vault: Address, asset: Address) -> tuple[Read, ...]:
    """Return the reads that `markets` decodes: Morpho's cash, then five per market."""
    morpho = found.facts.morpho
    per_market = (
        read
        for i in found.ids
        for read in (
            ID_TO_MARKET_PARAMS.at(morpho, i),
            MARKET.at(morpho, i),
            POSITION.at(morpho, i, vault),
            CONFIG.at(vault, i),
            PENDING_CAP.at(vault, i),
        )
    )
    return (BALANCE_OF.at(asset, morpho), *per_market)


def markets(found: Detected, results: Sequence[Result], at: BlockRef) -> tuple[Queued, ...]:
    """Return the markets of the queue, not yet accrued; raises `ReadFailed`."""
    cash: int = BALANCE_OF.decode(results[0])
    queued = []
    for n, i in enumerate(found.ids):
        params, totals, position, config, pending = results[
            1 + n * _PER_MARKET : 1 + (n + 1) * _PER_MARKET
        ]
        known = decode_params(i, params)
        cap, _, removable_at = CONFIG.decode(config)
        pending_cap, valid_at = PENDING_CAP.decode(pending)
        row = QueueMarket(
            market_id="0x" + i.hex(),
            collateral_token=known.collateral_token,
            lltv=known.lltv,
            supplied=0,
            liquidity=cash,
            withdrawable=0,
            cap=cap,
            pending_cap=pending_cap if valid_at else None,
            removable_at=removable_at,
        )
        shares: int = POSITION.decode(position)[0]
        queued.append(Queued(known, decode_totals(totals, at.timestamp), shares, row))
    return tuple(queued)


def rate_reads(queued: Sequence[Queued]) -> tuple[Call, ...]:
    """Return the reads of the rates of all markets that have a rate model."""
    return tuple(rate_read(one.params, one.totals) for one in queued if _has_irm(one))


def complete(
    found: Detected,
    queued: Sequence[Queued],
    results: Sequence[Result],
    total_supply: int,
    at: BlockRef,
) -> MetaMorpho:
    """Return the vault accrued to the block; `results` answer `rate_reads`.

    Raises `ReadFailed`: where one market cannot be accrued, the vault itself reverts.
    """
    answers = iter(results)
    queue = tuple(_accrued(one, answers, at) for one in queued)
    facts = found.facts
    real = sum(market.supplied for market in queue)
    lost = facts.lost_assets
    if lost is not None and real < found.last_total_assets - lost:
        lost = found.last_total_assets - real
    total = real + (lost or 0)
    interest = max(0, total - found.last_total_assets)
    fee_assets = mul_div_down(interest, facts.fee, WAD)
    virtual = 10**found.decimals_offset
    fee_shares = mul_div_down(fee_assets, total_supply + virtual, total - fee_assets + 1)
    return replace(
        facts,
        queue=queue,
        real_assets=real,
        total_assets=total,
        lost_assets=lost,
        fee_shares=fee_shares,
    )


def convert_to_assets(found: Detected, facts: MetaMorpho, shares: int, total_supply: int) -> int:
    """Return what shares are worth with all fees accrued, rounded down."""
    supply = total_supply + facts.fee_shares + 10**found.decimals_offset
    return mul_div_down(shares, facts.total_assets + 1, supply)


def _has_irm(one: Queued) -> bool:
    return one.params.irm != ZERO_ADDRESS


def _accrued(one: Queued, answers: Iterator[Result], at: BlockRef) -> QueueMarket:
    rate = 0
    if _has_irm(one):
        said = BORROW_RATE_VIEW.known(next(answers))
        if isinstance(said, Unknown):
            raise ReadFailed(f"market {one.row.market_id[:10]}…: {said.reason}")
        rate = said
    try:
        totals = accrue(one.totals, rate, at.timestamp).totals
    except AccrualReverts as reverts:
        raise ReadFailed(f"market {one.row.market_id[:10]}…: {reverts}") from reverts
    supplied = totals.supplied(one.shares)
    liquidity = min(totals.liquidity, one.row.liquidity)
    return replace(
        one.row, supplied=supplied, liquidity=liquidity, withdrawable=min(supplied, liquidity)
    )
