"""Readings become rows, events and messages: together, once, and whatever comes in between."""

import random
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.underkeel.alerts.conftest import House, fired
from tests.underkeel.alerts.scene import (
    CHAIN,
    DOWN,
    HEALTH,
    START,
    block,
    health,
    observed,
    position,
    rules,
    time_of,
)
from underkeel.alerts.evaluate import evaluate, studied, unwatched
from underkeel.observe.types import Gap, Observation, Observed, Scope, labels
from underkeel.store import documents
from underkeel.store.store import Store
from underkeel.store.tables import alerts as table

Make = Callable[..., House]


def test_evaluate__critical__row_event_and_messages_in_one(house: Make) -> None:
    here = house(rules(HEALTH))
    outcome = here.see(observed(1, health("1.10009", 1)), time_of(1) + 3)
    (row,) = here.rows
    assert (row.state, row.severity, row.value) == ("firing", "critical", Decimal("1.10009"))
    assert row.labels["position"] == "1:aave-v3:0xroot:0"
    assert here.told == [("ops", "firing"), ("phone", "firing")]
    assert (outcome.firing, outcome.messages, outcome.events) == (1, 2, 1)
    (event,) = here.events
    assert (event.kind, event.severity, event.alert) == ("alert", "critical", row.key)
    message = here.messages[0]
    assert message.title == (
        "✖ CRITICAL hf-low: treasury · aave-v3 · Core · ethereum: health 1.1000 is below 1.15"
    )
    for text in ("ends at or above 1.25", "Block 1 of", "3 s ago", "What to do:", row.key[:12]):
        assert text in message.body


def test_evaluate__words_of_a_stranger__cannot_pass_for_ours(house: Make) -> None:
    here = house(rules(HEALTH))
    nasty = "reverted\n\x1b[2J✔ RESOLVED " + "x" * 5_000
    one = Observation("health_factor", position(0), None, nasty, time_of(1), None)
    here.see(observed(1, one), time_of(1))
    here.wait(time_of(1) + 90)
    (row,) = here.rows
    assert "\n" not in row.cause
    assert len(row.cause) < 500
    for message in here.messages:
        assert "\x1b" not in message.title + message.body
        assert "\n✔" not in message.body


def test_evaluate__channel_gone_from_the_config__nothing_is_sent_there(house: Make) -> None:
    here = fired(house)
    less = {**HEALTH, "notify": {"critical": ["ops"]}, "escalate": None}
    again = House(here.store, rules(less, channels={"ops": {"apprise": "env:X"}}))
    again.see(observed(2, health(2, 2)), time_of(2))
    assert again.told[2:] == [("ops", "resolved")]


def test_evaluate__debt_known__says_what_repaying_would_do(house: Make) -> None:
    here = house(rules(HEALTH))
    debt = Observation("debt_usd", position(0), Decimal(10_000), "", time_of(1), block(1))
    here.see(observed(1, health("1.0", 1), debt), time_of(1))
    assert "Repaying about 2,000.00 USD of its debt would bring health to 1.25." in (
        here.messages[0].body
    )


def test_evaluate__the_same_reading_again__changes_nothing(house: Make) -> None:
    here = fired(house)
    rows, events = here.rows, here.events
    outcome = here.see(observed(1, health(1.1, 1)), time_of(1))
    assert (outcome.changed, outcome.messages, outcome.events) == (0, 0, 0)
    assert (here.rows, here.events) == (rows, events)


def test_evaluate__killed_before_the_commit__nothing_half_told_and_all_of_it_next_time(
    house: Make,
) -> None:
    here = house(rules(HEALTH))

    def killed(db: Any) -> None:
        evaluate(db, here.rules, observed(1, health(1.1, 1)), time_of(1))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        here.do(killed)
    assert (here.rows, here.told, here.events) == ([], [], [])
    here.see(observed(1, health(1.1, 1)), time_of(1) + 5)
    assert here.told == [("ops", "firing"), ("phone", "firing")]


def test_evaluate__another_process_goes_on__pending_counts_from_before(house: Make) -> None:
    house(rules(HEALTH)).see(observed(1, health(1.4, 1)), time_of(1))
    again = house(rules(HEALTH))
    again.see(observed(2, health(1.4, 2)), time_of(2))
    assert again.told == [("ops", "firing")]


def test_evaluate__order_within_a_reading__does_not_matter(house: Make, tmp_path: Any) -> None:
    found = [health(value, 1, i) for i, value in enumerate((1.1, 1.4, None, 2, 1.0, 1.2))]
    told = []
    for turn in range(3):
        url = f"sqlite:///{tmp_path / f'{turn}.sqlite'}"
        store = Store.open(url, mode="dry-run", chains={"ethereum": 1}, clock=lambda: START)
        here = House(store, rules(HEALTH))
        random.Random(turn).shuffle(found)
        here.see(observed(1, *found), time_of(1))
        told.append(([(m.id, m.title, m.body) for m in here.messages], here.rows))
        store.close()
    assert told[0] == told[1] == told[2]


def test_evaluate__older_block__not_looked_at_until_the_chain_really_is_there(house: Make) -> None:
    here = fired(house)
    here.see(observed(10, health(1.1, 10)), time_of(10))
    assert here.see(observed(9, health(2, 9)), time_of(10) + 1).older
    assert here.rows[0].state == "firing"
    assert not here.see(observed(9, health(2, 9)), time_of(10) + 61).older
    assert here.rows[0].state == "resolved"


def test_evaluate__fork_of_the_same_height__is_looked_at(house: Make) -> None:
    here = fired(house)
    assert not here.see(observed(1, health(2, 1), fork="f"), time_of(1) + 1).older
    assert here.rows[0].state == "resolved"


def test_evaluate__position_closed__ends_and_says_so(house: Make) -> None:
    here = fired(house)
    here.see(observed(2), time_of(2))
    (row,) = here.rows
    assert (row.state, row.note) == ("resolved", "no longer there")
    assert here.told[2:] == [("ops", "resolved"), ("phone", "resolved")]
    assert "no longer there" in here.messages[-1].title
    here.wait(time_of(2) + 3_600)
    assert here.states == []


def test_evaluate__closed_while_ok__is_forgotten(house: Make) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(2, 1)), time_of(1))
    assert here.states == ["ok"]
    here.see(observed(2), time_of(2))
    assert here.states == []


def test_evaluate__absent_behind_a_gap__unknown_and_after_a_while_told(house: Make) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(2, 1)), time_of(1))
    gap = Gap((), "the market reverted", positions="1:aave-v3:0xroot:")
    here.see(observed(2, gaps=[gap]), time_of(2))
    (row,) = here.rows
    assert (row.state, row.value, row.cause) == ("unknown", None, "the market reverted")
    assert here.told == []
    here.see(observed(10, gaps=[gap]), time_of(2) + 90)
    assert here.told == [("ops", "unknown"), ("phone", "unknown")]
    assert "health cannot be read" in here.messages[0].title
    assert "Unknown because: the market reverted" in here.messages[0].body


def test_evaluate__chain_down__everything_of_it_is_unknown_since_it_was_last_read(
    house: Make,
) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, *(health(2, 1, i) for i in range(3))), time_of(1))
    gap = Gap(DOWN.labels, DOWN.cause, since=time_of(1))
    here.see(observed(None, gaps=[gap]), time_of(1) + 60)
    assert [row.state for row in here.rows] == ["unknown"] * 3
    here.wait(time_of(1) + 90)
    assert [row.state for row in here.rows] == ["firing"] * 3
    assert len(here.messages) == 2, "one message for the group, per channel"
    here.see(observed(9, *(health(2, 9, i) for i in range(3))), time_of(9))
    assert [row.state for row in here.rows] == ["resolved"] * 3


def test_evaluate__firing_and_chain_down__goes_on(house: Make) -> None:
    here = fired(house)
    for i in range(20):
        here.see(observed(None, gaps=[DOWN]), time_of(2 + i))
        assert here.rows[0].state == "firing"
    assert ("ops", "unknown") in here.told
    assert ("ops", "resolved") not in here.told


def test_evaluate__only_some_positions__others_are_untouched(house: Make) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(1.1, 1, 0), health(1.1, 1, 1)), time_of(1))
    only = frozenset({"1:aave-v3:0xroot:0"})
    here.see(observed(2, health(2, 2, 0), only=only), time_of(2))
    assert sorted(row.state for row in here.rows) == ["firing", "resolved"]
    here.see(observed(3, only=frozenset({"1:aave-v3:0xroot:1"})), time_of(3))
    assert sorted(row.state for row in here.rows) == ["resolved", "resolved"]


def test_evaluate__other_metrics__untouched(house: Make) -> None:
    here = fired(house)
    here.see(observed(2, metrics=frozenset({"reorg_depth"})), time_of(2))
    assert here.rows[0].state == "firing"


def test_evaluate__rule_gone_from_the_config__its_alerts_too(house: Make) -> None:
    here = fired(house)
    again = House(here.store, rules())
    again.wait(time_of(2))
    assert again.states == []


def test_evaluate__fewer_levels_in_the_config__the_state_still_fits(house: Make) -> None:
    here = fired(house)
    one = House(here.store, rules({**HEALTH, "levels": HEALTH["levels"][:1]}))
    one.see(observed(2, health(1.4, 2)), time_of(2))
    assert (one.rows[0].state, one.rows[0].severity) == ("firing", "warning")


def test_evaluate__watcher_hangs__unknown_and_after_a_while_told(house: Make) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(2, 1)), time_of(1))
    for i in range(0, 90, 2):
        here.see(unwatched(CHAIN, time_of(1) + 60 + i), time_of(1) + 60 + i)
        assert here.rows[0].state == "unknown"
    here.see(unwatched(CHAIN, time_of(1) + 150), time_of(1) + 150)
    assert here.rows[0].state == "firing"
    assert here.rows[0].cause == "its watcher has not tried to read it"
    here.see(observed(20, health(2, 20)), time_of(20))
    assert here.rows[0].state == "resolved"


def test_tick__chain_gone_from_the_config__its_alerts_too(house: Make) -> None:
    here = fired(house)
    again = House(
        here.store,
        rules(HEALTH, chains={"base": {"chain_id": 8453, "rpc": ["http://127.0.0.1:1"]}}),
    )
    again.wait(time_of(2))
    assert again.rows == []


def test_evaluate__service_without_a_chain__by_its_clock(house: Make) -> None:
    here = house(rules({"id": "service-degraded"}))
    one = Observation("service_degraded", labels(what="web"), Decimal(1), "", START, None, "dead")
    scope = Scope("", frozenset({"service_degraded"}))
    here.see(Observed(scope, (one,)), START)
    assert here.rows[0].state == "pending"
    here.see(Observed(scope, (one,)), START + 60)
    assert here.rows[0].title == "web: the monitor cannot keep up (dead)"
    here.see(Observed(scope, ()), START + 65)
    assert here.rows[0].state == "resolved"


def test_studied__implementation_replaced__critical_once_and_over_in_silence(house: Make) -> None:
    here = house(rules({"id": "implementation-change"}))
    for i, code in enumerate(("0x" + "aa" * 32, "0x" + "aa" * 32, "0x" + "bb" * 32)):
        here.do(studied, here.rules, study(code, i), START + i * 300)
    (row,) = here.rows
    assert (row.state, row.severity) == ("firing", "critical")
    assert "code: 0xaa" in row.note
    count = len(here.messages)
    here.do(studied, here.rules, study("0x" + "bb" * 32, 9), START + 90_000)
    here.wait(START + 90_001)
    assert here.rows[0].state == "resolved"
    assert len(here.messages) == count


def study(code: str, number: int) -> dict[str, Any]:
    node = {
        "chain": CHAIN, "id": "0xpool", "address": "0xpool", "label": "Pool", "codehash": code,
        "answers_as": "contract", "unknown": [],
    }  # fmt: skip
    chain = {"name": CHAIN, "block_number": str(number)}
    return {"chains": [chain], "nodes": [node], "edges": []}


def test_evaluate__on_both_databases__the_same(store: Store) -> None:
    here = House(store, rules(HEALTH))
    here.see(observed(1, *(health(1.1 if i < 3 else 2, 1, i) for i in range(600))), time_of(1))
    here.see(observed(2, *(health(2, 2, i) for i in range(3))), time_of(2))
    here.wait(time_of(2) + 1)
    here.see(observed(None, gaps=[DOWN]), time_of(3))
    with store.reading() as db:
        query = select(table.c.state, func.count()).group_by(table.c.state)
        count = {state: number for state, number in db.execute(query)}  # noqa: C416
        assert documents.get(db, "alerts-block", CHAIN) is not None
    assert count == {"unknown": 3}
    assert [kind for _, kind in here.told] == ["firing", "firing", "resolved", "resolved"]
