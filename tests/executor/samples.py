"""Intents, attempts and views for the executor's tests."""

from dataclasses import replace
from typing import Any

from chain.types import Address, BlockRef
from executor.fees import Market
from executor.run.view import Observation, View
from executor.types import Attempt, Call, Intent, Kind, State

WALLET = Address("0x" + "11" * 20)
OTHER = Address("0x" + "22" * 20)
MAX = 2**256 - 1


class Clock:
    """Seconds that pass when told to."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def intent(number: int = 1, **changes: Any) -> Intent:
    made = Intent(
        id=f"0x{number:064x}", chain_id=1, account=OTHER, wallet=WALLET,
        call=Call(OTHER, 7, b"\x01\x02"), gas_limit=100_000, deadline=2_000_000,
        fee_cap_abs=10**11, state=State.APPROVED,
    )  # fmt: skip
    return replace(made, **changes)


def attempt(of: Intent, k: int = 0, **changes: Any) -> Attempt:
    made = Attempt(
        of.id, k, Kind.EFFECT, of.nonce or 0, b"raw", f"0x{int(of.id, 16) * 1000 + k:064x}", 10,
        1000 + k, of.gas_limit,
    )  # fmt: skip
    return replace(made, **changes)


def block(number: int, timestamp: int = 1_000_000) -> BlockRef:
    return BlockRef(1, number, f"0x{number:064x}", f"0x{number - 1:064x}", timestamp)


def seen(**changes: Any) -> Observation:
    made = Observation(block(100), 90, 5, 5, Market(1000, 10, 20))
    return replace(made, **changes)


def view(of: Intent, *attempts: Attempt, **changes: Any) -> View:
    observation = changes.pop("seen", seen())
    return View(of, attempts, observation, **({"limit": 10**9} | changes))
