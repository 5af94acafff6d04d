"""The demo as people see it, as programs read it, and what it leaves behind: nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from world import world as recipe
from world.actors import feeds
from world.install import NoAnvil
from world.rpc import WorldError

from tests.e2e.conftest import Ran, Scene
from tests.executor.plan.test_codec import PLAN
from underkeel.cli import demo as command
from underkeel.cli.picture import main
from underkeel.demo import stage as stages
from underkeel.demo.guards import Guarded
from underkeel.demo.rescue import Rescue, Saved
from underkeel.demo.stage import IN_PROCESS, NoStage, Stage, open_stage
from underkeel.demo.timeline import Timeline
from underkeel.portfolio import Portfolio, read_portfolio

pytestmark = pytest.mark.world

Run = Callable[..., Ran]
ROOT = Path(__file__).resolve().parents[2]
HASH = re.compile("0x[0-9a-f]{64}")


@dataclass
class Demo:
    """A demo in a process of its own, and what it said so far."""

    process: subprocess.Popen[str]
    folder: Path
    out: Path
    said: str = ""
    urls: list[str] = field(default_factory=list)

    def until(self, words: str) -> None:
        """Read what it says until these words come."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            self.urls += re.findall(r"http://127\.0\.0\.1:\d+", line)
            if words in line:
                return
        raise AssertionError(self.said)


def left(folder: Path, urls: Iterable[str]) -> list[str]:
    """Return what is still there after the end: files, and servers that answer."""
    found = [str(path) for path in folder.iterdir() if "underkeel" in path.name]
    for url in urls:
        with socket.socket() as probe:
            probe.settimeout(5)
            if probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0:
                found.append(url)
    return found


def processes(folder: Path) -> list[int]:
    """Return the processes that were started with something in a folder."""
    found: list[int] = []
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                line = (path / "cmdline").read_bytes()
            except OSError:
                continue
            if str(folder).encode() in line:
                found.append(int(path.name))
    return found


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Demo]]:
    running: list[Demo] = []

    def start(*flags: str) -> Demo:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        with (tmp_path / "out").open("wb") as out:  # a pipe would fill up
            process = subprocess.Popen(
                [sys.executable, "-m", "underkeel", "demo", "--no-color", *flags],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)},
            )
        running.append(Demo(process, scratch, tmp_path / "out"))
        return running[-1]

    yield start
    for demo in running:
        if demo.process.poll() is None:
            demo.process.terminate()
        demo.process.communicate(timeout=60)


def get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def test_demo__as_json_until_told__proves_rescues_and_leaves_nothing(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    seen: list[Any] = []

    def sleep(_: float) -> None:
        """Let the price move once while it stays up, then look at its pages and end it."""
        if not seen:
            seen.append(None)
            return
        (log,) = scratch.glob("*/service.log")
        page = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())[0]
        seen.append(page)
        seen.append(get(page + "/"))
        seen.extend(json.loads(get(page + path)) for path in ("/api/v1/overview", "/api/v1/plans"))
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(command, "time", SimpleNamespace(sleep=sleep))
    ran = run("demo", "--json")
    assert ran.code == 0, ran.err
    _, page, first, overview, plans = seen
    assert f"The dashboard stays at {page}" in " ".join(ran.err.split())
    assert b"Underkeel" in first
    assert overview["mode"] == "live"
    ends = sorted(plan["status"] for plan in plans["proposals"])
    assert ends == ["done", "done", "proposed"]
    document = ran.doc
    assert document["dashboard"].startswith(page)
    urls = [page, *re.findall(r"http://127\.0\.0\.1:\d+", ran.err)]
    assert left(scratch, urls) == []
    assert processes(scratch) == []
    proofs(document)
    timeline(document)


def proofs(document: dict[str, Any]) -> None:
    """Demand what would have happened unwatched, proven by real liquidations."""
    assert document["schema"] == "underkeel.demo/2"
    assert document["before"]["unknown"] == document["after"]["unknown"] == []
    protocols = {p["protocol"] for p in document["before"]["positions"]}
    assert protocols == {"aave-v3", "morpho-blue", "erc4626", "uniswap-v3", "wallet"}
    fallen = [c for c in document["changes"] if c["becomes_liquidatable"]]
    assert len(fallen) == 3
    exactly = "a real liquidation took exactly that, to the last base unit"
    assert {c["proof"] for c in fallen} == {exactly}
    two_are_rescued(document["rescue"], {change["id"] for change in fallen})
    assert int(document["after"]["chains"][0]["age_s"]) < 60


def two_are_rescued(told: dict[str, Any], fell: set[str]) -> None:
    """Demand that both guards did what their plans said, and that only those two outlive it."""
    assert [saved["form"] for saved in told["saved"]] == ["delegate", "module"]
    for saved in told["saved"]:
        assert Decimal(saved["health_before"]) < Decimal("1.1")
        assert Decimal("1.5") <= Decimal(saved["health_after"]) < Decimal("1.50001")
        assert saved["health_end"]["status"] == "safe"
        assert re.fullmatch("0x[0-9a-f]{64}", saved["transaction"])
        assert 0 < Decimal(saved["cost_usd"]) < 100
    positions = told["end"]["positions"]
    left = {p["id"] for p in positions if p["liquidation"]["status"] == "liquidatable"}
    assert left == fell - {saved["id"] for saved in told["saved"]}


def timeline(document: dict[str, Any]) -> None:
    """Demand that everything happened in its order, and was told by webhooks that came."""
    entries = document["timeline"]
    texts = [entry["text"] for entry in entries]
    assert [entry["t"] for entry in entries] == sorted(entry["t"] for entry in entries)

    def at(*words: str) -> int:
        return next(i for i, text in enumerate(texts) if all(word in text for word in words))

    order = [
        at("ETH / USD", "(-4%)"),
        at("Aave 3.6", "is below 1.15"),
        at("webhook received", "WARNING"),
        at("ETH / USD", "(-8%)"),
        at("Aave 3.6", "is below 1.1", "health 1.0"),
        at("rescue-aave proposed"),
        at("rescue-aave is being carried out"),
        at("rescue-aave carried out"),
    ]
    assert order == sorted(order)
    for rule in ("rescue-aave", "rescue-morpho"):
        assert at(f"{rule} is being carried out") < at("webhook received", f"RESOLVED {rule}")
    sent = [entry["transaction"] for entry in entries if entry["kind"] == "transaction"]
    assert sent == [saved["transaction"] for saved in document["rescue"]["saved"]]
    blocks = [int(entry["block"]) for entry in entries if entry["kind"] == "price"]
    assert blocks == sorted(blocks)
    received = [entry for entry in entries if entry["kind"] == "receipt"]
    assert len(received) == document["receipts"]
    assert HASH.fullmatch(sent[0])


MOMENTS = ("reading again", "is being carried out")


@pytest.mark.parametrize("moment", MOMENTS, ids=["proving", "rescuing"])
def test_demo__interrupted__ends_all_that_it_started(
    moment: str, started: Callable[..., Demo]
) -> None:
    demo = started("--once", "--json")
    demo.until(moment)
    demo.process.send_signal(signal.SIGINT)
    demo.process.send_signal(signal.SIGINT)  # nobody is patient
    _, err = demo.process.communicate(timeout=60)
    assert demo.process.returncode == 1, err
    assert "stopped; all that it started has ended" in " ".join(err.split())
    assert "Traceback" not in err
    assert demo.out.read_text() == ""
    assert left(demo.folder, demo.urls) == []
    assert processes(demo.folder) == []


@dataclass
class Quick:
    """Stands for the chain and the service: the world's own chain, and a service that is told."""

    scene: Scene
    detached: list[str] = field(default_factory=list)

    @contextmanager
    def stage(self, _port: int | None) -> Iterator[Stage]:
        world = self.scene.world
        with world.node.rollback():
            world.node.mine_at(int(time.time()))
            feeds.refresh_feeds(world)
            yield self.scene.stage

    @contextmanager
    def live(self, stage: Stage, folder: Path, timeline: Timeline, *_: object) -> Iterator[Any]:
        timeline.add("alert", "health 1.04 is below 1.1", block=7, severity="critical")
        timeline.add("price", "it falls")

        def detach() -> int:
            self.detached.append("service")
            return 11

        service = SimpleNamespace(url="http://127.0.0.1:9/", detach=detach)
        yield SimpleNamespace(service=service, receiver=SimpleNamespace(messages=[1, 2]))

    def play(self, _live: Any, _bottom: float) -> Rescue:
        end = self.read()
        guarded = Guarded("Aave 3.6", "delegate", PLAN.account)
        (safe, *_) = [a for a in end.assessments if a.liquidation.health_raw]
        before, after = (replace(PLAN.before[0], health_raw=raw) for raw in (10**18, 15 * 10**17))
        saved = Saved(PLAN, guarded, "0x" + "ab" * 32, before, after, safe)
        return Rescue("the warning", (saved,), "the rest", end)

    def read(self) -> Portfolio:
        from underkeel.config.load import load

        owners = self.scene.stage.owners.values()
        with tempfile.TemporaryDirectory() as folder:
            config = load(self.scene.config(Path(folder)), {})
            return read_portfolio(config, tuple(owners), cache=Path(folder))  # type: ignore[arg-type]


@pytest.fixture
def quick(scene: Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Quick:
    found = Quick(scene)
    monkeypatch.setattr(command, "open_stage", found.stage)
    monkeypatch.setattr(command, "open_live", found.live)
    monkeypatch.setattr(command, "play", found.play)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return found


def test_demo__for_people__before_crash_after_proof_timeline_and_rescue(
    quick: Quick, run: Run
) -> None:
    ran = run("demo", "--once")
    assert ran.code == 0
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    told = " ".join(ran.out.split())
    parts = ("Before", "The crash ETH / USD", "After", "✖", "LIQUIDATABLE", "gaining",
             "Once more, watched", "! alert block 7: health 1.04 is below 1.1", "↓ price it falls",
             "What was steered away", "1.0000 → 1.5000", "repay, by the guard as a")  # fmt: skip
    for part in parts:
        assert part in told, part
    assert "demo: liquidating for real" in ran.err


def test_demo__keep__chain_and_service_outlive_the_command(
    quick: Quick, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stage, "detach", lambda _: 12)
    ran = run("demo", "--once", "--keep")
    said = " ".join(ran.err.split())
    assert "end them with: kill 11 12" in said
    assert "The dashboard stays at http://127.0.0.1:9/" in said
    assert quick.detached == ["service"]
    query = re.search(r"^  underkeel risk --shock ETH=-10% --config (\S+)$", ran.err, re.M)
    assert query, ran.err
    assert Path(query[1]).is_file()


def test_demo__no_anvil__tells_what_is_left_out(
    quick: Quick, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = replace(quick.scene.stage, node_kind=IN_PROCESS)

    @contextmanager
    def opened(_port: int | None) -> Iterator[Stage]:
        with quick.scene.world.node.rollback():
            yield stage

    monkeypatch.setattr(Stage, "owners", quick.scene.stage.owners)
    monkeypatch.setattr(command, "open_stage", opened)
    ran = run("demo", "--once", "--json")
    assert ran.code == 0
    assert "left out there: real liquidations, guards, alerts and the dashboard" in " ".join(
        ran.err.split()
    )
    document = ran.doc
    assert (document["rescue"], document["dashboard"], document["timeline"]) == (None, None, [])


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


def test_picture__of_the_demo__is_svg(
    quick: Quick, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("underkeel.cli.picture.open_stage", quick.stage)
    main(tmp_path / "img" / "demo.svg")
    text = (tmp_path / "img" / "demo.svg").read_text()
    assert re.findall(r"https?://[^\"' ]+", text) == ["http://www.w3.org/2000/svg"]
    root = ET.fromstring(text)
    assert "LIQUIDATABLE" in "".join(root.itertext())
