"""The demo's positions on the test world, once for all tests here, and a way to run commands."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from world.anvil import Anvil
from world.world import World

from underkeel.cli.main import app
from underkeel.demo.stage import Stage, config_text, open_positions
from underkeel.documents.registry import DOCUMENTS


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def doc(self) -> dict[str, Any]:
        """The JSON document, checked against the model its `schema` names."""
        found: dict[str, Any] = json.loads(self.out)
        DOCUMENTS[found["schema"]].model_validate_json(self.out)
        return found


@dataclass(frozen=True)
class Scene:
    """The world with the demo's positions, and where its config is written."""

    world: World[Anvil]
    stage: Stage

    def config(self, folder: Path, url: str | None = None, extra: str = "") -> Path:
        """Write the demo's config for a node behind `url`; `extra` goes into the chain's table.

        The world's clock stands in the past, so no block age is asked for.
        """
        text = config_text(self.stage).replace('max_block_age = "1d"', extra)
        if url is not None:
            text = text.replace(self.stage.url, url)
        path = folder / "underkeel.toml"
        path.write_text(text)
        return path


@pytest.fixture(scope="module")
def scene(anvil: World[Anvil]) -> Iterator[Scene]:
    with anvil.node.rollback():
        stage = Stage(anvil, "anvil")
        open_positions(stage)
        yield Scene(anvil, stage)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ran]:
    monkeypatch.setenv("UNDERKEEL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("UNDERKEEL_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)

    def command(*args: str | Path, text: str | None = None) -> Ran:
        result = CliRunner().invoke(app, [str(a) for a in args], input=text)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "internal error" not in result.output + result.stderr
        return Ran(result.exit_code, result.stdout, result.stderr)

    return command
