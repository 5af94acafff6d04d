"""A wallet on a real node, and executors for it as processes that are killed, stopped, deceived."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from world.rpc import RpcError

from chain.types import checksum
from executor.types import Call, Intent, State
from tests.executor.faults import entry
from tests.executor.faults.entry import Options
from tests.executor.run.stage import GWEI, Stage

if TYPE_CHECKING:
    from world.anvil import Anvil

FORK: Final = get_context("forkserver")
REVERTS: Final = checksum("0x" + "ee" * 20)
"""Where to put code that fails."""
PATIENCE_S: Final = 30.0
"""For an answer of a process; only a fault of the test exceeds it."""

GUARD = checksum("0x" + "9b" * 20)
GUARD_CODE = (
    "0x36602414601c575f35805415601257"
    + "5f5ffd"
    + "5b42815560015f5fa200"
    + "5b600435545f5260205ff3"
)
"""Called with a selector and an id it answers when the id was used; called with the id alone it
stores the time and logs the id, or reverts if it had been used."""


class Gone(Exception):
    """The process died, or stands still."""


@dataclass(frozen=True)
class Signed:
    """A line of what was ever signed."""

    hash: str
    raw: str
    nonce: int
    effect: bool
    value: int
    gas: int
    cap: int
    at: float

    @property
    def most(self) -> int:
        """Return what it may cost."""
        return self.value + self.gas * self.cap


class Executor:
    """One process."""

    def __init__(self, options: Options) -> None:
        self.pipe, theirs = FORK.Pipe()
        self.process = FORK.Process(target=entry.serve, args=(options, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.boundaries: list[str] = []
        self.error: str | None = None

    def ask(self) -> None:
        """Begin a pass, and do not wait for it."""
        try:
            self.pipe.send("tick")
        except OSError:
            raise Gone from None

    def answer(self, timeout_s: float = PATIENCE_S) -> list[tuple[str, State | None, str]]:
        """Return the reports of the pass; raises `Gone` where the process was killed."""
        try:
            if not self.pipe.poll(timeout_s):
                raise Gone("no answer")
            self.error, reports, self.boundaries = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join()
            raise Gone from None
        return list(reports)

    def tick(self) -> list[tuple[str, State | None, str]]:
        """Make one pass."""
        self.ask()
        return self.answer()

    def kill(self) -> None:
        """End it without warning."""
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def quit(self) -> None:
        """End it in good order: it gives its lease back."""
        self.pipe.send("quit")
        self.process.join()
        self.pipe.close()

    def await_stop(self) -> None:
        """Wait until it has stopped itself."""
        pid = self.process.pid
        assert pid is not None
        for _ in range(4000):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            if state in "Tt":
                return
            if state in "ZX":
                raise Gone
            time.sleep(0.005)
        raise Gone("it does not stop")

    def go_on(self) -> None:
        """Continue it."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGCONT)


class Place(Stage):
    """A stage whose executors are processes."""

    def __init__(self, node: Anvil, folder: Path) -> None:
        super().__init__(node, folder)
        self.options = Options(
            key="0x" + self.signer._account.key.hex().removeprefix("0x"), journal=self.url,
            folder=folder, chain_id=node.chain_id, urls=(node.url,),
        )  # fmt: skip
        self.started: list[Executor] = []
        self.had = self.balance()
        self.count = 0
        self.strangers: list[str] = []

    def start(self, **changes: Any) -> Executor:
        """Start an executor."""
        made = Executor(replace(self.options, **changes))
        self.started.append(made)
        return made

    def close(self) -> None:
        for executor in self.started:
            if executor.process.is_alive():
                executor.kill()
        super().close()

    def die(
        self, at: int | tuple[str, int], ticks: int = 1, *, mine: bool = False, **changes: Any
    ) -> bool:
        """Run an executor that kills itself at a boundary; return whether it came to it."""
        where = {"die_at": at} if isinstance(at, int) else {"die_on": at}
        doomed = self.start(**where, **changes)
        try:
            for _ in range(ticks):
                doomed.tick()
                if mine:
                    self.node.mine()
        except Gone:
            assert doomed.process.exitcode == -signal.SIGKILL
            return True
        doomed.kill()
        return False

    def end(self, executor: Executor | None = None, blocks: int = 24, **changes: Any) -> None:
        """Run and mine, with a new process unless one is given, until nothing is open."""
        running = executor or self.start(**changes)
        reports: list[Any] = []
        for _ in range(blocks):
            reports = running.tick()
            if not self.open():
                break
            self.node.mine()
        if executor is None:
            running.quit()
        assert not self.open(), ([(i.state, i.reason) for i in self.open()], running.error, reports)

    def open(self) -> tuple[Intent, ...]:
        """Return what is not terminal."""
        return self.journal.intents(self.node.chain_id, self.wallet)

    def guarded(self, **changes: Any) -> Intent:
        """Record an intent whose effect a guard contract marks as used."""
        if self.node.rpc.request("eth_getCode", GUARD, "latest") == "0x":
            self.node.set_code(GUARD, GUARD_CODE)
        self.count += 1
        id_ = f"0x{int(self.wallet, 16) + self.count:064x}"
        call = Call(GUARD, 0, bytes.fromhex(id_[2:]))
        return self.intent(self.count, id=id_, guard=GUARD, call=call, gas_limit=80_000, **changes)

    def signed(self) -> list[Signed]:
        """Return everything that was ever signed, whether recorded or not."""
        log = self.folder / "signed.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [Signed(**json.loads(line)) for line in lines]

    def stranger(self, nonce: int, **fields: Any) -> str:
        """Send another transaction of the wallet; what it costs is its owner's own affair."""
        sent = super().stranger(nonce, **fields)
        self.strangers.append(sent)
        return sent

    def spent_and_reserved(self) -> int:
        """Return what the wallet paid, strangers aside, and what any signed bytes may still take.

        By the node's own balances, and by all that was ever signed, whether recorded or not.
        """
        return self.spent() + self.reserved()

    def spent(self) -> int:
        """Return what the wallet paid, strangers aside, by the node's own balances."""
        asked = [("eth_getTransactionReceipt", [hash_]) for hash_ in self.strangers]
        found = [receipt for receipt in self.node.rpc.batch(asked) if receipt] if asked else []
        theirs = sum(int(r["gasUsed"], 16) * int(r["effectiveGasPrice"], 16) for r in found)
        return self.had - self.balance() - theirs

    def reserved(self) -> int:
        """Return what bytes may still take that were ever signed, whether recorded or not."""
        count = self.nonce()
        live: dict[int, int] = {}
        for line in self.signed():
            if line.nonce >= count:
                live[line.nonce] = max(live.get(line.nonce, 0), line.most)
        return sum(live.values())

    def effects(self, wanted: Intent) -> int:
        """Return how often an intent took effect, by the blocks themselves."""
        return sum(
            tx["to"] is not None
            and checksum(tx["to"]) == wanted.call.to
            and int(tx["value"], 16) == wanted.call.value
            and tx["input"] == "0x" + wanted.call.data.hex()
            and self.receipt(tx["hash"])["status"] == "0x1"
            for tx in self.transactions()
        )

    def transactions(self) -> list[dict[str, Any]]:
        """Return all of the wallet that are in the chain."""
        head = int(self.node.rpc.request("eth_blockNumber"), 16)
        numbers = range(head + 1)
        blocks = self.node.rpc.batch(("eth_getBlockByNumber", [hex(n), True]) for n in numbers)
        wallet = self.wallet.lower()
        return [tx for block in blocks for tx in block["transactions"] if tx["from"] == wallet]

    def call(self, to: str, value: int = 0) -> Call:
        """Return a plain call."""
        return Call(checksum(to), value, b"")

    def balance(self, address: str | None = None) -> int:
        """Return the wallet's coins, or another's, in wei."""
        params = (address or self.wallet, "latest")
        return int(self.node.rpc.request("eth_getBalance", *params), 16)

    def receipt(self, hash_: str) -> Any:
        return self.node.rpc.request("eth_getTransactionReceipt", hash_)

    def base_fee(self, gwei: float = 1) -> None:
        """Fix the base fee of the next block."""
        self.node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(int(gwei * GWEI)))

    def resend(self) -> None:
        """Give the node everything that was ever signed once more, and mine."""
        for line in self.signed():
            with contextlib.suppress(RpcError):  # refused, as it should be
                self.node.rpc.request("eth_sendRawTransaction", line.raw)
        self.node.mine()

    def backup(self) -> Path:
        """Copy the journal, without its mark, while no process has it open."""
        self.journal.close()
        copy = self.folder / "backup"
        shutil.copy(self.folder / "journal.sqlite", copy)
        self.reopen()
        return copy

    def restore(self, copy: Path) -> None:
        """Put a backup in the journal's place."""
        self.journal.close()
        for path in self.folder.glob("journal.sqlite-*"):
            path.unlink()
        shutil.copy(copy, self.folder / "journal.sqlite")
        self.reopen()
