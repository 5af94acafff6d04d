"""The process that carries a plan out: this one holds no key, serves pages, and only looks on.

It writes to files, not to pipes: its end can be read by a later service too, and it does not stop
because nobody reads. It is in a session of its own, so that Ctrl-C at a terminal ends the service
and not, in its middle, what the service has begun. It inherits a locked file, which stays locked
as long as it lives: a service that begins after the death of another one knows by that.
"""

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LOOK_S: Final = 0.02
MOST: Final = 4 << 20
"""Bytes of output that are read."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a child writes, and the file that is locked while it lives."""

    out: Path
    err: Path
    lock: Path

    @classmethod
    def of(cls, folder: Path, name: str) -> "Files":
        """Return the files of one child."""
        return cls(*(folder / f"{name}.{kind}" for kind in ("out", "err", "lock")))

    def read(self) -> tuple[str, str]:
        """Return what was written; nothing where a file is not there."""
        return _text(self.out), _text(self.err)

    def running(self) -> bool:
        """Tell whether the child lives, whoever started it on this machine."""
        try:
            with self.lock.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def end(self, grace_s: float) -> None:
        """Ask the child to end, as Ctrl-C does; after the grace end it."""
        for number in (signal.SIGINT, signal.SIGKILL):
            # The lock says that it lives, so the number is its own.
            if not self.running() or not (pid := _text(self.lock)).isdecimal():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), number)
            until = time.monotonic() + grace_s
            while self.running() and time.monotonic() < until:
                time.sleep(LOOK_S)

    def remove(self) -> None:
        """Remove them."""
        for path in (self.out, self.err, self.lock):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Child:
    """A process that was started here."""

    process: "subprocess.Popen[bytes]"

    @classmethod
    def start(
        cls, command: Sequence[str], files: Files, environ: Mapping[str, str] | None = None
    ) -> "Child":
        """Start a command; raises `OSError` where that cannot be, or where it runs already."""
        files.out.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(files.lock) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            process = cls._begin(command, files, lock, environ)
            os.ftruncate(lock, 0)
            os.write(lock, str(process.pid).encode())
        return cls(process)

    @staticmethod
    def _begin(
        command: Sequence[str], files: Files, lock: int, environ: Mapping[str, str] | None
    ) -> "subprocess.Popen[bytes]":
        with _opened(files.out) as out, _opened(files.err) as err:
            for file in (out, err):
                os.ftruncate(file, 0)
            return subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                pass_fds=(lock,),
                env=None if environ is None else dict(environ),
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self.process.pid

    @property
    def code(self) -> int | None:
        """How it ended; None while it runs."""
        return self.process.poll()

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False if it still runs then."""
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


def end_all(folder: Path, grace_s: float) -> None:
    """End every child whose files are in a folder."""
    for path in sorted(folder.glob("*.lock")):
        Files.of(folder, path.stem).end(grace_s)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(MOST).decode("utf-8", "replace")
    except OSError:
        return ""
