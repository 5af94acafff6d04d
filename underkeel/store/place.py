"""Where the database is: the one function that knows."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from underkeel.config.load import Config
from underkeel.config.secrets import SecretMissing, Secrets
from underkeel.errors import ConfigError
from underkeel.state import state_folder
from underkeel.store.errors import NotWritten


@dataclass(frozen=True, slots=True)
class Place:
    """A database."""

    url: str
    """May hold a password: never printed."""
    file: Path | None
    """Of SQLite; None for a server."""
    ours: bool
    """In the state folder, which we may make."""

    @property
    def shown(self) -> str:
        """Return what may be printed."""
        if self.file is not None:
            return str(self.file)
        try:
            url = make_url(self.url)
        except ArgumentError:
            return "…"
        return f"{url.get_backend_name()}://{url.host or ''}/{url.database or ''}"

    def prepare(self) -> None:
        """Make the state folder, for us alone."""
        if self.file is None or not self.ours:
            return
        try:
            self.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise NotWritten(f"{self.file.parent} cannot be made ({error.strerror})") from None


def place_of(
    config: Config, *, mode: str | None = None, environ: Mapping[str, str] | None = None
) -> Place:
    """Return where a config keeps its database; raises `ConfigError` for a secret that is missing.

    With `url = "sqlite"` a dry run has a file of its own, so that going live starts clean.
    """
    environ = os.environ if environ is None else environ
    try:
        url = Secrets.beside(config.path.parent, environ).resolve(config.settings.storage.url)
    except SecretMissing as missing:
        raise ConfigError([f"{config.path}: storage.url: {missing}"]) from None
    if url == "sqlite":
        name = "journal" if (mode or config.settings.mode) == "live" else "dry-run"
        file = state_folder(environ) / f"{name}.sqlite"
        return Place(f"sqlite:///{file}", file, ours=True)
    if url.startswith("sqlite:///"):  # relative to the config: a service may start anywhere
        file = config.path.parent.absolute() / url.removeprefix("sqlite:///").partition("?")[0]
        return Place(f"sqlite:///{file}", file, ours=False)
    if not url.startswith("postgresql"):
        raise ConfigError(
            [f"{config.path}: storage.url: names no database of ours; see docs/storage.md"]
        )
    return Place(url, None, ours=False)
