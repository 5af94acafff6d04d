"""What a report says, and what it leaves out: unknown, or gone."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from chain.types import ZERO_ADDRESS
from protocols.adapter import Market
from protocols.types import AllowanceGiven, Leg, Price, Side, Token, Unpriced, Unreadable
from risk.assess import assess
from tests.support.fake_chain import AT, address
from tests.underkeel.stress.build import LINK, OWNER, PRICES, WETH, loan, portfolio, wallet
from underkeel.config.model import Settings
from underkeel.observe.metrics import CHAIN_METRICS, METRICS
from underkeel.observe.report import observe
from underkeel.observe.types import Labels, Observation, Observed, absent, labels
from underkeel.portfolio import ChainReport, Fault
from underkeel.valuation import Valuation

NOW = AT.timestamp + 5.0
WALLET = Market("wallet", "wallet", ZERO_ADDRESS, {})
AAVE = Market("aave-v3", "Core", address(0x77), {})
NATIVE = Token(ZERO_ADDRESS, "ETH", 18)


def config(**more: Any) -> Settings:
    given = {
        "version": 1,
        "chains": {"main": {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]}},
        "wallets": {"treasury": {"address": OWNER}},
    }
    return Settings.model_validate({**given, **more})


def report(*positions: Any, **more: Any) -> ChainReport:
    base = portfolio(*positions).chains[0]
    return replace(base, **{"read_at": NOW - 2, "markets": (AAVE, WALLET), **more})


def by(found: Observed, metric: str) -> dict[Labels, Observation]:
    return {one.labels: one for one in found.observations if one.metric == metric}


def only(found: Observed, metric: str) -> Observation:
    (one,) = by(found, metric).values()
    return one


def test_observe__everything__is_in_the_table_with_its_labels() -> None:
    found = observe(report(), config(), NOW)
    assert found.observations
    for one in found.observations:
        assert tuple(name for name, _ in one.labels) == METRICS[one.metric].labels
        assert one.labels == tuple(sorted(one.labels))
        assert (one.value is None) == bool(one.cause)
        assert one.metric in found.scope.metrics
    assert len({one.series for one in found.observations}) == len(found.observations)


def test_observe__a_loan__exact_health_distance_and_worth() -> None:
    found = observe(report(), config(), NOW)
    health = only(found, "health_factor")
    judged = assess(loan()).liquidation
    assert health.value is not None
    assert judged.health_raw is not None
    assert health.value * judged.health_scale == judged.health_raw
    assert dict(health.labels)["wallet"] == "treasury"
    assert only(found, "liquidatable").value == 0
    assert only(found, "debt_usd").value == 15_000
    assert only(found, "collateral_usd").value == 20_000
    distance = only(found, "liquidation_distance").value
    assert distance == abs(Decimal(repr(judged.boundary[0].distance_frac)))
    assert only(found, "chain_worst_health").value == health.value


def test_observe__liquidatable__distance_is_nought() -> None:
    found = observe(report(loan(19_000)), config(), NOW)
    assert only(found, "liquidatable").value == 1
    assert only(found, "liquidation_distance").value == 0


def test_observe__part_unread__everything_of_it_is_unknown_with_the_cause() -> None:
    doubted = replace(loan(), unknown=("eMode: reverted",))
    found = observe(report(doubted), config(), NOW)
    for metric in ("health_factor", "liquidatable", "equity_usd", "chain_worst_health"):
        one = only(found, metric)
        assert one.value is None
        assert "eMode: reverted" in one.cause
    unknown = only(found, "position_unknown")
    assert unknown.value == 1
    assert unknown.note == "eMode: reverted"


def test_observe__not_verified__is_unknown_and_says_why() -> None:
    doubted = replace(loan(), verified=False, notes=("health differs",))
    assert only(observe(report(doubted), config(), NOW), "position_unknown").value == 1


def test_observe__many_causes__three_and_how_many_more() -> None:
    doubted = replace(loan(), unknown=tuple(f"part {i}" for i in range(5)))
    note = only(observe(report(doubted), config(), NOW), "position_unknown").note
    assert note.startswith("part 0; part 1; part 2")
    assert note.endswith("and 2 more")


def test_observe__no_price__worth_is_unknown_and_names_the_token() -> None:
    base = report(wallet(Leg(Token(address(0x99), "ODD", 18), 5, Side.ASSET)))
    one = only(observe(base, config(), NOW), "equity_usd")
    assert (one.value, one.cause) == (None, "no price of ODD")


def test_observe__only_some__nothing_of_the_others() -> None:
    found = observe(report(), config(), NOW, only=frozenset({loan().id}))
    assert {dict(one.labels).get("position") for one in found.observations} == {None, loan().id}
    assert found.scope.only == frozenset({loan().id})


def balance(*legs: Leg, **more: Any) -> Observed:
    settings = config(
        wallets={"treasury": {"address": OWNER, "kind": "eoa",
                              "signer": {"kind": "keystore", "path": "x.json"}}},
        policy={"treasury": {"max_tx_usd": 1, "max_day_usd": 1, "max_fee_gwei": 1,
                             "allow": ["wallet"], "min_gas_balance_eth": "0.05"}},
    )  # fmt: skip
    return observe(report(replace(wallet(*legs), **more)), settings, NOW)


def test_native_balance__held__in_coins_and_by_the_policys_least() -> None:
    found = balance(Leg(NATIVE, 10**17, Side.ASSET))
    assert only(found, "wallet_native_balance").value == Decimal("0.1")
    assert only(found, "gas_reserve_ratio").value == 2


def test_native_balance__none__is_nought_and_not_absent() -> None:
    found = balance(Leg(LINK, 1, Side.ASSET))
    assert only(found, "wallet_native_balance").value == 0
    assert only(found, "gas_reserve_ratio").value == 0


def test_native_balance__unread__is_unknown() -> None:
    found = balance(Leg(LINK, 1, Side.ASSET), unknown=("native balance: no answer",))
    one = only(found, "wallet_native_balance")
    assert (one.value, one.cause) == (None, "native balance: no answer")
    assert only(found, "gas_reserve_ratio").value is None


def test_native_balance__no_wallet_market__nothing_is_said() -> None:
    found = observe(report(markets=(AAVE,)), config(), NOW)
    assert not by(found, "wallet_native_balance")


def test_allowance__unlimited__told_and_a_limited_one_is_not() -> None:
    given = (
        AllowanceGiven(LINK, address(0x61), 2**256 - 1, unlimited=True),
        AllowanceGiven(LINK, address(0x62), 5, unlimited=False),
    )
    found = observe(report(replace(wallet(), allowances=given)), config(), NOW)
    one = only(found, "allowance_unlimited")
    assert dict(one.labels)["spender"] == address(0x61)
    assert one.note == "LINK"
    market = replace(AAVE, params={"pool": address(0x61)})
    named = observe(report(replace(wallet(), allowances=given), markets=(market,)), config(), NOW)
    assert only(named, "allowance_unlimited").note == f"LINK to {AAVE.name}"


def test_prices__two_sources__each_with_its_age_and_how_far_they_differ() -> None:
    other = Price(
        WETH.address, "USD", 2_040 * 10**8, 8, "feed(0xother)", "0xother", AT.timestamp - 4_000,
        heartbeat_s=3_600,
    )  # fmt: skip
    found = observe(report(prices=(*PRICES, other)), config(), NOW)
    prices = {dict(of)["source"]: one.value for of, one in by(found, "asset_price_usd").items()
              if dict(of)["asset"] == WETH.address}  # fmt: skip
    assert prices["feed(0xother)"] == 2_040
    assert len(prices) == 2
    late = by(found, "oracle_overdue")[
        labels(asset=WETH.address, chain="main", source="feed(0xother)")
    ]
    assert late.value == 400
    apart = by(found, "price_divergence_bps")[labels(asset=WETH.address, chain="main")]
    assert apart.value == 200


def test_prices__one_source_silent__divergence_is_unknown() -> None:
    silent = Unpriced(WETH.address, "feed(0xother)", "reverted")
    found = observe(report(prices=(*PRICES, silent)), config(), NOW)
    apart = by(found, "price_divergence_bps")[labels(asset=WETH.address, chain="main")]
    assert (apart.value, apart.cause) == (None, "feed(0xother): reverted")


def known(found: Observed) -> list[tuple[str, Labels]]:
    return [one.series for one in found.observations]


def test_absent__position_closed__gone() -> None:
    before = observe(report(), config(), NOW)
    after = observe(report(wallet()), config(), NOW + 12)
    unknown, gone = absent(after, known(before), NOW + 12)
    assert not unknown
    assert {metric for metric, of in gone if dict(of).get("position") == loan().id} == {
        "health_factor", "liquidatable", "liquidation_distance", "position_unknown",
        "collateral_usd", "debt_usd", "equity_usd",
    } | ({"time_to_liquidation"} & {metric for metric, _ in gone})  # fmt: skip


@pytest.mark.parametrize("owner", [None, OWNER], ids=["market", "account"])
def test_absent__market_unread__its_series_are_unknown(owner: Any) -> None:
    held = replace(loan(), id=f"1:aave-v3:{AAVE.root}:{OWNER}", root=AAVE.root, market="Core")
    before = observe(report(held, wallet()), config(), NOW)
    lost = Unreadable("aave-v3", "Core", AAVE.root, owner, "reverted", AT)
    after = observe(report(wallet(), unreadable=(lost,)), config(), NOW + 12)
    unknown, gone = absent(after, known(before), NOW + 12)
    mine = [one for one in unknown if dict(one.labels).get("position") == held.id]
    assert {one.cause for one in mine} == {"reverted"}
    assert "health_factor" in {one.metric for one in mine}
    assert not [of for _, of in gone if dict(of).get("position") == held.id]
    market = labels(chain="main", protocol="aave-v3", market="Core")
    unread = by(after, "market_unread")[market]
    assert unread.value == 1
    assert unread.note == "reverted"
    assert only(after, "chain_worst_health").value is None


def test_absent__wallet_unread__balances_and_allowances_are_unknown() -> None:
    given = (AllowanceGiven(LINK, address(0x61), 2**256 - 1, unlimited=True),)
    before = observe(report(replace(wallet(), allowances=given)), config(), NOW)
    lost = Unreadable("wallet", "wallet", ZERO_ADDRESS, OWNER, "no answer", AT)
    after = observe(report(loan(), unreadable=(lost,)), config(), NOW + 12)
    unknown, _ = absent(after, known(before), NOW + 12)
    assert "allowance_unlimited" in {one.metric for one in unknown}
    assert only(after, "wallet_native_balance").value is None
    partly = replace(wallet(), unknown=("LINK allowance of 0x61: no answer",))
    again = observe(report(partly), config(), NOW + 12)
    hidden, _ = absent(again, known(before), NOW + 12)
    assert {one.metric for one in hidden} == {"allowance_unlimited"}


def test_observe__chain_down__all_of_it_is_unknown_since_it_was_read() -> None:
    before = observe(report(), config(), NOW)
    down = ChainReport("main", 1, None, fault=Fault.DOWN, cause="no endpoint answers")
    after = observe(down, config(), NOW + 60, before.fingerprint, success_at=NOW)
    assert only(after, "chain_up").value == 0
    assert only(after, "data_age").value == 60
    unknown, gone = absent(after, known(before), NOW + 60)
    assert not gone
    assert {one.cause for one in unknown} == {"no endpoint answers"}
    assert {one.at for one in unknown} == {NOW}
    assert {one.metric for one in unknown} <= CHAIN_METRICS
    assert after.fingerprint == before.fingerprint


def test_observe__never_read__its_age_is_unknown() -> None:
    down = ChainReport("main", 1, None, fault=Fault.STALE, cause="head is old")
    age = only(observe(down, config(), NOW), "data_age")
    assert (age.value, age.cause) == (None, "never read whole: head is old")


def test_observe__rpc_failed_on_the_way__what_is_absent_is_unknown() -> None:
    before = observe(report(), config(), NOW)
    half = report(wallet(), fault=Fault.DOWN, cause="stopped answering")
    after = observe(half, config(), NOW + 12, success_at=NOW)
    assert only(after, "chain_up").value == 0
    unknown, gone = absent(after, known(before), NOW + 12)
    assert not gone
    assert "health_factor" in {one.metric for one in unknown}


def test_sums__all_priced__worth_of_the_chain_each_thing_once() -> None:
    assert only(observe(report(), config(), NOW), "chain_equity_usd").value == Decimal(9_200)


def test_sums__a_part_unknown__the_sum_too() -> None:
    bare = ChainReport("main", 1, AT, valuation=Valuation.of((), (), (), AT), read_at=NOW)
    assert only(observe(bare, config(), NOW), "chain_equity_usd").value == 0
    assert not by(observe(bare, config(), NOW), "chain_worst_health")
    odd = report(wallet(Leg(Token(address(0x99), "ODD", 18), 5, Side.ASSET)))
    one = only(observe(odd, config(), NOW), "chain_equity_usd")
    assert one.value is None
    assert "ODD" in one.cause
