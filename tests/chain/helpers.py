"""Small things that several tests of this room use."""

from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.pool import Patience
from chain.types import Address, checksum
from tests.support.fake_node import FakeNode

NOW = 1_700_000_000 + 12 * 100 + 5
"""Five seconds after the fake node's head."""


def address(n: int) -> Address:
    """Return a deterministic address."""
    return checksum(f"0x{n:040x}")


def word(value: int) -> bytes:
    """Return an ABI word."""
    return value.to_bytes(32, "big")


class Clock:
    """Time that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.sleeps: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds


def patience(clock: Clock | None = None, retries: int = 3) -> Patience:
    """Return patience that never really waits."""
    clock = clock or Clock()
    return Patience(retries, clock, clock.sleep, lambda: 1.0, lambda: float(NOW))


def client(
    *nodes: FakeNode,
    quorum: int = 1,
    max_block_age_s: int | None = None,
    multicall3: Address | None = None,
    head_lag: int = 0,
    tag: str = "latest",
    clock: Clock | None = None,
    path: Path | None = None,
    retries: int = 3,
) -> Client:
    """Return a client of fake nodes, with a clock of its own."""
    spec = ChainSpec(
        "test",
        nodes[0].chain_id,
        (),
        quorum=quorum,
        max_block_age_s=max_block_age_s,
        multicall3=multicall3,
        head_lag=head_lag,
        tag=tag,
    )
    return connect(spec, transports=nodes, patience=patience(clock, retries), path=path)
