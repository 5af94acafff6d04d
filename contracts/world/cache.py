"""Where built worlds are kept: outside git, keyed by what they were built from.

A directory appears under its final name only when it is whole: it is made under a temporary name
and renamed. A build that is killed leaves a temporary directory, which the next build removes.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from world.rpc import WorldError

HERE = Path(__file__).resolve().parent
LOCK_FILE = "package-lock.json"
PARTIAL = ".partial-"
OURS = ("install-*", "world-*", f"{PARTIAL}*", "solc", "lock")

# A world depends on everything that takes part in making it, and on nothing that only reads it.
BUILDERS = ("artifacts.py", "compiler.py", "deployer.py", "builder.py", "book.py", "package.json")


def cache_home() -> Path:
    """`$UNDERKEEL_WORLD_CACHE`, else the user's cache directory."""
    chosen = os.environ.get("UNDERKEEL_WORLD_CACHE")
    if chosen:
        return Path(chosen).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return (Path(base).expanduser() / "underkeel").resolve()


def digest(parts: Iterable[bytes]) -> str:
    """A short hash over length-prefixed parts."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "big"))
        state.update(part)
    return state.hexdigest()[:16]


def world_key() -> str:
    """Hash of the lock file, the recipes, our Solidity and the code that builds from them."""
    sources = [*HERE.glob("recipes/**/*.py"), *HERE.glob("solidity/**/*.sol")]
    sources += [HERE / name for name in BUILDERS]
    named = ((str(path.relative_to(HERE)).encode(), path.read_bytes()) for path in sorted(sources))
    lock = (HERE / LOCK_FILE).read_bytes()
    return digest([lock, *(part for pair in named for part in pair)])


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Hold the cache's lock; a second builder waits here. The system frees a dead holder's."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        handle = (home / "lock").open("w")
    except OSError as error:
        raise WorldError(
            f"cannot write the cache {home} ({error.strerror}); "
            "name another with UNDERKEEL_WORLD_CACHE"
        ) from error
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def make_whole(target: Path, fill: Callable[[Path], None]) -> Path:
    """Make the directory by `fill` unless it is there; atomic. Call with the lock held."""
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{target.name}-", dir=target.parent))
    try:
        fill(partial)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target


def clean(home: Path) -> None:
    """Remove what is ours and nothing else: the folder is shared, or a user's own."""
    for path in [path for pattern in OURS for path in home.glob(pattern)]:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def sweep(home: Path, keep: Iterable[Path]) -> None:
    """Remove what killed builds left, and worlds of other sources unused for a day. Lock held.

    The day, because another checkout or an earlier run may still be starting from one.
    """
    kept = set(keep)
    yesterday = time.time() - 24 * 3600
    for path in home.iterdir():
        old = path.name.startswith(("install-", "world-")) and path.stat().st_mtime < yesterday
        if path.is_dir() and path not in kept and (old or path.name.startswith(PARTIAL)):
            shutil.rmtree(path, ignore_errors=True)
