"""Who is told, how often, and who is not: groups, reminders, acknowledgements, silences."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

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
from underkeel.alerts import acts
from underkeel.observe.types import Observation, labels

Make = Callable[..., House]


def test_group__many_of_one_wallet__one_message_with_the_worst_first(house: Make) -> None:
    here = house(rules(HEALTH))
    found = [health(1.0 + i / 1000, 1, i) for i in range(30)]
    here.see(observed(1, *found, health(1.0, 1, 99, wallet="other")), time_of(1))
    ops = [m for m in here.messages if m.channel == "ops"]
    assert len(ops) == 2
    big = next(m for m in ops if "30 alerts" in m.title)
    assert "… and 10 more." in big.body
    acked = big.body.partition("underkeel alert ack ")[2].splitlines()[0].split()
    assert len(acked) == 20
    assert big.alert.startswith(acked[0])
    assert len(big.payload["alerts"]) == 30
    assert len({m.id for m in here.messages}) == 4


def test_yes_or_no__no_value_is_told(house: Make) -> None:
    level = {"severity": "critical", "fire_above": 0}
    here = house(rules({"id": "edge", "expr": "liquidatable", "levels": [level]}))
    found = Observation("liquidatable", position(1), Decimal(1), "", time_of(1), block(1))
    here.see(observed(1, found), time_of(1))
    (body,) = {m.body for m in here.messages}
    assert "it can be liquidated NOW" in body
    assert "Value" not in body


def test_reminders__nobody_acknowledges__with_back_off_up_to_the_most(house: Make) -> None:
    here = fired(house, escalate=None)
    at = []
    for minute in range(0, 60 * 24 * 5, 60):
        before = len(here.messages)
        here.wait(time_of(1) + 60 * minute)
        if len(here.messages) > before:
            at.append(minute // 60)
    assert at == [1, 3, 7, 15, 31, 55]
    assert here.told[2:4] == [("ops", "repeat"), ("phone", "repeat")]


def test_escalate__nobody_acknowledges__the_boss_is_told_once_and_of_the_end(house: Make) -> None:
    here = fired(house)
    here.wait(time_of(1) + 599)
    assert len(here.told) == 2
    here.wait(time_of(1) + 600)
    here.wait(time_of(1) + 700)
    assert here.told[2:] == [("boss", "escalated")]
    here.see(observed(80, health(2, 80)), time_of(80))
    assert sorted(here.told[3:]) == [
        ("boss", "resolved"), ("ops", "resolved"), ("phone", "resolved"),
    ]  # fmt: skip


def test_ack__no_reminder_and_no_escalation__but_the_worse_is_told(house: Make) -> None:
    here = house(rules(HEALTH))
    here.see(observed(1, health(1.4, 1)), time_of(1))
    here.see(observed(2, health(1.4, 2)), time_of(2))
    key = here.rows[0].key
    assert here.do(acts.ack, key, "ada", time_of(3))
    assert not here.do(acts.ack, key, "ada", time_of(3))
    assert not here.do(acts.ack, "none", "ada", time_of(3))
    assert (here.rows[0].state, here.rows[0].acked_by) == ("acked", "ada")
    here.wait(time_of(3) + 86_400)
    here.see(observed(8_000, health(1.45, 8_000)), time_of(8_000))
    assert len(here.messages) == 1
    here.see(observed(8_001, health(1.0, 8_001)), time_of(8_001))
    assert here.told[1:] == [("ops", "firing"), ("phone", "firing")]
    assert "(worse)" in here.messages[1].title
    assert here.events[1].text.startswith("acknowledged by ada: treasury")


def test_silence__nothing_is_told_until_it_ends__then_at_once(house: Make) -> None:
    here = house(rules(HEALTH))
    match = {"wallet": "trea*", "rule": "hf-low"}
    made = here.do(acts.silence, here.rules, match, time_of(100), "ada", "moving", START)
    here.see(observed(1, health(1.1, 1)), time_of(1))
    assert (here.rows[0].state, here.rows[0].silenced) == ("firing", str(made))
    here.see(observed(2, health(1.0, 2, 1, wallet="other")), time_of(2))
    told = [m for m in here.messages if m.state != "silenced"]
    assert {m.payload["alerts"][0]["labels"]["wallet"] for m in told} == {"other"}
    before = len(here.messages)
    assert here.do(acts.unsilence, made, "ada", time_of(3))
    assert not here.do(acts.unsilence, made, "ada", time_of(3))
    here.see(observed(3, health(1.1, 3)), time_of(3))
    assert len(here.messages) > before


def test_silence__ends_by_itself__what_still_fires_is_told(house: Make) -> None:
    here = house(rules(HEALTH))
    here.do(acts.silence, here.rules, {"chain": CHAIN}, START + 100, "ada", "", START)
    here.see(observed(1, health(1.1, 1)), time_of(1))
    here.wait(START + 99)
    assert here.told == [("ops", "silenced")]
    here.wait(START + 100)
    assert here.told[1:] == [("ops", "firing"), ("phone", "firing")]


def test_silence__over_within_it__never_told(house: Make) -> None:
    here = house(rules(HEALTH))
    here.do(acts.silence, here.rules, {"chain": CHAIN}, START + 500, "ada", "", START)
    here.see(observed(1, health(1.1, 1)), time_of(1))
    here.see(observed(2, health(2, 2)), time_of(2))
    here.wait(START + 1_000)
    assert here.told == [("ops", "silenced")]


def test_silence__begun_after_it_was_told__its_end_is_told_afterwards(house: Make) -> None:
    here = fired(house)
    here.do(acts.silence, here.rules, {"chain": CHAIN}, START + 500, "ada", "", time_of(1))
    here.see(observed(2, health(2, 2)), time_of(2))
    assert len(here.told) == 3
    here.wait(START + 501)
    assert here.told[3:] == [("ops", "resolved"), ("phone", "resolved")]


@pytest.mark.parametrize(
    ("match", "until"), [({}, 60), ({"rule": "x"}, 0), ({"rule": "x"}, 32 * 86_400)], ids=str
)
def test_silence__of_nothing_or_over_or_too_long__refused(
    house: Make, match: dict[str, str], until: float
) -> None:
    with pytest.raises(ValueError, match="silence"):
        house(rules()).do(acts.silence, rules(), match, START + until, "ada", "", START)


def test_silence__a_hundred_within_an_hour__the_next_is_refused(house: Make) -> None:
    here = house(rules(HEALTH))

    def silence(now: float) -> Any:
        return here.do(acts.silence, here.rules, {"rule": "x"}, now + 60, "ada", "", now)

    for n in range(acts.MOST):
        assert here.do(acts.unsilence, silence(START + n / 9), "ada", START + n / 9)
    with pytest.raises(ValueError, match="100 silences within an hour"):
        silence(START + 60)
    assert silence(START + 3_700)


def test_silence__begun__whom_it_keeps_from_hearing_is_told(house: Make) -> None:
    other = {**HEALTH, "id": "other", "notify": {"critical": ["boss"]}}
    here = house(rules(HEALTH, other))
    here.do(acts.silence, here.rules, {"rule": "hf-*"}, START + 60, "ada", "x\ny", START)
    (message,) = here.messages
    assert (message.channel, message.state, message.severity) == ("ops", "silenced", "info")
    assert "silenced by ada: rule=hf-*" in message.title
    assert "underkeel alert unsilence 1" in message.body
    assert message.payload["silence"]["match"] == {"rule": "hf-*"}
    here.do(acts.silence, here.rules, {"chain": CHAIN}, START + 60, "ada", "", START)
    assert here.told[1:] == [("ops", "silenced"), ("boss", "silenced")]


def test_silence__of_a_rule_that_tells_only_of_the_worst__they_are_told(house: Make) -> None:
    grave = {**HEALTH, "notify": {"info": [], "warning": [], "critical": ["phone"]}}
    here = house(rules({**grave, "escalate": None}))
    here.do(acts.silence, here.rules, {"rule": "hf-*"}, START + 60, "ada", "", START)
    assert here.told == [("phone", "silenced")]


def test_silence__of_very_long_words__the_title_is_short(house: Make) -> None:
    here = house(rules(HEALTH))
    match = {"rule": "*", "wallet": "x" * 400, "market": "\u202e\n" * 200}
    here.do(acts.silence, here.rules, match, START + 60, "ada", "y" * 400, START)
    (message,) = here.messages
    assert len(message.title) < 220
    assert message.title.isprintable()
    assert "underkeel alert unsilence 1" in message.body.splitlines()[2]


def test_inhibit__critical_of_the_same_thing__the_warning_is_not_told(house: Make) -> None:
    mild = {
        "id": "hf-mild", "expr": "health_factor",
        "levels": [{"severity": "warning", "fire_below": 2}],
    }  # fmt: skip
    here = house(rules({**HEALTH, "escalate": None}, mild))
    here.see(observed(1, health(1.1, 1)), time_of(1))
    assert {m.rule for m in here.messages} == {"hf-low"}
    assert {row.rule: row.inhibited for row in here.rows} == {"hf-low": "", "hf-mild": "hf-low"}
    here.see(observed(2, health(1.7, 2)), time_of(2))
    assert sorted((m.rule, m.state) for m in here.messages if m.channel == "ops")[1:] == [
        ("hf-low", "resolved"),
        ("hf-mild", "firing"),
    ]


def test_inhibit__who_tells_nobody__keeps_nothing_back(house: Make) -> None:
    quiet = {**HEALTH, "notify": {"critical": []}, "escalate": None}
    mild = {
        "id": "hf-mild", "expr": "health_factor",
        "levels": [{"severity": "warning", "fire_below": 2}],
    }  # fmt: skip
    here = house(rules(quiet, mild))
    here.see(observed(1, health(1.1, 1)), time_of(1))
    assert {m.rule for m in here.messages} == {"hf-mild"}


def up(number: int | None, value: int) -> Observation:
    at = None if number is None else block(number)
    return Observation("chain_up", labels(chain=CHAIN), Decimal(value), "", START, at)


def test_inhibit__chain_down__told_once_and_not_position_by_position(house: Make) -> None:
    here = house(rules(HEALTH, {"id": "rpc-down"}))
    here.see(observed(1, up(1, 1), *(health(2, 1, i) for i in range(5))), time_of(1))
    for i in range(2, 30):
        here.see(observed(None, up(None, 0), gaps=[DOWN]), time_of(i))
    assert {m.rule for m in here.messages} == {"rpc-down"}
    stale = [row for row in here.rows if row.rule == "hf-low"]
    assert [(row.state, row.inhibited) for row in stale] == [("firing", "rpc-down")] * 5
    here.see(observed(31, up(31, 1), *(health(2, 31, i) for i in range(5))), time_of(31))
    here.see(observed(35, up(35, 1), *(health(2, 35, i) for i in range(5))), time_of(35))
    assert {(m.rule, m.state) for m in here.messages} == {
        ("rpc-down", "firing"), ("rpc-down", "resolved"),
    }  # fmt: skip


def test_inhibit__chain_down_and_one_fires__that_one_is_still_reminded_of(house: Make) -> None:
    here = house(rules(HEALTH, {"id": "rpc-down"}))
    here.see(observed(1, up(1, 1), health(1.1, 1)), time_of(1))
    for i in range(2, 400, 5):
        here.see(observed(None, up(None, 0), gaps=[DOWN]), time_of(i))
    kinds = [m.state for m in here.messages if m.rule == "hf-low" and m.channel == "ops"]
    assert kinds[:2] == ["firing", "unknown"]
    assert "repeat" in kinds


def test_inhibit__position_unknown__told_once_and_not_rule_by_rule(house: Make) -> None:
    mild = {**HEALTH, "on_stale": {"after": "5m", "severity": "warning"}, "escalate": None}
    here = house(rules(mild, {"id": "position-unknown"}, {"id": "position-liquidatable"}))
    for i in range(1, 80):
        flag = Observation("position_unknown", position(0), Decimal(1), "", time_of(i), block(i))
        taken = replace(health(None, i), metric="liquidatable")
        here.see(observed(i, health(None, i), flag, taken), time_of(i))
    assert {m.rule for m in here.messages} == {"position-unknown"}
    assert {row.rule: row.inhibited for row in here.rows} == {
        "hf-low": "position-unknown",
        "position-liquidatable": "position-unknown",
        "position-unknown": "",
    }
