"""The commands that the documentation shows do what it says, on the world."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import Ran, Scene

pytestmark = pytest.mark.world

TEXT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
COMMANDS = [line[2:] for block in BLOCKS for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize("command", COMMANDS)
def test_cli_page__every_command_shown__ends_with_0(
    command: str, scene: Scene, run: Callable[..., Ran], tmp_path: Path
) -> None:
    scene.config(tmp_path)
    program, *args = shlex.split(command)
    assert program == "underkeel"
    ran = run(*args)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out
