"""Observations of what is judged or screened, documents made part by part, searches beside."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest

from chain.errors import Unreachable
from chain.types import Address, BlockRef
from protocols.types import Position
from risk.types import Status
from tests.support.fake_chain import AT
from tests.underkeel.distance import scene
from tests.underkeel.monitor.test_standing import NEXT, Clock, lent, raw
from underkeel.config.model import Settings
from underkeel.documents.models import RiskDocument
from underkeel.monitor.explorer import Explorer
from underkeel.monitor.observing import SCREENED, Observing
from underkeel.monitor.papers import Papers
from underkeel.monitor.screen import screen
from underkeel.monitor.standing import Standing
from underkeel.portfolio import ChainReport, Fault, Found, Portfolio

SETTINGS = Settings.model_validate(
    {
        "version": 1,
        "chains": {"c": {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]}},
        "wallets": {"mine": {"address": scene.OWNER}},
    }
)


def report(standing: Standing, at: BlockRef = AT, **more: Any) -> ChainReport:
    given = ChainReport(
        "c", 1, at, positions=standing.assessments, valuation=scene.VALUATION, read_at=1.0
    )
    return replace(given, **more)


def standing() -> Standing:
    return Standing(Fraction(11, 10), refresh_s=1000.0, monotonic=Clock())


def purse(at: BlockRef) -> Position:
    return replace(scene.wallet((scene.USDC, 5)), at=at)


def test_observing__all_judged__is_one_reading_of_everything() -> None:
    kept, observing = standing(), Observing(SETTINGS)
    taken = kept.take(raw(lent(1), purse(AT)), 0.0)
    (told,) = observing.of(report(kept), kept, taken, 1.0, 1.0)
    assert told.scope.only is None
    assert {"health_factor", "liquidation_distance", "chain_up"} <= {
        o.metric for o in told.observations
    }
    assert observing.fingerprint == told.fingerprint


def test_observing__some_judged__the_rest_has_its_health_at_this_block() -> None:
    kept, observing = standing(), Observing(SETTINGS)
    first = [lent(1), lent(2, 2400), lent(3, unknown=("x",)), purse(AT)]
    kept.take(raw(*first), 0.0)
    second = [replace(p, at=NEXT) for p in first]
    taken = kept.take(raw(*second, at=NEXT), 0.0)
    said, screened = observing.of(report(kept, NEXT), kept, taken, 1.0, 1.0)
    assert said.scope.only == frozenset({"1:p:r:o:2", "1:p:r:o:3", "1:wallet:o"})
    assert screened.scope.metrics == SCREENED
    assert screened.scope.only == frozenset({"1:p:r:o:1"})
    health, sound = screened.observations
    assert (health.metric, health.value, health.block) == ("health_factor", Decimal("1.29"), NEXT)
    assert (sound.metric, sound.value) == ("liquidatable", Decimal(0))
    assert dict(health.labels)["wallet"] == "mine"


def test_observing__a_chain_that_failed__hides_and_drops_nothing() -> None:
    observing = Observing(SETTINGS, fingerprint={"kept": 1})
    told = observing.failed(ChainReport("c", 1, None, fault=Fault.DOWN, cause="no"), 5.0, 1.0)
    assert told.scope.gaps
    up = [o.value for o in told.observations if o.metric == "chain_up"]
    assert up == [Decimal(0)]


def document(papers: Papers, kept: Standing, **more: Any) -> dict[str, Any]:
    body = papers.document(
        Portfolio((scene.OWNER,), (report(kept, **more),), {scene.OWNER: "mine"}), 2.0
    )
    assert body is not None
    RiskDocument.model_validate_json(body)
    found: dict[str, Any] = orjson.loads(body)
    return found


def test_papers__judged_anew__is_made_anew_and_the_rest_is_kept() -> None:
    kept, papers = standing(), Papers()
    kept.take(raw(lent(1), lent(2, 2400)), 0.0)
    first = document(papers, kept)
    assert first["chains"][0]["inputs_hash"]
    assert first["totals"]["positions"] == "2"
    old = dict(papers.parts)
    kept.take(raw(lent(1, at=NEXT), lent(2, 2400, at=NEXT), at=NEXT), 0.0)
    second = document(papers, kept, at=NEXT)
    assert [p["provenance"]["block_number"] for p in second["positions"]] == ["100", "101"]
    assert "inputs_hash" not in second["chains"][0] or second["chains"][0]["inputs_hash"] is None
    assert papers.parts["1:p:r:o:1"] is old["1:p:r:o:1"]
    assert papers.parts["1:p:r:o:2"] is not old["1:p:r:o:2"]


def test_papers__little_time__the_missing_are_waited_for_and_the_oldest_come_first() -> None:
    kept, papers = standing(), Papers(monotonic=count().__next__)

    def made(at: BlockRef) -> bytes | None:
        told = Portfolio((scene.OWNER,), (report(kept, at=at),), {scene.OWNER: "mine"})
        return papers.document(told, 2.0, 0.5)  # by this clock, time for one part

    kept.take(raw(*(lent(n) for n in (1, 2, 3))), 0.0)
    assert [made(AT), made(AT)] == [None, None]
    whole = orjson.loads(made(AT) or b"")
    assert whole["chains"][0]["inputs_hash"]
    kept.forget(0)
    kept.take(raw(*(lent(n, at=NEXT) for n in (1, 2, 3)), at=NEXT), 0.0)
    for blocks, hashed in (("101 100 100", False), ("101 101 100", False), ("101 101 101", True)):
        found = orjson.loads(made(NEXT) or b"")
        told = [p["provenance"]["block_number"] for p in found["positions"]]
        assert (" ".join(told), bool(found["chains"][0].get("inputs_hash"))) == (blocks, hashed)


def test_papers__the_chain_is_down__what_was_known_is_unknown_and_says_since_when() -> None:
    kept, papers = standing(), Papers()
    kept.take(raw(lent(1), purse(AT)), 0.0)
    document(papers, kept)
    told = document(papers, kept, at=None, fault=Fault.DOWN, cause="no answer")
    loan, held = told["positions"]
    assert loan["liquidation"]["status"] == "unknown"
    assert "not read since block 100: no answer" in loan["liquidation"]["causes"]
    assert held["liquidation"]["status"] == Status.NOT_LIQUIDATABLE
    assert told["totals"]["partial"]
    well = document(papers, kept)
    assert well["positions"][0]["liquidation"]["status"] == "safe"


def test_screen__arithmetic_that_the_contract_refuses__is_not_sound() -> None:
    seen = screen(replace(lent(1), state=replace(scene.loan(), oracle=None)))
    assert (seen.health_raw, seen.sound) == (None, False)


def test_screen__no_debt__has_no_health_and_is_sound() -> None:
    seen = screen(replace(lent(1), state=scene.loan(shares=0)))
    assert (seen.health_raw, seen.sound) == (None, True)


class Node:
    """A client that has blocks, and no head until it is told."""

    def __init__(self) -> None:
        self.fails = False

    def head(self) -> BlockRef:
        if self.fails:
            raise Unreachable("node", "it is not there")
        return AT

    def block(self, _which: object) -> BlockRef:
        return AT


class Reader:
    """A reader whose searches wait for a gate."""

    name = "c"
    accounts = (Address(scene.OWNER),)

    def __init__(self, cache: Path) -> None:
        self.cache, self.gate, self.searches = cache, threading.Event(), 0
        self.table = SETTINGS.chains["c"]
        self.fault: Exception | None = None

    def discover(self, _client: object, _head: object) -> Found:
        self.gate.wait(10)
        self.searches += 1
        if self.fault is not None:
            raise self.fault
        return Found(())


Searching = Callable[..., Explorer]


@pytest.fixture
def exploring(tmp_path: Path) -> Iterator[tuple[Explorer, Reader, Node]]:
    reader, node = Reader(tmp_path), Node()
    made = Explorer(reader, node, threading.Event(), SETTINGS.monitor)  # type: ignore[arg-type]
    with made:
        yield made, reader, node
        reader.gate.set()


def test_explorer__searching_still__reads_what_is_known_and_says_that_more_may_be_there(
    exploring: tuple[Explorer, Reader, Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    explorer, reader, _ = exploring
    monkeypatch.setattr("underkeel.monitor.explorer.FIRST_S", 0.0)
    found = explorer.found(replace(AT, number=30_000_000))
    assert any("the search of the logs is under way" in u.cause for u in found.missed)
    reader.gate.set()
    _until(lambda: explorer.found(AT) == Found(()))


@pytest.mark.parametrize("fault", [RuntimeError("a fault of ours"), Unreachable("n", "gone")])
def test_explorer__a_search_that_fails__readings_go_on(
    exploring: tuple[Explorer, Reader, Node], fault: Exception
) -> None:
    explorer, reader, _ = exploring
    reader.fault = fault
    reader.gate.set()
    _until(lambda: reader.searches == 1)
    assert explorer.found(AT).markets


def test_explorer__no_discovery__is_what_the_config_says(tmp_path: Path) -> None:
    reader = Reader(tmp_path)
    reader.table = reader.table.model_copy(update={"discover": False})
    with Explorer(reader, Node(), threading.Event(), SETTINGS.monitor) as explorer:  # type: ignore[arg-type]
        assert explorer.found(AT).missed == ()


def _until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_papers__the_chain_fails_with_many_positions__none_is_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept, papers = standing(), Papers(monotonic=count().__next__)
    kept.take(raw(*(lent(n) for n in range(1, 41))), 0.0)
    whole = document(papers, kept)
    assert len(whole["positions"]) == 40
    monkeypatch.setattr("underkeel.monitor.papers.position", pytest.fail)
    told = document(papers, kept, at=None, fault=Fault.DOWN, cause="no answer")
    assert {p["liquidation"]["status"] for p in told["positions"]} == {"unknown"}
    back = document(papers, kept)
    assert back["positions"] == whole["positions"]


def test_papers__the_chain_fails_half_way_through_the_first__the_rest_is_still_waited_for() -> None:
    kept, papers = standing(), Papers(monotonic=count().__next__)
    kept.take(raw(*(lent(n) for n in (1, 2, 3))), 0.0)
    down = replace(report(kept), at=None, fault=Fault.DOWN, cause="no")
    told = Portfolio((scene.OWNER,), (down,), {scene.OWNER: "mine"})
    assert [papers.document(told, 2.0, 0.5) for _ in range(2)] == [None, None]
    whole = orjson.loads(papers.document(told, 2.0, 0.5) or b"")
    assert [p["liquidation"]["status"] for p in whole["positions"]] == ["unknown"] * 3
