"""The dry run: exactly what would be signed, and what the policy says to each step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chain.sending import Sender
from chain.transactions import Kind, SignedAuthorization, Transaction
from chain.types import Address
from executor import fees
from executor.policy.judge import judge
from executor.policy.rules import Refusal, Rule
from executor.run.observe import NoMarket
from executor.types import Intent, Ledger, Spend
from underkeel.execution.facts import Observer


@dataclass(frozen=True, slots=True)
class Shown:
    """One step as it would be signed now."""

    intent: Intent
    transaction: Transaction
    usd_e6: int | None
    """What it counts for; None where that is not known."""
    refusals: tuple[Refusal, ...]

    @property
    def allowed(self) -> bool:
        """Whether the policy lets it be signed."""
        return not self.refusals


def preview(
    observer: Observer, sender: Sender, intents: Sequence[Intent], ledger: Ledger
) -> tuple[Shown, ...]:
    """Return every step, priced as it would be now, with the policy's reasons against it.

    Each is judged as if all before it were signed and live. Raises `ChainError` for what cannot be
    read of the wallet itself.
    """
    known = observer.at_head()
    now = _wallet(sender, intents[0].wallet)
    book = replace(ledger, balance=now.balance)
    found: list[Shown] = []
    for offset, (intent, facts) in enumerate(
        zip(intents, observer.many(intents, intents), strict=True)
    ):
        asked = _transaction(intent, now, now.nonce + offset)
        limits = known.limits
        if limits is None:
            what = known.cause or "no policy is written for this wallet on this chain"
            refusal = Refusal(Rule.NO_POLICY, what, observer.name)
            found.append(Shown(intent, asked, None, (refusal,)))
            continue
        reserved, refusals = judge(limits, facts, intent, asked, book)
        if asked.max_fee < now.market.base_fee:
            what = f"the next base fee is {now.market.base_fee} wei, {asked.max_fee} are allowed"
            refusals = (*refusals, Refusal(Rule.FEE, what, observer.name))
        found.append(Shown(intent, asked, reserved.usd_e6 if reserved else None, refusals))
        if reserved is not None:
            spend = Spend(intent.id, book.now, reserved.wei, reserved.usd_e6, live=True)
            book = replace(book, spends=(*book.spends, spend))
    return tuple(found)


def total_usd(shown: Sequence[Shown]) -> int | None:
    """Return what all steps count for together; None where one is not known."""
    amounts = [one.usd_e6 for one in shown if one.usd_e6 is not None]
    return sum(amounts) if len(amounts) == len(shown) else None


@dataclass(frozen=True, slots=True)
class Now:
    """The wallet at the newest block, and what a transaction has to pay."""

    nonce: int
    balance: int
    market: fees.Market


def _wallet(sender: Sender, wallet: Address) -> Now:
    at = sender.head()
    history = sender.fee_history(fees.PERCENTILES)
    market = fees.market(history) or fees.market(history, sender.node_tip())
    if market is None:
        raise NoMarket(f"{sender.client.spec.name}: no fee history and no suggested tip")
    return Now(sender.nonce(wallet, at), sender.balance(wallet, at), market)


def _transaction(intent: Intent, now: Now, nonce: int) -> Transaction:
    wanted = now.market.fees(urgent=False)
    priced = fees.within(wanted, intent.fee_cap_abs, now.market.base_fee) or fees.Fees(
        min(wanted.tip, intent.fee_cap_abs), intent.fee_cap_abs
    )
    delegates = tuple(map(SignedAuthorization.from_rlp, intent.authorizations))
    return Transaction(
        chain_id=intent.chain_id,
        nonce=nonce,
        to=intent.call.to,
        value=intent.call.value,
        data=intent.call.data,
        gas=intent.gas_limit,
        max_fee=priced.cap,
        max_tip=priced.tip,
        authorizations=delegates,
        kind=Kind.DELEGATE if delegates else Kind.FEE,
    )
