"""The shipped lenses are what contracts/src compiles to, bit for bit."""

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from world import install

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.world
def test_lenses__rebuilt_from_source__are_the_same_bytes(tmp_path: Path) -> None:
    modules = install.node_modules()
    script = ROOT / "contracts" / "build_lenses.mjs"
    subprocess.run(["node", str(script), str(modules), str(tmp_path)], check=True)
    built = sorted(tmp_path.iterdir())
    assert built
    for one in built:
        assert one.read_bytes() == (files("chain") / "data" / one.name).read_bytes()
