"""Where the config is."""

from collections.abc import Mapping
from pathlib import Path

from underkeel.config.problems import Problem
from underkeel.errors import ConfigError


def candidates(environ: Mapping[str, str], cwd: Path) -> list[Path]:
    """Return the places searched when none is named, first match wins."""
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")) / ".config")
    return [cwd / "underkeel.toml", Path(home).expanduser() / "underkeel" / "underkeel.toml"]


def find_config(named: Path | None, environ: Mapping[str, str], cwd: Path) -> Path:
    """Return the config to read: `--config`, `$UNDERKEEL_CONFIG`, or the first candidate.

    A named one must exist; none at all is an error that says where it was looked for.
    """
    if named is None and environ.get("UNDERKEEL_CONFIG"):
        named = Path(environ["UNDERKEEL_CONFIG"])
    if named is not None:
        if not named.is_file():
            todo = "name an existing file, or write one with `underkeel init --config …`"
            raise ConfigError([Problem(str(named), "", "there is no such file", todo)])
        return named
    places = candidates(environ, cwd)
    for place in places:
        if place.is_file():
            return place
    looked = " or ".join(str(place) for place in places)
    todo = "write one with `underkeel init`, or try `underkeel demo`, which needs none"
    raise ConfigError([Problem("underkeel", "", f"no config found: no {looked}", todo)])
