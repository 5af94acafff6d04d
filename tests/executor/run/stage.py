"""A runner on an anvil of its own, whose blocks come when told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eth_account import Account

from chain.client import ChainSpec, connect
from chain.endpoint import Endpoint
from chain.pool import Patience
from chain.sending import Sender
from chain.transactions import Authorization, Signature, SignedAuthorization, Transaction
from chain.transport import HttpTransport
from chain.types import Address, checksum
from chain.wallet.signer import TypedData
from executor.journal.journal import Journal
from executor.run.ports import Judge
from executor.run.runner import Report, Runner
from executor.run.view import Settings
from executor.types import Allowed, Call, Intent, Ledger, State, Verdict

if TYPE_CHECKING:
    from world.anvil import Anvil

GWEI = 10**9
ETHER = 10**18
DEPTH = 3
"""Blocks until final."""
FRIEND = checksum("0x" + "f1" * 20)


class PlainSigner:
    """A real signer for tests, made of eth_account."""

    label = "test"

    def __init__(self, key: str) -> None:
        self._account = Account.from_key(key)
        self.address = Address(self._account.address)
        self.signed: list[Transaction] = []

    def sign(self, transaction: Transaction) -> bytes:
        assert transaction.to is not None
        self.signed.append(transaction)
        fields = {
            "type": 2, "chainId": transaction.chain_id, "nonce": transaction.nonce,
            "to": transaction.to, "value": transaction.value, "data": transaction.data,
            "gas": transaction.gas, "maxFeePerGas": transaction.max_fee,
            "maxPriorityFeePerGas": transaction.max_tip,
        }  # fmt: skip
        return bytes(self._account.sign_transaction(fields).raw_transaction)

    def authorize(self, authorization: Authorization) -> SignedAuthorization:
        raise NotImplementedError

    def sign_typed(self, data: TypedData) -> Signature:
        raise NotImplementedError


class Everything:
    """A policy that refuses what the test says, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Intent, Transaction, Ledger]] = []
        self.answer: Callable[[Intent], Verdict] = lambda _: Allowed(1_000_000)

    def verdict(self, intent: Intent, transaction: Transaction, ledger: Ledger) -> Verdict:
        self.asked.append((intent, transaction, ledger))
        return self.answer(intent)


class Stage:
    """Node, journal, signer, policy, and as many runners as a test wants."""

    def __init__(self, node: Anvil, folder: Path, journal_url: str | None = None) -> None:
        self.node = node
        self.folder = folder
        self.url = journal_url or f"sqlite:///{folder / 'journal.sqlite'}"
        self.signer = PlainSigner(Account.create().key.hex())
        self.wallet = self.signer.address
        self.policy = Everything()
        self.paused = False
        self.settings = Settings(bump_blocks=2, foreign_s=0)
        self.urls: tuple[str, ...] = (node.url,)
        self.quorum = 1
        self.private: tuple[str, ...] = ()
        self._open: list[Journal] = []
        node.automine(False)
        node.set_balance(self.wallet, 10 * ETHER)
        node.set_balance(FRIEND, 0)
        node.mine()
        self.journal = self.reopen()

    def reopen(self) -> Journal:
        """Open the journal, as a new process would."""
        mark = self.folder / "journal.mark"
        self.journal = Journal.open(self.url, mode="live", mark=mark)
        self._open.append(self.journal)
        return self.journal

    def close(self) -> None:
        for journal in self._open:
            journal.close()

    def sender(self) -> Sender:
        spec = ChainSpec("test", self.node.chain_id, self.urls, quorum=self.quorum, timeout_s=5)
        client = connect(spec, patience=Patience(retries=0))
        private = [Endpoint(HttpTransport(url), self.node.chain_id) for url in self.private]
        return Sender(client, private=private, final_depth=DEPTH)

    def runner(self, holder: str = "me", judge: Judge | None = None) -> Runner:
        return Runner(
            self.journal, self.sender(), self.signer, self.policy, holder=holder, judge=judge,
            settings=self.settings, paused=lambda: self.paused,
        )  # fmt: skip

    def intent(self, number: int = 1, **changes: Any) -> Intent:
        """Record an approved transfer of `number` wei."""
        made = Intent(
            id=f"0x{number:064x}", chain_id=self.node.chain_id, account=self.wallet,
            wallet=self.wallet, call=Call(FRIEND, number, b""), gas_limit=21_000,
            deadline=self.node.timestamp() + 10_000, fee_cap_abs=100 * GWEI, state=State.APPROVED,
        )  # fmt: skip
        made = replace(made, **changes)
        self.journal.record(made)
        return made

    def state(self, intent: Intent) -> State:
        found = self.journal.intent(intent.id)
        assert found is not None
        return found.state

    def received(self) -> int:
        """Return what the friend has got, in wei."""
        return int(self.node.rpc.request("eth_getBalance", FRIEND, "latest"), 16)

    def nonce(self) -> int:
        """Return the wallet's count of transactions."""
        return int(self.node.rpc.request("eth_getTransactionCount", self.wallet, "latest"), 16)

    def stranger(self, nonce: int, **fields: Any) -> str:
        """Send another transaction of the wallet, as its owner might."""
        tx = {
            "from": self.wallet, "to": self.wallet, "value": "0x0", "nonce": hex(nonce),
            "gas": hex(21_000), "maxFeePerGas": hex(500 * GWEI),
            "maxPriorityFeePerGas": hex(50 * GWEI),
        }  # fmt: skip
        return str(self.node.rpc.request("eth_sendTransaction", {**tx, **fields}))

    def drop(self) -> None:
        """Empty the node's pool."""
        self.node.rpc.request("anvil_dropAllTransactions")

    def settle(self, runner: Runner, blocks: int = 12) -> list[Report]:
        """Mine and run until nothing is open any more."""
        reports: list[Report] = []
        for _ in range(blocks):
            reports = runner.tick()
            if not self.journal.intents(self.node.chain_id, self.wallet):
                return reports
            self.node.mine()
        states = [
            (i.state, i.reason) for i in self.journal.intents(self.node.chain_id, self.wallet)
        ]
        raise AssertionError(f"still open: {states}; {reports}")
