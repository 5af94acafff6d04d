"""Add and remove `[wallets.X]` tables of a config, leaving every other line as it is.

The result is parsed and checked as a whole before it takes the old file's place.
"""

import os
import re
import secrets
from pathlib import Path

from chain.types import Address
from underkeel.config.load import decode_toml, parse
from underkeel.config.problems import Problem
from underkeel.errors import AppError, ConfigError

HEADER = re.compile(r"\s*\[+\s*([^\]]+?)\s*\]+\s*(#.*)?")


def add_wallet(config: Path, name: str, address: Address, keystore: str | None) -> None:
    """Append a wallet, with a keystore as its signer or to be watched only."""
    lines = [f"[wallets.{name}]", f'address = "{address}"']
    if keystore is not None:
        lines.append('kind = "eoa"')
        lines.append(f'signer = {{ kind = "keystore", path = "{keystore}" }}')
    before = _text(config)
    gap = "" if not before or before.endswith("\n\n") else "\n" if before.endswith("\n") else "\n\n"
    _replace(config, before + gap + "\n".join(lines) + "\n")


def remove_wallet(config: Path, name: str) -> None:
    """Take out a wallet's table, its signer's and its policy's; raises where it is not a table."""
    kept: list[str] = []
    dropping = False
    gone = 0
    for line in _text(config).splitlines(keepends=True):
        header = HEADER.fullmatch(line.rstrip("\r\n"))
        if header:
            parts = [part.strip().strip("\"'") for part in header[1].split(".")]
            dropping = parts[:2] in (["wallets", name], ["policy", name])
            gone += dropping and parts == ["wallets", name]
        if not dropping:
            kept.append(line)
    if not gone:
        raise AppError(
            f"{config} has no line [wallets.{name}]: it is written in another way, or comes from "
            "the environment; remove it by hand"
        )
    _replace(config, "".join(kept))


def _text(config: Path) -> str:
    try:
        return config.read_text(encoding="utf-8-sig")
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise ConfigError([Problem(str(config), "", what, "make it a readable file")]) from None


def _replace(config: Path, text: str) -> None:
    """Put the text in the config's place, whole, if it is a sound config."""
    parse(decode_toml(text.encode(), str(config)), config, os.environ)
    scratch = config.parent / f".{config.name}.{secrets.token_hex(8)}"
    try:
        mode = config.stat().st_mode & 0o777
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(config)
    except OSError as error:
        scratch.unlink(missing_ok=True)
        raise AppError(f"cannot write {config}: {error.strerror}") from None
