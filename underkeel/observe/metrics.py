"""Every metric there is: its unit, its labels, which way is better, and who measures it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Better(StrEnum):
    """Which way a value improves."""

    UP = "up"
    DOWN = "down"
    NEITHER = "neither"


class Source(StrEnum):
    """Which reading gives a metric."""

    CHAIN = "chain"
    """A `ChainReport`: every cycle of that chain."""
    TRANSACTIONS = "transactions"
    """The executor's journal."""
    STUDY = "study"
    """What positions stand on: the exposure study, every now and then."""
    SERVICE = "service"
    """The monitor itself, by its clock."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric."""

    unit: str
    """`ratio`, `seconds`, `usd`, `bps`, `coin`, `bool` (0 or 1) or `count`."""
    labels: tuple[str, ...]
    better: Better
    source: Source
    help: str


POSITION: Final = ("chain", "market", "position", "protocol", "wallet")
CHANGE: Final = ("chain", "market", "protocol", "subject", "what")
UP, DOWN, NEITHER = Better.UP, Better.DOWN, Better.NEITHER
CHAIN, TRANSACTIONS = Source.CHAIN, Source.TRANSACTIONS
STUDY, SERVICE = Source.STUDY, Source.SERVICE

METRICS: Final[Mapping[str, Metric]] = {
    "health_factor": Metric(
        "ratio", POSITION, UP, CHAIN, "Health by the protocol's own rule; below 1 is liquidatable."
    ),
    "liquidation_distance": Metric(
        "ratio", POSITION, UP, CHAIN, "How far the nearest price alone may move until liquidation."
    ),
    "time_to_liquidation": Metric(
        "seconds", POSITION, UP, CHAIN, "Until interest alone makes it liquidatable."
    ),
    "liquidatable": Metric(
        "bool", POSITION, DOWN, CHAIN, "1: the protocol would let anyone liquidate it now."
    ),
    "position_unknown": Metric(
        "bool", POSITION, DOWN, CHAIN, "1: something of it is unread, stale or not verified."
    ),
    "collateral_usd": Metric("usd", POSITION, NEITHER, CHAIN, "What is counted as collateral."),
    "debt_usd": Metric("usd", POSITION, NEITHER, CHAIN, "What is owed, as a positive number."),
    "equity_usd": Metric("usd", POSITION, UP, CHAIN, "Assets less debts."),
    "asset_price_usd": Metric(
        "usd", ("asset", "chain", "source"), NEITHER, CHAIN, "One whole token, by one source."
    ),
    "oracle_age": Metric(
        "seconds", ("asset", "chain", "source"), DOWN, CHAIN, "Since the price was last updated."
    ),
    "oracle_overdue": Metric(
        "seconds",
        ("asset", "chain", "source"),
        DOWN,
        CHAIN,
        "How much longer than it promises a price has been silent; 0: it is on time.",
    ),
    "price_divergence_bps": Metric(
        "bps", ("asset", "chain"), DOWN, CHAIN, "Between the sources of one token's price."
    ),
    "wallet_native_balance": Metric(
        "coin", ("chain", "wallet"), UP, CHAIN, "The native coin, in whole coins."
    ),
    "gas_reserve_ratio": Metric(
        "ratio",
        ("chain", "wallet"),
        UP,
        CHAIN,
        "Native balance of a wallet with a signer, by the policy's least balance.",
    ),
    "allowance_unlimited": Metric(
        "bool",
        ("asset", "chain", "spender", "wallet"),
        DOWN,
        CHAIN,
        "1: the spender may take all of the token, now and later.",
    ),
    "market_unread": Metric(
        "bool",
        ("chain", "market", "protocol"),
        DOWN,
        CHAIN,
        "1: the market, or a watched account in it, could not be read.",
    ),
    "parameter_change_age": Metric(
        "seconds", CHANGE, NEITHER, CHAIN, "Since a rule of a market changed; for a week."
    ),
    "oracle_change_age": Metric(
        "seconds", CHANGE, NEITHER, CHAIN, "Since a market took a price from elsewhere; for a week."
    ),
    "implementation_change_age": Metric(
        "seconds",
        ("chain", "subject", "what"),
        NEITHER,
        STUDY,
        "Since code that positions stand on was replaced; for a week.",
    ),
    "feed_change_age": Metric(
        "seconds",
        ("chain", "subject", "what"),
        NEITHER,
        STUDY,
        "Since a feed took its answers from elsewhere; for a week.",
    ),
    "chain_equity_usd": Metric(
        "usd", ("chain",), UP, CHAIN, "Everything on the chain, debts subtracted, counted once."
    ),
    "chain_worst_health": Metric(
        "ratio", ("chain",), UP, CHAIN, "The least health of all positions with a debt."
    ),
    "chain_up": Metric("bool", ("chain",), UP, CHAIN, "0: the chain could not be read."),
    "data_age": Metric(
        "seconds", ("chain",), DOWN, CHAIN, "How old the newest whole reading of a chain is."
    ),
    "reorg_depth": Metric(
        "count", ("chain",), DOWN, SERVICE, "Blocks that the last reorganisation took back."
    ),
    "transaction_pending_age": Metric(
        "seconds", ("chain", "wallet"), DOWN, TRANSACTIONS, "Since the oldest unmined was sent."
    ),
    "nonce_gap": Metric(
        "count", ("chain", "wallet"), DOWN, TRANSACTIONS, "Sent transactions that are not mined."
    ),
    "plans_outcome_unknown": Metric(
        "count", ("chain", "wallet"), DOWN, TRANSACTIONS, "Executions whose outcome is unknown."
    ),
    "signer_locked": Metric(
        "bool", ("wallet",), DOWN, SERVICE, "1: the wallet's secret could not be found."
    ),
    "delivery_failing": Metric(
        "count", ("channel",), DOWN, SERVICE, "Attempts in a row that a channel did not take."
    ),
    "service_degraded": Metric(
        "count", ("what",), DOWN, SERVICE, "What the monitor left out to keep up, or lost."
    ),
}
"""By name; the only names that `expr` of a rule may have."""


def of_source(source: Source) -> frozenset[str]:
    """Return the metrics that one kind of reading gives."""
    return frozenset(name for name, metric in METRICS.items() if metric.source is source)


CHAIN_METRICS: Final = of_source(Source.CHAIN)
POSITION_METRICS: Final = frozenset(n for n, m in METRICS.items() if m.labels == POSITION)
