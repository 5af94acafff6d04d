"""Changes that the world has no case for."""

from dataclasses import replace

from protocols.exposure.state import Dependencies, Facts, Kind, Link, LinkKind, Verb
from risk.exposure.diff import changes
from tests.risk.exposure.build import contract, key, link, power, safe, survey
from tests.support.fake_chain import address


def told(before: Facts, after: Facts, *others: Facts) -> set[tuple[str, str, str]]:
    found = changes(survey(before, *others), survey(after, *others))
    return {(c.what, c.before, c.after) for c in found}


def test_changes__self_destructed__kind_and_code() -> None:
    gone = Facts(address(1), Kind.GONE)
    assert {what for what, _, _ in told(contract(1), gone)} >= {"kind", "code"}


def test_changes__owner_renounced_and_second_holder_named__each_told() -> None:
    a, b = address(8), address(9)
    assert ("owner", a, "–") in told(contract(1, power(8)), contract(1), key(8))
    rows = told(contract(1, power(8)), contract(1, power(8), power(9)), key(8), key(9))
    assert ("owner", "–", b) in rows


def test_changes__delay_of_one_power__shorter_is_said() -> None:
    slow, fast = (power(8, Verb.CONFIGURE, d, "curator(), timelock()") for d in (90, 30))
    rows = told(contract(1, slow), contract(1, fast), key(8))
    assert ("delay of curator shortened", "90 s", "30 s") in rows


def test_changes__threshold_raised_and_owner_removed__told() -> None:
    rows = told(safe(1, (5, 6, 7), 2), safe(1, (5, 6), 3))
    assert ("threshold raised", "2 of 3", "3 of 2") in rows
    assert ("owner removed", address(7), "–") in rows


def test_changes__contract_names_another__told_by_kind() -> None:
    was = contract(1, links=(replace(link(1, 2, LinkKind.WRAPPER), evidence="asset()"),))
    now = contract(1, links=(replace(link(1, 3, LinkKind.WRAPPER), evidence="asset()"),))
    assert told(was, now) == {("wrapper", address(2), address(3))}


def test_changes__position__oracle_and_parameters() -> None:
    feeds = [Link("p", address(n), LinkKind.FEED, "price") for n in (1, 2)]
    then = Dependencies("p", (feeds[0],), parameters=(("LT", "80"), ("cap", "1")))
    now = Dependencies("p", (feeds[1],), parameters=(("LT", "75"), ("cap", "1"), ("new", "x")))
    found = changes(survey(), survey(), [then], [now])
    assert {(c.what, c.before, c.after) for c in found} == {
        ("oracle", address(1), address(2)),
        ("parameter LT", "80", "75"),
        ("parameter new", "–", "x"),
    }
    assert changes(survey(), survey(), [], [now]) == ()
