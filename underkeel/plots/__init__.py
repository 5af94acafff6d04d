"""Pictures: drawn with matplotlib (extra `plots`), imported only when one is asked for."""

from importlib.util import find_spec
from pathlib import Path

from underkeel.errors import UsageError

KINDS = (".png", ".svg")


def check_target(path: Path) -> None:
    """Raise `UsageError` unless a picture can be drawn there."""
    if path.suffix.lower() not in KINDS:
        raise UsageError(f"--plot {path}: a picture ends in .png or .svg")
    if not path.parent.is_dir():
        raise UsageError(f"--plot {path}: there is no folder {path.parent}")
    if find_spec("matplotlib") is None:
        raise UsageError("--plot needs matplotlib: pip install 'underkeel[plots]'")
