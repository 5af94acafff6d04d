"""Encode calls and decode answers of contract functions, strictly.

A `Function` is written as Solidity people write it, inputs then outputs::

    BALANCE_OF = Function("balanceOf(address)(uint256)")
    call = BALANCE_OF.at(token, owner)
    amount = BALANCE_OF.decode(result)

Addresses are returned as EIP-55 text, bytes as `bytes`, several outputs as a tuple, one output
as itself. An answer that is too short, or that has dirty padding, is an error, never a zero.
"""

from typing import Any, Final

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_abi.exceptions import DecodingError
from eth_abi.grammar import TupleType, normalize, parse
from eth_utils.crypto import keccak

from chain import words
from chain.calls import Call, NoCode, Ok, Pointer, ReadFailed, Result, Reverted, Unknown
from chain.types import Address, checksum

ERROR_STRING: Final = keccak(text="Error(string)")[:4]
PANIC: Final = keccak(text="Panic(uint256)")[:4]
MOST_SHOWN: Final = 200
"""Characters of a contract's own words that are shown."""


class Function:
    """One contract function: its selector, its inputs and its outputs."""

    __slots__ = ("_addresses", "_list", "_readers", "_writers", "inputs", "name", "outputs",
                 "selector")  # fmt: skip

    def __init__(self, signature: str) -> None:
        self.name, inputs, outputs = _split(signature)
        self.inputs = _types(inputs)
        self.outputs = _types(outputs)
        self.selector = keccak(text=f"{self.name}({','.join(self.inputs)})")[:4]
        self._addresses = ["address" in t for t in self.outputs]
        self._writers = words.writers(self.inputs)
        self._readers = words.readers(self.outputs)
        self._list = words.list_reader(self.outputs)

    def __repr__(self) -> str:
        return f"{self.name}({','.join(self.inputs)})({','.join(self.outputs)})"

    def encode(self, *args: Any) -> bytes:
        """Return the call data for `args`."""
        plain = words.encode(self._writers, args) if self._writers is not None else None
        return self.selector + (abi_encode(self.inputs, args) if plain is None else plain)

    def at(self, target: Address | Pointer, *args: Any, sender: Address | None = None) -> Call:
        """Return the static call of this function at `target`."""
        return Call(target, self.encode(*args), sender)

    def pointer(self, target: Address | Pointer, *args: Any, word: int = 0) -> Pointer:
        """Return the contract that this function at `target` names in its `word`-th word."""
        return Pointer(self.at(target, *args), word)

    def decode(self, result: Result) -> Any:
        """Return the decoded answer.

        Raises `ReadFailed` with a cause that names the function for anything but a whole answer.
        """
        if not isinstance(result, Ok):
            raise ReadFailed(f"{self.name}: {explain(result)}")
        plain: tuple[Any, ...] | None = None
        if self._readers is not None:
            plain = words.decode(self._readers, result.data)
        elif self._list is not None:
            plain = words.decode_list(self._list, result.data)
        if plain is not None:
            return plain[0] if len(plain) == 1 else plain
        try:
            values = abi_decode(self.outputs, result.data)
        except (DecodingError, ValueError, OverflowError) as error:
            short = f"{len(result.data)} bytes that do not decode as ({','.join(self.outputs)})"
            raise ReadFailed(f"{self.name}: answered {short}") from error
        clean = tuple(
            _checksummed(value, kind) if has else value
            for value, kind, has in zip(values, self.outputs, self._addresses, strict=True)
        )
        return clean[0] if len(clean) == 1 else clean

    def known(self, result: Result) -> Any:
        """Return the decoded answer, or `Unknown` with the cause where there is none."""
        try:
            return self.decode(result)
        except ReadFailed as failure:
            return Unknown(failure.cause)


def explain(result: Result) -> str:
    """Say in words why a result is not an answer."""
    match result:
        case Ok():
            return "answered"
        case NoCode():
            return "no contract at the called address"
        case Unknown(reason):
            return reason
        case Reverted(data):
            return f"reverted{_revert_reason(data)}"


def _revert_reason(data: bytes) -> str:
    if not data:
        return " without a reason"
    try:
        if data[:4] == ERROR_STRING:
            return f": {_shown(abi_decode(['string'], data[4:])[0])}"
        if data[:4] == PANIC:
            return f": panic 0x{abi_decode(['uint256'], data[4:])[0]:02x}"
    except (DecodingError, ValueError, OverflowError):
        pass
    return f" with 0x{data[:36].hex()}"


def _shown(text: str) -> str:
    """Return what a contract says in one short line that commands no terminal."""
    clean = "".join(c if c.isprintable() else " " for c in text[:MOST_SHOWN])
    return clean + "…" * (len(text) > MOST_SHOWN)


def _split(signature: str) -> tuple[str, str, str]:
    name, brace, rest = signature.partition("(")
    depth, end = 1, 0
    while depth and end < len(rest):
        depth += {"(": 1, ")": -1}.get(rest[end], 0)
        end += 1
    inputs, outputs = rest[: end - 1], rest[end:] or "()"
    if not (name and brace and depth == 0 and outputs[0] == "(" and outputs[-1] == ")"):
        raise ValueError(f"not a function signature: {signature!r}")
    return name, inputs, outputs[1:-1]


def _types(text: str) -> list[str]:
    if not text:
        return []
    parsed = parse(normalize(f"({text.replace(' ', '')})"))  # type: ignore[no-untyped-call]
    assert isinstance(parsed, TupleType)
    return [component.to_type_str() for component in parsed.components]


def _checksummed(value: Any, kind: str) -> Any:
    if kind == "address":
        return checksum(value)
    parsed = parse(kind)
    if parsed.is_array:
        item = parsed.item_type.to_type_str()
        return tuple(_checksummed(v, item) for v in value)
    if isinstance(parsed, TupleType):
        return tuple(
            _checksummed(v, c.to_type_str()) for v, c in zip(value, parsed.components, strict=True)
        )
    return value
