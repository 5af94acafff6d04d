"""Run the intents of one wallet: read, decide, record, act.

    runner = Runner(journal, sender, signer, policy, holder="host:pid")
    for report in runner.tick():  # at each new block
        ...

A runner keeps nothing in memory that matters: each pass starts from the journal and the chain, so
a crash at any point is the same as a slow pass. Errors of the chain end a pass with a report and
change nothing; `LeaseLost` and `WrongStamp` are raised, because going on would be wrong.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from chain.errors import ChainError
from chain.fees import DATA_FEES
from chain.networks import FeeKind
from chain.replies import best
from chain.sending import Sender
from chain.transactions import Kind as Form
from chain.transactions import SignedAuthorization, Transaction, tx_hash
from chain.wallet.signer import Signer, verified
from executor import fees
from executor.journal.errors import NotWritten, RowChanged
from executor.journal.journal import Journal
from executor.run import reconcile
from executor.run.actions import Action, Bind, Send, Sign, Wait
from executor.run.change import changed, sent, signed
from executor.run.observe import Scene, data_fee, observe, scene
from executor.run.ports import Judge, Judgement, Policy, Standing
from executor.run.rules import decide, first_fees
from executor.run.view import Settings, View
from executor.types import Attempt, Call, Intent, Kind, Lease, Ledger, Refused, State
from executor.value import MARGIN, RED_MARGIN

log = logging.getLogger(__name__)

LEDGER_S: Final = 25 * 3600
"""Spends of so long are shown to the policy: its longest window is a day."""
STEPS: Final = 12
"""Decisions about one intent in one pass."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a pass did about one intent."""

    intent: str
    """Empty where the pass as a whole is meant."""
    state: State | None
    what: str


class Busy(Exception):
    """Another process holds the wallet's lease."""


class Runner:
    """Acts for one wallet on one chain."""

    def __init__(
        self,
        journal: Journal,
        sender: Sender,
        signer: Signer,
        policy: Policy,
        *,
        holder: str,
        judge: Judge | None = None,
        settings: Settings | None = None,
        paused: Callable[[], bool] = lambda: False,
        ttl_s: int = 60,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.wallet = signer.address
        self._journal = journal
        self._sender = sender
        self._signer = signer
        self._policy = policy
        self._holder = holder
        self._judge = judge or Standing()
        network = sender.client.network
        self._fees = network.fees if network is not None else FeeKind.EIP1559
        self._settings = replace(
            settings or Settings(),
            private=bool(sender.private),
            noop_gas=DATA_FEES[self._fees].transfer_gas,
        )
        self._paused = paused
        self._ttl_s = ttl_s
        self._clock = clock
        self._lease: Lease | None = None
        self._stamped = False

    # The lease

    def acquire(self) -> Lease:
        """Return the lease, taken or prolonged; raises `Busy` or `LeaseLost`."""
        if self._lease is not None:
            self._lease = self._journal.renew(self._lease, self._ttl_s)
            return self._lease
        chain_id = self._sender.chain_id
        lease = self._journal.lease(chain_id, self.wallet, self._holder, self._ttl_s)
        if lease is None:
            raise Busy(f"another process acts for {self.wallet} on chain {chain_id}")
        self._lease = lease
        return lease

    def close(self) -> None:
        """Give the lease back."""
        if self._lease is not None:
            self._journal.release(self._lease)
            self._lease = None

    # A pass

    def tick(self) -> list[Report]:
        """Do all that can be done for every open intent at the newest block.

        Raises `Busy`, `LeaseLost`, `WrongStamp`. What the chain or the disk refuses is reported,
        and tried again at the next pass.
        """
        reports: list[Report] = []
        try:
            if not self._stamped:
                self._journal.stamp_chain(self._sender.chain_id, self._sender.genesis())
                self._stamped = True
            lease = self.acquire()
            had = self._journal.known(lease.chain_id, self.wallet)
            now, known = scene(self._sender, self.wallet, had)
            if known != had:
                self._journal.saw(lease, known)
            notes = reconcile.run(self._journal, self._sender, lease, now, self._settings)
            reports.extend(Report("", None, note) for note in notes)
            done: set[str] = set()
            while todo := [i for i in self._open() if i.id not in done]:
                done.add(todo[0].id)  # fillers that come up meanwhile are done too
                reports.append(self._run(lease, now, todo[0].id))
        except (ChainError, NotWritten, RowChanged) as error:
            log.warning("%s", error)
            reports.append(Report("", None, f"waiting: {error}"))
        return reports

    def _open(self) -> tuple[Intent, ...]:
        return self._journal.intents(self._sender.chain_id, self.wallet)

    def _run(self, lease: Lease, now: Scene, id_: str) -> Report:
        """Decide and act for one intent until there is nothing more to do at this block."""
        what = ""
        for _ in range(STEPS):
            view = self._view(now, id_)
            if view is None:
                break
            action = decide(view)
            log.debug("%s is %s: %s", id_[:10], view.intent.state, action)
            if isinstance(action, Wait):
                what = action.reason
                break
            stop = self._do(lease, now, view, action)
            if stop is not None:
                what = stop
                break
        intent = self._journal.intent(id_)
        assert intent is not None
        return Report(id_, intent.state, what if not intent.done else intent.reason)

    def _view(self, now: Scene, id_: str) -> View | None:
        journal = self._journal
        intent = journal.intent(id_)
        if intent is None or intent.done:
            return None
        attempts = journal.attempts(id_)
        others = tuple(i for i in self._open() if i.id != id_)
        ours = [i.nonce for i in (*others, intent) if i.nonce is not None]
        seen = observe(self._sender, now, intent, attempts, ours)
        after = journal.intent(intent.after) if intent.after is not None else None
        judged = self._judged(intent, now)
        ledger = self._ledger(now)
        limit, worth = self._worth(intent, judged, now, ledger)
        return View(
            intent,
            attempts,
            seen,
            self._settings,
            others,
            after.state if after is not None else None,
            journal.receipt(id_),
            journal.wishes(id_),
            judged.trigger,
            judged.urgent,
            worth,
            limit,
            self._paused(),
            journal.known(self._sender.chain_id, self.wallet).whole,
            None,
            int(self._clock()) - journal.changed_at(id_),
        )

    def _judged(self, intent: Intent, now: Scene) -> Judgement:
        if intent.filler:
            return Judgement()
        return self._judge.judge(intent, now.at)

    def _ledger(self, now: Scene) -> Ledger:
        since = int(self._clock()) - LEDGER_S
        return self._journal.ledger(
            self._sender.chain_id, self.wallet, since=since, balance=now.balance
        )

    def _worth(
        self, intent: Intent, judged: Judgement, now: Scene, ledger: Ledger
    ) -> tuple[int, bool]:
        """Return F, the most to pay per gas, and whether acting beats its cost now."""
        beside = data_fee(self._sender, self._fees, intent.call.data, now.at)
        other = judged.other_cost_wei + beside
        reserved = sum(s.wei for s in ledger.spends if s.live and s.intent != intent.id)
        limit = fees.cap_from_value(
            judged.value_wei,
            other,
            intent.gas_limit,
            absolute=intent.fee_cap_abs,
            gas_limit=intent.gas_limit,
            balance=now.balance,
            reserve=reserved + intent.call.value + beside,
        )
        if judged.value_wei is None:
            return limit, True
        margin = RED_MARGIN if judged.urgent else MARGIN
        gas = (now.market.base_fee + now.market.tip) * intent.gas_limit
        return limit, judged.value_wei > margin * (gas + other)

    # Acting

    def _do(self, lease: Lease, now: Scene, view: View, action: Action) -> str | None:
        """Record, then act; return why to stop here, if so.

        Whatever is recorded and not done is done at the next pass.
        """
        match action:
            case Wait(reason):
                return reason
            case Sign(kind, priced):
                return self._sign(lease, now, view, kind, priced)
            case Send(ks, public):
                self._send(lease, view, ks, public)
            case Bind(nonce) if (refused := self._asked(now, view, nonce)) is not None:
                return self._do(lease, now, view, decide(replace(view, refused=refused)))
            case _:
                self._journal.commit(lease, view.intent, changed(view, action))
        return None

    def _asked(self, now: Scene, view: View, nonce: int) -> Refused | None:
        """Ask the policy before a nonce is taken, so that what it refuses blocks nobody."""
        bound = replace(view.intent, nonce=nonce)
        priced = first_fees(view)
        if priced is None:
            return Refused("its fee limit is below the base fee")
        transaction = self._transaction(bound, Kind.EFFECT, priced)
        verdict = self._policy.verdict(bound, transaction, self._ledger(now))
        return verdict if isinstance(verdict, Refused) else None

    def _sign(
        self, lease: Lease, now: Scene, view: View, kind: Kind, priced: fees.Fees
    ) -> str | None:
        transaction = self._transaction(view.intent, kind, priced)
        ledger = self._ledger(now)
        usd_e6: int | None = None
        # A no-op that costs no more than its nonce has reserved already adds nothing to any sum.
        if kind is Kind.EFFECT or transaction.most_wei > _reserved(ledger, view.intent):
            verdict = self._policy.verdict(view.intent, transaction, ledger)
            if isinstance(verdict, Refused):
                if view.refused is not None:  # the cheapest no-op too
                    return f"the policy refuses: {verdict.reason}"
                view = replace(view, refused=verdict)
                return self._do(lease, now, view, decide(view))
            usd_e6 = verdict.usd_e6
        self._journal.check(lease)  # an epoch that is over does not reach the key
        raw = self._signer.sign(transaction)
        verified(self._signer.label, self.wallet, transaction, raw)
        attempt = Attempt(
            intent=view.intent.id,
            k=len(view.attempts),
            kind=kind,
            nonce=transaction.nonce,
            raw=raw,
            hash=tx_hash(raw),
            tip=priced.tip,
            cap=priced.cap,
            gas=transaction.gas,
        )
        self._journal.commit(lease, view.intent, signed(view, attempt, usd_e6))
        return None

    def _transaction(self, intent: Intent, kind: Kind, priced: fees.Fees) -> Transaction:
        assert intent.nonce is not None
        if kind is Kind.NOOP:
            call, gas = Call(self.wallet, 0, b""), self._settings.noop_gas
        else:
            call, gas = intent.call, intent.gas_limit
        delegates = intent.authorizations if kind is Kind.EFFECT else ()
        return Transaction(
            chain_id=intent.chain_id,
            nonce=intent.nonce,
            to=call.to,
            value=call.value,
            data=call.data,
            gas=gas,
            max_fee=priced.cap,
            max_tip=priced.tip,
            authorizations=tuple(SignedAuthorization.from_rlp(raw) for raw in delegates),
            kind=Form.DELEGATE if delegates else Form.FEE,
        )

    def _send(self, lease: Lease, view: View, ks: tuple[int, ...], public: bool) -> None:
        replies: dict[int, str] = {}
        for attempt in view.attempts:
            if attempt.k in ks:
                outcomes = self._sender.broadcast(attempt.raw, attempt.hash, public=public)
                for outcome in outcomes:
                    log.info("%s: %s %s", outcome.endpoint, outcome.reply, outcome.text)
                replies[attempt.k] = best([outcome.reply for outcome in outcomes]).value
        self._journal.commit(lease, view.intent, sent(view, ks, public, replies))


def _reserved(ledger: Ledger, intent: Intent) -> int:
    """Return the wei that one intent's live payloads may take already."""
    return max((s.wei for s in ledger.spends if s.live and s.intent == intent.id), default=0)
