"""Put reads of many kinds into one round and find their results again."""

from dataclasses import dataclass, field

from chain.calls import Read


@dataclass(slots=True)
class Batch:
    """One round in the making: each `add` says where its results will be."""

    reads: list[Read] = field(default_factory=list)

    def add(self, *reads: Read) -> slice:
        """Append reads; return where their results will be."""
        start = len(self.reads)
        self.reads.extend(reads)
        return slice(start, len(self.reads))
