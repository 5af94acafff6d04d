"""Send transactions to and read from one local node, whichever engine it is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from world.contract import Interface
from world.rpc import Rpc, RpcError, WorldError

GAS = 15_000_000
"""Gas limit of a single transaction: under a 16,777,216 (2^24) cap per transaction."""

BULK_GAS = 1_500_000
"""Gas limit of each of many transactions: small, so that many share a block."""


@dataclass(frozen=True, slots=True)
class Tx:
    """A transaction to send from an account the node signs for."""

    sender: str
    to: str | None
    data: str = "0x"
    value: int = 0
    gas: int = GAS
    label: str = ""
    """What it does, for the message of a failure."""

    def params(self, nonce: int | None = None) -> dict[str, str]:
        fields = {
            "from": self.sender,
            "data": self.data,
            "value": hex(self.value),
            "gas": hex(self.gas),
        }
        if self.to is not None:
            fields["to"] = self.to
        if nonce is not None:
            fields["nonce"] = hex(nonce)
        return fields


@dataclass(eq=False)
class Reverted(WorldError):
    """A transaction was mined and failed."""

    tx: Tx
    reason: str

    def __str__(self) -> str:
        what = f"{self.tx.label} to {self.tx.to}" if self.tx.to else self.tx.label
        return f"{what} from {self.tx.sender} reverted: {self.reason}"


class Node:
    """A node on this machine that signs for the accounts it is asked to."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc

    def send(self, tx: Tx) -> dict[str, Any]:
        """Send one transaction and return its receipt; raise `Reverted` if it failed."""
        return self._receipt(tx, self.rpc.request("eth_sendTransaction", tx.params()))

    def send_many(self, txs: Iterable[Tx]) -> list[dict[str, Any]]:
        """Send in order, one after the other; raise `Reverted` at the first failure."""
        return [self.send(tx) for tx in txs]

    def call(self, to: str, data: str, block: Any = "latest", sender: str | None = None) -> str:
        """Run `eth_call` and return the raw answer."""
        message = {"to": to, "data": data} | ({"from": sender} if sender else {})
        answer: str = self.rpc.request("eth_call", message, block)
        return answer

    def block(self, tag: Any = "latest") -> dict[str, Any]:
        method = "eth_getBlockByHash" if isinstance(tag, str) and len(tag) == 66 else None
        block: dict[str, Any] = self.rpc.request(method or "eth_getBlockByNumber", tag, False)
        return block

    def travel(self, seconds: int) -> None:
        """Let time pass and mine one block."""
        self.rpc.request("evm_increaseTime", hex(seconds))
        self.rpc.request("evm_mine")

    def timestamp(self) -> int:
        return int(self.block()["timestamp"], 16)

    def at(self, address: str, interface: Interface) -> Bound:
        """Bind an address to an interface."""
        return Bound(self, address, interface)

    def _receipt(self, tx: Tx, hash_: str) -> dict[str, Any]:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            receipt = self.rpc.request("eth_getTransactionReceipt", hash_)
            if receipt and self._stands(receipt):
                return self._checked(tx, receipt)
            time.sleep(0.002)
        raise WorldError(f"transaction {hash_} was not mined within a minute")

    def _stands(self, receipt: dict[str, Any]) -> bool:
        """Tell a receipt of the present chain from that of an equal transaction undone before."""
        block = self.rpc.request("eth_getBlockByNumber", receipt["blockNumber"], False)
        return block is not None and block["hash"] == receipt["blockHash"]

    def _checked(self, tx: Tx, receipt: dict[str, Any]) -> dict[str, Any]:
        if int(receipt["status"], 16):
            return receipt
        raise Reverted(tx, self._why(tx, receipt))

    def _why(self, tx: Tx, receipt: dict[str, Any]) -> str:
        """Replay on the parent state; exact when the transaction was alone in its block."""
        parent = hex(int(receipt["blockNumber"], 16) - 1)
        try:
            self.rpc.request("eth_call", tx.params(), parent)
        except RpcError as error:
            return error.reason
        gas = int(receipt["gasUsed"], 16)
        return f"no reason found; used {gas} of {tx.gas} gas in block {receipt['blockNumber']}"


@dataclass(frozen=True, slots=True)
class Bound:
    """A contract on a node."""

    node: Node
    address: str
    interface: Interface

    def call(
        self, function: str, *args: Any, block: Any = "latest", sender: str | None = None
    ) -> Any:
        target = self.interface[function]
        return target.decode(self.node.call(self.address, target.encode(*args), block, sender))

    def tx(self, sender: str, function: str, *args: Any, value: int = 0, gas: int = BULK_GAS) -> Tx:
        """Describe a transaction without sending it."""
        data = self.interface[function].encode(*args)
        return Tx(sender, self.address, data, value, gas, function)

    def send(self, sender: str, function: str, *args: Any, value: int = 0) -> dict[str, Any]:
        return self.node.send(self.tx(sender, function, *args, value=value, gas=GAS))
