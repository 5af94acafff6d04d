"""When a chain is read next, and what is left out when it cannot be read fast enough."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from underkeel.config.model import Settings
from underkeel.config.monitor import MonitorTable

AT_ONCE: Final = Fraction(5, 4)
"""Health up to this multiple of the threshold is near: it is read and judged at every block."""
CALM: Final = Fraction(2)
"""Health from this multiple on: as rarely as is allowed."""
MOST_SHED: Final = 16
"""Far accounts are read at least at every so many readings."""
RELAXED: Final = 0.5
"""A reading that takes less than this share of the block interval takes things in again."""
MOMENT_S: Final = 0.5
"""A reading that is shorter is no burden, however fast blocks come: some come in bursts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to read, by how near the worst position is to a threshold."""

    table: MonitorTable
    bar: Fraction
    """The health that matters: the highest threshold of a rule, or `near`."""

    @classmethod
    def of(cls, settings: Settings) -> "Pace":
        """Return the pace that a config asks for."""
        return cls(settings.monitor, bar_of(settings))

    @property
    def near(self) -> Fraction:
        """Return the health below which a position is near a threshold."""
        return self.bar * AT_ONCE

    def interval_s(self, worst: Fraction | None) -> float:
        """Return the least time between two readings; 0: every block."""
        least = float(self.table.every or 0)
        most = max(least, float(self.table.calm_every))
        if worst is None:
            return most
        share = float((worst / self.bar - AT_ONCE) / (CALM - AT_ONCE))
        return least + (most - least) * min(max(share, 0.0), 1.0)


def bar_of(settings: Settings) -> Fraction:
    """Return the highest health at which any rule of the config fires, at least `near`."""
    bar = Fraction(str(settings.monitor.near))
    for rule in getattr(settings, "alert", ()):
        if rule.expr == "health_factor":
            for level in rule.levels:
                for at in (level.fire_below, level.clear_above):
                    bar = max(bar, Fraction(str(at))) if at is not None else bar
    return bar


@dataclass(slots=True)
class Shedding:
    """Reads far accounts more rarely while readings take longer than blocks.

    The accounts near a threshold are in every reading.
    """

    factor: int = 1
    """Far accounts are in every so-manieth reading."""
    _count: int = 0

    def all_now(self) -> bool:
        """Tell whether the next reading takes in every account; counts readings."""
        self._count += 1
        return self._count % self.factor == 0

    def took(self, seconds: float, block_s: float, *, typical: bool = True) -> bool:
        """Adapt to how long a reading of all took; return whether anything changed.

        One that judged more than usual may be long; that it is short says the more.
        """
        before, may = self.factor, max(block_s, MOMENT_S)
        if seconds > may and typical:
            self.factor = min(self.factor * 2, MOST_SHED)
        elif seconds < may * RELAXED:
            self.factor = max(self.factor // 2, 1)
        return self.factor != before
