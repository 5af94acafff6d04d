"""The kill switch: a file that stops every new effect, whoever wrote it.

`underkeel pause`, a signal, a person with `touch`: all make the same file, so it outlives the
process and every executor on the machine sees it. What is in flight is still brought to an end
(rebroadcast, reconciled, cancelled by a no-op); nothing new is signed. A file whose state cannot be
told counts as there.
"""

import contextlib
import os
import secrets
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any, Final

FILE: Final = "pause"
MOST: Final = 400
"""Characters of a reason that are shown."""


@dataclass(frozen=True, slots=True)
class Switch:
    """The switch of one folder of state."""

    folder: Path
    _signals: list[str] = field(default_factory=list, repr=False, compare=False)
    """Signals that came: they count even where the file cannot be written."""

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self.folder / FILE

    def paused(self) -> str | None:
        """Return why nothing may be signed; None if it may."""
        if self._signals:
            return f"paused: by signal {self._signals[-1]}"
        try:
            with self.path.open("rb") as file:
                raw = file.read(4 * MOST)
        except FileNotFoundError:
            return None
        except OSError as error:
            return f"{self.path} cannot be read ({error.strerror}), which counts as paused"
        said = "".join(c if c.isprintable() else " " for c in raw.decode("utf-8", "replace"))
        return f"paused: {said.strip()[:MOST]}" if said.strip() else "paused"

    def pause(self, reason: str) -> None:
        """Make the file, whole; an older reason is replaced."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = time.strftime("%Y-%m-%dT%H:%M:%SZ ", time.gmtime()) + reason + "\n"
        scratch = self.folder / f".{FILE}.{secrets.token_hex(8)}"
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(self.path)

    def resume(self) -> bool:
        """Remove the file; tell whether there was one."""
        try:
            self.path.unlink()
        except FileNotFoundError:
            return False
        return True

    def on_signal(self, number: int = signal.SIGUSR1) -> Callable[[], None]:
        """Pause whenever the process gets the signal; return what undoes that."""

        def pause(_number: int, _frame: FrameType | None) -> None:
            name = signal.Signals(number).name
            self._signals.append(name)
            with contextlib.suppress(OSError):
                self.pause(f"by signal {name}")

        before: Any = signal.signal(number, pause)

        def undo() -> None:
            signal.signal(number, before)

        return undo
