"""No sequence of allowed transactions spends more than a cap, whatever is replaced or lost.

The chain of the test mines, of the live payloads of an intent, whichever it likes, at any time
while they are live, and takes as much gas as the payload allows. The journal loses nothing that was
written before a signature, and settles some time after the chain did; between two verdicts the
process may die and start again from it. Long random walks look for an hour or a day of the chain's
own time in which more was spent than the owner allows, and find one as soon as a rule of the
accounting is left out.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from chain.transactions import Transaction
from chain.types import ZERO_ADDRESS
from executor.policy import spending
from executor.policy.guard import WalletGuard
from executor.policy.limits import DAY_S, HOUR_S, Facts, Simulated
from executor.types import Allowed, Call, Intent, Ledger, Spend
from protocols.aave_v3.actions import REPAY
from tests.executor.policy.scene import (
    ETHER,
    FACTS,
    GWEI,
    LIMITS,
    NOW,
    PRICES,
    TARGET,
    USD,
    USDC,
    WALLET,
    intent,
    transaction,
)

MILLI = ETHER // 1000
CAPS = replace(
    LIMITS,
    max_tx_usd_e6=12_000 * USD,
    max_hour_usd_e6=25_000 * USD,
    max_day_usd_e6=60_000 * USD,
    max_tx_wei=20 * MILLI,
    max_hour_wei=50 * MILLI,
    max_day_wei=120 * MILLI,
    max_per_hour=12,
    floor_wei=ETHER,
)
STEPS = 2_500


@dataclass
class Live:
    """An intent with what may be mined of it."""

    intent: Intent
    amount: int
    """Dollars that leave, in millionths."""
    spend: Spend
    payloads: list[Transaction] = field(default_factory=list)
    mined: tuple[int, int, int] | None = None
    """When, wei, dollars."""


class Walk:
    """A wallet that is asked for all it bears."""

    def __init__(self, seed: int, *, late: bool = True) -> None:
        self.dice = random.Random(seed)
        self.late = late
        self.now = NOW
        self.balance = ETHER + 40 * MILLI
        self.count = 0
        self.live: dict[str, Live] = {}
        self.settled: list[Spend] = []
        self.mined: list[tuple[int, int, int]] = []
        self.allowed = self.refused = 0

    def ledger(self) -> Ledger:
        spends = (*(one.spend for one in self.live.values()), *self.settled)
        return Ledger(self.now, self.balance, spends)

    def ask(self, wanted: Intent, asked: Transaction, amount: int) -> Allowed | None:
        prices = {token: replace(price, updated_at=self.now) for token, price in PRICES.items()}
        simulated = Simulated(True, 1, {USDC: amount}, frozenset({USDC}))
        facts: Facts = replace(FACTS, now=self.now, prices=prices, simulated=simulated)
        verdict = WalletGuard(lambda: CAPS, lambda _: facts, "ops").verdict(
            wanted, asked, self.ledger()
        )
        if isinstance(verdict, Allowed):
            self.allowed += 1
            return verdict
        self.refused += 1
        return None

    def propose(self) -> None:
        """A new intent; if it is allowed, its payload is recorded and signed."""
        self.count += 1
        amount = self.dice.choice([100, 4_000, 8_000, 11_000, 13_000]) * USD
        call = Call(TARGET, 0, REPAY.encode(USDC, amount, 2, WALLET))
        wanted = replace(intent(call, deadline=self.now + 10**6), id=f"0x{self.count:064x}")
        asked = transaction(call, max_fee=self.dice.choice([2, 30, 55]) * GWEI)
        if allowed := self.ask(wanted, asked, amount):
            spend = Spend(wanted.id, self.now, asked.most_wei, allowed.usd_e6, live=True)
            self.live[wanted.id] = Live(wanted, amount, spend, [asked])

    def bump(self) -> None:
        """A dearer or cheaper payload at the same nonce; the old ones stay live."""
        one = self.live[self.dice.choice(sorted(self.live))]
        asked = transaction(one.intent.call, max_fee=self.dice.choice([2, 30, 55]) * GWEI)
        if allowed := self.ask(one.intent, asked, one.amount):
            wei = max(one.spend.wei, asked.most_wei)
            one.spend = replace(one.spend, wei=wei, usd_e6=allowed.usd_e6)
            one.payloads.append(asked)

    def mine(self) -> None:
        """The chain takes any payload of any intent; nobody has told the journal yet."""
        one = self.live[self.dice.choice([n for n, o in self.live.items() if o.mined is None])]
        payload = self.dice.choice(one.payloads)
        usd = one.amount + PRICES[ZERO_ADDRESS].usd_e6(payload.most_wei)
        one.mined = (self.now, payload.most_wei, usd)
        self.mined.append(one.mined)
        self.balance -= payload.most_wei
        self.check()

    def settle(self) -> None:
        """The journal learns what happened."""
        one = self.live.pop(self.dice.choice([n for n, o in self.live.items() if o.mined]))
        assert one.mined is not None
        _, wei, usd = one.mined
        assert one.spend.wei >= wei
        assert one.spend.usd_e6 is not None
        assert one.spend.usd_e6 >= usd
        at = self.now if self.late else one.spend.at
        self.settled.append(replace(one.spend, at=at, wei=wei, usd_e6=usd, live=False))

    def cancel(self) -> None:
        """A no-op took the nonce: nothing of the intent can be mined any more."""
        self.live.pop(self.dice.choice([n for n, o in self.live.items() if o.mined is None]))

    def wait(self) -> None:
        """Time passes; old spends leave the ledger, and now and then somebody fills the wallet."""
        self.now += self.dice.choice([12, 300, 1_200, 1_799, 3_599, 3_600, 40_000])
        self.settled = [spend for spend in self.settled if spend.at > self.now - 25 * HOUR_S]
        self.balance = max(self.balance, self.dice.choice([self.balance, ETHER + 60 * MILLI]))

    def check(self) -> None:
        """Look at the windows that end now."""
        end, wei, usd = self.mined[-1]
        for window, wei_cap, usd_cap in (
            (0, CAPS.max_tx_wei, CAPS.max_tx_usd_e6),
            (HOUR_S, CAPS.max_hour_wei, CAPS.max_hour_usd_e6),
            (DAY_S, CAPS.max_day_wei, CAPS.max_day_usd_e6),
        ):
            inside = [m for m in self.mined[-200:] if end - window < m[0] <= end]
            inside = inside if window else [(end, wei, usd)]
            assert wei_cap is not None
            assert usd_cap is not None
            assert sum(m[1] for m in inside) <= wei_cap, f"wei in {window} s"
            assert sum(m[2] for m in inside) <= usd_cap, f"dollars in {window} s"
        assert self.balance >= CAPS.floor_wei, "floor"

    def run(self, steps: int) -> None:
        for _ in range(steps):
            able: list[Callable[[], None]] = [self.propose, self.propose, self.wait]
            if self.live:
                able += [self.bump]
            if any(one.mined is None for one in self.live.values()):
                able += [self.mine, self.mine, self.cancel]
            if any(one.mined for one in self.live.values()):
                able += [self.settle]
            self.dice.choice(able)()


@pytest.mark.parametrize("seed", range(4))
def test_caps__any_walk__are_never_exceeded(seed: int) -> None:
    walk = Walk(seed)
    walk.run(STEPS)
    assert walk.allowed > 200
    assert walk.refused > 200
    assert len(walk.mined) > 100


def walks(**how: bool) -> None:
    for seed in range(6):
        Walk(seed, **how).run(STEPS)


def test_caps__spends_dated_before_they_were_mined__are_exceeded() -> None:
    """Why the journal dates a spend by its settlement, not by its reservation."""
    with pytest.raises(AssertionError, match=r"in (3600|86400) s"):
        walks(late=False)


@pytest.mark.parametrize(
    ("name", "broken", "said"),
    [
        ("within", lambda spend, now, window: spend.at > now - window, " s"),
        ("within", lambda spend, now, window: not spend.live and spend.at > now - window, " s"),
        ("within", lambda spend, now, window: spend.live, " s"),
        ("below_floor", lambda *_: (), "floor"),
        (
            "renewed",
            lambda ledger, intent, wei, usd_e6: spending.Reserved(wei, usd_e6),
            "spend|cap",
        ),
    ],
    ids=["live-aged", "live-ignored", "spent-ignored", "floor-ignored", "earlier-forgotten"],
)
def test_caps__a_rule_of_the_accounting_left_out__are_exceeded(
    name: str, broken: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from executor.policy import judge

    for module in (spending, judge):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, broken)
    with pytest.raises(AssertionError, match=said):
        walks()
