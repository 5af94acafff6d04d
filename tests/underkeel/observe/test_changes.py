"""Rules, price sources and code that changed: found by comparing with what was stored."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from protocols.aave_v3.state import AaveAccount, EMode
from protocols.compound_v2.state import CHolding, CMarket, CompoundAccount
from protocols.compound_v2.state import Quote as CompoundQuote
from protocols.types import Position
from tests.support.fake_chain import AT, address
from tests.underkeel.observe.test_report import AAVE, NOW, by, config, report
from tests.underkeel.stress.build import ETH_FEED, LOAN_ETH, WETH, loan
from tests.underkeel.stress.test_borrowers import borrower, vault
from underkeel.observe import changes
from underkeel.observe.changes import REMEMBERED_S, compared, facts_of
from underkeel.observe.report import observe
from underkeel.observe.study import observe_study


def stored(fingerprint: dict[str, Any]) -> dict[str, Any]:
    """Return it as a database gives it back."""
    found: dict[str, Any] = orjson.loads(orjson.dumps(fingerprint))
    return found


def with_reserve(**more: Any) -> Position:
    """Return the loan with its collateral's reserve changed."""
    held = loan()
    state = held.state
    assert isinstance(state, AaveAccount)
    first, *rest = state.holdings
    fresh = replace(first, reserve=replace(first.reserve, **more))
    return replace(held, state=replace(state, holdings=(fresh, *rest)))


def lower_threshold() -> Position:
    bits = LOAN_ETH.configuration & ~(0xFFFF << 16) | 7_000 << 16
    return with_reserve(configuration=bits)


def test_observe__threshold_lowered__told_with_before_and_after_for_a_week() -> None:
    first = observe(report(loan()), config(), NOW)
    assert not by(first, "parameter_change_age")
    then = observe(report(lower_threshold()), config(), NOW + 12, stored(first.fingerprint))
    (one,) = by(then, "parameter_change_age").values()
    assert dict(one.labels)["what"] == "liquidation threshold"
    assert one.value == 0
    assert one.note.endswith(f"→ 70 %, block {AT.number}")
    later = observe(report(lower_threshold()), config(), NOW + 112, stored(then.fingerprint))
    (one,) = by(later, "parameter_change_age").values()
    assert one.value == 100
    over = observe(
        report(lower_threshold()), config(), NOW + 13 + REMEMBERED_S, stored(then.fingerprint)
    )
    assert not by(over, "parameter_change_age")


def test_observe__oracle_swapped__is_its_own_metric() -> None:
    first = observe(report(loan()), config(), NOW)
    quote = LOAN_ETH.quote
    assert quote is not None
    swapped = with_reserve(quote=replace(quote, factor=address(0xEE)))
    then = observe(report(swapped), config(), NOW + 12, stored(first.fingerprint))
    (one,) = by(then, "oracle_change_age").values()
    assert one.note.startswith(f"oracle: {ETH_FEED} → {address(0xEE)}")
    assert not by(then, "parameter_change_age")


def test_compared__price_missing_for_a_while__is_no_change() -> None:
    first = compared("main", [loan()], None, NOW)
    gone = compared("main", [with_reserve(quote=None)], stored(first), NOW + 12)
    back = compared("main", [loan()], stored(gone), NOW + 24)
    assert (gone["changes"], back["changes"]) == ([], [])


def test_observe__position_closed_and_opened_again__compared_with_before() -> None:
    first = observe(report(loan()), config(), NOW)
    closed = observe(report(markets=(AAVE,), positions=()), config(), NOW + 12, first.fingerprint)
    again = observe(report(lower_threshold()), config(), NOW + 24, stored(closed.fingerprint))
    assert len(by(again, "parameter_change_age")) == 1


def test_compared__version_of_the_rules__is_a_parameter() -> None:
    one = replace(loan(), version="rev 10")
    first = compared("main", [one], None, NOW)
    then = compared("main", [replace(one, version="rev 11")], stored(first), NOW + 1)
    assert [c["what"] for c in then["changes"]] == ["version of the rules"]
    assert [c["before"] for c in then["changes"]] == ["rev 10"]


def test_compared__of_another_version__begins_anew() -> None:
    first = compared("main", [loan()], None, NOW)
    assert not compared("main", [lower_threshold()], {**first, "version": 0}, NOW)["changes"]


def test_compared__more_than_is_kept__the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MOST_SUBJECTS", 2)
    assert len(compared("main", [replace(loan(), version="1")], None, NOW)["facts"]) == 2


def test_compared__two_positions_of_one_market__say_one_thing() -> None:
    first = compared("main", [loan()], None, NOW)
    both = [lower_threshold(), replace(lower_threshold(), id="other")]
    assert len(compared("main", both, stored(first), NOW)["changes"]) == 1


def test_facts__compound__factor_flags_oracle_and_comptroller() -> None:
    quote = CompoundQuote(ETH_FEED, 10**18, 18)
    market = CMarket(
        address(0x31),
        "cWETH",
        WETH,
        True,
        75 * 10**16,
        False,
        False,
        10**18,
        10**18,
        0,
        quote,
        None,
    )
    held = CHolding(market, 10**18, 0, 0, True)
    state = CompoundAccount(
        address(0x30), (held,), 5 * 10**17, 108 * 10**16, False, None, 0, 0, None, True
    )
    found = {s.name: facts for s, facts in facts_of(replace(loan(), state=state))}
    assert found["Comptroller"]["liquidation incentive"] == "1.08"
    assert found["cWETH"]["collateral factor"] == "0.75"
    assert found["cWETH"]["oracle"] == ETH_FEED


def test_facts__morpho__feeds_of_its_oracle_and_nothing_else_can_change() -> None:
    held = replace(loan(), version="")
    (found,) = [facts for _, facts in facts_of(replace(held, state=borrower()))]
    assert list(found) == ["oracle"]
    silent = replace(held, state=replace(borrower(), oracle=None))
    assert list(facts_of(silent)) == []


def test_facts__metamorpho__who_may_change_it_and_how_fast() -> None:
    found = {s.name: facts for s, facts in facts_of(vault())}["wUSDC"]
    assert found["timelock"] == "0 s"
    assert found["guardian to come"] == "none"


def test_facts__emode__its_category_is_a_subject_of_its_own() -> None:
    held = loan()
    assert isinstance(held.state, AaveAccount)
    mode = EMode(1, 9_300, 10_100, 0b101)
    found = {s.name: f for s, f in facts_of(replace(held, state=replace(held.state, emode=mode)))}
    assert found["e-mode 1"]["collateral"] == "0x5"


def node(address_: str, code: str, **more: Any) -> dict[str, Any]:
    return {
        "chain": "main", "id": address_, "address": address_, "label": "Pool", "codehash": code,
        "answers_as": "contract", "unknown": [], **more,
    }  # fmt: skip


def edge(source: str, target: str, kind: str) -> dict[str, Any]:
    return {
        "chain": "main", "source": source, "target": target, "kind": kind, "evidence": "slot 7",
    }  # fmt: skip


def study(nodes: list[dict[str, Any]], edges: list[dict[str, Any]]) -> dict[str, Any]:
    chain = {"name": "main", "block_number": "7"}
    return {"chains": [chain], "nodes": nodes, "edges": edges}


def after(*documents: dict[str, Any]) -> Any:
    before: dict[str, Any] = {}
    found: Any = ()
    for i, document in enumerate(documents):
        found = observe_study(document, before, NOW + i)
        before = {one.scope.chain: stored(one.fingerprint) for one in found}
    return found[0]


def test_study__proxy_points_elsewhere__implementation_changed() -> None:
    a = study([node("0xp", "0x1")], [edge("0xp", "0xa", "implementation")])
    b = study([node("0xp", "0x1")], [edge("0xp", "0xb", "implementation")])
    assert not after(a, a).observations
    (one,) = after(a, b).observations
    assert one.metric == "implementation_change_age"
    assert dict(one.labels)["subject"] == "Pool 0xp"
    assert one.note == "implementation by slot 7: 0xa → 0xb, block 7"


def test_study__aggregator_replaced__feed_changed() -> None:
    a = study([node("0xf", "0x1")], [edge("0xf", "0xa", "source")])
    b = study([node("0xf", "0x1")], [edge("0xf", "0xb", "source")])
    (one,) = after(a, b).observations
    assert one.metric == "feed_change_age"


def test_study__destroyed_or_run_by_anothers_code__is_a_change_too() -> None:
    a = study([node("0xp", "0x1", answers_as="eoa")], [])
    b = study([node("0xp", "0x1", answers_as="delegated-eoa")], [])
    unknown = study([node("0xp", "0x1", answers_as="unknown")], [])
    (one,) = after(a, b).observations
    assert one.note == "what it is: eoa → delegated-eoa, block 7"
    assert not after(a, unknown).observations


def test_study__clock_set_back__the_change_is_remembered() -> None:
    a, b = study([node("0xp", "0x1")], []), study([node("0xp", "0x2")], [])
    (first,) = observe_study(a, {}, NOW)
    (then,) = observe_study(b, {"main": stored(first.fingerprint)}, NOW + 10)
    (back,) = observe_study(b, {"main": stored(then.fingerprint)}, NOW - 86_400)
    (one,) = back.observations
    assert one.value == 0


def test_study__not_read_once__is_no_change_and_compared_with_before_that() -> None:
    a = study([node("0xp", "0x1")], [])
    unread = study([node("0xp", "0x2", unknown=["no answer"])], [])
    c = study([node("0xp", "0x3", label=None)], [])
    assert not after(a, unread).observations
    (one,) = after(a, unread, c).observations
    assert one.note == "code: 0x1 → 0x3, block 7"
    assert dict(one.labels)["subject"] == "0xp"
