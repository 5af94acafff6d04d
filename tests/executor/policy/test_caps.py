"""No sequence of allowed transactions spends more than a cap, whatever is replaced or lost.

The chain of the test mines, of the live payloads of an intent, whichever it likes, at any time
while they are live, and takes as much gas as the payload allows. The journal loses nothing that was
written before a signature, and settles some time after the chain did. Hypothesis looks for an hour
or a day of the chain's own time in which more was spent than the owner allows.
"""

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from chain.transactions import Transaction
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

CAPS = replace(
    LIMITS,
    max_tx_usd_e6=12_000 * USD,
    max_hour_usd_e6=20_000 * USD,
    max_day_usd_e6=40_000 * USD,
    max_tx_wei=ETHER // 40,
    max_hour_wei=ETHER // 15,
    max_day_wei=ETHER // 8,
    max_per_hour=6,
    floor_wei=ETHER,
)
FUNDS = 3 * ETHER // 2


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


class Spending(RuleBasedStateMachine):
    """A wallet that is asked for all it bears."""

    @initialize()
    def start(self) -> None:
        self.now = NOW
        self.balance = FUNDS
        self.count = 0
        self.live: dict[str, Live] = {}
        self.settled: list[Spend] = []
        self.mined: list[tuple[int, int, int]] = []

    def ledger(self) -> Ledger:
        spends = (*(one.spend for one in self.live.values()), *self.settled)
        return Ledger(self.now, self.balance, spends)

    def facts(self, amount: int) -> Facts:
        prices = {token: replace(price, updated_at=self.now) for token, price in PRICES.items()}
        simulated = Simulated(True, 1, {USDC: amount}, frozenset({USDC}))
        return replace(FACTS, now=self.now, prices=prices, simulated=simulated)

    def ask(self, wanted: Intent, asked: Transaction, amount: int) -> Allowed | None:
        guard = WalletGuard(CAPS, lambda _: self.facts(amount), "ops")
        verdict = guard.verdict(wanted, asked, self.ledger())
        return verdict if isinstance(verdict, Allowed) else None

    @rule(dollars=st.integers(1, 13_000), gwei=st.integers(1, 60))
    def propose(self, dollars: int, gwei: int) -> None:
        """A new intent; if it is allowed, its payload is recorded and signed."""
        self.count += 1
        amount = dollars * USD
        call = Call(TARGET, 0, REPAY.encode(USDC, amount, 2, WALLET))
        wanted = intent(call, f"{self.count % 256:02x}", deadline=self.now + 10**6)
        asked = transaction(call, max_fee=gwei * GWEI)
        allowed = self.ask(wanted, asked, amount)
        if allowed is not None:
            spend = Spend(wanted.id, self.now, asked.most_wei, allowed.usd_e6, live=True)
            self.live[wanted.id] = Live(wanted, amount, spend, [asked])

    @precondition(lambda self: self.live)
    @rule(data=st.data(), gwei=st.integers(1, 60))
    def replace_(self, data: st.DataObject, gwei: int) -> None:
        """A dearer or cheaper payload at the same nonce; the old ones stay live."""
        one = self.live[data.draw(st.sampled_from(sorted(self.live)))]
        asked = transaction(one.intent.call, max_fee=gwei * GWEI)
        allowed = self.ask(one.intent, asked, one.amount)
        if allowed is not None:
            wei = max(one.spend.wei, asked.most_wei)
            one.spend = replace(one.spend, wei=wei, usd_e6=allowed.usd_e6)
            one.payloads.append(asked)

    @precondition(lambda self: any(one.mined is None for one in self.live.values()))
    @rule(data=st.data())
    def mine(self, data: st.DataObject) -> None:
        """The chain takes any payload of any intent; nobody has told the journal yet."""
        names = sorted(name for name, one in self.live.items() if one.mined is None)
        one = self.live[data.draw(st.sampled_from(names))]
        payload = data.draw(st.sampled_from(one.payloads))
        usd = one.amount + PRICES["0x" + "0" * 40].usd_e6(payload.most_wei)  # type: ignore[index]
        one.mined = (self.now, payload.most_wei, usd)
        self.mined.append(one.mined)
        self.balance -= payload.most_wei

    @precondition(lambda self: any(one.mined for one in self.live.values()))
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """The journal learns what happened."""
        names = sorted(name for name, one in self.live.items() if one.mined)
        one = self.live.pop(data.draw(st.sampled_from(names)))
        assert one.mined is not None
        _, wei, usd = one.mined
        assert one.spend.wei >= wei
        assert one.spend.usd_e6 is not None
        assert one.spend.usd_e6 >= usd
        self.settled.append(replace(one.spend, at=self.now, wei=wei, usd_e6=usd, live=False))

    @precondition(lambda self: any(one.mined is None for one in self.live.values()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A no-op took the nonce: nothing of the intent can be mined any more."""
        names = sorted(name for name, one in self.live.items() if one.mined is None)
        self.live.pop(data.draw(st.sampled_from(names)))

    @rule(seconds=st.sampled_from([12, 600, 1_799, 3_599, 3_600, 3_601, 40_000, 86_400]))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def caps_hold(self) -> None:
        for end, _, _ in self.mined:
            for window, wei_cap, usd_cap in (
                (HOUR_S, CAPS.max_hour_wei, CAPS.max_hour_usd_e6),
                (DAY_S, CAPS.max_day_wei, CAPS.max_day_usd_e6),
            ):
                inside = [m for m in self.mined if end - window < m[0] <= end]
                assert wei_cap is not None
                assert usd_cap is not None
                assert sum(wei for _, wei, _ in inside) <= wei_cap
                assert sum(usd for _, _, usd in inside) <= usd_cap
        for _, wei, usd in self.mined:
            assert CAPS.max_tx_wei is not None
            assert wei <= CAPS.max_tx_wei
            assert usd <= CAPS.max_tx_usd_e6
        assert self.balance >= CAPS.floor_wei


TestSpending = Spending.TestCase
TestSpending.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
