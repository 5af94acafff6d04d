"""Install the published packages into the cache, exactly as locked.

Two projects: this folder's, which the world is built from, and `reference`, whose address lists
and chain definitions tests compare our data with. The demo needs only the first.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

from world.cache import HERE, LOCK_FILE, cache_home, digest, locked, make_whole
from world.rpc import WorldError

REFERENCE = HERE / "reference"


class InstallError(WorldError):
    """npm or node is missing or refused."""


class NoAnvil(WorldError):
    """There is no anvil for this machine."""


def install_folder(home: Path, project: Path = HERE) -> Path:
    """Where the project's packages are, or will be."""
    return home / f"install-{digest([(project / LOCK_FILE).read_bytes()])}"


def install(home: Path, project: Path = HERE) -> Path:
    """Return the project's node_modules, installing them first if need be. Lock held."""
    target = install_folder(home, project)
    return make_whole(target, lambda folder: _npm_ci(project, folder)) / "node_modules"


def node_modules(project: Path = HERE, home: Path | None = None) -> Path:
    """Return the project's node_modules, installing them first if need be."""
    home = home or cache_home()
    ready = install_folder(home, project)
    if ready.is_dir():
        return ready / "node_modules"
    with locked(home):
        return install(home, project)


def _npm_ci(project: Path, folder: Path) -> None:
    for tool in ("node", "npm"):
        if shutil.which(tool) is None:
            raise InstallError(f"{tool} is not installed: the test world needs node 20 or newer")
    for name in ("package.json", LOCK_FILE):
        shutil.copy2(project / name, folder / name)
    shutil.copy2(HERE / ".npmrc", folder / ".npmrc")
    shutil.copytree(HERE / "stub", folder / "stub")
    ran = subprocess.run(
        ["npm", "ci", "--no-progress"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise InstallError(f"npm ci failed; it said:\n{ran.stderr.strip()[-2000:]}")


def find_anvil(modules: Path) -> Path:
    """Return `$UNDERKEEL_ANVIL`, the installed package's binary, or the one on PATH."""
    chosen = os.environ.get("UNDERKEEL_ANVIL")
    if chosen:
        return Path(chosen)
    packaged = modules / "@foundry-rs/anvil-linux-amd64/bin/anvil"
    if packaged.is_file():
        return packaged
    on_path = shutil.which("anvil")
    if on_path:
        return Path(on_path)
    raise NoAnvil(
        f"no anvil for {platform.system()} {platform.machine()}: install Foundry 1.7 so that "
        "`anvil` is on PATH, or set UNDERKEEL_ANVIL"
    )
