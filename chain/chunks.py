"""Learn how many accounts of a lens one eth_call of an endpoint bears, and how many it is worth.

A lens says how much gas it had, what the accounts took of it and how far it came, so a run that
was too large is no failure: the rest is asked again. Failures are refusals by size or time.
"""

import threading
from dataclasses import dataclass, field
from typing import Final

PROBE: Final = 32
"""Accounts of the very first run."""
SHARE: Final = 0.8
"""Of a limit that is planned for; accounts differ."""
GOOD_BEFORE_GROWTH: Final = 4
"""Runs without a failure after which a lowered ceiling is raised by half."""
BYTES: Final = 2_000_000
"""Bytes of one answer, before hex, that are planned for."""
SECONDS: Final = 2.0
"""Time of one run that is planned for: nodes give up after about five seconds."""
MOST: Final = 20_000
LANES: Final = 8
"""Runs under way at once, each on a connection of its own."""
SHARED: Final = 2
"""Runs that accounts are shared out over which one run would bear: any node has two cores."""
WORTH_S: Final = 0.01
"""Time that a run must take for that to be worth it, however short the round trip."""
PREAMBLE: Final = 4
"""How many times the gas of what every run does first its accounts must take."""


@dataclass(slots=True)
class Chunker:
    """What was learned of one lens at one endpoint. Safe to share between threads."""

    ceiling: int = MOST
    good: int = 0
    size: int = PROBE
    """Accounts that one run bears."""
    known: bool = False
    """Whether any run went well."""
    _gas_each: float = 0.0
    _gas_first: float = 0.0
    _fastest_s: float = float("inf")
    _each_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def plan(self, count: int) -> int:
        """Return how many accounts to put into a run, of `count` that are wanted.

        Fewer than it bears where several runs at once are faster: when the accounts take longer
        than the round trip that a further connection costs.
        """
        with self._lock:
            runs = 1
            if self.known and count * self._each_s > max(self._fastest_s, WORTH_S):
                least = PREAMBLE * self._gas_first / max(self._gas_each, 1.0)
                runs = max(1, min(SHARED, int(count / max(least, 1.0))))
            runs = max(runs, -(-count // self.size))
            return max(1, -(-count // runs))

    def went(
        self,
        asked: int,
        done: int,
        *,
        gas_room: int,
        gas_first: int,
        gas: int,
        size: int,
        seconds: float,
    ) -> None:
        """Learn from a run that came `done` > 0 accounts far.

        `gas_room` is what it had for accounts, `gas_first` what it took before them, `gas` what
        they took, `size` the bytes of the answer, `seconds` how long it was under way.
        """
        with self._lock:
            each = gas / done
            # The dearest lately, forgotten slowly: what comes next may be like it.
            self._gas_each = max(each, self._gas_each - (self._gas_each - each) / 4)
            self._gas_first = max(self._gas_first, gas_first)
            self._fastest_s = min(self._fastest_s, seconds)
            self._each_s = (seconds - self._fastest_s) / done
            self.known = True
            fitting = min(
                gas_room / max(self._gas_each, 1.0),
                BYTES / (size / done),
                SECONDS * done / max(seconds, 1e-6),
            )
            self.good += 1
            if self.good >= GOOD_BEFORE_GROWTH:
                self.ceiling = min(self.ceiling * 3 // 2 + 1, MOST)
                self.good = 0
            self.size = max(1, min(int(SHARE * fitting), self.ceiling))
            if done < asked:
                self.size = max(1, min(self.size, done))

    def failed(self, asked: int) -> None:
        """Learn that a run of so many accounts was refused."""
        with self._lock:
            self.ceiling = max(1, min(self.ceiling, asked) // 2)
            self.size = min(self.size, self.ceiling)
            self.good = 0
