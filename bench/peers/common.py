"""What every Python peer's script shares: the work, the clocks, the digest. Standard library only.

A script is run by the interpreter of its own environment with the path of a work file. It reads
once to warm up and says that it is ready, then once or a few times for every line `go` that it is
sent, and ends with the digest. It times building the calls, sending them, and decoding the answers;
importing, connecting once and the digest are outside the clock.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TUPLE = (
    "((uint256),uint128,uint128,uint128,uint128,uint128,uint40,uint16,"
    "address,address,address,address,uint128,uint128,uint128)"
)
SCALED = ("scaledBalanceOf", "address", "uint256")
BALANCE = ("balanceOf", "address", "uint256")
CONFIGURATION = ("getUserConfiguration", "address", "(uint256)")
RESERVE = ("getReserveData", "address", TUPLE)
PRICE = ("getAssetPrice", "address", "uint256")
ACCOUNT = ("getUserAccountData", "address", "uint256,uint256,uint256,uint256,uint256,uint256")

BURST_S = 0.15
BURST = 9
"""Short readings are repeated within one turn, so that not each finds the caches cold."""

Call = tuple[str, tuple[str, str, str], str]
"""Target, (name, input type, output types), argument."""


@dataclass(frozen=True)
class Work:
    """What to read, of which node, how often."""

    url: str
    chain_id: int
    block_number: int
    block_hash: str
    multicall3: str
    provider: str
    pool: str
    oracle: str
    reserves: list[dict[str, str]]
    accounts: list[str]
    uniswap: dict[str, str]
    """The position manager, and an owner of NFTs."""
    task: str
    """`full`: all balances, flags, reserves and prices; `health`: the pool's account data;
    `uniswap`: the owner's positions, with their pools' prices and fee growth; `owners`: those of
    all accounts."""
    warm: int
    """How often to read before the clock runs."""
    mark: str | None
    """Where to tell the counting proxy that the warm-up is over."""
    record: str | None
    """Where to write the raw requests of one run, for the floor."""
    options: dict[str, Any]

    @classmethod
    def load(cls) -> Work:
        return cls(**json.loads(Path(sys.argv[1]).read_text()))

    @property
    def cells(self) -> int:
        """How many calls, the first ones, are about accounts."""
        if self.task in ("uniswap", "owners"):
            return len(self.accounts)
        each = 1 if self.task == "health" else 3 * len(self.reserves) + 1
        return len(self.accounts) * each

    def calls(self) -> Iterator[Call]:
        """Yield every call, in the order of the digest."""
        for account in self.accounts:
            if self.task == "health":
                yield self.pool, ACCOUNT, account
                continue
            for reserve in self.reserves:
                yield reserve["a_token"], SCALED, account
                yield reserve["variable_debt"], SCALED, account
                yield reserve["asset"], BALANCE, account
            yield self.pool, CONFIGURATION, account
        if self.task == "full":
            for reserve in self.reserves:
                yield self.pool, RESERVE, reserve["asset"]
                yield self.oracle, PRICE, reserve["asset"]


def words(value: Any) -> Iterator[int]:
    """Yield a decoded answer as the integers of its words."""
    if isinstance(value, bytes):
        for at in range(0, len(value), 32):
            yield int.from_bytes(value[at : at + 32], "big")
    elif isinstance(value, str):
        yield int(value, 16)
    elif isinstance(value, int):
        yield value % (1 << 256)
    else:
        for part in value:
            yield from words(part)


def health_of(answer: Any) -> int:
    """Return the health factor: the last of the account data's words, or what stands alone."""
    return list(words(answer))[-1]


def digest(answers: Iterable[Any]) -> str:
    """Return the digest over the words of all answers in order."""
    state = hashlib.sha256()
    for answer in answers:
        state.update(b"".join(word.to_bytes(32, "big") for word in words(answer)))
    return state.hexdigest()[:16]


Sent = tuple[float, float, str]


def lanes(sent: list[Sent]) -> list[list[bytes]]:
    """Share the requests out over as many connections as were in use at once."""
    found: list[tuple[float, list[bytes]]] = []
    for began, ended, body in sorted(sent):
        free = next((i for i, (until, _) in enumerate(found) if until <= began), None)
        if free is None:
            found.append((ended, [body.encode()]))
        else:
            found[free] = (ended, [*found[free][1], body.encode()])
    return [bodies for _, bodies in found]


def cpu_s() -> float:
    """Return the CPU time of this process and of all that it started."""
    tick = os.sysconf("SC_CLK_TCK")
    own = time.process_time() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    return own + sum(_ticks(pid) / tick for pid in _children(os.getpid()))


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    near = [int(child) for child in text.split()]
    return near + [far for child in near for far in _children(child)]


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def _memory(field: str) -> int:
    """Return a field of /proc/self/status in bytes; 0 where there is none."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), 0)


def say(**told: Any) -> None:
    """Tell the bench something; whatever else is printed is passed over."""
    print(json.dumps({"bench": told}), flush=True)


def run(read: Callable[[Work], Iterable[Any]], version: str) -> None:
    """Time `read`, which returns one answer per call in order, as often as told to."""
    work = Work.load()
    for _ in range(work.warm):
        read(work)
    if work.mark:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(work.mark, timeout=10).close()
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    say(version=version)
    answers: Iterable[Any] = ()
    for line in sys.stdin:
        if line.strip() != "go":
            break
        walls: list[float] = []
        cpus: list[float] = []
        while sum(walls) < BURST_S and len(walls) < BURST and not (walls and work.mark):
            del answers
            wall, cpu = time.perf_counter(), cpu_s()
            answers = read(work)
            walls.append(time.perf_counter() - wall)
            cpus.append(cpu_s() - cpu)
        say(walls=walls, cpus=cpus)
    most = _memory("VmHWM")
    found = [health_of(answer) for answer in answers] if work.task == "health" else list(answers)
    say(peak=max(most - before, 0), resident=most, digest=digest(found),
        cells=digest(found[: work.cells]))  # fmt: skip
