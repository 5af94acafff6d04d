"""A node in memory: a few contracts written in Python, and an interpreter of the relay program.

The interpreter is written from the description at the top of contracts/src/Relay.sol and shares
no code with chain/relay.py, so that the unit tests check one against the other. The real program
runs in the tests on the world.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from chain import relay
from chain.errors import TimedOut, Unreachable
from chain.transport import Response
from chain.types import BlockRef
from tests.support.faults import Script


class Revert(Exception):
    """The contract refuses."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = data


class OutOfGas(Exception):
    """The contract needs more gas than a shared call gives."""


Contract = Callable[[bytes, str], bytes]
"""(call data, sender) → return data; raises `Revert`, or `OutOfGas` where `hungry`."""

ZERO = "0x" + "0" * 40


def block(number: int, *, fork: int = 0, time: int = 1_700_000_000, chain_id: int = 1) -> BlockRef:
    """Return a deterministic block of a chain where `fork` tells siblings apart."""

    def name(n: int, f: int) -> str:
        return "0x" + keccak(text=f"{n}/{f}").hex()

    return BlockRef(
        chain_id, number, name(number, fork), name(number - 1, fork), time + 12 * number
    )


@dataclass
class FakeNode:
    """A node, and the transport to it."""

    chain_id: int = 1
    label: str = "https://fake.example"
    blocks: dict[int, BlockRef] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    balances: dict[str, int] = field(default_factory=dict)
    slots: dict[tuple[str, int], int] = field(default_factory=dict)
    hungry: set[str] = field(default_factory=set)
    """Contracts that need all the gas of a call of their own."""
    overrides: bool = True
    initcode: bool = True
    multicall3: str | None = None
    pins: tuple[str, ...] = ("canonical", "hash", "number")
    max_entries: int | None = None
    """Relay entries run before the gas is gone."""
    l1_number: int | None = None
    secret: str = ""
    script: Script = field(default_factory=Script)
    posts: int = 0

    def __post_init__(self) -> None:
        for number in range(90, 101) if not self.blocks else ():
            self.blocks[number] = block(number, chain_id=self.chain_id)

    @property
    def head(self) -> BlockRef:
        return self.blocks[max(self.blocks)]

    # Transport

    def redact(self, text: str) -> str:
        return text.replace(self.secret, "…") if self.secret else text

    def close(self) -> None:
        pass

    def post(self, body: bytes, timeout_s: float) -> Response:
        self.posts += 1
        asked = json.loads(body)
        entries = asked if isinstance(asked, list) else [asked]
        said = [self._answer(entry) for entry in entries]
        answer = json.dumps(said if isinstance(asked, list) else said[0]).encode()
        reply = self.script.reply(body, answer)
        if reply.delay_s > timeout_s:
            raise TimedOut(self.label, timeout_s)
        if reply.drop or reply.cut is not None:
            raise Unreachable(self.label, "the connection broke")
        return Response(reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.body)

    def _answer(self, entry: dict[str, Any]) -> dict[str, Any]:
        head = {"jsonrpc": "2.0", "id": entry["id"]}
        try:
            return {**head, "result": self._result(entry["method"], entry["params"])}
        except Revert as revert:
            error = {"code": 3, "message": "execution reverted", "data": "0x" + revert.data.hex()}
        except LookupError as lost:
            error = {"code": -32000, "message": str(lost.args[0])}
        except NotImplementedError as unsupported:
            error = {"code": -32602, "message": str(unsupported)}
        return {**head, "error": error}

    # Methods

    def _result(self, method: str, params: list[Any]) -> Any:
        match method:
            case "eth_chainId":
                return hex(self.chain_id)
            case "eth_getBlockByNumber":
                tagged = params[0] in ("latest", "safe", "finalized")
                number = max(self.blocks) if tagged else int(params[0], 16)
                return self._described(self.blocks.get(number))
            case "eth_getBlockByHash":
                found = [b for b in self.blocks.values() if b.hash == params[0]]
                return self._described(found[0] if found else None)
            case "eth_call":
                self._block(params[1])
                return self._call(params[0], params[2] if len(params) > 2 else None)
            case "eth_getBalance":
                self._block(params[1])
                return hex(self.balances.get(params[0], 0))
            case "eth_getCode":
                self._block(params[1])
                return "0xfe" if params[0] in self.contracts else "0x"
            case "eth_getStorageAt":
                self._block(params[2])
                return f"0x{self.slots.get((params[0], int(params[1], 16)), 0):064x}"
        raise NotImplementedError(f"the method {method} does not exist")

    @staticmethod
    def _described(at: BlockRef | None) -> dict[str, str] | None:
        if at is None:
            return None
        return {
            "number": hex(at.number),
            "hash": at.hash,
            "parentHash": at.parent_hash,
            "timestamp": hex(at.timestamp),
        }

    def _block(self, pin: Any) -> None:
        if isinstance(pin, str):
            self._at = self.blocks[int(pin, 16)]
            return
        kind = "canonical" if pin.get("requireCanonical") else "hash"
        if kind not in self.pins:
            raise NotImplementedError("invalid argument 1: json: cannot unmarshal object")
        found = [b for b in self.blocks.values() if b.hash == pin["blockHash"]]
        if not found:
            raise LookupError("header for hash not found")
        self._at = found[0]

    def _call(self, call: dict[str, str], overrides: dict[str, Any] | None) -> str:
        data = bytes.fromhex(call["data"][2:])
        if overrides is not None:
            if not self.overrides:
                raise NotImplementedError("too many arguments, want at most 2")
            *_, account = overrides  # others stand for contracts of this node
            return "0x" + self.relay(data, account).hex()
        if "to" not in call:
            if not self.initcode:
                raise NotImplementedError("missing value for required argument 0")
            size = int.from_bytes(data[-4:], "big")
            raise Revert(self.relay(data[-4 - size : -4], None))
        if call["to"] == self.multicall3:
            return "0x" + self._aggregate(data).hex()
        contract = self.contracts.get(call["to"])
        return "0x" if contract is None else "0x" + contract(data, call.get("from", ZERO)).hex()

    def _aggregate(self, data: bytes) -> bytes:
        from eth_abi.abi import decode, encode

        (calls,) = decode(["(address,bool,bytes)[]"], data[4:])
        results: list[tuple[bool, bytes]] = []
        for target, _, inner in calls:
            results.append(self._shared(target, inner))
        return encode(["(bool,bytes)[]"], [results])

    def _shared(self, target: str, inner: bytes) -> tuple[bool, bytes]:
        from chain import multicall
        from chain.types import checksum

        if checksum(target) == self.multicall3:
            if inner[:4] == multicall.GET_BLOCK_NUMBER:
                word = self.l1_number or self._at.number
            elif inner[:4] == multicall.GET_TIMESTAMP:
                word = self._at.timestamp
            else:
                word = self.balances.get(checksum("0x" + inner[-20:].hex()), 0)
            return True, word.to_bytes(32, "big")
        address = checksum(target)
        if address in self.hungry:
            return False, b""
        contract = self.contracts.get(address)
        try:
            return True, b"" if contract is None else contract(inner, ZERO)
        except Revert as revert:
            return False, revert.data

    # The relay

    def relay(self, text: bytes, account: str | None) -> bytes:
        """Run the program's input, as contracts/src/Relay.sol describes it."""
        from chain.types import checksum

        n, m = int.from_bytes(text[18:20], "big"), int.from_bytes(text[20:22], "big")
        addresses = [checksum("0x" + text[22 + 20 * i : 42 + 20 * i].hex()) for i in range(n)]
        at = 22 + 20 * n
        offsets = [int.from_bytes(text[at + 4 * i : at + 4 * i + 4], "big") for i in range(m + 1)]
        at += 4 * (m + 1)
        datas = [text[at + offsets[i] : at + offsets[i + 1]] for i in range(m)]
        at += offsets[-1]
        registers: list[str | int] = []
        out = bytearray()
        ran = 0

        def word(value: int) -> bytes:
            if not value:
                return b"\x01"
            if value < 1 << 128:
                return b"\x02" + value.to_bytes(16, "big")
            return b"\x03" + value.to_bytes(32, "big")

        def sized(status: int, data: bytes) -> bytes:
            return bytes([status]) + len(data).to_bytes(4, "big") + data

        while at < len(text):
            op, x = text[at], int.from_bytes(text[at + 1 : at + 3], "big")
            at += 3
            kind = op & 0x0F
            words: list[int] = []
            inner = b""
            if kind < 2:
                inner = datas[int.from_bytes(text[at : at + 2], "big")]
                at += 2
                if op & 0x40:
                    count = text[at]
                    words = [
                        int.from_bytes(text[at + 1 + 2 * i : at + 3 + 2 * i], "big")
                        for i in range(count)
                    ]
                    at += 1 + 2 * count
            if self.max_entries is not None and ran >= self.max_entries:
                out += b"\x07"
                registers += [12] * len(words)
                continue
            ran += 1
            if kind == 2:
                out += word(self.balances.get(addresses[x], 0))
                continue
            if kind == 3:
                out += sized(0, b"\xfe" if addresses[x] in self.contracts else b"")
                continue
            if kind == 4:
                assert account is not None
                slot = int.from_bytes(datas[x], "big")
                out += word(self.slots.get((account, slot), 0))
                continue
            target: str | int = addresses[x] if kind == 0 else registers[x]
            if isinstance(target, int):
                out += bytes([target])
                registers += [12] * len(words)
                continue
            if target in self.hungry:
                out += b"\x06"
                registers += [12] * len(words)
                continue
            contract = self.contracts.get(target)
            if contract is None:
                out += b"\x05"
                registers += [12] * len(words)
                continue
            try:
                data = contract(inner, relay.ADDRESS)
            except Revert as revert:
                out += sized(4, revert.data)
                registers += [12] * len(words)
                continue
            for k in words:
                piece = data[32 * k : 32 * k + 32]
                if len(piece) < 32:
                    registers.append(11)
                elif not any(piece):
                    registers.append(9)
                elif any(piece[:12]):
                    registers.append(10)
                else:
                    registers.append(checksum("0x" + piece[12:].hex()))
            if op & 0x80:
                out += b"\x08"
            elif len(data) == 32:
                out += word(int.from_bytes(data, "big"))
            else:
                out += sized(0, data)
        number = self.l1_number or self._at.number
        gas = 30_000_000
        rest = (
            number.to_bytes(8, "big")
            + self._at.timestamp.to_bytes(8, "big")
            + bytes.fromhex(self._at.parent_hash[2:])
            + gas.to_bytes(8, "big")
            + (gas - 20_000 * ran).to_bytes(8, "big")
            + bytes(out)
        )
        return keccak(keccak(text) + rest) + rest
