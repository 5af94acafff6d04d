"""Rules of a config: what is refused and how, and what they become."""

from pathlib import Path
from typing import Any

import pytest

from chain.types import checksum
from tests.underkeel.alerts.scene import HEALTH, position, rule, rules
from underkeel.alerts.rules import key_of
from underkeel.config.alerts import Span
from underkeel.config.load import parse
from underkeel.config.model import json_schema
from underkeel.errors import ConfigError
from underkeel.observe.types import labels

BASE: dict[str, Any] = {
    "version": 1,
    "chains": {"ethereum": {"chain_id": 1, "rpc": "http://127.0.0.1:1"}},
    "wallets": {"treasury": {"address": "0x" + "11" * 20}},
    "channels": {"ops": {"apprise": "env:X"}},
}
LEVEL = {"severity": "warning", "fire_below": 1.5}


def problems(*alerts: dict[str, Any], **more: Any) -> str:
    with pytest.raises(ConfigError) as refused:
        parse({**BASE, "alert": list(alerts), **more}, Path("c.toml"), {})
    return str(refused.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"expr": "health_facter"}, "did you mean 'health_factor'?"),
        ({"expr": 5}, "is not a metric"),
        ({"id": "HF low"}, "small letters"),
        ({"fore": "1m"}, "unknown key; did you mean 'for'?"),
        ({"for": "soon"}, "is neither a time nor a number of blocks"),
        ({"for": True}, "is neither a time"),
        ({"levels": []}, "alert[0].levels"),
        ({"levels": [{"severity": "warning"}]}, "needs one of fire_below and fire_above"),
        ({"levels": [{**LEVEL, "fire_above": 2}]}, "needs one of"),
        ({"levels": [{**LEVEL, "clear_below": 2}]}, "write clear_above"),
        ({"levels": [{**LEVEL, "clear_above": 1.4}]}, "would end at 1.4 and begin at 1.5"),
        ({"levels": [{**LEVEL, "severity": "bad"}]}, "is not"),
        ({"levels": [{**LEVEL, "fire_below": "low"}]}, "is not a number"),
        ({"levels": [{**LEVEL, "fire_below": float("nan")}]}, "is not a number"),
        ({"levels": [LEVEL, LEVEL]}, "two levels have one severity"),
        (
            {"levels": [LEVEL, {"severity": "critical", "fire_below": 1.6}]},
            "critical begins or ends before warning",
        ),
        (
            {"levels": [LEVEL, {"severity": "critical", "fire_above": 3}]},
            "its levels go both ways",
        ),
        ({"match": {"walet": "x"}}, "did you mean 'wallet'?"),
        ({"match": {"wallet": "tresury"}}, "did you mean 'treasury'?"),
        ({"match": {"chain": ["ethereum", "bas"]}}, "match.chain names 'bas'"),
        ({"group_by": ["spender"]}, "has no label 'spender'"),
        ({"notify": {"critical": ["op"]}}, "did you mean 'ops'?"),
        ({"notify": {"severe": ["ops"]}}, "alert[0].notify.severe"),
        ({"escalate": {"after": "1m", "to": ["boss"]}}, "escalate.to names 'boss'"),
        ({"escalate": {"after": "1m", "to": []}}, "escalate.to"),
        ({"repeat": {"every": "1s"}}, "is not a time between reminders"),
        ({"repeat": {"evry": "1m"}}, "did you mean 'every'?"),
        ({"inhibit": [{"alerts": ["rpcdown"]}]}, "did you mean 'rpc-down'?"),
        ({"action": {"plan": "nothing"}}, "names the plan 'nothing'"),
    ],
    ids=str,
)
def test_config__wrong__named_with_what_to_write(changes: dict[str, Any], text: str) -> None:
    given = {"id": "x", "expr": "health_factor", "levels": [LEVEL], **changes}
    assert text in problems(given)


def test_config__two_of_one_id__refused() -> None:
    given = {"id": "x", "expr": "health_factor", "levels": [LEVEL]}
    assert "two alerts have the id 'x'" in problems(given, given)


def test_config__blocks_of_what_has_no_chain__refused() -> None:
    text = problems({"id": "delivery-failing", "for": "2 blocks"})
    assert "there are no blocks" in text


def test_config__built_in_changed__keeps_its_other_keys() -> None:
    one = rule(id="data-stale", levels=[{"severity": "critical", "fire_above": "10m"}],
               expr="data_age", group_by=[], on_stale={"after": "1m"})  # fmt: skip
    assert one.levels[0].fire == 600
    made = rules({"id": "data-stale", "say": "Call Ada."}).by_id["data-stale"]
    assert [level.fire for level in made.levels] == [180, 600]
    assert made.table.say == "Call Ada."


def test_config__schema__lists_every_metric() -> None:
    schema = json_schema()
    assert "health_factor" in str(schema["$defs"]["AlertTable"]["properties"]["expr"])
    assert "for" in schema["$defs"]["AlertTable"]["properties"]


def test_rules__switched_off__is_not_there() -> None:
    assert "low-gas" in rules(built_in=True).by_id
    assert "low-gas" not in rules({"id": "low-gas", "enabled": False}, built_in=True).by_id


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({}, True),
        ({"wallet": "treasury"}, True),
        ({"wallet": "0x" + "11" * 20}, True),
        ({"wallet": ["ops", "trea*"]} | {}, True),
        ({"protocol": "aave-v?"}, True),
        ({"protocol": "morpho-blue"}, False),
        ({"market": "Core", "chain": "base"}, False),
    ],
    ids=str,
)
def test_rules__match__by_name_address_and_pattern(match: dict[str, Any], matches: bool) -> None:
    wallets = {"treasury": {"address": "0x" + "11" * 20}, "ops": {"address": "0x" + "22" * 20}}
    found = rules({**HEALTH, "match": match}, wallets=wallets).of("health_factor", position(0))
    assert bool(found) is matches


def test_rules__name_with_signs_of_a_pattern__matches_to_the_letter() -> None:
    made = rules({**HEALTH, "match": {"market": "Core [main]"}})
    of = dict(position(0)) | {"market": "Core [main]"}
    assert made.of("health_factor", labels(**of))
    assert not made.of("health_factor", position(0))


def test_rules__address_in_small_letters__is_the_labels() -> None:
    usdc = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"
    made = rules(
        {"id": "depeg", "expr": "asset_price_usd", "match": {"asset": usdc},
         "levels": [{"severity": "critical", "fire_below": 0.98}]}
    )  # fmt: skip
    of = labels(asset=checksum(usdc), chain="ethereum", source="feed(0x1)")
    assert made.of("asset_price_usd", of)


def test_rules__asked_again__the_same_and_remembered_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("underkeel.alerts.rules.MOST_REMEMBERED", 2)
    made = rules(HEALTH)
    first = made.of("health_factor", position(0))
    assert made.of("health_factor", position(0)) is first
    for i in range(5):
        made.of("health_factor", position(i))
    assert made.of("health_factor", position(0)) == first
    assert first[0].key == key_of("hf-low", position(0))


@pytest.mark.parametrize(
    ("notify", "told"),
    [
        (
            None,
            {"info": "ops phone boss", "warning": "ops phone boss", "critical": "ops phone boss"},
        ),
        ({"critical": ["ops"]}, {"info": "ops", "warning": "ops", "critical": "ops"}),
        (
            {"info": ["ops"], "warning": []},
            {"info": "ops", "warning": "", "critical": ""},
        ),
    ],
    ids=str,
)
def test_rules__notify__left_out_is_the_next_worse_then_the_next_milder(
    notify: Any, told: dict[str, str]
) -> None:
    given = {**HEALTH} if notify is not None else {k: v for k, v in HEALTH.items() if k != "notify"}
    if notify is not None:
        given["notify"] = notify
    found = rules(given).by_id["hf-low"].notify
    assert {severity: " ".join(channels) for severity, channels in found.items()} == told


@pytest.mark.parametrize(
    ("web", "link"),
    [
        (None, ""),
        ({}, "http://127.0.0.1:8899"),
        ({"hosts": ["keel.example.org"]}, "https://keel.example.org"),
    ],
    ids=str,
)
def test_rules__page__where_the_dashboard_is(web: Any, link: str) -> None:
    assert rules(HEALTH, **({} if web is None else {"web": web})).page == link


@pytest.mark.parametrize(
    ("span", "text"), [(Span(2), "2 blocks"), (Span(1), "1 block"), (Span(0, 30), "30s")]
)
def test_span__shown__as_it_is_written(span: Span, text: str) -> None:
    assert str(span) == text
