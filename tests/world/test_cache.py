"""The cache holds whole worlds only, each built once."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from world import __main__ as command_line
from world import cache
from world.builder import Built, build, find
from world.install import REFERENCE, NoAnvil, find_anvil

ROOT = Path(__file__).resolve().parents[2]
WORLD = ROOT / "contracts/world"


def test_make_whole__fill_fails__leaves_nothing(tmp_path: Path) -> None:
    def fill(folder: Path) -> None:
        (folder / "half").write_text("made")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        cache.make_whole(tmp_path / "world-x", fill)
    assert list(tmp_path.iterdir()) == []


def test_make_whole__already_there__is_not_made_again(tmp_path: Path) -> None:
    (tmp_path / "world-x").mkdir()
    assert cache.make_whole(tmp_path / "world-x", lambda _: pytest.fail("made again")).is_dir()


def test_killed_build__leaves_no_half_world_and_no_lock(tmp_path: Path) -> None:
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from world import cache\n"
        "home = Path(sys.argv[1])\n"
        "def fill(folder):\n"
        "    (folder / 'book.json').write_text('{}')\n"
        "    print('half', flush=True)\n"
        "    time.sleep(60)\n"
        "with cache.locked(home):\n"
        "    cache.make_whole(home / 'world-x', fill)\n"
    )
    builder = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT / "contracts")},
    )
    assert builder.stdout is not None
    with builder, builder.stdout:
        assert builder.stdout.readline() == b"half\n"
        builder.send_signal(signal.SIGKILL)
        builder.wait(10)
    assert not (tmp_path / "world-x").exists()
    with cache.locked(tmp_path):
        cache.sweep(tmp_path, keep=())
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_sweep__keeps_the_wanted_and_the_recent(tmp_path: Path) -> None:
    for name in ("world-wanted", "world-recent", "world-old", "install-old", "solc"):
        (tmp_path / name).mkdir()
    long_ago = time.time() - 2 * 24 * 3600
    for name in ("world-wanted", "world-old", "install-old", "solc"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    cache.sweep(tmp_path, keep=[tmp_path / "world-wanted"])
    assert {path.name for path in tmp_path.iterdir()} == {"world-wanted", "world-recent", "solc"}


def test_find__nothing_built__is_none(tmp_path: Path) -> None:
    assert find(tmp_path) is None


def test_build__built__is_found_without_its_packages(tmp_path: Path) -> None:
    built = build()
    home = tmp_path / "elsewhere"
    home.mkdir()
    (home / built.folder.name).symlink_to(built.folder)
    assert build(home) == Built(home / built.folder.name)
    assert {path.name for path in built.folder.iterdir()} == {"anvil", "book.json", "state.json"}


def test_cache_home__follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNDERKEEL_WORLD_CACHE", "/one")
    assert cache.cache_home() == Path("/one")
    monkeypatch.delenv("UNDERKEEL_WORLD_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/two")
    assert cache.cache_home() == Path("/two/underkeel")


def test_find_anvil__none_on_the_machine__says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("UNDERKEEL_ANVIL", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoAnvil, match="UNDERKEEL_ANVIL"):
        find_anvil(tmp_path)


def test_command_line__path__prints_the_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["world", "path"])
    folder = build().folder
    assert command_line.main() == 0
    assert capsys.readouterr().out.strip() == str(folder)


def test_command_line__nothing_built__says_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNDERKEEL_WORLD_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["world", "path"])
    assert command_line.main() == 1
    assert "python -m world build" in capsys.readouterr().err


@pytest.mark.parametrize("project", [WORLD, REFERENCE])
def test_lock_file__names_no_registry_and_pins_by_hash(project: Path) -> None:
    text = (project / "package-lock.json").read_text()
    packages = json.loads(text)["packages"]
    assert not re.search(r'"resolved": "(?!stub")', text)
    for name, package in packages.items():
        if name.startswith("node_modules/") and not package.get("link"):
            assert package["integrity"].startswith("sha512-"), name


def test_clean__removes_what_is_ours_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("world-1", "install-1", ".partial-world-2", "solc", "logs"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "file").touch()
    (tmp_path / "world-3").symlink_to(tmp_path / "logs")
    monkeypatch.setenv("UNDERKEEL_WORLD_CACHE", str(tmp_path))
    monkeypatch.setattr(sys, "argv", ["world", "clean"])
    with cache.locked(tmp_path):
        pass
    assert command_line.main() == 0
    assert [path.name for path in tmp_path.rglob("*")] == ["logs", "file"]


def test_build__cache_cannot_be_written__says_which_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("UNDERKEEL_WORLD_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setattr(sys, "argv", ["world", "build"])
    assert command_line.main() == 1
    (line,) = capsys.readouterr().err.splitlines()[-1:]
    assert line.startswith("test world: cannot write")
    assert "UNDERKEEL_WORLD_CACHE" in line


def test_build__interrupted__is_a_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "build", interrupted)
    monkeypatch.setattr(sys, "argv", ["world", "build"])
    assert command_line.main() == 130
    assert "stopped" in capsys.readouterr().err
