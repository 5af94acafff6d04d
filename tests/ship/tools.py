"""Where what we ship is, and programs of others that judge it."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIP = ROOT / "ship"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "underkeel-tests"


def program(name: str) -> str:
    """Return the path of a program; skips the test where it is not installed."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: nobody but us judges this here")
    return found


def unpacked(package: str, path: str) -> str:
    """Return a program out of one of Debian's packages, which is unpacked, not installed."""
    found = shutil.which(Path(path).name)
    if found is not None:
        return found
    folder = CACHE / package
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{package}.lock").open("w") as lock:  # tests run in several processes
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / path).exists():
            _unpack(package, folder)
    return str(folder / path)


def _unpack(package: str, folder: Path) -> None:
    for needed in ("apt-get", "dpkg-deb"):
        program(needed)
    fetched = folder.with_suffix(".new")
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    said = subprocess.run(
        ["apt-get", "download", package], cwd=fetched, capture_output=True, text=True, timeout=120
    )
    debs = list(fetched.glob("*.deb"))
    if said.returncode or not debs:
        pytest.skip(f"apt-get cannot fetch {package}: nobody but us judges this here")
    subprocess.run(["dpkg-deb", "-x", str(debs[0]), str(fetched)], check=True, timeout=120)
    debs[0].unlink()
    fetched.rename(folder)
