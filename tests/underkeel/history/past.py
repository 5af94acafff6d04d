"""A feed's past as a dictionary, and a count of what was asked of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chain.calls import Pointer, Read, Result
from protocols.prices import rounds
from protocols.prices.feed import DECIMALS, LATEST
from protocols.prices.state import Round
from tests.protocols.prices.build import NO, address, latest, words

FEED = address(0xF)
P = 1 << 64


@dataclass
class Feed:
    """A proxy with phases, each a list of (answer, time)."""

    phases: list[list[tuple[int, int]]]
    asked: list[int] = field(default_factory=list)
    """Round ids, in the order they were asked for."""

    def answer(self, batch: Sequence[Read]) -> list[Result]:
        """Answer a batch; what there is not reverts."""
        return [self._one(read) for read in batch]

    def _one(self, read: Read) -> Result:
        last = len(self.phases)
        if read == LATEST.at(FEED):
            return latest(5, round_id=last * P + len(self.phases[-1]))
        if read == rounds.PHASE.at(FEED):
            return words(last)
        if read == DECIMALS.at(FEED):
            return words(0)
        for phase, given in enumerate(self.phases, 1):
            if read == rounds.LAST_ROUND.at(Pointer(rounds.AGGREGATOR.at(FEED, phase))):
                return words(len(given))
        data = getattr(read, "data", b"")
        if data[:4] == rounds.GET_ROUND.selector and getattr(read, "target", None) == FEED:
            id_ = int.from_bytes(data[4:], "big")
            self.asked.append(id_)
            phase, n = id_ >> 64, id_ % P
            if 1 <= phase <= last and 1 <= n <= len(self.phases[phase - 1]):
                answer, time = self.phases[phase - 1][n - 1]
                return words(id_, answer, time, time, id_)
        return NO

    def rounds(self, phase: int) -> list[Round]:
        """Return a phase's rounds that hold an answer."""
        given = self.phases[phase - 1]
        return [Round(phase * P + n, a, t) for n, (a, t) in enumerate(given, 1) if a > 0]
