"""A wallet, its policy and facts that allow a repayment; tests change one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from chain.transactions import Transaction
from chain.types import ZERO_ADDRESS, checksum
from executor.policy.grants import POOL, TOKEN, table
from executor.policy.limits import Facts, Limits, Price, Simulated
from executor.types import Call, Intent, Ledger, Spend
from protocols.aave_v3.actions import REPAY

WALLET = checksum("0x" + "a1" * 20)
SAFE = checksum("0x" + "a2" * 20)
STRANGER = checksum("0x" + "bb" * 20)
TARGET = checksum("0x" + "c0" * 20)
USDC = checksum("0x" + "d0" * 20)
WETH = checksum("0x" + "d1" * 20)
NOW = 1_800_000_000
ETHER = 10**18
GWEI = 10**9
USD = 10**6

PRICES = {
    ZERO_ADDRESS: Price(3_000 * 10**8, 18, NOW - 60, 3_600, 5),
    USDC: Price(10**8, 6, NOW - 60, 86_400, -3),
    WETH: Price(3_000 * 10**8, 18, NOW - 60, 3_600, 5),
}
LIMITS = Limits(
    name="ops",
    wallet=WALLET,
    accounts=frozenset({WALLET, SAFE}),
    chain_id=1,
    max_tx_usd_e6=25_000 * USD,
    max_day_usd_e6=100_000 * USD,
    max_hour_usd_e6=60_000 * USD,
    max_fee=60 * GWEI,
    max_gas=1_000_000,
    max_tx_wei=ETHER,
    max_hour_wei=2 * ETHER,
    max_day_wei=4 * ETHER,
    floor_wei=ETHER // 20,
    grants={TARGET: table(POOL), USDC: table(TOKEN), WETH: table(TOKEN)},
)
FACTS = Facts(
    now=NOW,
    prices=PRICES,
    simulated=Simulated(True, 100, {USDC: 10_000 * USD}, frozenset({USDC})),
    needed={(USDC, TARGET): 10_000 * USD},
)
CALL = Call(TARGET, 0, REPAY.encode(USDC, 10_000 * USD, 2, WALLET))


def intent(call: Call = CALL, name: str = "01", **changes: Any) -> Intent:
    found = Intent("0x" + name * 32, 1, WALLET, WALLET, call, 300_000, NOW + 600, 60 * GWEI)
    return replace(found, **changes)


def transaction(call: Call = CALL, **changes: Any) -> Transaction:
    found = Transaction(1, 0, call.to, call.value, call.data, 300_000, 50 * GWEI, GWEI)
    return replace(found, **changes)


def ledger(*spends: Spend, balance: int | None = 10 * ETHER, now: int = NOW) -> Ledger:
    return Ledger(now, balance, spends)
