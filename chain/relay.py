"""Speak with the relay program: pack reads into its input, and take its output apart.

The layout of both is described in contracts/src/Relay.sol. One `Program` is one eth_call. Reads
that several others point to are made once; what nobody asked for itself is hidden.
"""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import orjson
from eth_utils.crypto import keccak

from chain.calls import (
    NOT_AN_ADDRESS,
    TOO_FEW_WORDS,
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    Result,
    Reverted,
    Run,
    Storage,
)
from chain.types import Address, checksum

ADDRESS: Final = checksum("0x" + keccak(text="underkeel.relay")[-20:].hex())
"""Where the override puts the program: an address nobody can have the key of."""
ALLOWANCE: Final = 8_000_000
"""Gas one inner call may use; one that wants more is asked alone."""
FLOOR: Final = 400_000
"""Gas below which no further inner call is begun, so that the answer can still be written."""
PER_READ_FLOOR: Final = 400

MOST: Final = 4_000
"""Entries of one run at most; the encoding bears 65,535 of everything."""

HIDDEN: Final = 0x80
WORDS: Final = 0x40
ZERO: Final = Ok(bytes(32))
_HEAD: Final = 96


@cache
def code() -> tuple[str, str]:
    """Return the program as hex: for a code override, and as init code."""
    built = orjson.loads((files("chain") / "data" / "relay.json").read_bytes())
    return built["runtime"], built["init"]


class Starved(NamedTuple):
    """The inner call may have failed for want of gas; ask it alone."""


class NotRun(NamedTuple):
    """There was not enough gas left to begin it; ask again with fewer beside it."""


class Dangling(NamedTuple):
    """The call that names its target failed; see what that one says."""


STARVED: Final = Starved()
NOT_RUN: Final = NotRun()
DANGLING: Final = Dangling()

Answer = Result | Starved | NotRun | Dangling | None
"""None: a hidden entry that succeeded."""

_FIXED: Final[dict[int, Answer]] = {
    1: ZERO,
    5: NoCode(),
    6: STARVED,
    7: NOT_RUN,
    8: None,
    9: NoCode(),
    10: NOT_AN_ADDRESS,
    11: TOO_FEW_WORDS,
    12: DANGLING,
}


class Corrupt(Exception):
    """The output is not what the program wrote for this input."""


@dataclass(frozen=True, slots=True)
class Output:
    """What one run gave."""

    number: int
    timestamp: int
    parent_hash: str
    gas_cap: int
    gas_used: int
    answers: tuple[Answer, ...]
    """One per entry of the program, hidden ones included, in order."""


class Program:
    """Reads to be made by one eth_call, and the calls they depend on."""

    __slots__ = ("_addresses", "_datas", "hidden", "size", "words")

    def __init__(self) -> None:
        self.hidden: dict[Read, bool] = {}
        """Every entry in order, and whether only others depend on it."""
        self.words: dict[Read, dict[int, int]] = {}
        """By source: each word that is an address, and its register, numbered by `encode`."""
        self._addresses: dict[Address, int] = {}
        self._datas: dict[bytes, int] = {}
        self.size = 26
        """Bytes of the input so far."""

    def __len__(self) -> int:
        return len(self.hidden)

    def add(self, read: Read) -> None:
        """Add a read, and before it, hidden, the calls that its target depends on."""
        if not isinstance(read, Call) or read.sender or isinstance(read.target, Pointer):
            self._add(read, hidden=False)
            return
        # The same for the common kind, without its detours: there may be very many of them.
        if read not in self.hidden:
            self.size += 5
            if read.target not in self._addresses:
                self._address(read.target)
            if read.data not in self._datas:
                self._data(read.data)
        self.hidden[read] = False

    def _add(self, read: Read, *, hidden: bool) -> None:
        known = self.hidden.get(read)
        if known is not None:
            if known and not hidden:
                self.hidden[read] = False
            return
        match read:
            case Call(target, data, sender):
                if sender is not None:
                    raise ValueError("a call with a sender is not the relay's")
                if isinstance(target, Pointer):
                    self._add(target.call, hidden=True)
                    words = self.words.setdefault(target.call, {})
                    self.size += 3 * (target.word not in words)
                    words[target.word] = 0
                else:
                    self._address(target)
                self._data(data)
                self.size += 5
            case NativeBalance(account) | Code(account):
                self._address(account)
                self.size += 3
            case Storage(_, slot):
                self._data(slot.to_bytes(32, "big"))
                self.size += 3
        self.hidden[read] = hidden

    def _address(self, address: Address) -> None:
        if address not in self._addresses:
            self._addresses[address] = len(self._addresses)
            self.size += 20

    def _data(self, data: bytes) -> None:
        if data not in self._datas:
            self._datas[data] = len(self._datas)
            self.size += 4 + len(data)

    def encode(self) -> bytes:
        """Return the input."""
        registers = 0
        for source in self.hidden if self.words else ():
            for word in self.words.get(source, ()):
                self.words[source][word] = registers
                registers += 1
        floor = FLOOR + PER_READ_FLOOR * len(self.hidden)
        parts = [
            ALLOWANCE.to_bytes(8, "big"),
            floor.to_bytes(8, "big"),
            registers.to_bytes(2, "big"),
            len(self._addresses).to_bytes(2, "big"),
            len(self._datas).to_bytes(2, "big"),
            bytes.fromhex("".join(address[2:] for address in self._addresses)),
        ]
        offset = 0
        for data in self._datas:
            parts.append(offset.to_bytes(4, "big"))
            offset += len(data)
        parts.append(offset.to_bytes(4, "big"))
        parts.extend(self._datas)
        for read, hidden in self.hidden.items():
            if self.words or not isinstance(read, Call):
                parts.append(self._instruction(read, hidden))
            else:  # without words nothing is hidden, and no target is a pointer
                assert isinstance(read.target, str)
                packed = self._addresses[read.target] << 16 | self._datas[read.data]
                parts.append(packed.to_bytes(5, "big"))
        return b"".join(parts)

    def _instruction(self, read: Read, hidden: bool) -> bytes:
        match read:
            case Call(target, data):
                if isinstance(target, Pointer):
                    kind, x = 1, self.words[target.call][target.word]
                else:
                    kind, x = 0, self._addresses[target]
                wanted = self.words.get(read, ()) if self.words else ()
                op = kind | HIDDEN * hidden | WORDS * bool(wanted)
                packed = op << 32 | x << 16 | self._datas[data]
                if not wanted:
                    return packed.to_bytes(5, "big")
                words = b"".join(word.to_bytes(2, "big") for word in wanted)
                return packed.to_bytes(5, "big") + bytes([len(wanted)]) + words
            case NativeBalance(account):
                return (2 << 16 | self._addresses[account]).to_bytes(3, "big")
            case Code(account):
                return (3 << 16 | self._addresses[account]).to_bytes(3, "big")
            case Storage(_, slot):
                return (4 << 16 | self._datas[slot.to_bytes(32, "big")]).to_bytes(3, "big")
            case Run():
                raise ValueError("a run is a program of its own")


def takes(read: Read) -> bool:
    """Whether the relay can make this read: no sender, and words within its encoding."""
    if isinstance(read, Run):
        return False
    while isinstance(read, Call):
        if read.sender is not None or len(read.data) > 0xFFFF:
            return False
        if not isinstance(read.target, Pointer):
            return True
        if not 0 <= read.target.word <= 0x07FF:
            return False
        read = read.target.call
    return True


def decode(program_input: bytes, count: int, output: bytes) -> Output:
    """Return what the program wrote for this input.

    Raises `Corrupt` unless the digest, which covers input and output, and the shape are right.
    """
    if len(output) < _HEAD:
        raise Corrupt(f"{len(output)} bytes where at least {_HEAD} belong")
    if keccak(keccak(program_input) + output[32:]) != output[:32]:
        raise Corrupt("the digest over the answer does not match")
    answers: list[Answer] = []
    at, end = _HEAD, len(output)
    while at < end:
        status = output[at]
        at += 1
        if status == 2:
            answers.append(Ok(bytes(16) + output[at : at + 16]))
            at += 16
        elif status == 3:
            answers.append(Ok(output[at : at + 32]))
            at += 32
        elif status in (0, 4):
            size = int.from_bytes(output[at : at + 4], "big")
            data = output[at + 4 : at + 4 + size]
            answers.append(Ok(data) if status == 0 else Reverted(data))
            at += 4 + size
        elif status in _FIXED:
            answers.append(_FIXED[status])
        else:
            raise Corrupt(f"an answer of unknown kind {status}")
    if at != end or len(answers) != count:
        raise Corrupt(f"{len(answers)} answers to {count} reads")
    cap = int.from_bytes(output[80:88], "big")
    return Output(
        number=int.from_bytes(output[32:40], "big"),
        timestamp=int.from_bytes(output[40:48], "big"),
        parent_hash="0x" + output[48:80].hex(),
        gas_cap=cap,
        gas_used=cap - int.from_bytes(output[88:96], "big"),
        answers=tuple(answers),
    )
