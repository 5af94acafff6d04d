"""Clocks of the delivery: given, so that a day can be tested in a second."""

import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST_S: Final = 2.0
LONGEST_S: Final = 300.0
"""Between two attempts on a channel that fails."""
REFUSED_S: Final = 300.0
REFUSED_LONGEST_S: Final = 3_600.0
"""The same on a channel that only a person can repair: a wrong token, a hook that is gone."""
SPREAD: Final = 0.2


@dataclass(frozen=True, slots=True)
class Times:
    """The wall clock, a steady one, and how a thread waits by it."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    speed: float = 1.0
    """How many of its seconds pass in one real second."""
    chance: Callable[[], float] = random.random
    poll_s: float = 5.0
    """How often is looked for what another process put."""

    def wait(self, bell: threading.Event, seconds: float) -> None:
        """Wait until it rings or the time is over."""
        bell.wait(max(0.0, seconds) / self.speed)


def back_off(failures: int, refused: bool, chance: float) -> float:
    """Return the seconds after so many failures in a row, spread by chance from 0 to 1."""
    first, most = (REFUSED_S, REFUSED_LONGEST_S) if refused else (FIRST_S, LONGEST_S)
    steps = min(max(failures - 1, 0), 30)
    return min(first * float(2**steps), most) * (1 + SPREAD * (2 * chance - 1))


class Rate:
    """At most so many in any minute."""

    def __init__(self, per_minute: int) -> None:
        self._most = per_minute
        self._at: deque[float] = deque()

    def left_s(self, now: float) -> float:
        """Return the seconds until one more may be sent."""
        while self._at and now - self._at[0] >= 60.0:
            self._at.popleft()
        return 0.0 if len(self._at) < self._most else 60.0 - (now - self._at[0])

    def spend(self, now: float) -> None:
        """Note that one was sent."""
        self._at.append(now)
