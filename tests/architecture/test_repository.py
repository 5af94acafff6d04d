"""What the repository promises about itself, checked over every tracked file."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Assembled, so that this file does not itself hold what it forbids.
REGISTRY_HOSTS = re.compile(
    "|".join(["py" + r"pi\.org", "python" + "hosted", "npm" + r"js\.(org|com)"])
)
MACHINE_PATHS = re.compile(
    "|".join([r"(?<![\w.])/ro" + "ot/", r"/ho" + r"me/\w", r"/wo" + r"rk/\w"])
)
PRIVATE_KEYS = re.compile("BEGIN ([A-Z]+ )?PRIVATE " + "KEY")
LINES_PER_FILE = 450


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = (ROOT / name for name in listed.split("\0") if name)
    return [p for p in paths if p.is_file() and (not suffixes or p.suffix in suffixes)]


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@pytest.mark.parametrize(
    "forbidden", [REGISTRY_HOSTS, MACHINE_PATHS, PRIVATE_KEYS], ids=["host", "path", "key"]
)
def test_tracked_files__any__hold_nothing_of_one_machine(forbidden: re.Pattern[str]) -> None:
    found = {
        str(path.relative_to(ROOT)): match.group()
        for path in tracked()
        if (match := forbidden.search(text_of(path)))
    }
    assert not found


def test_python_lock__every_requirement__is_pinned_by_hash() -> None:
    for lock in ("requirements.lock", "bootstrap.lock"):
        entries = re.split(r"\n(?=\S)", text_of(ROOT / lock).strip())
        assert entries
        assert [e.split()[0] for e in entries if "--hash=sha256:" not in e] == []
        assert [e.split()[0] for e in entries if "==" not in e.split()[0]] == []


def test_npm_lock__every_package__has_integrity_and_no_address() -> None:
    lock = text_of(ROOT / "contracts/world/package-lock.json")
    assert '"integrity": "sha512-' in lock
    assert '"resolved": "http' not in lock


def test_source_files__length__have_one_subject() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked(".py", ".sol")
        if (lines := len(text_of(path).splitlines())) > LINES_PER_FILE
    }
    assert not long


def test_test_folders__all__are_packages() -> None:
    """A lone `__init__.py` in tests/chain would shadow the real `chain`."""
    folders = {path.parent for path in tracked(".py") if path.is_relative_to(ROOT / "tests")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_names_of_tests__all__are_the_same_in_every_worker(request: pytest.FixtureRequest) -> None:
    """An address in memory or a gzip header (it holds the time) differs between workers."""
    odd = re.compile(r"\b0x[0-9a-f]{12}\b|\\x1f\\x8b")
    assert [item.nodeid for item in request.session.items if odd.search(item.name)] == []
