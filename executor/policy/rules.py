"""Every reason to refuse a signature, by name, and what its owner can change.

`lasting` tells that waiting does not help: somebody has to change the config, or the plan.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from executor.types import Refused


class Rule(StrEnum):
    """The name of a reason."""

    PAUSED = "paused"
    NO_POLICY = "no-policy"
    CHAIN = "chain"
    WALLET = "wallet"
    ACCOUNT = "account"
    EXPIRED = "expired"
    OTHER_CALL = "other-call"
    CREATION = "creation"
    TARGET = "target"
    SELECTOR = "selector"
    ARGUMENT = "argument"
    VALUE = "value"
    DELEGATION = "delegation"
    APPROVAL = "approval"
    GAS = "gas"
    FEE = "fee"
    SIMULATION = "simulation"
    OUTFLOW = "outflow"
    PRICE = "price"
    ORACLE_STALE = "oracle-stale"
    ORACLE_GAP = "oracle-gap"
    ORACLE_DOUBT = "oracle-doubt"
    TX_USD = "tx-usd"
    HOUR_USD = "hour-usd"
    DAY_USD = "day-usd"
    TX_WEI = "tx-wei"
    HOUR_WEI = "hour-wei"
    DAY_WEI = "day-wei"
    LEDGER = "ledger"
    RATE = "rate"
    BALANCE = "balance"
    FLOOR = "floor"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Advice:
    """What the owner can do about a rule."""

    todo: str
    lasting: bool = True


ADVICE: Final[dict[Rule, Advice]] = {
    Rule.PAUSED: Advice("run `underkeel resume` when it is safe", lasting=False),
    Rule.NO_POLICY: Advice("write [policy.{wallet}]: else nothing is signed", lasting=False),
    Rule.CHAIN: Advice("name the chain in policy.{wallet}.chains, or plan for another"),
    Rule.WALLET: Advice("plan with the wallet that the policy is for"),
    Rule.ACCOUNT: Advice('give it a kind in [wallets], not "watch", or plan for one of yours'),
    Rule.EXPIRED: Advice("make a new plan"),
    Rule.OTHER_CALL: Advice("make a new plan: this is not what was approved"),
    Rule.CREATION: Advice("deploy contracts by hand"),
    Rule.TARGET: Advice("add its adapter to policy.{wallet}.allow, or itself to .targets"),
    Rule.SELECTOR: Advice("add the function to policy.{wallet}.targets if you mean it"),
    Rule.ARGUMENT: Advice("make a new plan, for accounts of yours only"),
    Rule.VALUE: Advice("make a new plan: this function takes no native coin"),
    Rule.DELEGATION: Advice("name the guard in policy.{wallet}.guards, for this chain only"),
    Rule.APPROVAL: Advice("make a new plan: approvals are exact, to an allowed contract"),
    Rule.GAS: Advice("raise policy.{wallet}.max_gas"),
    Rule.FEE: Advice("wait for lower fees, or raise policy.{wallet}.max_fee_gwei", lasting=False),
    Rule.SIMULATION: Advice("make a new plan: only what was simulated is signed", lasting=False),
    Rule.OUTFLOW: Advice("make a new plan: what leaves the account cannot be counted"),
    Rule.PRICE: Advice("add a [[chains.NAME.prices]] row for the token"),
    Rule.ORACLE_STALE: Advice(
        "wait for the oracle, or raise policy.{wallet}.max_price_age", lasting=False
    ),
    Rule.ORACLE_GAP: Advice(
        "wait until oracle and market agree, or raise policy.{wallet}.max_oracle_gap_bps",
        lasting=False,
    ),
    Rule.ORACLE_DOUBT: Advice("wait until the oracle is sound", lasting=False),
    Rule.TX_USD: Advice("raise policy.{wallet}.max_tx_usd, or plan a smaller step"),
    Rule.HOUR_USD: Advice("wait, or raise policy.{wallet}.max_hour_usd", lasting=False),
    Rule.DAY_USD: Advice("wait, or raise policy.{wallet}.max_day_usd", lasting=False),
    Rule.TX_WEI: Advice("raise policy.{wallet}.max_tx_eth, or plan a smaller step"),
    Rule.HOUR_WEI: Advice("wait, or raise policy.{wallet}.max_hour_eth", lasting=False),
    Rule.DAY_WEI: Advice("wait, or raise policy.{wallet}.max_day_eth", lasting=False),
    Rule.LEDGER: Advice("wait until it is a day old, and find out what it was", lasting=False),
    Rule.RATE: Advice("wait, or raise policy.{wallet}.max_per_hour", lasting=False),
    Rule.BALANCE: Advice("check the RPC: the wallet's balance could not be read", lasting=False),
    Rule.FLOOR: Advice("fund it, or lower policy.{wallet}.min_gas_balance_eth", lasting=False),
    Rule.HEARTBEAT: Advice(
        "touch the file of policy.{wallet}.heartbeat when you have looked", lasting=False
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason, with the figures of the case."""

    rule: Rule
    what: str
    wallet: str
    """The config's name of the wallet."""

    @property
    def todo(self) -> str:
        """Say what to change."""
        return ADVICE[self.rule].todo.format(wallet=self.wallet)

    def __str__(self) -> str:
        return f"{self.rule}: {self.what}; {self.todo}"


def refused(refusals: Iterable[Refusal]) -> Refused:
    """Return all reasons as the executor's one value; lasting if any of them is."""
    found = tuple(refusals)
    lasting = any(ADVICE[refusal.rule].lasting for refusal in found)
    return Refused(" | ".join(str(refusal) for refusal in found), lasting)
