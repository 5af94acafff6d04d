"""Caps on what is spent: per transaction, in any hour, in any day, in dollars and in wei.

Windows slide: a bucket that refills would let nearly twice its size through around a refill. What
is signed and may still be mined counts whatever its age; what was spent counts from the time it
was settled, which is never before it was mined. So for every hour of the chain's own time

    sum of what was mined in it ≤ cap

because at the verdict over the last of those transactions each of the others was either live or
settled less than an hour ago.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from chain.transactions import Transaction
from executor.policy.limits import DAY_S, HOUR_S, Limits
from executor.policy.rules import Refusal, Rule
from executor.types import Ledger, Spend

_WINDOWS: Final = (
    ("hour", HOUR_S, Rule.HOUR_USD, Rule.HOUR_WEI),
    ("day", DAY_S, Rule.DAY_USD, Rule.DAY_WEI),
)


@dataclass(frozen=True, slots=True)
class Reserved:
    """What one intent is counted for while any payload of it may be mined."""

    wei: int
    usd_e6: int


def others(ledger: Ledger, intent: str) -> tuple[Spend, ...]:
    """Return all spends but the live one of this very intent, which a verdict renews."""
    return tuple(s for s in ledger.spends if not (s.live and s.intent == intent))


def renewed(ledger: Ledger, intent: str, wei: int, usd_e6: int) -> Reserved:
    """Return what the intent counts for: an earlier payload may still be the one mined."""
    own = [spend for spend in ledger.spends if spend.live and spend.intent == intent]
    return Reserved(
        max([wei, *(spend.wei for spend in own)]),
        max([usd_e6, *(spend.usd_e6 or 0 for spend in own)]),
    )


def uncounted(limits: Limits, ledger: Ledger, now: int) -> Iterator[Refusal]:
    """Yield a refusal where a spend of the last day is of unknown worth: no sum would be true."""
    odd = [s.intent for s in ledger.spends if s.usd_e6 is None and within(s, now, DAY_S)]
    if odd:
        yield Refusal(Rule.LEDGER, f"nobody counted what {odd[0]} is worth", limits.name)


def within(spend: Spend, now: int, window_s: int) -> bool:
    """Whether a spend counts in the window that ends now."""
    return spend.live or spend.at > now - window_s


def over_caps(
    limits: Limits, ledger: Ledger, now: int, intent: str, reserved: Reserved
) -> Iterator[Refusal]:
    """Yield every cap that the reservation would break."""
    for rule, cap, spent, unit in _sums(limits, ledger, now, intent, reserved):
        if cap is not None and spent > cap:
            shown = f"{money(spent)} of {money(cap)}" if unit == "usd" else f"{spent} of {cap} wei"
            yield Refusal(rule, f"it would come to {shown}", limits.name)


def _sums(
    limits: Limits, ledger: Ledger, now: int, intent: str, reserved: Reserved
) -> Iterator[tuple[Rule, int | None, int, str]]:
    yield Rule.TX_USD, limits.max_tx_usd_e6, reserved.usd_e6, "usd"
    yield Rule.TX_WEI, limits.max_tx_wei, reserved.wei, "wei"
    before = others(ledger, intent)
    caps = {
        Rule.HOUR_USD: limits.max_hour_usd_e6,
        Rule.DAY_USD: limits.max_day_usd_e6,
        Rule.HOUR_WEI: limits.max_hour_wei,
        Rule.DAY_WEI: limits.max_day_wei,
    }
    for _, window_s, usd, wei in _WINDOWS:
        counted = [spend for spend in before if within(spend, now, window_s)]
        yield usd, caps[usd], sum(s.usd_e6 or 0 for s in counted) + reserved.usd_e6, "usd"
        yield wei, caps[wei], sum(s.wei for s in counted) + reserved.wei, "wei"


def too_many(limits: Limits, ledger: Ledger, now: int, intent: str) -> Iterator[Refusal]:
    """Yield a refusal where this would be one intent too many in an hour."""
    if limits.max_per_hour is None:
        return
    count = len({s.intent for s in ledger.spends if within(s, now, HOUR_S)} | {intent})
    if count > limits.max_per_hour:
        what = f"it would be number {count} within an hour, {limits.max_per_hour} are allowed"
        yield Refusal(Rule.RATE, what, limits.name)


def below_floor(
    limits: Limits, ledger: Ledger, transaction: Transaction, intent: str, reserved: Reserved
) -> Iterator[Refusal]:
    """Yield a refusal where the wallet could fall below its floor."""
    if ledger.balance is None:
        yield Refusal(Rule.BALANCE, "the wallet's balance is unknown", limits.name)
        return
    live = sum(spend.wei for spend in others(ledger, intent) if spend.live)
    left = ledger.balance - live - max(reserved.wei, transaction.most_wei)
    if left < limits.floor_wei:
        what = f"as little as {left} wei would be left, and {limits.floor_wei} have to"
        yield Refusal(Rule.FLOOR, what, limits.name)


def money(usd_e6: int) -> str:
    """Return millionths of a dollar for people, rounded up to the cent."""
    cents = -(-usd_e6 // 10_000)
    return f"${cents // 100:,}.{cents % 100:02}"
