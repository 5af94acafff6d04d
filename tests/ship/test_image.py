"""The image: nobody builds it here, so its steps are done by hand, from what it copies alone."""

from __future__ import annotations

import fnmatch
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from tests.ship.tools import ROOT, SHIP

TEXT = (SHIP / "Dockerfile").read_text()
STAGES = re.split(r"^FROM ", TEXT, flags=re.MULTILINE)[1:]


def copied(stage: str) -> list[tuple[list[str], str]]:
    """Return what a stage copies out of the checkout: sources and target."""
    lines = re.findall(r"^COPY (?!--from)(.*)$", stage, re.MULTILINE)
    return [(line.split()[:-1], line.split()[-1]) for line in lines]


def ignored(path: str) -> bool:
    """Return what the patterns beside the Dockerfile say of a path: the last that fits counts."""
    out = False
    for line in (SHIP / "Dockerfile.dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").replace("**/", "*")
        parts = path.split("/")
        fits = any(
            fnmatch.fnmatchcase("/".join(parts[: n + 1]), pattern)
            or fnmatch.fnmatchcase(parts[n], pattern.removeprefix("*"))
            for n in range(len(parts))
        )
        if fits:
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize(
    "path", [source for stage in STAGES for sources, _ in copied(stage) for source in sources]
)
def test_copy__every_path__is_there_and_let_through(path: str) -> None:
    assert (ROOT / path).exists()
    assert not ignored(path)


@pytest.mark.parametrize(
    "path",
    ["ship/secrets/web-token", ".env", "underkeel/.env", ".git/config", "tests/conftest.py",
     "underkeel/web/static/vendor/htmx.min.js", "chain/__pycache__/abi.cpython-313.pyc"],
)  # fmt: skip
def test_context__what_does_not_belong_there__is_kept_out(path: str) -> None:
    assert ignored(path)


def test_pages__libraries__are_those_of_the_checkout() -> None:
    listed = re.search(r"^LIBRARIES := ((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert listed is not None
    for library in listed[1].replace("\\\n", " ").split():
        assert library in STAGES[0]


def test_last_stage__runs_as_nobody_and_holds_no_tool() -> None:
    last = STAGES[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert last.index("USER") < last.index("ENTRYPOINT")
    assert "pip" not in last
    assert "npm" not in last
    assert "ADD " not in TEXT
    assert 'ENTRYPOINT ["underkeel"' in last
    for stage in STAGES:
        assert re.match(r"\w+:\d+(\.\d+)?-", stage), "an image without a version"


def test_lock__every_line__is_in_the_lock_of_the_checkout() -> None:
    ours, whole = _locked(SHIP / "requirements.lock"), _locked(ROOT / "requirements.lock")
    assert len(ours) > 50
    for name, (version, hashes) in ours.items():
        assert whole[name] == (version, hashes), f"{name}: run ship/lock.sh"
    for name in ("psycopg", "mcp", "setuptools", "uvicorn", "numba"):
        assert name in ours
    assert not {"pytest", "hypothesis", "mypy", "ruff"} & set(ours)
    assert "://" not in (SHIP / "requirements.lock").read_text()


def _locked(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    found = {}
    for block in re.split(r"\n(?=\S)", path.read_text()):
        match = re.match(r"([\w.-]+)(?:\[[\w,-]+\])?==([^\s;\\]+)", block)
        if match:
            found[match[1]] = (match[2], frozenset(re.findall(r"sha256:([0-9a-f]{64})", block)))
    return found


def test_build__from_what_is_copied_alone__is_a_program_that_starts(tmp_path: Path) -> None:
    """The second stage's steps, with the packages that are here in place of the lock's."""
    source, target = tmp_path / "src", tmp_path / "venv"
    for sources, into in copied(STAGES[1]):
        for one in sources:
            _copy(ROOT / one, source / into if into.endswith("/") else source / into / "")
    venv.create(target, with_pip=False)
    python = target / "bin" / "python"
    site = Path(subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    ).strip())  # fmt: skip
    wheels = tmp_path / "wheels"
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *quiet, "--wheel-dir", str(wheels), str(source)],
        check=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    (wheel,) = wheels.glob("*.whl")
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", *quiet[:3], str(wheel)],
        check=True, timeout=300, cwd=tmp_path,
    )  # fmt: skip
    # Its dependencies, but not the checkout itself, which is installed editable beside them.
    (site / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    said = subprocess.run(
        [str(target / "bin" / "underkeel"), "--version"],
        capture_output=True, text=True, env=environ, cwd=tmp_path, timeout=120,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.startswith("underkeel ")
    for needed in (
        "underkeel/web/templates", "underkeel/web/static/base.css", "underkeel/store",
        "chain/data/lending_lens.json", "chain/data/networks.toml",
    ):  # fmt: skip
        assert (site / needed).exists(), needed
    script = (
        "import underkeel, chain; from underkeel.store.store import Store; "
        "Store.open('sqlite:///keel.sqlite', mode='dry-run', chains={}).close(); "
        "print(underkeel.__file__, chain.__file__)"
    )
    where = subprocess.check_output(
        [python, "-c", script], text=True, env=environ, cwd=tmp_path, timeout=120
    )
    assert all(str(site) in path for path in where.split())


def _copy(source: Path, into: Path) -> None:
    into.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        skip = shutil.ignore_patterns("__pycache__", "vendor", "*.pyc")
        shutil.copytree(source, into, dirs_exist_ok=True, ignore=skip)
    else:
        shutil.copy(source, into)
