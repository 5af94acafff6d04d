"""The compiled guards shipped with this package, and what it takes to deploy them."""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import encode

from chain.types import Address
from executor.guard.types import Protocol

MODULE: Final = "module"
DELEGATE: Final = "delegate"
NAMES: Final = {
    Protocol.AAVE_V3: "aave",
    Protocol.MORPHO_BLUE: "morpho",
    Protocol.COMPOUND_V2: "compound",
}


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `contracts/build_guard.mjs` made of a source."""

    source: str
    compiler: str
    abi: tuple[dict[str, Any], ...]
    runtime: bytes
    """Deployed code; the module's has holes of zeros where its owner's address goes."""
    init: bytes


@cache
def artifact(protocol: Protocol, form: str) -> Artifact:
    """Return a compiled guard for a lending protocol, as `MODULE` or `DELEGATE`."""
    name = f"{NAMES[protocol]}_{form}.json"
    raw = json.loads((files("executor.guard") / "data" / name).read_text("utf-8"))
    return Artifact(
        raw["source"],
        raw["compiler"],
        tuple(raw["abi"]),
        bytes.fromhex(raw["runtime"][2:]),
        bytes.fromhex(raw["init"][2:]),
    )


def module_init(protocol: Protocol, owner: Address) -> bytes:
    """Return the init code of a module for the account that owns the position."""
    return artifact(protocol, MODULE).init + encode(["address"], [owner])


def delegate_init(protocol: Protocol) -> bytes:
    """Return the init code of the delegate; one deployment serves every account."""
    return artifact(protocol, DELEGATE).init


def is_delegate_code(protocol: Protocol, code: bytes) -> bool:
    """Whether this is the delegate's deployed code, to the byte."""
    return code == artifact(protocol, DELEGATE).runtime
