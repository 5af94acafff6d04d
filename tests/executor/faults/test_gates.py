"""Fault 16: an oracle that stands still, or a market that is 20 % away from it."""

from dataclasses import replace

import pytest

from executor.policy.guard import WalletGuard
from executor.policy.limits import Limits, Price
from executor.types import Allowed, Refused
from tests.executor.policy.scene import (
    FACTS,
    LIMITS,
    NOW,
    PRICES,
    TARGET,
    USDC,
    intent,
    ledger,
    transaction,
)

TRADING = {
    selector: replace(grant, swaps=True) for selector, grant in LIMITS.grants[TARGET].items()
}
SWAPPING = replace(LIMITS, grants={**LIMITS.grants, TARGET: TRADING})
FAULTS = {
    "stale": replace(PRICES[USDC], updated_at=NOW - 90_000),
    "20% above": replace(PRICES[USDC], gap_bps=2_000),
    "20% below": replace(PRICES[USDC], gap_bps=-2_000),
}


def verdict(limits: Limits, price: Price, *, red: bool) -> Allowed | Refused:
    facts = replace(FACTS, prices=PRICES | {USDC: price}, red_zone=red)
    guard = WalletGuard(lambda: limits, lambda _: facts, "ops")
    return guard.verdict(intent(), transaction(), ledger())


@pytest.mark.parametrize("red", [False, True], ids=["calm", "red zone"])
@pytest.mark.parametrize("fault", FAULTS)
def test_fault_16__oracle_and_market_apart__no_swap_and_it_is_told(fault: str, red: bool) -> None:
    """Invariant: nothing that trades is signed, and the refusal says which token and why."""
    assert isinstance(verdict(SWAPPING, PRICES[USDC], red=red), Allowed)
    answer = verdict(SWAPPING, FAULTS[fault], red=red)
    assert isinstance(answer, Refused)
    assert "oracle" in answer.reason.lower() or "price" in answer.reason.lower()


@pytest.mark.parametrize("fault", ["20% above", "20% below"])
def test_fault_16__red_zone__what_trades_nothing_still_goes(fault: str) -> None:
    """Invariant: a market that lies does not keep the owner from paying a debt back."""
    assert isinstance(verdict(LIMITS, FAULTS[fault], red=True), Allowed)
