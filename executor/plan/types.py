"""A plan: the transactions, why, what they cost, and every position before and after.

Amounts are base units, `wei` the native coin's; times Unix seconds; ids and hashes 0x and 64
lower-case hex digits. Dollars are decimal text of at most two places, for people and caps only.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from chain.types import Address, BlockRef
from executor.types import Call, Condition, State, Trigger


class Action(StrEnum):
    """What a plan does, in the order in which a ladder tries it."""

    REPAY = "repay"
    REPAY_WITH_ATOKENS = "repay-with-atokens"
    TOP_UP = "top-up"
    WITHDRAW_AND_REPAY = "withdraw-and-repay"
    DELEVERAGE = "flash-deleverage"
    DEBT_SWAP = "debt-swap"
    COLLATERAL_SWAP = "collateral-swap"
    MOVE = "move"
    EXIT_VAULT = "exit-vault"
    CLOSE_LP = "close-lp"
    REBALANCE = "rebalance"
    SWEEP_ALLOWANCES = "sweep-allowances"


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction; the next may follow when this one is as far as `until` says."""

    id: str
    """Of the intent that carries it out: the same for the same plan of the same block."""
    what: str
    """In words: `approve 1,000 USDC to the pool`."""
    sender: Address
    call: Call
    gas_used: int
    """By simulation."""
    gas_limit: int
    guard: Address | None = None
    """The guard contract whose `usedAt(id)` tells whether it took place."""
    until: State = State.MINED
    """How far it has to be before the next one is signed."""
    deadline: int | None = None
    """Written into the call itself, where the contract takes one."""
    zero: bool = False
    """Whether an answer other than zero means that nothing was done."""


@dataclass(frozen=True, slots=True)
class LegView:
    """One amount of a position."""

    asset: Address
    symbol: str
    decimals: int | None
    side: str
    """A `protocols.types.Side`."""
    name: str
    amount: int


@dataclass(frozen=True, slots=True)
class PositionView:
    """What one position is at one block."""

    id: str
    protocol: str
    market: str
    kind: str
    legs: tuple[LegView, ...]
    health_raw: int | None
    """None without debt, or where nothing can be liquidated."""
    health_scale: int
    equity_usd: str | None
    """None where a part has no price."""
    unknown: tuple[str, ...] = ()
    allowances: int = 0
    """How many others may take something."""


@dataclass(frozen=True, slots=True)
class SwapCost:
    """What swaps and loans on the way lose against the oracles' prices."""

    token_in: str
    token_out: str
    amount_in: int
    amount_out: int
    cost_bps: int | None
    """Below zero where the market pays more than the oracle; None where a price is missing."""
    cost_usd: str | None
    route: str
    """Venues and shares, in words."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What carrying out all steps costs besides what the market moves meanwhile."""

    gas_used: int
    gas_price: int
    """Wei per gas that `fee_wei` was reckoned at: base fee and tip of the block."""
    l1_fee_wei: int
    """For posting data, on chains that charge it apart."""
    fee_wei: int
    """Gas times price, and the fee for data."""
    fee_usd: str | None
    swaps: tuple[SwapCost, ...] = ()
    loan_fee: int = 0
    """What a flash lender takes, in base units of what is lent."""
    total_usd: str | None = None
    """Everything; None where a part is not known in dollars."""


@dataclass(frozen=True, slots=True)
class Lost:
    """An action that was not chosen."""

    action: Action
    reason: str
    cost_usd: str | None = None
    """Of one that would have worked."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done on one chain for one account, and what it leads to."""

    name: str
    """What the config calls it."""
    action: Action
    chain_id: int
    block: BlockRef
    """Everything was read there."""
    time: int
    """Of the block that was simulated: amounts and `after` are exact in a block of that time."""
    expires_at: int
    """Past it nothing of it is signed any more."""
    account: Address
    """Whose positions these are."""
    wallet: Address
    """Who signs, sends and pays."""
    what: str
    why: str
    trigger: Trigger | None
    conditions: tuple[Condition, ...]
    """What must hold afterwards."""
    steps: tuple[Step, ...]
    before: tuple[PositionView, ...]
    """Every position of the account, at the block."""
    after: tuple[PositionView, ...]
    """Every position of the account, after all steps."""
    cost: Cost
    simulated_by: str
    lost: tuple[Lost, ...] = ()
    notes: tuple[str, ...] = field(default=())
    value_wei: int | None = None
    """The expected loss that it avoids; None where that was not reckoned."""
    other_cost_wei: int = 0
    """What it costs besides gas, where `value_wei` is known."""

    def expired(self, now: int) -> bool:
        """Tell whether it may not be carried out any more."""
        return now > self.expires_at

    @property
    def hash(self) -> str:
        """Return the hash over everything in it."""
        from executor.plan.codec import plan_hash

        return plan_hash(self)


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to do."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Something ought to be done, and nothing that the plan may do works."""

    name: str
    reason: str
    lost: tuple[Lost, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocked:
    """Something needed is unknown, so nothing is planned."""

    name: str
    unknown: tuple[str, ...]


Planned = Plan | Nothing | Infeasible | Blocked
