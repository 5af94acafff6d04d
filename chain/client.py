"""One EVM chain as the rest of the program sees it.

    client = connect(ChainSpec("ethereum", 1, ("https://…", "https://…")))
    at = client.head()
    results = client.snapshot(at).run(program)

Synchronous and safe to share between threads. `connect` does no I/O.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, TypeVar

from chain import logs, networks, wire
from chain.endpoint import Endpoint, Path, Stats
from chain.errors import (
    BlockUnknown,
    Disagreement,
    EndpointError,
    HeadWentBack,
    Reorged,
    SettingsError,
    StaleHead,
)
from chain.pool import Patience, Pool
from chain.snapshot import Snapshot
from chain.transport import HttpTransport, Transport
from chain.types import Address, BlockRef
from chain.wire import Ask
from chain.work import Rules

log = logging.getLogger(__name__)

T = TypeVar("T")

BELIEVE_AFTER: Final = 3
"""Calls of `head` in a row that all found a lower head, after which it is taken as the truth."""
TAGS: Final = ("latest", "safe", "finalized")


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """How to reach one chain. Its representation shows no URL."""

    name: str
    chain_id: int
    urls: tuple[str, ...]
    quorum: int = 1
    """How many endpoints must say the same about a block."""
    max_block_age_s: int | None = None
    """Age of the newest block above which it is not believed; None takes any."""
    multicall3: Address | None = None
    """Where Multicall3 is; None takes the networks table's word."""
    ws: str | None = None
    head_lag: int = 0
    """Blocks to stay behind the newest."""
    tag: str = "latest"
    timeout_s: float = 10.0
    retries: int = 3

    def __repr__(self) -> str:
        return f"ChainSpec({self.name}, {self.chain_id}, {len(self.urls)} endpoints)"


def connect(
    spec: ChainSpec,
    *,
    transports: Sequence[Transport] | None = None,
    patience: Patience | None = None,
    path: Path | None = None,
) -> "Client":
    """Return the client of a chain.

    `transports` stand in for the URLs where the chain is not behind HTTP. `path` forces one read
    path. Raises `SettingsError` for settings that cannot work.
    """
    if transports is None:
        transports = [HttpTransport(url) for url in dict.fromkeys(spec.urls)]
    if not transports:
        raise SettingsError(f'chain {spec.name} has no RPC URL; set rpc = ["https://…"]')
    if not 1 <= spec.quorum <= len(transports):
        raise SettingsError(
            f"chain {spec.name} wants {spec.quorum} endpoints to agree and has "
            f"{len(transports)}; lower quorum or add an RPC URL"
        )
    if spec.tag not in TAGS:
        raise SettingsError(f"chain {spec.name}: block tag {spec.tag!r} is none of {TAGS}")
    if spec.head_lag < 0 or spec.timeout_s <= 0 or spec.retries < 0:
        raise SettingsError(f"chain {spec.name}: head_lag, timeout and retries cannot be negative")
    return Client(spec, transports, patience or Patience(spec.retries), path)


class Client:
    """One chain behind one or several endpoints."""

    def __init__(
        self,
        spec: ChainSpec,
        transports: Sequence[Transport],
        patience: Patience,
        path: Path | None = None,
    ) -> None:
        self.spec = spec
        self.chain_id = spec.chain_id
        self.network = networks.by_id(spec.chain_id)
        self.stats = Stats()
        """What travelled in all."""
        endpoints = [
            Endpoint(t, spec.chain_id, timeout_s=spec.timeout_s, clock=patience.clock,
                     stats=self.stats)
            for t in transports
        ]  # fmt: skip
        self.pool = Pool(spec.name, endpoints, patience)
        row = self.network
        self.rules = Rules(
            multicall3=spec.multicall3 or (row.multicall3 if row else None),
            l1_block_number=bool(row and row.l1_block_number),
            parent_hash=bool(row and row.blockhash),
        )
        self._path = path
        self._lock = threading.Lock()
        self._seen: BlockRef | None = None
        self._went_back = 0

    def __repr__(self) -> str:
        return f"Client({self.spec.name}, {', '.join(e.label for e in self.pool.endpoints)})"

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let all connections go."""
        for endpoint in self.pool.endpoints:
            endpoint.transport.close()

    # Blocks

    def head(self) -> BlockRef:
        """Return the newest block to read at: one POST, which checks the chain id again.

        With `head_lag` a second POST. With a quorum, further endpoints are asked for the same
        block. Raises `WrongChain`, `StaleHead`, `HeadWentBack`, `Disagreement`, or what the
        transport met.
        """
        try:
            at = self.pool.first(self._head_of)
        except HeadWentBack as error:
            at = self._believe(error)
        with self._lock:
            self._went_back = 0
            if self._seen is None or at.number >= self._seen.number:
                self._seen = at
        if self.spec.quorum > 1:
            self._confirm(at)
        return at

    def _head_of(self, endpoint: Endpoint) -> BlockRef:
        ask = Ask("eth_getBlockByNumber", [self.spec.tag, False])
        newest = self._block_of(endpoint, ask, verify=True)
        limit = self.spec.max_block_age_s
        age = int(self.pool.patience.wall()) - newest.timestamp
        if limit is not None and age > limit:
            raise StaleHead(endpoint.label, newest.number, age, limit)
        at = newest
        if self.spec.head_lag:
            number = max(0, newest.number - self.spec.head_lag)
            at = self._block_of(endpoint, Ask("eth_getBlockByNumber", [hex(number), False]))
        seen = self._seen
        if seen is not None and at.number < seen.number:
            raise HeadWentBack(endpoint.label, at.number, seen.number)
        return at

    def _believe(self, error: HeadWentBack) -> BlockRef:
        """Take a lower head for true once it has lasted; raise `error` until then."""
        with self._lock:
            self._went_back += 1
            if self._went_back < BELIEVE_AFTER:
                raise error
            self._seen = None
        log.warning("%s: the head went back from %d and stays back", self.spec.name, error.seen)
        return self.pool.first(self._head_of)

    def _block_of(self, endpoint: Endpoint, ask: Ask, *, verify: bool = False) -> BlockRef:
        (answer,) = endpoint.post([ask], verify=verify)
        if isinstance(answer, EndpointError):
            raise answer
        if answer is None:
            raise BlockUnknown(endpoint.label, -32001, f"it has no block {ask.params[0]}")
        return wire.block(endpoint.label, self.chain_id, answer)

    def _confirm(self, at: BlockRef) -> None:
        """Have as many endpoints as the quorum wants describe the block in the same way."""
        ask = Ask("eth_getBlockByNumber", [hex(at.number), False])
        agreeing: list[str] = []
        failures: list[EndpointError] = []
        for endpoint in self.pool.ranked():
            for attempt in range(self.pool.patience.retries + 1):
                if attempt:
                    self.pool.patience.back_off(attempt, endpoint.rest_s)
                try:
                    other = self._block_of(endpoint, ask, verify=True)
                except EndpointError as error:
                    endpoint.failed(error)
                    failures.append(error)
                    continue
                if other != at:
                    labels = [*agreeing, endpoint.label]
                    raise Disagreement(at, labels, f"block {at.number}")
                agreeing.append(endpoint.label)
                break
            if len(agreeing) >= self.spec.quorum:
                return
        raise self.pool.failure(failures)

    def block(self, which: int | str) -> BlockRef:
        """Return a block by its number or its hash; raises `BlockUnknown`."""
        if isinstance(which, int):
            ask = Ask("eth_getBlockByNumber", [hex(which), False])
        else:
            ask = Ask("eth_getBlockByHash", [which, False])
        return self.pool.first(lambda endpoint: self._block_of(endpoint, ask))

    def is_canonical(self, at: BlockRef) -> bool:
        """Whether the chain, as it is now, has this very block at its height."""
        try:
            return self.block(at.number).hash == at.hash
        except BlockUnknown:
            return False

    # Reads

    def snapshot(self, at: BlockRef) -> Snapshot:
        """Return a reader of everything at one block."""
        return Snapshot(self.pool, self.rules, at, quorum=self.spec.quorum, path=self._path)

    def at_head(self, read: Callable[[Snapshot], T], attempts: int = 3) -> T:
        """Return what `read` makes of a snapshot at a fresh head; again where that is reorged.

        Raises the last `Reorged` when `attempts` heads in a row left the chain.
        """
        for attempt in range(1, attempts + 1):
            try:
                return read(self.snapshot(self.head()))
            except Reorged as error:
                with self._lock:
                    self._seen = None  # the chain may be shorter for a moment
                if attempt == attempts:
                    raise
                log.info("%s; attempt %d of %d", error, attempt, attempts)
        raise ValueError("at least one attempt is needed")

    def logs(
        self,
        addresses: Sequence[Address],
        topics: Sequence[str | Sequence[str] | None],
        first: int,
        last: int,
        progress: Callable[[int, int], None] | None = None,
    ) -> Iterator[logs.Log]:
        """Yield the logs of blocks `first` to `last`, both included; see `chain.logs.read`."""
        return logs.read(
            self.pool, addresses, topics, first, last, progress, quorum=self.spec.quorum
        )

    def request(self, method: str, params: Sequence[Any]) -> Any:
        """Return the JSON result of one request of any kind; raises what the node answered."""

        def attempt(endpoint: Endpoint) -> Any:
            (answer,) = endpoint.post([Ask(method, params)])
            if isinstance(answer, EndpointError):
                raise answer
            return answer

        return self.pool.first(attempt)

    def paths(self) -> dict[str, str]:
        """Return, by endpoint, how reads travel there: `unknown` until one has."""
        return {
            e.label: e.limits.path.name.lower() if e.limits.path_proven else "unknown"
            for e in self.pool.endpoints
        }
