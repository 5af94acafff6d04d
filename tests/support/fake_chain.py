"""A chain in memory for unit tests: contracts are tables of answers."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode

from chain.abi import Function
from chain.calls import Call, NoCode, Ok, Pointer, Read, Result, Reverted, Unknown
from chain.types import Address, BlockRef, address_of_word, checksum

Answer: TypeAlias = Any
"""A value to return, a `Result` as it is, or a function of the arguments that gives either."""

NOW = 1_750_000_000
AT = BlockRef(1, 100, "0x" + "11" * 32, "0x" + "22" * 32, NOW)


def address(n: int) -> Address:
    return checksum(f"0x{n:040x}")


class FakeChain:
    """Answers reads as contracts would; what a contract does not have, it reverts."""

    def __init__(self) -> None:
        self.contracts: dict[Address, dict[bytes, tuple[Function, Answer]]] = {}
        self.rounds: list[int] = []
        self.override: Callable[[Read], Result | None] = lambda _: None

    def put(self, at: Address, function: Function, answer: Answer) -> None:
        self.contracts.setdefault(at, {})[function.selector] = (function, answer)

    def drop(self, at: Address, function: Function) -> None:
        del self.contracts[at][function.selector]

    def answer_all(self, batch: Sequence[Read]) -> list[Result]:
        self.rounds.append(len(batch))
        return [self.answer(read) for read in batch]

    def answer(self, read: Read) -> Result:
        forced = self.override(read)
        if forced is not None:
            return forced
        assert isinstance(read, Call)
        target = self._resolve(read.target)
        if not isinstance(target, str):
            return target
        contract = self.contracts.get(target)
        if contract is None:
            return NoCode()
        if read.data[:4] not in contract:
            return Reverted(b"")
        function, value = contract[read.data[:4]]
        if callable(value):
            arguments = abi_decode(function.inputs, read.data[4:])
            value = value(*arguments, read.sender) if read.sender else value(*arguments)
        if isinstance(value, Ok | Reverted | NoCode | Unknown):
            return value
        values = value if len(function.outputs) > 1 else (value,)
        return Ok(abi_encode(function.outputs, values))

    def _resolve(self, target: Address | Pointer) -> Address | Result:
        if not isinstance(target, Pointer):
            return target
        named = self.answer(target.call)
        if not isinstance(named, Ok):
            return named
        word = named.data[32 * target.word : 32 * target.word + 32]
        if len(word) < 32:
            return Unknown("the pointer's answer names no address")
        return address_of_word(word)
