"""The hazard: every multiplier shown, unknown never neutral, files that make no sense refused."""

from dataclasses import replace

import pytest

from protocols.exposure.state import Facts, Kind, LinkKind
from risk.exposure.graph import build
from risk.exposure.priors import BadFile, UserFacts, priors, user_facts
from risk.exposure.score import Knowledge, Score, scores
from tests.risk.exposure.build import (
    PRIORS,
    contract,
    key,
    link,
    power,
    proxied,
    safe,
    stands,
    survey,
)
from tests.support.fake_chain import NOW, address

DAY = 86_400


def scored(*facts: Facts, kind: LinkKind = LinkKind.PROTOCOL, known: UserFacts | None = None,
           **more: object) -> dict[str, Score]:  # fmt: skip
    graph = build([stands("a", link("a", 1, kind))], survey(*facts), PRIORS.lgd)
    knowledge = Knowledge(PRIORS, known or UserFacts(), NOW, **more)  # type: ignore[arg-type]
    return dict(scores(graph, knowledge))


def multipliers(score: Score) -> dict[str, float]:
    return {factor.name: factor.multiplier for factor in score.factors}


def test_score__nothing_known__every_question_counts_against() -> None:
    found = scored(contract(1))[address(1)]
    told = multipliers(found)
    assert set(told) == {"age", "verified", "audits", "survived", "pausable", "dependencies"}
    for name in ("age", "verified", "audits", "survived"):
        assert told[name] > 1.0
    assert all(f.evidence for f in found.factors)
    assert found.hazard > PRIORS.base["code"]


def test_score__pd__of_the_hazard_over_the_horizon() -> None:
    assert Score(0.0, (), 1.0).pd == 0.0
    assert Score(0.1, (), 2.0).pd == pytest.approx(1 - 2.718281828459045**-0.2)


def test_score__facts_of_the_code__lower_it() -> None:
    text = f"""
    [[contract]]
    codehash = "0x{1:064x}"
    verified = true
    audits = ["one", "two"]
    survived = 12.0
    changed = 2020-01-01
    """
    plain = scored(contract(1))[address(1)]
    known = scored(contract(1), known=user_facts(text))[address(1)]
    assert known.hazard < PRIORS.base["code"] < plain.hazard
    assert multipliers(known)["age"] == 0.6


def test_score__incidents__by_address_raise_it() -> None:
    text = f'[[contract]]\naddress = "{address(1)}"\nincidents = ["drained"]'
    found = scored(contract(1), known=user_facts(text))[address(1)]
    assert multipliers(found)["incidents"] == 2.0


def test_score__changed_yesterday__is_worse_than_long_ago() -> None:
    new = scored(contract(1), changed={address(1): NOW - DAY})[address(1)]
    old = scored(contract(1), changed={address(1): NOW - 2000 * DAY})[address(1)]
    assert multipliers(new)["age"] == 3.0
    assert multipliers(old)["age"] == 0.6


def test_score__proxy__is_asked_its_age_only_and_its_code_the_rest() -> None:
    found = scored(proxied(1, 2), contract(2))
    assert set(multipliers(found[address(1)])) == {"age"}
    assert "audits" in multipliers(found[address(2)])


def test_score__who_holds_the_power__key_worse_than_safe_worse_than_timelock() -> None:
    a_key = scored(contract(1, power(9)), key(9))[address(9)]
    a_safe = scored(contract(1, power(9)), safe(9, (5, 6, 7), 3))[address(9)]
    slow = scored(contract(1, power(9, delay=7 * DAY)), safe(9, (5, 6, 7), 3))[address(9)]
    single = scored(contract(1, power(9)), safe(9, (5, 6), 1))[address(9)]
    assert a_key.hazard > a_safe.hazard > slow.hazard
    assert multipliers(single)["admin"] == multipliers(a_key)["admin"]
    assert [f.value for f in a_safe.factors if f.name == "signatures"] == ["3"]


def test_score__holder_that_could_not_be_found__worse_than_a_key() -> None:
    unknown = scored(contract(1, power(None)))[f"unknown:{address(1)}"]
    a_key = scored(contract(1, power(9)), key(9))[address(9)]
    assert unknown.hazard > a_key.hazard
    assert [f.value for f in unknown.factors if f.name == "admin"] == ["unknown"]


def test_score__what_could_not_be_read__doubles_it() -> None:
    found = scored(contract(1, unknown=("its modules could not be read",)))[address(1)]
    assert multipliers(found)["readable"] == 2.0
    unseen = scored()[address(1)]
    assert multipliers(unseen)["readable"] == 2.0


@pytest.mark.parametrize(
    ("problems", "word"),
    [({}, "unknown"), ({address(1): ()}, "fresh"), ({address(1): ("stale: 9 s",)}, "stale")],
)
def test_score__feed__by_its_freshness(problems: dict[str, tuple[str, ...]], word: str) -> None:
    found = scored(contract(1), kind=LinkKind.FEED, problems=problems)[address(1)]
    assert [f.value for f in found.factors if f.name == "stale"] == [word]


def test_score__oracle_that_does_not_say_what_it_is_made_of__opaque() -> None:
    opaque = scored(contract(1), kind=LinkKind.ORACLE)[address(1)]
    made = contract(1, links=(link(1, 2, LinkKind.FEED),))
    composed = scored(made, contract(2), kind=LinkKind.ORACLE)[address(1)]
    assert multipliers(opaque)["oracle"] > multipliers(composed)["oracle"]


def test_score__bridge__unknown_unless_a_fact_says_otherwise() -> None:
    text = f'[[contract]]\naddress = "{address(1)}"\nbridge = "canonical"'
    plain = scored(contract(1), kind=LinkKind.BRIDGE)[address(1)]
    known = scored(contract(1), kind=LinkKind.BRIDGE, known=user_facts(text))[address(1)]
    assert (multipliers(plain)["bridge"], multipliers(known)["bridge"]) == (2.0, 0.5)


def test_score__unread_holder__is_control_of_an_unknown() -> None:
    found = scored(contract(1, power(9)), Facts(address(9), Kind.UNKNOWN, unknown=("code: lost",)))
    assert multipliers(found[address(9)])["admin"] == 5.0


def test_priors__a_file_of_ones_own__replaces_what_it_names() -> None:
    changed = priors("horizon_years = 2.0\n[multiplier.admin]\neoa = 9.0")
    assert changed.horizon_years == 2.0
    assert changed.multiplier["admin"].at("eoa") == 9.0
    assert changed.multiplier["admin"].at("safe") == PRIORS.multiplier["admin"].at("safe")


def test_priors__shipped__unknown_is_never_neutral_where_it_is_a_question_of_trust() -> None:
    for name, scale in PRIORS.multiplier.items():
        assert scale.unknown >= 1.0, name
    assert {kind.value for kind in LinkKind} <= set(PRIORS.lgd)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("oops", "not TOML"),
        ("[base]\nmoon = 1.0", "base.moon: there is no such prior"),
        ("base = 1.0", "a table and a number"),
        ('horizon_years = "long"', "expected a number"),
        ("[lgd]\ntoken = 1.5", "at most 1"),
        ("[multiplier.age]\nunknown = 0.5", "at least 1"),
        ("[multiplier.age]\nsteps = [[5, 1.0], [1, 2.0]]", "must ascend"),
    ],
)
def test_priors__that_make_no_sense__refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        priors(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1", "only .*contract.* and .*cover"),
        ("[[contract]]\nverified = true", "needs an address or a codehash"),
        ('[[contract]]\naddress = "0x1"\ncolour = "red"', "no such fact"),
        ('[[contract]]\naddress = "0x1"\naudits = "one"', "list of texts"),
        ('[[contract]]\naddress = "0x1"\nchanged = "may"', "expected a date"),
        ('[[cover]]\nname = "x"', "needs covers"),
        ('[[cover]]\ncolour = "red"', "no such key"),
    ],
)
def test_facts__that_make_no_sense__refused_with_the_place(text: str, said: str) -> None:
    with pytest.raises(BadFile, match=said):
        user_facts(text)


def test_scale__steps_and_words__fall_back_to_unknown() -> None:
    scale = PRIORS.multiplier["age"]
    assert scale.at(-1) == scale.unknown
    assert scale.at(29.9) == 3.0
    assert scale.at("never") == scale.unknown
    assert replace(scale, unknown=4.0).at(None) == 4.0
