"""The shipped guards are what contracts/src/guard compiles to, bit for bit."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from world import install
from world.cache import cache_home

from executor.guard import DELEGATE, MODULE, Protocol, artifact

ROOT = Path(__file__).resolve().parents[3]
SCRIPT = ROOT / "contracts" / "build_guard.mjs"
MOST_CODE = 24_576
"""EIP-170."""


def rebuilt(folder: Path) -> Path:
    """Compile all guards, half a minute of work: once for each state of the sources."""
    modules = install.node_modules()
    sources = [SCRIPT, *sorted((ROOT / "contracts" / "src" / "guard").iterdir())]
    digest = hashlib.sha256(b"\0".join(one.read_bytes() for one in sources)).hexdigest()[:16]
    kept = cache_home() / "solc" / f"guard-{install.install_folder(cache_home()).name}-{digest}"
    if not kept.is_dir():
        subprocess.run(["node", str(SCRIPT), str(modules), str(folder / "built")], check=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(folder / "built", kept, dirs_exist_ok=True)
    return kept


@pytest.mark.world
def test_guards__rebuilt_from_source__are_the_same_bytes(tmp_path: Path) -> None:
    built = sorted(rebuilt(tmp_path).iterdir())
    shipped = files("executor.guard") / "data"
    assert {one.name for one in built} == {one.name for one in shipped.iterdir()}
    for one in built:
        assert one.read_bytes() == (shipped / one.name).read_bytes()


@pytest.mark.parametrize("protocol", list(Protocol), ids=lambda one: one.name)
@pytest.mark.parametrize("form", [MODULE, DELEGATE])
def test_guard__as_code__fits_where_code_must(protocol: Protocol, form: str) -> None:
    assert 0 < len(artifact(protocol, form).runtime) <= MOST_CODE
