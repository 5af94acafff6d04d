"""Encode and decode calls from an ABI, without web3's cost per call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from world.rpc import WorldError

Abi = Sequence[dict[str, Any]]


class UnknownFunction(WorldError):
    """The ABI has no such function, or several and the call does not say which."""


def abi_type(entry: dict[str, Any]) -> str:
    """Canonical type of an ABI parameter; structs become tuples."""
    kind: str = entry["type"]
    if not kind.startswith("tuple"):
        return kind
    inner = ",".join(abi_type(part) for part in entry["components"])
    return f"({inner}){kind.removeprefix('tuple')}"


@cache
def selector(signature: str) -> bytes:
    return bytes(keccak(text=signature)[:4])


@dataclass(frozen=True, slots=True)
class Function:
    """One function of an ABI."""

    signature: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def encode(self, *args: Any) -> str:
        return "0x" + (selector(self.signature) + encode(self.inputs, args)).hex()

    def decode(self, data: str) -> Any:
        """One output is returned bare, several as a tuple, none as None."""
        values = decode(self.outputs, bytes.fromhex(data.removeprefix("0x")))
        if not self.outputs:
            return None
        return values[0] if len(values) == 1 else values


class Interface:
    """The functions of an ABI, by name or, where overloaded, by signature."""

    def __init__(self, abi: Abi) -> None:
        self.constructor: tuple[str, ...] = ()
        self._by_key: dict[str, Function] = {}
        self._overloaded: set[str] = set()
        for entry in abi:
            inputs = tuple(abi_type(part) for part in entry.get("inputs", ()))
            if entry["type"] == "constructor":
                self.constructor = inputs
            elif entry["type"] == "function":
                self._add(entry, inputs)

    def _add(self, entry: dict[str, Any], inputs: tuple[str, ...]) -> None:
        name: str = entry["name"]
        outputs = tuple(abi_type(part) for part in entry.get("outputs", ()))
        function = Function(f"{name}({','.join(inputs)})", inputs, outputs)
        if name in self._by_key:
            self._overloaded.add(name)
        self._by_key[name] = self._by_key[function.signature] = function

    def __getitem__(self, key: str) -> Function:
        if key in self._overloaded:
            raise UnknownFunction(f"{key} is overloaded: name it by its signature")
        try:
            return self._by_key[key]
        except KeyError:
            raise UnknownFunction(f"no function {key} in this ABI") from None


ERC20 = Interface(
    [
        {
            "type": "function",
            "name": name,
            "inputs": [{"type": kind} for kind in inputs],
            "outputs": [{"type": output}],
        }
        for name, inputs, output in (
            ("balanceOf", ["address"], "uint256"),
            ("allowance", ["address", "address"], "uint256"),
            ("approve", ["address", "uint256"], "bool"),
            ("transfer", ["address", "uint256"], "bool"),
            ("totalSupply", [], "uint256"),
            ("decimals", [], "uint8"),
            ("symbol", [], "string"),
            ("mint", ["address", "uint256"], "bool"),
            ("deposit", [], "bool"),
        )
    ]
)
"""ERC-20 with the `mint` of the test tokens and the `deposit` of WETH9."""
