"""Files that can be read again: where they are kept, whole or not at all, and ours alone."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where things that can be read again are kept."""
    if environ.get("UNDERKEEL_CACHE_DIR"):
        return Path(environ["UNDERKEEL_CACHE_DIR"])
    home = environ.get("XDG_CACHE_HOME") or str(Path(environ.get("HOME", "~")) / ".cache")
    return Path(home).expanduser() / "underkeel"


def read_own(path: Path) -> bytes | None:
    """Return what a file two folders deep in the cache holds; None where it is absent.

    None too where a stranger can write the file or put another in its place: whoever writes how
    far a search went can hide what it would have found.
    """
    try:
        return path.read_bytes() if _ours(path) else None
    except OSError:
        return None


def write_whole(path: Path, content: bytes) -> bool:
    """Write a file whole, or not at all; a full disk is no reason to fail what it was for."""
    half = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        path.parent.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.parent.mkdir(exist_ok=True, mode=0o700)
        half.write_bytes(content)
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        return False
    return True


def _ours(path: Path) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    found = (path.stat(), path.parent.stat(), path.parent.parent.stat())
    return all(s.st_uid in (os.geteuid(), 0) and not s.st_mode & 0o002 for s in found)
