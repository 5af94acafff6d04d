"""The shipped relay is what contracts/src/Relay.sol compiles to, bit for bit."""

import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from world import install

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.world
def test_relay_json__rebuilt_from_source__is_the_same_bytes(tmp_path: Path) -> None:
    modules = install.node_modules()
    output = tmp_path / "relay.json"
    subprocess.run(
        ["node", str(ROOT / "contracts" / "build_relay.mjs"), str(modules), str(output)], check=True
    )
    assert output.read_bytes() == (files("chain") / "data" / "relay.json").read_bytes()
