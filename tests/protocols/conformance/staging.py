"""One adapter's positions on the world, opened once and read once."""

from collections.abc import Callable
from dataclasses import dataclass

from world.anvil import Anvil
from world.world import World

from chain.calls import Read, ReadFailed, Reads, Result
from chain.types import BlockRef
from protocols.adapter import Adapter
from protocols.types import Reading
from tests.protocols.conformance.fixture import Stage
from tests.protocols.conformance.judge import Outcome
from tests.support import referee


@dataclass(frozen=True)
class Staged:
    """Positions, the block, and the truth about them, learned by single calls."""

    world: World[Anvil]
    adapter: Adapter
    stage: Stage
    at: BlockRef
    truth: Reading
    recording: referee.Recording

    def program(self, at: BlockRef | None = None) -> Reads[Reading]:
        """Return a fresh reading of all accounts."""
        return self.adapter.read(self.stage.market, self.stage.accounts, at or self.at)

    def replay(self, mutate: Callable[[Read, Result], Result]) -> Outcome:
        """Read again from the recording, with falsified answers."""
        try:
            return self.recording.replay(self.program(), mutate)
        except ReadFailed as failure:
            return failure
