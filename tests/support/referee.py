"""Run an adapter's program by single calls: the slow path that judges the fast ones.

Shares no code with `chain/`'s transport: every read is one `eth_call` (or its like) at one block
hash, pointers are followed one by one, and an answer's meaning is decided here anew.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from chain.calls import (
    NO_LENS,
    Call,
    Code,
    NativeBalance,
    NoCode,
    Ok,
    Pointer,
    Read,
    Reads,
    Result,
    Reverted,
    Run,
    Storage,
    Unknown,
)
from chain.types import Address, BlockRef, address_of_word

T = TypeVar("T")


class Rpc(Protocol):
    """What the referee needs of a node: the world's own client has it."""

    def request(self, method: str, *params: Any) -> Any:
        """Send one request and return its result."""
        ...


def head(rpc: Rpc) -> BlockRef:
    """Return the node's newest block."""
    block = rpc.request("eth_getBlockByNumber", "latest", False)
    return BlockRef(
        chain_id=int(rpc.request("eth_chainId"), 16),
        number=int(block["number"], 16),
        hash=block["hash"],
        parent_hash=block["parentHash"],
        timestamp=int(block["timestamp"], 16),
    )


def answer(rpc: Rpc, read: Read, at: BlockRef) -> Result:
    """Return what the chain says to one read at a block."""
    block = {"blockHash": at.hash}
    match read:
        case Run():
            return NO_LENS
        case NativeBalance(account):
            return Ok(int(rpc.request("eth_getBalance", account, block), 16).to_bytes(32, "big"))
        case Code(account):
            return Ok(_bytes(rpc.request("eth_getCode", account, block)))
        case Storage(account, slot):
            return Ok(_bytes(rpc.request("eth_getStorageAt", account, hex(slot), block)))
        case Call(target, data, sender):
            where = _resolve(rpc, target, at)
            if not isinstance(where, str):
                return where
            if rpc.request("eth_getCode", where, block) == "0x":
                return NoCode()
            message = {"to": where, "data": "0x" + data.hex()}
            if sender is not None:
                message["from"] = sender
            return _call(rpc, message, block)


def _call(rpc: Rpc, message: dict[str, str], block: dict[str, str]) -> Result:
    from world.rpc import RpcError

    try:
        return Ok(_bytes(rpc.request("eth_call", message, block)))
    except RpcError as error:
        said = error.message.lower()
        if "revert" in said or error.code == 3:
            return Reverted(_bytes(error.data or "0x"))
        if "invalid opcode" in said or "invalidfeopcode" in said:
            return Reverted(b"")
        return Unknown(str(error))


def _resolve(rpc: Rpc, target: Address | Pointer, at: BlockRef) -> Address | Result:
    if not isinstance(target, Pointer):
        return target
    found = answer(rpc, target.call, at)
    if not isinstance(found, Ok):
        return found
    word = found.data[32 * target.word : 32 * target.word + 32]
    if len(word) < 32 or any(word[:12]):
        return Unknown("the pointer's answer names no address")
    return address_of_word(word)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


@dataclass
class Recording:
    """Every answer of one run, for running again without a node."""

    rounds: list[list[tuple[Read, Result]]] = field(default_factory=list)
    answers: dict[Read, Result] = field(default_factory=dict)

    def replay(
        self,
        program: Reads[T],
        mutate: Callable[[Read, Result], Result] = lambda _, result: result,
    ) -> T:
        """Run a program on the recorded answers, each passed through `mutate`.

        A read that the recording lacks, asked because an earlier answer was falsified, is
        answered as a failure to learn it.
        """
        never = Unknown("not in the recording")
        return drive(
            program,
            lambda batch: [mutate(read, self.answers.get(read, never)) for read in batch],
        )


def drive(program: Reads[T], answer_all: Callable[[Sequence[Read]], Sequence[Result]]) -> T:
    """Run a program to its end; its `ReadFailed` passes through."""
    try:
        batch = next(program)
        while True:
            batch = program.send(answer_all(batch))
    except StopIteration as stop:
        result: T = stop.value
        return result


def run(program: Reads[T], rpc: Rpc, at: BlockRef) -> T:
    """Run a program against a node, call by call."""
    return record(program, rpc, at)[0]


def record(program: Reads[T], rpc: Rpc, at: BlockRef) -> tuple[T, Recording]:
    """Run a program against a node, and return its result with every answer it got."""
    recording = Recording()

    def answer_all(batch: Sequence[Read]) -> Sequence[Result]:
        results = []
        for read in batch:
            if read not in recording.answers:
                recording.answers[read] = answer(rpc, read, at)
            results.append(recording.answers[read])
        asked = [pair for pair in zip(batch, results, strict=True) if pair[1] != NO_LENS]
        if asked:
            recording.rounds.append(asked)
        return results

    return drive(program, answer_all), recording
