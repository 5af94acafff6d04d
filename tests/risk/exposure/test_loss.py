"""Expected loss against enumeration; shared nodes once; worst cases; concentration; cover."""

import random
from itertools import product
from math import prod

import pytest

from protocols.exposure.state import Dependencies, LinkKind, Survey
from risk.exposure.graph import Graph, NodeKind, build
from risk.exposure.loss import Exposed, Losses, expected_fraction, herfindahl, losses
from risk.exposure.priors import Cover, UserFacts
from risk.exposure.score import Knowledge, Score, scores
from tests.risk.exposure.build import (
    PRIORS,
    contract,
    key,
    link,
    power,
    proxied,
    stands,
    survey,
)
from tests.support.fake_chain import NOW, address


def enumerated(nodes: list[tuple[float, float]]) -> float:
    """Return the expected part lost, over all 2^n sets of failures."""
    total = 0.0
    for failed in product((False, True), repeat=len(nodes)):
        chance = prod(pd if f else 1 - pd for f, (pd, _) in zip(failed, nodes, strict=True))
        left = prod(1 - lgd for f, (_, lgd) in zip(failed, nodes, strict=True) if f)
        total += chance * (1 - left)
    return total


@pytest.mark.parametrize("n", range(13))
def test_expected_fraction__up_to_twelve_nodes__equals_enumeration(n: int) -> None:
    rng = random.Random(n)
    for _ in range(3):
        nodes = [(rng.random(), rng.random()) for _ in range(n)]
        assert expected_fraction(nodes) == pytest.approx(enumerated(nodes), abs=1e-12)


def judged(
    found: Survey,
    exposed: dict[str, float | None],
    *direct: Dependencies,
    cover: tuple[Cover, ...] = (),
) -> tuple[Losses, Graph, dict[str, Score]]:
    graph = build(direct, found, PRIORS.lgd)
    scored = dict(scores(graph, Knowledge(PRIORS, UserFacts(), NOW)))
    rows = [Exposed(name, "p", "c", ead) for name, ead in exposed.items()]
    return losses({"c": graph}, {"c": scored}, rows, cover), graph, scored


def test_losses__graph_of_twelve_nodes__equals_enumeration_over_its_unique_nodes() -> None:
    found = survey(
        proxied(1, 2, power(9)), contract(2), contract(3, power(9)), proxied(4, 5, power(8)),
        contract(5), contract(6), contract(7), key(8), key(9),
    )  # fmt: skip
    links = [link("p", n, kind) for n, kind in (
        (1, LinkKind.PROTOCOL), (3, LinkKind.ORACLE), (4, LinkKind.TOKEN), (6, LinkKind.FEED),
        (7, LinkKind.RATE_MODEL))]  # fmt: skip
    told, graph, scored = judged(found, {"p": 1000.0}, stands("p", *links))
    nodes = [(scored[n].pd, part) for n, part in graph.closure("p").items()]
    assert len(nodes) == 9
    assert told.el_usd == pytest.approx(1000.0 * enumerated(nodes), rel=1e-12)


def test_losses__oracle_shared_by_two_positions__risk_is_not_told_twice() -> None:
    found = survey(contract(1), contract(2), contract(3))
    both = [stands(p, link(p, 3, LinkKind.FEED), link(p, n)) for p, n in (("a", 1), ("b", 2))]
    told, graph, _ = judged(found, {"a": 100.0, "b": 300.0}, *both)
    assert sum(n.id == address(3) for n in graph.nodes.values()) == 1
    (shared,) = [w for w in told.worst if w.nodes == (f"c/{address(3)}",)]
    assert shared.positions == ("a", "b")
    assert shared.loss_usd == pytest.approx(0.5 * 400.0)
    # reached twice by one position, it counts once there too
    twice = stands("a", link("a", 1), link("a", 3, LinkKind.FEED))
    oracle = survey(contract(1, links=(link(1, 3, LinkKind.FEED),)), contract(3))
    doubled, _, _ = judged(oracle, {"a": 100.0}, twice)
    single, _, _ = judged(oracle, {"a": 100.0}, stands("a", link("a", 1)))
    assert doubled.el_usd == pytest.approx(single.el_usd)


def test_losses__equal_code_at_two_addresses__counts_once() -> None:
    links = (link("a", 1), link("a", 2))
    same, _, _ = judged(
        survey(contract(1, code=7), contract(2, code=7)), {"a": 1.0}, stands("a", *links)
    )
    one, _, _ = judged(survey(contract(1, code=7)), {"a": 1.0}, stands("a", links[0]))
    other, _, _ = judged(survey(contract(1), contract(2)), {"a": 1.0}, stands("a", *links))
    assert same.el_usd == pytest.approx(one.el_usd)
    assert other.el_usd is not None
    assert same.el_usd is not None
    assert other.el_usd > same.el_usd
    assert same.hhi["codehash"] == 1.0
    assert other.hhi["codehash"] == pytest.approx(0.5)
    assert same.worst[0].nodes == (f"c/{address(1)}", f"c/{address(2)}")


def test_losses__ten_contracts_of_one_key__are_one_keys_risk() -> None:
    many = survey(*(contract(n, power(99)) for n in range(1, 11)), key(99))
    links = tuple(link("a", n) for n in range(1, 11))
    told, graph, scored = judged(many, {"a": 1.0}, stands("a", *links))
    holders = [n for n in graph.nodes.values() if n.kind is NodeKind.CONTROL]
    assert [n.id for n in holders] == [address(99)]
    assert told.hhi["admin"] == 1.0
    code = [scored[address(n)].pd for n in range(1, 11)]
    parts = [(pd, 1.0) for pd in [*code, scored[address(99)].pd]]
    assert told.el_usd == pytest.approx(expected_fraction(parts))


def test_losses__position_without_a_price__unknown_and_the_rest_a_lower_bound() -> None:
    both = [stands(p, link(p, 1)) for p in ("a", "b")]
    told, _, _ = judged(survey(contract(1)), {"a": 100.0, "b": None}, *both)
    assert told.el_usd is None
    assert told.net_usd is None
    assert told.known_usd > 0
    assert told.worst[0].unknown == ("b",)


def test_losses__share_of_a_token__is_all_that_its_failure_takes() -> None:
    told, _, _ = judged(survey(contract(1)), {"a": 200.0},
                        stands("a", link("a", 1, LinkKind.TOKEN, 0.25)))  # fmt: skip
    assert told.worst[0].loss_usd == pytest.approx(50.0)


def test_worst__every_position_whose_closure_has_it__ranked() -> None:
    found = survey(contract(1), proxied(2, 3), contract(3))
    both = [stands("a", link("a", 1)), stands("b", link("b", 2))]
    told, _, _ = judged(found, {"a": 10.0, "b": 90.0}, *both)
    assert [w.loss_usd for w in told.worst] == [90.0, 90.0, 10.0]


@pytest.mark.parametrize(
    ("amounts", "index"),
    [([], None), ([0.0], None), ([5.0], 1.0), ([1.0] * 4, 0.25), ([3, 1], 0.625)],
)
def test_herfindahl__parts__sum_of_squared_shares(
    amounts: list[float], index: float | None
) -> None:
    assert herfindahl(amounts) == index


def test_cover__pays_for_what_it_covers__not_where_the_insurer_fails_too() -> None:
    covered = (address(1).lower(),)
    found = survey(contract(1))
    policy = Cover("policy", covered, 50.0, 0.5)
    told, _, scored = judged(found, {"a": 100.0}, stands("a", link("a", 1)), cover=(policy,))
    assert told.cover[0].payout_usd == pytest.approx(0.5 * 50.0 * scored[address(1)].pd)
    assert told.el_usd is not None
    assert told.net_usd == pytest.approx(told.el_usd - told.cover[0].payout_usd)
    wrong = Cover("policy", covered, 50.0, 0.5, insurer=covered[0])
    told, _, _ = judged(found, {"a": 100.0}, stands("a", link("a", 1)), cover=(wrong,))
    assert (told.cover[0].payout_usd, told.cover[0].wrong_way) == (0.0, True)


def test_losses__one_key_on_two_chains__fails_once_for_both() -> None:
    found = survey(contract(1, power(9)), key(9))
    graphs, scored = {}, {}
    for chain in ("x", "y"):
        graphs[chain] = build([stands(chain, link(chain, 1))], found, PRIORS.lgd)
        scored[chain] = dict(scores(graphs[chain], Knowledge(PRIORS, UserFacts(), NOW)))
    told = losses(graphs, scored, [Exposed(c, "p", c, 10.0) for c in ("x", "y")])
    (row,) = [w for w in told.worst if w.key == f"key:{address(9)}"]
    assert row.positions == ("x", "y")
    assert row.loss_usd == 20.0
    assert told.hhi["admin"] == 1.0
