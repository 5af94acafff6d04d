"""The verdict, one rule at a time: what is allowed, and by what name the rest is refused."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from chain.transactions import Authorization, Kind, Transaction
from chain.types import ZERO_ADDRESS
from chain.wallet.local import Key, LocalSigner
from executor.policy.grants import MARKETS, TOKEN, table
from executor.policy.guard import WalletGuard
from executor.policy.judge import judge
from executor.policy.limits import Facts, Limits, Price, Simulated
from executor.policy.rules import ADVICE, Refusal, Rule
from executor.types import Allowed, Call, Intent, Ledger, Refused, Spend
from protocols.aave_v3.actions import REPAY, WITHDRAW
from protocols.wallet.actions import APPROVE, TRANSFER
from tests.executor.policy.scene import (
    CALL,
    ETHER,
    FACTS,
    GWEI,
    LIMITS,
    NOW,
    PRICES,
    SAFE,
    STRANGER,
    TARGET,
    USD,
    USDC,
    WALLET,
    WETH,
    intent,
    ledger,
    transaction,
)


def rules(
    limits: Limits = LIMITS,
    facts: Facts = FACTS,
    wanted: Intent | None = None,
    asked: Transaction | None = None,
    book: Ledger | None = None,
) -> list[Rule]:
    """Return the names of the refusals."""
    wanted = wanted or intent()
    asked = asked or transaction(wanted.call)
    _, refusals = judge(limits, facts, wanted, asked, book or ledger())
    return [refusal.rule for refusal in refusals]


def of_call(call: Call, **facts: Any) -> list[Rule]:
    return rules(facts=replace(FACTS, **facts), wanted=intent(call))


def test_repayment__within_everything__is_allowed_and_counted() -> None:
    guard = WalletGuard(lambda: LIMITS, lambda _: FACTS, "ops")
    verdict = guard.verdict(intent(), transaction(), ledger())
    gas_usd = 300_000 * 50 * GWEI * 3_000 // 10**12
    assert verdict == Allowed(10_000 * USD + gas_usd)


def test_no_policy__anything__is_refused() -> None:
    verdict = WalletGuard(lambda: None, lambda _: FACTS, "ops").verdict(
        intent(), transaction(), ledger()
    )
    assert isinstance(verdict, Refused)
    assert verdict.reason.startswith("no-policy: ")
    assert "[policy.ops]" in verdict.reason


LIMIT: list[tuple[Mapping[str, Any], Rule]] = [
    ({"chain_id": 10}, Rule.CHAIN),
    ({"wallet": SAFE}, Rule.WALLET),
    ({"accounts": frozenset({SAFE})}, Rule.ACCOUNT),
    ({"grants": {}}, Rule.TARGET),
    ({"grants": {TARGET: {}}}, Rule.SELECTOR),
    ({"max_gas": 299_999}, Rule.GAS),
    ({"max_fee": 50 * GWEI - 1}, Rule.FEE),
    ({"max_tx_usd_e6": 10_000 * USD}, Rule.TX_USD),
    ({"max_hour_usd_e6": 10_000 * USD}, Rule.HOUR_USD),
    ({"max_day_usd_e6": 10_000 * USD}, Rule.DAY_USD),
    ({"max_tx_wei": 300_000 * 50 * GWEI - 1}, Rule.TX_WEI),
    ({"max_hour_wei": 1}, Rule.HOUR_WEI),
    ({"max_day_wei": 1}, Rule.DAY_WEI),
    ({"floor_wei": 10 * ETHER}, Rule.FLOOR),
    ({"max_price_age_s": 59}, Rule.ORACLE_STALE),
    ({"max_silence_s": 60}, Rule.HEARTBEAT),
]


@pytest.mark.parametrize(("change", "rule"), LIMIT, ids=[str(rule) for _, rule in LIMIT])
def test_limit__one_short__is_refused_by_name_with_what_to_change(
    change: dict[str, Any], rule: Rule
) -> None:
    limits = replace(LIMITS, **change)
    _, refusals = judge(limits, FACTS, intent(), transaction(), ledger())
    assert rule in [refusal.rule for refusal in refusals]
    for refusal in refusals:
        assert refusal.todo
        assert "{" not in str(refusal)


FACT: list[tuple[str, Mapping[str, Any], Rule]] = [
    ("paused", {"paused": "by hand"}, Rule.PAUSED),
    ("late", {"now": NOW + 601}, Rule.EXPIRED),
    ("unsimulated", {"simulated": None}, Rule.SIMULATION),
    ("failing", {"simulated": Simulated(False, 1, reason="x")}, Rule.SIMULATION),
    ("nft", {"simulated": Simulated(True, 1, uncountable=("NFT 1",))}, Rule.OUTFLOW),
    ("unpriced", {"prices": {ZERO_ADDRESS: PRICES[ZERO_ADDRESS]}}, Rule.PRICE),
    ("no native price", {"prices": {USDC: PRICES[USDC]}}, Rule.PRICE),
    ("no prices", {"prices": {}}, Rule.PRICE),
    (
        "ageless",
        {"prices": PRICES | {USDC: replace(PRICES[USDC], updated_at=None)}},
        Rule.ORACLE_STALE,
    ),
    (
        "stale",
        {"prices": PRICES | {USDC: replace(PRICES[USDC], updated_at=NOW - 86_401)}},
        Rule.ORACLE_STALE,
    ),
    (
        "doubt",
        {"prices": PRICES | {USDC: replace(PRICES[USDC], doubts=("sources differ",))}},
        Rule.ORACLE_DOUBT,
    ),
    ("gap", {"prices": PRICES | {USDC: replace(PRICES[USDC], gap_bps=-301)}}, Rule.ORACLE_GAP),
]


@pytest.mark.parametrize(
    ("change", "rule"), [row[1:] for row in FACT], ids=[row[0] for row in FACT]
)
def test_fact__missing_or_bad__is_refused_by_name(change: dict[str, Any], rule: Rule) -> None:
    assert rule in rules(facts=replace(FACTS, **change))


def test_heartbeat__fresh_or_old() -> None:
    limits = replace(LIMITS, max_silence_s=100)
    assert rules(limits, replace(FACTS, alive_at=NOW - 100)) == []
    assert rules(limits, replace(FACTS, alive_at=NOW - 101)) == [Rule.HEARTBEAT]


@pytest.mark.parametrize(
    "changes",
    [{"data": CALL.data[:-1] + b"\x01"}, {"value": 1}, {"to": USDC}],
    ids=["data", "value", "to"],
)
def test_transaction__not_the_intents_call__is_refused(changes: dict[str, Any]) -> None:
    assert Rule.OTHER_CALL in rules(asked=transaction(**changes))


def test_creation__is_refused() -> None:
    assert Rule.CREATION in rules(asked=transaction(to=None))


def test_fee__above_the_intents_own_cap__is_refused() -> None:
    assert rules(wanted=intent(fee_cap_abs=50 * GWEI - 1)) == [Rule.FEE]


@pytest.mark.parametrize(
    ("call", "rule"),
    [
        (Call(TARGET, 0, REPAY.encode(USDC, 1, 2, STRANGER)), Rule.ARGUMENT),
        (Call(TARGET, 0, WITHDRAW.encode(USDC, 1, STRANGER)), Rule.ARGUMENT),
        (Call(TARGET, 0, CALL.data + b"\0" * 32), Rule.ARGUMENT),
        (Call(TARGET, 0, CALL.data[:-1]), Rule.ARGUMENT),
        (Call(TARGET, 0, CALL.data[:4]), Rule.ARGUMENT),
        (Call(TARGET, 0, CALL.data[:3]), Rule.SELECTOR),
        (Call(TARGET, 0, b""), Rule.SELECTOR),
        (Call(TARGET, 1, CALL.data), Rule.VALUE),
        (Call(USDC, 0, TRANSFER.encode(WALLET, 1)), Rule.SELECTOR),
        (Call(STRANGER, 0, CALL.data), Rule.TARGET),
        (Call(STRANGER, 1, b""), Rule.TARGET),
    ],
    ids=range(11),
)
def test_call__off_the_list_or_for_a_stranger__is_refused(call: Call, rule: Rule) -> None:
    assert rule in of_call(call)


def test_call__dirty_address_word__is_refused() -> None:
    dirty = bytearray(CALL.data)
    dirty[4] = 1  # above the 20 bytes of the first address
    assert Rule.ARGUMENT in of_call(Call(TARGET, 0, bytes(dirty)))


def test_withdrawal__to_an_own_account__is_allowed() -> None:
    assert of_call(Call(TARGET, 0, WITHDRAW.encode(USDC, 5, SAFE))) == []


NEED = 10_000 * USD


@pytest.mark.parametrize(
    ("spender", "amount", "needed", "expected"),
    [
        (TARGET, NEED, {(USDC, TARGET): NEED}, []),
        (TARGET, NEED + NEED // 100, {(USDC, TARGET): NEED}, []),
        (TARGET, NEED + NEED // 100 + 1, {(USDC, TARGET): NEED}, [Rule.APPROVAL]),
        (TARGET, 2**256 - 1, {(USDC, TARGET): NEED}, [Rule.APPROVAL]),
        (TARGET, NEED, {(WETH, TARGET): NEED}, [Rule.APPROVAL]),
        (TARGET, NEED, None, [Rule.APPROVAL]),
        (TARGET, 0, None, []),
        (STRANGER, NEED, {(USDC, STRANGER): NEED}, [Rule.APPROVAL]),
        (WETH, NEED, {(USDC, WETH): NEED}, [Rule.APPROVAL]),
    ],
    ids=range(9),
)
def test_approval__only_what_the_plan_uses_to_an_allowed_contract(
    spender: Any, amount: int, needed: Any, expected: list[Rule]
) -> None:
    call = Call(USDC, 0, APPROVE.encode(spender, amount))
    assert of_call(call, needed=needed, simulated=Simulated(True, 1)) == expected


def test_approval__to_a_vault_whose_share_is_a_priced_token__is_allowed() -> None:
    vault = {**LIMITS.grants, WETH: table((*TOKEN, *MARKETS["erc4626"]))}
    call = Call(USDC, 0, APPROVE.encode(WETH, NEED))
    facts = replace(FACTS, needed={(USDC, WETH): NEED}, simulated=Simulated(True, 1))
    assert rules(replace(LIMITS, grants=vault), facts, intent(call)) == []
    assert rules(LIMITS, facts, intent(call)) == [Rule.APPROVAL]


def delegation(chain_id: int, delegate: Any, raw: bytes) -> tuple[Intent, Transaction, Any]:
    signer = LocalSigner(Key(raw, "a test"), "a test")
    signed = signer.authorize(Authorization(chain_id, delegate, 1))
    wanted = intent(authorizations=(signed.rlp(),), account=signer.address)
    asked = transaction(authorizations=(signed,), kind=Kind.DELEGATE)
    return wanted, asked, signer.address


def test_delegation__only_to_the_guard_on_this_chain_of_an_own_account() -> None:
    for chain_id, delegate, own, expected in (
        (1, TARGET, True, []),
        (0, TARGET, True, [Rule.DELEGATION]),
        (1, STRANGER, True, [Rule.DELEGATION]),
        (1, TARGET, False, [Rule.ACCOUNT, Rule.DELEGATION]),
    ):
        wanted, asked, authority = delegation(chain_id, delegate, b"\x05" * 32)
        accounts = LIMITS.accounts | ({authority} if own else frozenset())
        limits = replace(LIMITS, accounts=accounts, delegates=frozenset({TARGET}))
        assert rules(limits, wanted=wanted, asked=asked) == expected
    wanted, asked, authority = delegation(1, TARGET, b"\x05" * 32)
    limits = replace(LIMITS, accounts=LIMITS.accounts | {authority}, delegates=frozenset({TARGET}))
    assert rules(limits, wanted=replace(wanted, authorizations=()), asked=asked) == [
        Rule.OTHER_CALL
    ]


def idle(**changes: Any) -> Transaction:
    return transaction(Call(WALLET, 0, b""), gas=21_000, **changes)


def test_no_op__passes_while_paused_late_and_blind__but_not_beyond_the_fee() -> None:
    blind = replace(
        FACTS, paused="by hand", now=NOW + 10_000, simulated=None, alive_at=None, needed=None
    )
    limits = replace(LIMITS, max_silence_s=60, max_per_hour=1, grants={})
    late = ledger(Spend("0x" + "02" * 32, NOW + 9_000, 1, 1, live=False))
    assert rules(limits, blind, asked=idle(), book=late) == []
    assert rules(limits, blind, asked=idle(max_fee=61 * GWEI), book=late) == [Rule.FEE]
    assert rules(limits, replace(blind, prices={}), asked=idle()) == [Rule.PRICE]


def test_rate__one_too_many_in_an_hour__is_refused() -> None:
    limits = replace(LIMITS, max_per_hour=2)
    old = Spend("0x" + "02" * 32, NOW - 3_601, 1, 1, live=False)
    one = Spend("0x" + "03" * 32, NOW - 3_599, 1, 1, live=False)
    live = Spend("0x" + "04" * 32, NOW - 9_999, 1, 1, live=True)
    own = Spend(intent().id, NOW, 1, 1, live=True)
    assert rules(limits, book=ledger(old, one, own)) == []
    assert rules(limits, book=ledger(old, one, live)) == [Rule.RATE]


def test_balance__unknown_or_promised_to_others__is_refused() -> None:
    assert rules(book=ledger(balance=None)) == [Rule.BALANCE]
    floor = LIMITS.floor_wei + transaction().most_wei
    assert rules(book=ledger(balance=floor)) == []
    live = Spend("0x" + "02" * 32, NOW, 1, 1, live=True)
    assert rules(book=ledger(live, balance=floor)) == [Rule.FLOOR]


def test_ledger__spend_of_unknown_worth__refuses_effects_and_not_no_ops() -> None:
    odd = Spend("0x" + "02" * 32, NOW - 5, 1, None, live=False)
    assert rules(book=ledger(odd)) == [Rule.LEDGER]
    assert rules(asked=idle(), book=ledger(odd)) == []
    assert rules(book=ledger(replace(odd, at=NOW - 86_401))) == []


def test_gap__red_zone__lets_only_what_trades_nothing() -> None:
    far = PRICES | {USDC: replace(PRICES[USDC], gap_bps=2_000)}
    red = replace(FACTS, prices=far, red_zone=True)
    assert rules(facts=red) == []
    assert rules(facts=replace(red, red_zone=False)) == [Rule.ORACLE_GAP]
    grant = next(iter(LIMITS.grants[TARGET].values()))
    trading = {TARGET: {s: replace(g, swaps=True) for s, g in LIMITS.grants[TARGET].items()}}
    assert not grant.swaps
    assert rules(replace(LIMITS, grants=trading), red) == [Rule.ORACLE_GAP]
    alone = PRICES | {USDC: replace(PRICES[USDC], gap_bps=None)}
    marketless = replace(FACTS, prices=alone)
    assert rules(facts=marketless) == []
    assert rules(replace(LIMITS, grants=trading), marketless) == [Rule.ORACLE_GAP]
    lax = replace(LIMITS, grants=trading, require_market=False)
    assert rules(lax, marketless) == []


def test_trade__of_what_has_no_price__is_refused() -> None:
    trading = {TARGET: {s: replace(g, swaps=True) for s, g in LIMITS.grants[TARGET].items()}}
    bought = Simulated(True, 1, {USDC: 1}, frozenset({USDC, STRANGER}))
    limits = replace(LIMITS, grants=trading)
    assert rules(limits, replace(FACTS, simulated=bought)) == [Rule.PRICE]


def test_price__any_amount__rounds_up() -> None:
    assert Price(10**8, 6).usd_e6(1) == 1
    assert Price(1, 18).usd_e6(1) == 1
    assert Price(3_000 * 10**8, 18).usd_e6(ETHER) == 3_000 * USD


def test_advice__every_rule__has_some() -> None:
    assert set(ADVICE) == set(Rule)
    for rule in Rule:
        assert "{" not in Refusal(rule, "x", "ops").todo
