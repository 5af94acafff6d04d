"""Read creation code and ABIs out of the installed packages, and link libraries.

Packages lay their artifacts out in six ways; each reader below is one way.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from world.contract import Abi, Interface
from world.rpc import WorldError

Spot = tuple[int, int]
"""A place for a library's address in creation code: offset and length in bytes."""


class ArtifactError(WorldError):
    """A package does not hold what a recipe expects in it."""


@dataclass(frozen=True)
class Artifact:
    """Creation code with its ABI."""

    name: str
    abi: Abi
    bytecode: str
    links: Mapping[str, tuple[Spot, ...]]

    @cached_property
    def interface(self) -> Interface:
        return Interface(self.abi)

    def linked(self, libraries: Mapping[str, str]) -> str:
        """Creation code with the libraries' addresses filled in."""
        code = self.bytecode.removeprefix("0x")
        for library, spots in self.links.items():
            address = libraries[library].removeprefix("0x").lower()
            for offset, length in spots:
                code = code[: 2 * offset] + address + code[2 * (offset + length) :]
        if not re.fullmatch(r"[0-9a-fA-F]+", code):
            raise ArtifactError(f"{self.name}: no creation code, or a library is not linked")
        return "0x" + code


def from_solc(name: str, output: Mapping[str, Any]) -> Artifact:
    """A contract of solc's standard JSON output."""
    code = output["evm"]["bytecode"]
    return Artifact(name, output["abi"], code["object"], _links(code.get("linkReferences", {})))


def _links(references: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[Spot, ...]]:
    return {
        library: tuple((int(spot["start"]), int(spot["length"])) for spot in spots)
        for file in references.values()
        for library, spots in file.items()
    }


class Packages:
    """The artifacts of an installed node_modules."""

    def __init__(self, modules: Path) -> None:
        self.modules = modules

    def hardhat(self, package: str, folder: str, name: str) -> Artifact:
        """Hardhat: `<folder>/**/<name>.sol/<name>.json`, sometimes without the .sol folder."""
        found = _only(name, self._walk(package, folder, f"{name}.json"))
        data = _json(found)
        return Artifact(name, data["abi"], data["bytecode"], _links(data["linkReferences"]))

    def truffle(self, package: str, name: str) -> Artifact:
        """Waffle and truffle: `build/<name>.json`, bytecode bare or in an evm record."""
        data = _json(self.modules / package / "build" / f"{name}.json")
        code = data["bytecode"]
        return Artifact(name, data["abi"], code if isinstance(code, str) else code["object"], {})

    def chainlink(self, name: str) -> Artifact:
        """Chainlink 0.0.x: `abi/v0.6/<name>.json` with solc's output inside."""
        data = _json(self.modules / "@chainlink/contracts/abi/v0.6" / f"{name}.json")
        return from_solc(name, data["compilerOutput"])

    def balancer(self, task: str, name: str) -> Artifact:
        """Balancer: `dist/tasks/<task>/artifact/<name>.json`."""
        folder = f"@balancer-labs/v2-deployments/dist/tasks/{task}/artifact"
        data = _json(self.modules / folder / f"{name}.json")
        return Artifact(name, data["abi"], data["bytecode"], {})

    def foundry(self, package: str, folder: str, name: str) -> Artifact:
        """Foundry: `<folder>/<name>.sol/<name>.json`."""
        path = self.modules / package / folder / f"{name}.sol" / f"{name}.json"
        data = _json(path)
        code = data["bytecode"]
        return Artifact(name, data["abi"], code["object"], _links(code["linkReferences"]))

    def typechain(self, package: str, name: str) -> Artifact:
        """Typechain factories: JavaScript with `_abi` and `_bytecode` literals."""
        path = self.modules / package / "dist/typechain/factories" / f"{name}__factory.js"
        text = path.read_text()
        abi = re.search(r"^const _abi = (\[.*?^\]);", text, re.M | re.S)
        code = re.search(r'^const _bytecode = "(0x[0-9a-f]*)";', text, re.M)
        if abi is None or code is None:
            raise ArtifactError(f"{path}: no _abi or _bytecode literal")
        return Artifact(name, _javascript(abi[1]), code[1], {})

    def _walk(self, package: str, folder: str, file: str) -> Iterator[Path]:
        return (self.modules / package / folder).rglob(file)


def _javascript(literal: str) -> Abi:
    """Parse an ABI written as a JavaScript literal: bare keys, true, false."""
    quoted = re.sub(r"^(\s*)([A-Za-z_]+):", r'\1"\2":', literal, flags=re.M)
    python = re.sub(r":\s*true\b", ": True", re.sub(r":\s*false\b", ": False", quoted))
    abi: Abi = ast.literal_eval(python)
    return abi


def _only(name: str, found: Iterator[Path]) -> Path:
    paths = list(found)
    if len(paths) != 1:
        raise ArtifactError(f"{name}: expected one artifact, found {len(paths)}: {paths[:3]}")
    return paths[0]


def _json(path: Path) -> dict[str, Any]:
    try:
        data: dict[str, Any] = json.loads(path.read_text())
    except FileNotFoundError:
        raise ArtifactError(f"the package holds no {path.name}: looked at {path}") from None
    return data
