"""Fees of a transaction: what the market asks, what may be paid, how a payload is replaced.

Pure, in wei per gas. Everything that bounds spending rounds down, every minimum rounds up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median_low
from typing import Final

from chain.fees import FeeHistory

PERCENTILES: Final = (25, 50, 90)
"""Columns of rewards to ask `eth_feeHistory` for."""
HEADROOM: Final = 6
"""Full blocks in a row that a first cap survives: the base fee grows by 1/8 with each."""
TRANSFER_GAS: Final = 21_000


@dataclass(frozen=True, slots=True)
class Fees:
    """The two fields of an EIP-1559 transaction; 0 ≤ tip ≤ cap."""

    tip: int
    cap: int


@dataclass(frozen=True, slots=True)
class Market:
    """What a transaction has to pay to be in one of the next blocks."""

    base_fee: int
    """Of the next block."""
    tip: int
    fast_tip: int
    """What gets a transaction into the very next block, nearly always."""

    def fees(self, *, urgent: bool, headroom: int = HEADROOM) -> Fees:
        """Return tip and a cap that survives `headroom` full blocks in a row."""
        tip = self.fast_tip if urgent else self.tip
        base = self.base_fee
        for _ in range(headroom):
            base += max(base // 8, 1) if base else 0
        return Fees(tip, max(base + tip, 1))


def next_base_fee(history: FeeHistory) -> int | None:
    """Return the base fee of the next block; None for an empty history.

    EIP-1559 where the node does not tell: up or down by at most 1/8, by how full the last was.
    """
    blocks = len(history.used)
    if not history.base_fees:
        return None
    last = history.base_fees[-1]
    if len(history.base_fees) > blocks or not blocks:
        return last
    excess = max(-1.0, min(1.0, 2 * history.used[-1] - 1))
    # In millionths, so that the sum stays in integers; up is rounded up.
    change = last * int(excess * 1_000_000)
    return last + (-(-change // 8_000_000) if change > 0 else change // 8_000_000)


def market(history: FeeHistory, node_tip: int | None = None) -> Market | None:
    """Return what the market asks; None where nothing is known.

    Tips are medians over the blocks, so that one block with a bidding war moves nothing; empty
    blocks, whose rewards are zeros, are left out. Where rewards are missing the node's own
    suggestion is taken. No fixed floor is added: that overpays where tips are small.
    """
    base = next_base_fee(history)
    if base is None:
        return None
    rows = [
        row
        for row, used in zip(history.rewards, history.used, strict=False)
        if used > 0 and len(row) == len(PERCENTILES)
    ]
    if rows:
        tip = median_low([row[1] for row in rows])
        fast = max(tip, median_low([row[2] for row in rows]))
    elif node_tip is not None:
        tip = fast = node_tip
    elif history.used and not any(history.used):
        tip = fast = 0  # empty blocks: anything gets in
    else:
        return None
    return Market(base, tip, fast)


def bumped(previous: int) -> int:
    """Return the least value that replaces a field: ⌈1.10·previous⌉, and more than it."""
    return max(-(-previous * 11 // 10), previous + 1)


def replacement(previous: Fees, wanted: Fees) -> Fees:
    """Return the fees of a payload that every node takes in place of the previous one."""
    tip = max(wanted.tip, bumped(previous.tip))
    return Fees(tip, max(wanted.cap, bumped(previous.cap), tip))


def highest(fees: Sequence[Fees]) -> Fees:
    """Return the greatest of each field; replacing that replaces all of them."""
    return Fees(max(f.tip for f in fees), max(f.cap for f in fees))


def cap_from_value(
    value_wei: int | None,
    other_cost_wei: int,
    gas: int,
    *,
    absolute: int,
    gas_limit: int,
    budget_left: int | None = None,
    balance: int | None = None,
    reserve: int = 0,
) -> int:
    """Return F, the most to pay per gas; 0 where the effect is not worth its other costs.

    F = min(F_abs, (V − swap − φR)/gas, budget_left/gas_limit, (balance − reserve)/gas_limit);
    bounds given as None do not bound. `gas` is what is expected to be used.
    """
    bounds = [absolute]
    if value_wei is not None:
        bounds.append((value_wei - other_cost_wei) // max(gas, 1))
    if budget_left is not None:
        bounds.append(budget_left // max(gas_limit, 1))
    if balance is not None:
        bounds.append((balance - reserve) // max(gas_limit, 1))
    return max(0, min(bounds))


def within(wanted: Fees, limit: int, base_fee: int) -> Fees | None:
    """Return `wanted` cut to the limit; None where that would not pay the next base fee."""
    if wanted.cap <= limit:
        return wanted
    if limit < max(base_fee, 1):
        return None
    return Fees(min(wanted.tip, limit), limit)
