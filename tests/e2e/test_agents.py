"""A model's day, with real processes: what the monitor stored is read, a rescue proposed."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from world.actors import tokens

from tests.e2e.conftest import Ran, Scene
from tests.e2e.test_plan import config

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


async def asked(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Return the data of a tool that must not fail."""
    result = await client.call_tool(tool, arguments)
    (content,) = result.content
    assert content.type == "text"
    assert not result.is_error, content.text
    data: dict[str, Any] = json.loads(content.text)["data"]
    return data


async def day(client: Client) -> tuple[dict[str, Any], ...]:
    risk = await asked(client, "risk", wallet="daring", limit=1)
    position = risk["positions"][0]["id"]
    proposed = await asked(
        client, "propose_plan", plan="repay", why="its health is low", wallet="daring",
        position=position, target_health=1.5,
    )  # fmt: skip
    return risk, proposed, await asked(client, "plans"), await asked(client, "events", kind="plan")


def test_model__reads_and_proposes__and_nothing_happens_on_chain(
    scene: Scene, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, owner = scene.world, scene.stage.owners["daring"]
    monkeypatch.setenv("UNDERKEEL_STATE_DIR", str(tmp_path / "state"))
    with world.node.rollback():
        tokens.mint(world, "USDC", owner, world.amount("USDC", 10_000))
        path = config(scene, tmp_path)
        assert run("run", "--once", "--config", path).code in (0, 3)
        before = world.node.rpc.request("eth_getTransactionCount", owner, "latest")
        started = StdioServerParameters(
            command=sys.executable,
            args=["-m", "underkeel", "--config", str(path), "mcp"],
            env=dict(os.environ),
        )

        async def whole() -> tuple[dict[str, Any], ...]:
            async with Client(started, read_timeout_seconds=120) as client:
                return await day(client)

        risk, proposed, plans, events = asyncio.run(whole())
        after = world.node.rpc.request("eth_getTransactionCount", owner, "latest")
    (position,) = risk["positions"]
    assert position["owner"] == owner
    assert position["liquidation"]["status"] == "safe"
    assert proposed["status"] == "proposed", proposed["text"]
    assert proposed["executed"] is False
    assert proposed["plan"]["hash"] == proposed["hash"]
    assert proposed["verdicts"], "the policy was asked"
    assert "underkeel execute" in proposed["command_for_a_person"]
    (row,) = plans["proposals"]
    assert (row["hash"], row["status"], row["mode"]) == (proposed["hash"], "proposed", "propose")
    assert any("its health is low" in one["text"] for one in events["events"])
    assert before == after
