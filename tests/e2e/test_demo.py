"""The demo as people see it, and what it leaves behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from world import world as recipe
from world.install import NoAnvil
from world.rpc import WorldError

from tests.e2e.conftest import Ran, Scene
from underkeel.cli.picture import main
from underkeel.demo import stage as stages
from underkeel.demo.stage import NoStage, open_stage

pytestmark = pytest.mark.world

Run = Callable[..., Ran]


def test_demo__for_people__before_crash_after_and_the_proof(run: Run) -> None:
    ran = run("demo", "--once")
    assert ran.code == 0
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    told = " ".join(ran.out.split())
    parts = ("Before", "The crash ETH / USD", "After", "✖", "LIQUIDATABLE", "gaining",
             "Once more, with guards", "→ 1.5000", "nothing: it has no guard")  # fmt: skip
    for part in parts:
        assert part in told
    assert "demo: liquidating for real" in ran.err


def test_demo__keep__chain_outlives_the_command_and_answers(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ran = run("demo", "--once", "--keep")
    said = " ".join(ran.err.split())
    found = re.search(r"end it with: kill (\d+)", said)
    assert found, said
    try:
        query = re.search(r"^  underkeel risk --shock ETH=-10% --config (\S+)$", ran.err, re.M)
        assert query, ran.err
        again = run("risk", "--shock", "ETH=-10%", "--config", query[1])
        assert again.code == 0
        assert "LIQUIDATABLE" in again.out
    finally:
        os.kill(int(found[1]), signal.SIGTERM)


def test_demo__without_once__stays_until_told_and_ends_its_chain() -> None:
    root = str(Path(__file__).resolve().parents[2])
    with subprocess.Popen(
        [sys.executable, "-m", "underkeel", "demo", "--json", "--no-color"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root},
    ) as process:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if "--config" in said and line.endswith("underkeel.toml\n"):
                break
        url = re.search(r"http://127\.0\.0\.1:(\d+)", said)
        assert url, said
        with socket.create_connection(("127.0.0.1", int(url[1])), timeout=5):
            pass
        process.terminate()
        process.stderr.read()
        assert process.wait(30) == 0
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(url[1])), timeout=5)


def test_stage__no_anvil__the_in_process_evm_takes_its_place(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_anvil(**_: object) -> None:
        raise NoAnvil("there is no anvil for this machine")

    @contextmanager
    def in_process(**_: object) -> Iterator[object]:
        yield scene.world

    from world import tester  # here, because py-evm takes seconds to import

    monkeypatch.setattr(recipe, "start", no_anvil)
    monkeypatch.setattr(tester, "start_tester", in_process)
    with ExitStack() as stack:
        stage = stages._started(None, stack)
    assert stage.node_kind == "eth-tester"
    assert list(stage.owners.values()) == list(scene.world.book.accounts[6:8])


def test_stage__recipe_fails__its_words_exit_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_node(**_: object) -> None:
        raise WorldError("node is not installed")

    monkeypatch.setattr(recipe, "start", no_node)
    with pytest.raises(NoStage, match="node is not installed") as caught, open_stage(None):
        pass
    assert caught.value.code == 1


def test_picture__of_the_demo__is_svg(tmp_path: Path) -> None:
    main(tmp_path / "img" / "demo.svg")
    text = (tmp_path / "img" / "demo.svg").read_text()
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    root = ET.fromstring(text)
    assert "LIQUIDATABLE" in "".join(root.itertext())
