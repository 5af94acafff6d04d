"""A handle on one anvil process.

Time, as anvil 1.7.1 keeps it (tests/world/test_anvil.py proves each line):

- `eth_call` at `{"blockHash": h}`, at a number or at `latest` runs with exactly that block's
  `block.timestamp` and `block.number`: reading at a hash is reading *in* that block.
- `eth_call` at `pending` runs in the next block, whose timestamp is `set_next_timestamp`'s if one
  was set, else the running clock.
- The block after has exactly timestamp t after `set_next_timestamp(t)`, t above the head's; the
  clock runs on from there.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from world.node import Node, Tx
from world.rpc import Rpc, RpcError, WorldError

MNEMONIC = "test test test test test test test test test test test junk"
GAS_LIMIT = 100_000_000
"""Of a block, and therefore of an `eth_call` that names none."""

ETHER = 10**18
POOL = 300
"""Transactions sent at a time before they are mined."""

HISTORY = 256
"""Blocks whose state is kept, in memory. Unbounded, anvil writes older ones to the user's home,
some megabytes each, and leaves them there: gigabytes from a few hundred tests."""

# Ends the node when this process dies without a word: end of file on the pipe means it did.
WATCHER = 'read -r _ && exit; kill "$1" 2>/dev/null; sleep 1; rm -rf "$2"'


class AnvilError(WorldError):
    """The node could not be started or does not answer as itself."""


def free_port() -> int:
    """Ask the system for a port nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Anvil(Node):
    """An anvil of our own on loopback; a context manager that ends it."""

    def __init__(
        self,
        binary: Path,
        *,
        state: Path | None = None,
        port: int | None = None,
        chain_id: int | None = None,
        timestamp: int | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        # A random id, so that no other node on the machine can be taken for ours.
        self.chain_id = chain_id or secrets.randbelow(2**31) + 10**6
        self.binary = binary
        self._wanted_port = port
        self._options = [
            *("--hardfork", "prague", "--slots-in-an-epoch", "1", "--quiet", "--order", "fifo"),
            "--no-cors",  # no web page may speak to a node that signs for anyone
            *("--mnemonic", MNEMONIC, "--balance", "1000000", "--gas-limit", str(GAS_LIMIT)),
            *("--chain-id", str(self.chain_id), "--host", "127.0.0.1"),
            *("--prune-history", str(HISTORY)),
            *(("--load-state", str(state)) if state else ()),
            *(("--timestamp", str(timestamp)) if timestamp is not None else ()),
            *options,
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self._watcher: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._scratch: str | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "not started"
        return self._process.pid

    def start(self) -> Self:
        """Start the process and wait until it answers with our chain id."""
        for attempt in range(5):
            self.port = self._wanted_port or free_port()
            self._spawn()
            try:
                self._await_identity()
            except AnvilError:
                self.stop()
                # The free port may have been taken between the probe and the bind.
                if self._wanted_port or attempt == 4:
                    raise
            else:
                self.rpc.request("anvil_autoImpersonateAccount", True)
                return self
        raise AssertionError("unreachable")

    def stop(self) -> None:
        """End the process by its handle; safe to call twice."""
        if self.port:
            self.rpc.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._watcher is not None:
            with contextlib.suppress(BrokenPipeError):
                self._watcher.communicate(b"done\n", timeout=5)
            self._watcher = None
        if self._log is not None:
            self._log.close()
            self._log = None
        if self._scratch is not None:
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch = None

    def detach(self) -> int:
        """Let the process outlive this one and return its pid; `stop` then does nothing."""
        pid = self.pid
        assert self._watcher is not None
        self._watcher.communicate(b"done\n", timeout=5)
        # Popen complains about a child it loses sight of; this one is meant to be lost.
        assert self._process is not None
        self._process.returncode = 0
        self._process = self._watcher = self._scratch = None
        return pid

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _spawn(self) -> None:
        # The new session keeps a Ctrl-C meant for the caller from ending the node first.
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed by stop)
        # Else anvil makes folders in the user's home, and a killed one leaves them.
        self._scratch = tempfile.mkdtemp(prefix="underkeel-anvil-")
        place = ("--cache-path", self._scratch, "--port", str(self.port))
        self._process = subprocess.Popen(
            [str(self.binary), *self._options, *place],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        self._watcher = subprocess.Popen(
            ["sh", "-c", WATCHER, "sh", str(self._process.pid), self._scratch],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        super().__init__(Rpc(self.url))

    def _await_identity(self, timeout: float = 20) -> None:
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            self.check_alive()
            try:
                answer = int(self.rpc.request("eth_chainId"), 16)
            except (OSError, ValueError):
                self.rpc.close()
                time.sleep(0.01)
                continue
            if answer == self.chain_id:
                return self.check_alive()
            raise AnvilError(f"port {self.port} is held by another node (chain id {answer})")
        raise AnvilError(f"anvil did not answer on port {self.port} within {timeout:.0f} s")

    def check_alive(self) -> None:
        """Raise unless our own process is running."""
        if self._process is None:
            raise AnvilError("anvil is not running: use it as a context manager")
        code = self._process.poll()
        if code is not None:
            assert self._log is not None
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip()[-500:]
            raise AnvilError(f"anvil ended with code {code}: {said or 'it said nothing'}")

    # --- state -------------------------------------------------------------------------------

    def snapshot(self) -> str:
        taken: str = self.rpc.request("evm_snapshot")
        return taken

    def revert(self, snapshot: str) -> None:
        # anvil takes mined transactions out of its pool a moment later; one that is still there
        # when the chain is reverted would be mined again.
        self._settle()
        if not self.rpc.request("evm_revert", snapshot):
            raise AnvilError(f"no snapshot {snapshot}: it was reverted to or past before")
        self.rpc.request("anvil_dropAllTransactions")

    @contextlib.contextmanager
    def rollback(self) -> Iterator[None]:
        """Undo on exit whatever was done inside."""
        taken = self.snapshot()
        try:
            yield
        finally:
            self.revert(taken)

    def set_balance(self, address: str, wei: int) -> None:
        self.rpc.request("anvil_setBalance", address, hex(wei))

    def fund(self, addresses: Iterable[str], wei: int = 1_000 * ETHER) -> None:
        """Give each account native coin, in one batch."""
        self.rpc.batch(("anvil_setBalance", [address, hex(wei)]) for address in addresses)

    def set_code(self, address: str, code: str) -> None:
        self.rpc.request("anvil_setCode", address, code)

    def set_storage(self, address: str, slot: int, value: int) -> None:
        self.rpc.request("anvil_setStorageAt", address, f"0x{slot:064x}", f"0x{value:064x}")

    # --- blocks and time ---------------------------------------------------------------------

    def mine(self, blocks: int = 1) -> dict[str, Any]:
        """Mine and return the new head. Slow past some hundred blocks: rather move time."""
        self.rpc.request("anvil_mine", hex(blocks))
        return self.block()

    def set_next_timestamp(self, timestamp: int) -> None:
        """Fix the timestamp of the next block; the clock runs on from it."""
        self.rpc.request("evm_setNextBlockTimestamp", hex(timestamp))

    def mine_at(self, timestamp: int) -> dict[str, Any]:
        """Mine one block with exactly this timestamp and return it."""
        self.set_next_timestamp(timestamp)
        return self.mine()

    def travel(self, seconds: int) -> None:
        """Let exactly so many seconds pass, up to a new and empty block."""
        self.mine_at(self.timestamp() + seconds)

    @contextlib.contextmanager
    def ticking(self, seconds: int = 1) -> Iterator[None]:
        """Put blocks exactly so far apart, whatever the real clock does: exact repetition."""
        self.rpc.request("anvil_setBlockTimestampInterval", seconds)
        try:
            yield
        finally:
            self.rpc.request("anvil_removeBlockTimestampInterval")

    def automine(self, on: bool) -> None:
        self.rpc.request("evm_setAutomine", on)

    def reorg(self, depth: int, replacements: Iterable[tuple[Tx, int]] = ()) -> None:
        """Replace the last `depth` blocks by new ones; transactions as (tx, offset) pairs.

        The undone transactions are lost. A block that was empty and stays so keeps its hash.
        """
        pairs = [[tx.params(), offset] for tx, offset in replacements]
        self.rpc.request("anvil_reorg", depth, pairs)

    def send_many(self, txs: Iterable[Tx]) -> list[dict[str, Any]]:
        """Send all and mine them in as few blocks as fit; raise `Reverted` at a failure.

        Ordered per sender only: what depends on another sender's transaction goes in a later call.
        """
        pending = list(txs)
        senders = list(dict.fromkeys(tx.sender for tx in pending))
        counts = self.rpc.batch(("eth_getTransactionCount", [who, "latest"]) for who in senders)
        # Explicit nonces, because the node works the requests of a batch concurrently.
        nonces = {who: itertools.count(int(n, 16)) for who, n in zip(senders, counts, strict=True)}
        receipts: list[dict[str, Any]] = []
        self.automine(False)
        try:
            # In parts, because the node's pool slows down with its length.
            for start in range(0, len(pending), POOL):
                receipts += self._mined(pending[start : start + POOL], nonces)
        finally:
            self.automine(True)
        return [self._checked(tx, receipt) for tx, receipt in zip(pending, receipts, strict=True)]

    def _mined(self, txs: list[Tx], nonces: Mapping[str, Iterator[int]]) -> list[dict[str, Any]]:
        hashes = self.rpc.batch(
            ("eth_sendTransaction", [tx.params(next(nonces[tx.sender]))]) for tx in txs
        )
        self._mine_all()
        return self.rpc.batch(("eth_getTransactionReceipt", [hash_]) for hash_ in hashes)

    def _mine_all(self) -> None:
        left = self._queued()
        while left:
            self.rpc.request("evm_mine")
            before, left = left, self._queued()
            if left == before:
                raise AnvilError(f"{left} transactions stay in the pool: a nonce gap or no funds")

    def _settle(self, patience: float = 0.5) -> None:
        """Wait until the pool is empty, or for as long as a mined transaction may linger."""
        deadline = time.monotonic() + patience
        while self._queued() and time.monotonic() < deadline:
            time.sleep(0.001)

    def _queued(self) -> int:
        status: Mapping[str, str] = self.rpc.request("txpool_status")
        return int(status["pending"], 16) + int(status["queued"], 16)

    def simulate(self, tx: Tx) -> str | None:
        """Return why the transaction would fail at the head, or None if it would not."""
        try:
            self.rpc.request("eth_call", tx.params(), "latest")
        except RpcError as error:
            return error.reason
        return None
