"""Every tool, asked by a real client: the documents of the store, and nothing that acts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.server import MCPServer

from tests.underkeel.agents.build import (
    TRICK,
    call,
    curve,
    data_of,
    edge,
    ladder,
    position,
    talk,
)
from tests.underkeel.steer.build import NOW, REFUSED, SECRET, Desk, plan, proposed
from underkeel.agents.propose import Proposer
from underkeel.agents.server import server
from underkeel.agents.tools import Tools
from underkeel.agents.words import NOTICE
from underkeel.plans.wanted import Wanted
from underkeel.steer.propose import Planner, Proposed
from underkeel.store import chains, documents, events
from underkeel.store.chains import ChainState
from underkeel.store.events import Event
from underkeel.web.data import Data

READS = [
    "overview", "positions", "risk", "what_if", "ladder", "exposure", "oracles", "approvals",
    "alerts", "events", "history", "plans", "transactions", "system",
]  # fmt: skip
ASKED: dict[str, dict[str, Any]] = {
    "what_if": {"factor": "ETH", "percent": -20},
    "history": {"metric": "health_factor"},
}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk.open(tmp_path, proposed(plan(), REFUSED))
    yield found
    found.store.close()


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """Return a desk that nobody writes to any more."""
    found = Desk.open(tmp_path_factory.mktemp("filled"))
    fill(found)
    yield found
    found.store.close()


def made(desk: Desk, *, per_hour: int = 6, planner: Planner | None = None) -> MCPServer:
    data = Data(desk.store, desk.config, desk.clock, environ=desk.planner.extra)
    return server(Tools(data), Proposer(data, planner or desk.planner, per_hour))


def fill(desk: Desk, status: str = "ok") -> None:
    """Store a ladder, an alert and an event whose words command."""
    desk.fires()
    state = ChainState(
        "demo", 1, status, cause="" if status == "ok" else "its endpoint is gone",
        block_number=7, block_hash="0x" + "ab" * 32, block_timestamp=int(NOW), head_number=7,
        head_at=NOW, read_at=NOW, success_at=NOW,
    )  # fmt: skip
    one = position("p", curve(True, True, False, False, False, False, boundary=edge(-0.15)))
    with desk.store.writing() as db:
        chains.put(db, state)
        documents.put(db, "ladder", "", ladder({**one, "chain": "demo", "market": TRICK}), at=NOW)
        events.add(db, Event(NOW, "alert", TRICK, chain="demo"))


def test_tools__listed__read_only_but_for_the_one_that_proposes(filled: Desk) -> None:
    async def ask(client: Client) -> Any:
        return (await client.list_tools()).tools, client.instructions

    tools, instructions = talk(made(filled), ask)
    assert [tool.name for tool in tools] == [*READS, "propose_plan"]
    hints = {tool.name: tool.annotations for tool in tools}
    assert all(hints[name].read_only_hint for name in READS)
    assert not hints["propose_plan"].read_only_hint
    assert all(tool.description for tool in tools)
    assert "no tool can" in instructions
    size = len(json.dumps([tool.model_dump(mode="json") for tool in tools]))
    assert size < 20_000  # what every conversation with a model begins with


@pytest.mark.parametrize("tool", READS)
def test_tool__asked__answers_with_its_document(filled: Desk, tool: str) -> None:
    failed, text = call(made(filled), tool, **ASKED.get(tool, {}))
    if tool in ("exposure", "oracles"):
        assert failed
        assert "not computed yet" in text
        return
    assert not failed, text
    assert json.loads(text)["notice"] == NOTICE
    assert SECRET not in text
    assert TRICK not in json.loads(text)["data"].__repr__()


def test_tool__fields__gives_these_alone(filled: Desk) -> None:
    assert set(data_of(made(filled), "overview", fields=["chains", "mode"])) == {
        "schema", "chains", "mode",
    }  # fmt: skip
    failed, text = call(made(filled), "overview", fields=["chain"])
    assert failed
    assert "no field is called 'chain'; there are schema, " in text


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("positions", {"limit": 0}),
        ("positions", {"limit": 101}),
        ("positions", {"offset": -1}),
        ("risk", {"status": "fine"}),
        ("history", {"metric": "x" * 201}),
        ("what_if", {"factor": "ETH", "percent": -100}),
        ("overview", {"fields": ["x"] * 41}),
    ],
    ids=str,
)
def test_tool__arguments_out_of_bounds__are_refused(
    filled: Desk, tool: str, arguments: dict[str, Any]
) -> None:
    failed, text = call(made(filled), tool, **arguments)
    assert failed
    assert "validation error" in text


def test_tool__none_of_ours__is_refused(filled: Desk) -> None:
    for name in ("execute", "resume", "pause", "sign"):
        failed, text = call(made(filled), name)
        assert failed
        assert "Unknown tool" in text


def test_what_if__stored_ladder__says_who_is_past_the_edge(filled: Desk) -> None:
    found = data_of(made(filled), "what_if", factor="ETH", percent=-30)
    assert [row["then"] for row in found["positions"]] == ["liquidatable"]
    failed, text = call(made(filled), "what_if", factor="ENS", percent=-15)
    assert failed
    assert "none of the factors: ETH" in text


def test_what_if__chain_is_down__is_unknown(desk: Desk) -> None:
    fill(desk, status="down")
    found = data_of(made(desk), "what_if", factor="ETH", percent=-50)
    assert [row["then"] for row in found["positions"]] == ["unknown"]


def test_propose__plan__is_stored_for_a_person_and_rings_nobody(desk: Desk) -> None:
    found = data_of(
        made(desk), "propose_plan", plan="repay", why="health is low", wallet="ops",
        position="p", target_health=1.8,
    )  # fmt: skip
    assert found["status"] == "proposed"
    assert found["executed"] is False
    assert found["allowed_by_policy"] is False  # shown as it is; a person decides
    assert found["plan"]["hash"] == plan().hash
    (asked,) = desk.planner.asked
    assert str(asked.row.restore_to) == "1.8"
    assert desk.rows() == [("proposed", "a model asked for it: health is low")]
    assert desk.messages() == []
    assert len(desk.said()) == 1
    (row,) = data_of(made(desk), "plans")["proposals"]
    assert (row["mode"], row["alert"]) == ("propose", None)
    assert desk.started() == []


def test_propose__no_plan__says_why(desk: Desk) -> None:
    desk.planner.answers[:] = [Proposed(None, "nothing to do: it is healthy")]
    found = data_of(made(desk), "propose_plan", plan="repay", why="to see", wallet="ops")
    assert (found["status"], found["text"]) == ("failed", "nothing to do: it is healthy")
    assert found["allowed_by_policy"] is None
    assert found["command_for_a_person"] == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"plan": "repay", "why": "x y", "wallet": "0x" + "22" * 20}, "is no wallet of the config"),
        ({"plan": "repay", "why": "x y", "account": "vitalik.eth"}, "is no wallet of the config"),
        ({"plan": "repai", "why": "x y", "wallet": "ops"}, "no kind of plan"),
        ({"plan": "repay", "why": "x"}, "validation error"),
        ({"plan": "repay"}, "validation error"),
    ],
    ids=["address", "ens", "plan", "short", "no reason"],
)
def test_propose__makes_no_sense__stores_nothing(
    desk: Desk, arguments: dict[str, Any], said: str
) -> None:
    failed, text = call(made(desk), "propose_plan", **arguments)
    assert failed
    assert said in text
    assert desk.rows() == []


def test_propose__too_many_in_an_hour__waits(desk: Desk) -> None:
    ours = made(desk, per_hour=2)
    for _ in range(2):
        data_of(ours, "propose_plan", plan="repay", why="again", wallet="ops")
    failed, text = call(ours, "propose_plan", plan="repay", why="again", wallet="ops")
    assert failed
    assert "2 plans were proposed in the last hour" in text
    desk.clock.now += 3_601
    data_of(ours, "propose_plan", plan="repay", why="again", wallet="ops")
    assert len(desk.rows()) == 3


def test_propose__while_another_is_made__is_refused(desk: Desk) -> None:
    class Twice(Planner):
        def propose(self, asked: Wanted, *, ask: bool = True) -> Proposed:
            """Ask again while this one is being made."""
            inner.append(call(ours, "propose_plan", plan="repay", why="twice", wallet="ops"))
            return proposed(plan())

    inner: list[tuple[bool, str]] = []
    ours = made(desk, planner=Twice(desk.config))
    data_of(ours, "propose_plan", plan="repay", why="once", wallet="ops")
    ((failed, text),) = inner
    assert failed
    assert "another plan is being made" in text
    assert len(desk.rows()) == 1


def test_tool__breaks__shows_nothing_of_its_insides(
    filled: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: Data) -> Any:
        raise RuntimeError("an inner secret")

    monkeypatch.setattr(Data, "overview", broken)
    failed, text = call(made(filled), "overview")
    assert failed
    assert text == "Error executing tool overview"
