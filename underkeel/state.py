"""Folders of ours outside the config: what is remembered, and where keystores are."""

import os
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return where the journal and the pause file are.

    `$UNDERKEEL_STATE_DIR`, else `$XDG_STATE_HOME/underkeel`, else `~/.local/state/underkeel`.
    """
    environ = os.environ if environ is None else environ
    if given := environ.get("UNDERKEEL_STATE_DIR"):
        return Path(given)
    home = environ.get("XDG_STATE_HOME") or str(Path(environ.get("HOME") or "~") / ".local/state")
    return Path(home).expanduser() / "underkeel"


def keys_folder(config: Path, environ: Mapping[str, str] | None = None) -> Path:
    """Return where keystores are: `$UNDERKEEL_KEYS_DIR`, else `keys` beside the config."""
    environ = os.environ if environ is None else environ
    given = environ.get("UNDERKEEL_KEYS_DIR")
    return Path(given) if given else config.parent / "keys"
