"""Build the world once: install, compile, deploy, dump. Later runs find it in the cache."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from eth_utils.address import to_checksum_address
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from world.anvil import Anvil
from world.artifacts import Artifact, Packages
from world.book import BOOK_FILE, Book
from world.cache import cache_home, locked, make_whole, sweep, world_key
from world.compiler import Job, compile_all
from world.deployer import Site
from world.install import REFERENCE, find_anvil, install, install_folder
from world.node import Node
from world.recipes import RECIPES, chainlink

GENESIS = 1_735_689_600
"""2025-01-01 00:00 UTC, fixed."""
CHAIN_ID = 31_337
"""Of the build alone; tokens keep it in their permit domains, runs choose ids at random."""
SETTLING = 7 * 24 * 3600
"""How long interest accrues after the last deployment."""
ADMIN_BALANCE = 10**9 * 10**18
STATE_FILE = "state.json"
ANVIL_FILE = "anvil"


@dataclass(frozen=True)
class Built:
    """A world in the cache: everything a run needs, and nothing of node_modules."""

    folder: Path

    @property
    def state(self) -> Path:
        return self.folder / STATE_FILE

    @property
    def anvil(self) -> Path:
        return self.folder / ANVIL_FILE


class Steps:
    """A progress bar on stderr, one step at a time."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def name(self, step: str) -> None:
        self._progress.update(self._task, description=step)

    def done(self) -> None:
        self._progress.advance(self._task)


@contextmanager
def _steps(total: int) -> Iterator[Steps]:
    columns = (
        TextColumn("test world: {task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Steps(progress, progress.add_task("start", total=total))


def find(home: Path | None = None) -> Built | None:
    """Return the world of the present sources if it is built."""
    folder = _folder(home or cache_home())
    return Built(folder) if (folder / BOOK_FILE).is_file() else None


def build(home: Path | None = None) -> Built:
    """Return the world of the present sources, building it first if need be."""
    home = home or cache_home()
    return find(home) or _build(home)


def _folder(home: Path) -> Path:
    return home / f"world-{world_key()}"


def deploy_on(node: Node, home: Path | None = None) -> Book:
    """Deploy the whole world on a running node, for an engine that can load no dump."""
    home = home or cache_home()
    with locked(home), _steps(len(_jobs()) + len(RECIPES) + 1) as steps:
        site = _site(node, *_materials(home, steps))
        _deploy(site, steps)
        return site.book()


def _build(home: Path) -> Built:
    target = _folder(home)
    with locked(home), _steps(len(_jobs()) + len(RECIPES) + 2) as steps:
        sweep(home, keep=(target, install_folder(home), install_folder(home, REFERENCE)))
        modules, compiled = _materials(home, steps)

        def fill(folder: Path) -> None:
            _place(find_anvil(modules), folder / ANVIL_FILE)
            with Anvil(folder / ANVIL_FILE, chain_id=CHAIN_ID, timestamp=GENESIS) as node:
                site = _site(node, modules, compiled)
                # Exact ticks, so that every build ends with the same numbers.
                with node.ticking():
                    _deploy(site, steps)
                steps.name("dump")
                _dump(node, folder / STATE_FILE)
                site.book().write(folder)
            steps.done()

        make_whole(target, fill)
    return Built(target)


def _jobs() -> list[Job]:
    return [job for recipe in RECIPES for job in recipe.jobs]


def _materials(home: Path, steps: Steps) -> tuple[Path, Mapping[str, Artifact]]:
    """Install and compile; the installed node_modules and the artifacts. Lock held."""
    steps.name("install packages")
    modules = install(home)
    steps.done()
    steps.name("compile")
    return modules, compile_all(_jobs(), modules, home / "solc", lambda _: steps.done())


def _site(node: Node, modules: Path, compiled: Mapping[str, Artifact]) -> Site:
    accounts = [to_checksum_address(a) for a in node.rpc.request("eth_accounts")]
    return Site(node, Packages(modules), compiled, accounts)


def _deploy(site: Site, steps: Steps) -> None:
    for account in (site.admin, site.whale):
        site.node.rpc.request("anvil_setBalance", account, hex(ADMIN_BALANCE))
    for recipe in RECIPES:
        steps.name(f"deploy {recipe.name}")
        site.recipe = recipe.name
        site.protocols[recipe.name] = recipe.deploy(site)
        steps.done()
    site.node.travel(SETTLING)
    # The clock has run past every heartbeat: bring the feeds up to date.
    chainlink.refresh(site)


def _place(binary: Path, target: Path) -> None:
    """Link the node's binary beside the dump, so that loading needs no node_modules."""
    try:
        os.link(binary.resolve(), target)
    except OSError:
        shutil.copy2(binary.resolve(), target)


def _dump(node: Anvil, target: Path) -> None:
    dumped: str = node.rpc.request("anvil_dumpState")
    raw = bytes.fromhex(dumped.removeprefix("0x"))
    state = json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)
    target.write_text(json.dumps(state, separators=(",", ":")))
