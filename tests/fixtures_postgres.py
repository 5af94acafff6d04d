"""A Postgres of our own for tests: in a temporary folder, on a unix socket, as no superuser.

- `postgres`: the URL of an empty schema, made new for each test.

Debian keeps `initdb` outside PATH; it refuses to run as root, so a root session hands the folder
to the user `nobody`.
"""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_numbers = itertools.count(1)
WATCHER = 'read word || { "$1" -D "$2/data" -m immediate stop; rm -rf "$2"; }'
"""Ends the server when our end of the pipe is closed without a word, as by a kill."""


def _binaries() -> Path | None:
    """Return the folder of the newest installed Postgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


class Cluster:
    """A running server, reached through a unix socket only."""

    def __init__(self, binaries: Path, folder: Path) -> None:
        self._binaries = binaries
        self._folder = folder
        self._data = folder / "data"
        self._user = "nobody" if os.geteuid() == 0 else None
        if self._user is not None:
            owner = pwd.getpwnam(self._user)
            os.chown(folder, owner.pw_uid, owner.pw_gid)

    def start(self) -> None:
        self._run("initdb", "-D", self._data, "-U", "keel", "-A", "trust", "-E", "UTF8",
                  "--no-sync", "--locale=C.UTF-8")  # fmt: skip
        options = (
            f"-c listen_addresses= -c unix_socket_directories={self._folder} "
            "-c fsync=off -c shared_buffers=16MB -c max_connections=20"
        )
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "sh", self._binaries / "pg_ctl", self._folder],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            user=self._user, start_new_session=True, cwd="/",
        )  # fmt: skip
        self._run("pg_ctl", "-D", self._data, "-o", options, "-w", "-t", "30",
                  "-l", self._folder / "log", "start")  # fmt: skip

    def stop(self) -> None:
        self._run("pg_ctl", "-D", self._data, "-m", "immediate", "-w", "stop")
        self._watcher.communicate(b"done\n", timeout=5)

    def database(self) -> str:
        import psycopg  # here, because most runs need no Postgres

        schema = f"test{next(_numbers)}"
        with psycopg.connect(f"host={self._folder} user=keel dbname=postgres") as connection:
            connection.execute(f"CREATE SCHEMA {schema}")
        place = f"host={self._folder}&options=-csearch_path%3D{schema}"
        return f"postgresql+psycopg://keel@/postgres?{place}"

    def _run(self, program: str, *arguments: object) -> None:
        line = [str(self._binaries / program), *map(str, arguments)]
        # Output to a file: the server inherits it, and would keep a pipe open for ever.
        with (self._folder / "said").open("ab") as said:
            done = subprocess.run(
                line, stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=False,
                user=self._user, cwd=self._folder, timeout=60,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"},
            )  # fmt: skip
        if done.returncode:
            text = (self._folder / "said").read_text(errors="replace")[-500:]
            raise RuntimeError(f"{program} failed with {done.returncode}: {text}")


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    binaries = _binaries()
    if binaries is None:
        pytest.skip("NOT TESTED ON POSTGRES: no initdb here; on Debian: apt install postgresql")
    # Short, because a socket's path ends at 107 bytes; and reachable by the other user.
    folder = Path(tempfile.mkdtemp(prefix="keel-pg-", dir="/tmp"))
    cluster = Cluster(binaries, folder)
    try:
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres(postgres_cluster: Cluster) -> str:
    return postgres_cluster.database()
