"""Values kept out of the config: `env:NAME` and `file:PATH`, and hiding them in what we print.

`env:NAME` is looked up in the environment, then in `.env` beside the config, then as a file of
that name in the secrets directory. A relative `file:PATH` is looked up in the secrets directory,
then beside the config. The secrets directory is `$UNDERKEEL_SECRETS_DIR`, or what systemd gives
in `$CREDENTIALS_DIRECTORY`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from dotenv import dotenv_values

from underkeel.config.problems import did_you_mean

MAX_SECRET_BYTES: Final = 65_536
RAW_KEY: Final = re.compile(r"\s*(0x)?[0-9a-fA-F]{64}\s*")
SEED_PHRASE: Final = re.compile(r"\s*([a-z]{3,8}\s+){11}([a-z]{3,8}\s+){0,12}[a-z]{3,8}\s*")
SECRET_KEYS: Final = ("private_key", "privatekey", "mnemonic", "seed", "secret_key", "seed_phrase")
ID_KEYS: Final = ("market_ids",)
"""Keys whose 32-byte values are public identifiers."""


class SecretMissing(Exception):
    """A reference names nothing that we can read; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where references are looked up."""

    environment: Mapping[str, str]
    """The process's own environment over `.env`."""
    base: Path
    """The folder of the config."""
    directory: Path | None

    @classmethod
    def beside(cls, base: Path, environ: Mapping[str, str]) -> "Secrets":
        """Return the place of secrets for a config in the folder `base`."""
        given = environ.get("UNDERKEEL_SECRETS_DIR") or environ.get("CREDENTIALS_DIRECTORY")
        return cls({**_dotenv(base / ".env"), **environ}, base, Path(given) if given else None)

    def resolve(self, reference: str) -> str:
        """Return the value behind `env:NAME` or `file:PATH`, or the text itself."""
        kind, colon, name = reference.partition(":")
        if not colon or kind not in ("env", "file"):
            return reference
        if kind == "env":
            value = self.environment.get(name)
            if value is None and self.directory and re.fullmatch(r"\w+", name):
                value = _read(self.directory / name)
            if value is None:
                hint = did_you_mean(name, self.environment) if self.environment else ""
                hint = hint if hint.startswith("did") else ""
                raise SecretMissing(
                    f"the environment has no {name}; export it or write it in .env {hint}".rstrip()
                )
        else:
            places = [self.directory / name] if self.directory else []
            value = next((v for p in [*places, self.base / name] if (v := _read(p))), None)
            if value is None:
                raise SecretMissing(
                    f"there is no readable file {name}; create it with the value in it"
                )
        if not value.strip():
            raise SecretMissing(f"{reference} is empty; put the value in it")
        return value.strip()


def _dotenv(path: Path) -> dict[str, str]:
    try:
        found = dotenv_values(path) if path.is_file() else {}
    except (OSError, ValueError):  # unreadable or not text: as if absent, references then fail
        return {}
    return {key: value for key, value in found.items() if value is not None}


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(MAX_SECRET_BYTES).decode("utf-8")
    except (OSError, ValueError):
        return None


def looks_secret(path: Iterable[str | int], value: str) -> str | None:
    """Say why a value looks like a key that must not be in a config, if it does."""
    names = [part.casefold() for part in path if isinstance(part, str)]
    if any(name in SECRET_KEYS for name in names) and not value.startswith(("env:", "file:")):
        return "holds a secret"
    if RAW_KEY.fullmatch(value) and not any(name in ID_KEYS for name in names):
        return "looks like a private key"
    if SEED_PHRASE.fullmatch(value):
        return "looks like a seed phrase"
    return None


def redact(url: str) -> str:
    """Return a URL without what may be a key: only scheme, host and port stay."""
    if url.startswith(("env:", "file:")):
        return url
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "…"
    if not parts.hostname:
        return "…"
    hidden = parts.path.strip("/") or parts.query or parts.username or parts.fragment
    return f"{parts.scheme}://{parts.hostname}{port}" + ("/…" if hidden else "")


def scrub(text: str, urls: Iterable[str]) -> str:
    """Return the text with every one of the URLs, and every path of one, redacted."""
    for url in sorted(set(urls), key=len, reverse=True):
        text = text.replace(url, redact(url))
        parts = urlsplit(url)
        tail = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "")
        for secret in (tail, parts.query, parts.password or ""):
            if len(secret) > 8:
                text = text.replace(secret, "/…")
    return text
