"""One throw-away environment per peer, outside the checkout.

They are kept in the user's cache under a name made from their lock, so that only a first run
installs. The folder may be removed at any time. Pins are exact and without hashes or hosts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

PEERS = Path(__file__).resolve().parent / "peers"
PATIENCE_S = 600
NPMRC = PEERS.parents[1] / "contracts" / "world" / ".npmrc"


class Missing(Exception):
    """A peer could not be installed; says why."""


@dataclass(frozen=True)
class Environment:
    """How to run a peer's script."""

    command: tuple[str, ...]
    folder: Path
    """Where scripts are run from."""


def cache() -> Path:
    """Return where environments are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "underkeel-bench"


def python(name: str) -> Environment:
    """Return the environment of a Python peer; raises `Missing`."""
    lock = PEERS / f"{name}.txt"
    folder = cache() / f"{name}-{_digest(lock.read_bytes())}"
    binary = folder / "bin" / "python"
    if not (folder / ".complete").exists():
        uv = str(Path(sys.executable).with_name("uv"))
        _run([uv, "venv", "--quiet", "--clear", "--python", _plain_python(), str(folder)])
        _run([uv, "pip", "install", "--quiet", "--python", str(binary), "-r", str(lock)])
        (folder / ".complete").touch()
    return Environment((str(binary),), PEERS)


def ours() -> Environment:
    """Return this checkout's own."""
    return Environment((sys.executable,), PEERS)


def node() -> Environment:
    """Return the environment of the JavaScript peers, their scripts copied in."""
    lock = PEERS / "package-lock.json"
    folder = cache() / f"node-{_digest(lock.read_bytes())}"
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*PEERS.glob("*.mjs"), PEERS / "package.json", lock]:
        shutil.copy2(path, folder / path.name)
    shutil.copy2(NPMRC, folder / ".npmrc")
    if not (folder / ".complete").exists():
        _run(["npm", "ci", "--no-progress"], folder)
        (folder / ".complete").touch()
    return Environment(("node",), folder)


def _plain_python() -> str:
    """Return an interpreter that is no virtual environment's."""
    return str(Path(sys.base_prefix) / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}")


def _digest(lock: bytes) -> str:
    return hashlib.sha256(lock + sys.version.encode()).hexdigest()[:12]


def _run(command: list[str], folder: Path | None = None) -> None:
    try:
        ran = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(f"{command[0]}: {error}") from error
    if ran.returncode:
        raise Missing(ran.stderr.strip()[-400:] or f"{command[0]} ended with {ran.returncode}")
