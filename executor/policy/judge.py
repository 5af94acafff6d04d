"""The verdict: every rule over one transaction. Pure; nothing known, nothing allowed.

A no-op (nothing from the wallet to itself) only ends what was begun, so it passes while paused and
without a simulation; it is bound by chain, gas, fee and caps as all else.
"""

from collections.abc import Iterator

from chain.transactions import Transaction, no_op
from chain.types import ZERO_ADDRESS, Address
from executor.policy.calls import Known, Reading, read_call
from executor.policy.grants import spenders
from executor.policy.limits import Facts, Limits, Price
from executor.policy.rules import Refusal, Rule
from executor.policy.spending import (
    Reserved,
    below_floor,
    money,
    over_caps,
    renewed,
    too_many,
    uncounted,
)
from executor.types import Intent, Ledger


def judge(
    limits: Limits, facts: Facts, intent: Intent, transaction: Transaction, ledger: Ledger
) -> tuple[Reserved | None, tuple[Refusal, ...]]:
    """Return what is to be reserved, and every reason against signing; no reason: it may be."""

    def no(rule: Rule, what: str) -> Refusal:
        return Refusal(rule, what, limits.name)

    idle = no_op(transaction, limits.wallet)
    found = [no(rule, what) for rule, what in _frame(limits, facts, intent, transaction)]
    reading = Reading((), swaps=False)
    if not idle:
        reading = _reading(limits, facts, transaction)
        found += [no(rule, what) for rule, what in reading.faults]
        found += [no(r, w) for r, w in _effect(limits, facts, intent, transaction, reading, ledger)]
    usd_e6, missing = _usd(facts, transaction, idle=idle)
    found += [no(Rule.PRICE, f"nothing says what {token} is worth") for token in missing]
    found += [no(rule, what) for rule, what in _oracles(limits, facts, reading, idle=idle)]
    if usd_e6 is None:
        return None, tuple(found)
    reserved = renewed(ledger, intent.id, transaction.most_wei, usd_e6)
    found += () if idle else uncounted(limits, ledger, ledger.now)
    found += over_caps(limits, ledger, ledger.now, intent.id, reserved)
    found += below_floor(limits, ledger, transaction, intent.id, reserved)
    if not idle:
        found += too_many(limits, ledger, ledger.now, intent.id)
    return reserved, tuple(found)


def _frame(
    limits: Limits, facts: Facts, intent: Intent, transaction: Transaction
) -> Iterator[tuple[Rule, str]]:
    """Yield what is wrong with chain, wallet, gas and fee."""
    if not transaction.chain_id == intent.chain_id == limits.chain_id:
        yield (
            Rule.CHAIN,
            f"it is for chain {transaction.chain_id}, the policy for {limits.chain_id}",
        )
    if intent.wallet != limits.wallet:
        yield Rule.WALLET, f"it is for {intent.wallet}, the policy for {limits.wallet}"
    if transaction.gas > limits.max_gas:
        yield Rule.GAS, f"it may use {transaction.gas} gas, {limits.max_gas} are allowed"
    most = min(limits.max_fee, intent.fee_cap_abs)
    if transaction.max_fee > most:
        yield Rule.FEE, f"it pays up to {transaction.max_fee} wei a gas, {most} are allowed"


def _reading(limits: Limits, facts: Facts, transaction: Transaction) -> Reading:
    if transaction.to is None:
        return Reading(((Rule.CREATION, "it creates a contract"),))
    tokens = frozenset(token for token in facts.prices if token != ZERO_ADDRESS)
    known = Known(limits.accounts, tokens, spenders(limits.grants))
    return read_call(limits.grants, known, transaction.to, transaction.value, transaction.data)


def _effect(
    limits: Limits,
    facts: Facts,
    intent: Intent,
    transaction: Transaction,
    reading: Reading,
    ledger: Ledger,
) -> Iterator[tuple[Rule, str]]:
    """Yield what is wrong with the effect of a transaction that has one."""
    if facts.paused is not None:
        yield Rule.PAUSED, facts.paused.removeprefix("paused: ")  # the rule's name says it
    if facts.now > intent.deadline:
        yield Rule.EXPIRED, f"its deadline was {facts.now - intent.deadline} s ago"
    if intent.account not in limits.accounts:
        yield Rule.ACCOUNT, f"{intent.account} is not one of yours"
    call = intent.call
    signed = tuple(a.rlp() for a in transaction.authorizations)
    same = (transaction.to, transaction.value, transaction.data, signed) == (
        *(call.to, call.value, call.data),
        intent.authorizations,
    )
    if not same:
        yield Rule.OTHER_CALL, "the transaction is not the call that was approved"
    for signed_one in transaction.authorizations:
        wanted = signed_one.authorization
        if wanted.chain_id != limits.chain_id:
            yield Rule.DELEGATION, f"the delegation would be good on chain {wanted.chain_id}"
        if wanted.delegate not in limits.delegates:
            yield Rule.DELEGATION, f"an account would be delegated to {wanted.delegate}"
        if signed_one.authority not in limits.accounts:
            yield Rule.DELEGATION, f"{signed_one.authority} would be delegated, not one of yours"
    yield from _approvals(facts, reading)
    yield from _simulation(facts)
    if limits.max_silence_s is not None:
        if facts.alive_at is None:
            yield Rule.HEARTBEAT, "there is no sign of life"
        elif (silent := ledger.now - facts.alive_at) > limits.max_silence_s:
            yield Rule.HEARTBEAT, f"the last sign of life is {silent} s old"


def _approvals(facts: Facts, reading: Reading) -> Iterator[tuple[Rule, str]]:
    """Yield allowances that are more than what the plan's next steps use, give or take interest."""
    for approval in reading.approvals:
        if approval.amount == 0:
            continue
        needed = (facts.needed or {}).get((approval.token, approval.spender), 0)
        if not needed or approval.amount > needed + needed // 100:
            yield (
                Rule.APPROVAL,
                f"{approval.spender} would be allowed {approval.amount} of {approval.token}, and "
                f"the plan needs {needed}",
            )


def _simulation(facts: Facts) -> Iterator[tuple[Rule, str]]:
    done = facts.simulated
    if done is None:
        yield Rule.SIMULATION, "it was not simulated"
        return
    if not done.ok:
        yield Rule.SIMULATION, f"it would fail: {done.reason or 'without a reason'}"
    for what in done.uncountable:
        yield Rule.OUTFLOW, f"{what} would leave"


def _usd(
    facts: Facts, transaction: Transaction, *, idle: bool
) -> tuple[int | None, tuple[Address, ...]]:
    """Return what leaves, gas at its cap included, and the tokens without a price."""
    leaving = {} if idle or facts.simulated is None else dict(facts.simulated.outflows)
    native = max(leaving.pop(ZERO_ADDRESS, 0), transaction.value)
    amounts = {
        **{token: amount for token, amount in leaving.items() if amount > 0},
        ZERO_ADDRESS: native + transaction.gas * transaction.max_fee,
    }
    missing = tuple(sorted(token for token in amounts if token not in facts.prices))
    if missing:
        return None, missing
    return sum(facts.prices[token].usd_e6(amount) for token, amount in amounts.items()), ()


def _oracles(
    limits: Limits, facts: Facts, reading: Reading, *, idle: bool
) -> Iterator[tuple[Rule, str]]:
    """Yield prices that are too old, or far from the market.

    Far from it, nothing is done but what needs no trade, and that only in the red zone.
    """
    if idle:
        return
    done = facts.simulated
    touched = done.touched | frozenset(done.outflows) if done is not None else frozenset()
    if reading.swaps:
        for token in sorted(touched - facts.prices.keys()):
            yield Rule.PRICE, f"it trades {token}, and nothing says what that is worth"
    for token in sorted({ZERO_ADDRESS, *touched} & facts.prices.keys()):
        price = facts.prices[token]
        if (age := too_old(limits, facts.now, price)) is not None:
            yield Rule.ORACLE_STALE, f"the price of {token} is {age}"
        if price.doubts:
            yield Rule.ORACLE_DOUBT, f"the price of {token}: {'; '.join(price.doubts)}"
        traded = reading.swaps and token in touched
        if traded and price.gap_bps is None and limits.require_market:
            yield Rule.ORACLE_GAP, f"no market's mean price stands beside the oracle's of {token}"
        far = price.gap_bps is not None and abs(price.gap_bps) > limits.max_gap_bps
        if far and token in touched and (reading.swaps or not facts.red_zone):
            yield Rule.ORACLE_GAP, f"the market is {price.gap_bps} bps from the oracle of {token}"


def too_old(limits: Limits, now: int, price: Price) -> str | None:
    """Say how old a price is, where that is too old or not known."""
    bounds = [b for b in (price.heartbeat_s, limits.max_price_age_s) if b is not None]
    if price.updated_at is None:
        return "of unknown age"
    age = now - price.updated_at
    return f"{age} s old" if bounds and age > min(bounds) else None


def spelled(reserved: Reserved) -> str:
    """Return what is reserved, for people."""
    return f"up to {money(reserved.usd_e6)}, {reserved.wei} wei of it native coin"
