"""Compile Solidity with the wasm solc of the installed packages, two runs at a time.

A job is content-addressed: the same sources, settings and compiler are compiled once per cache.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from world.artifacts import Artifact, from_solc
from world.cache import HERE, PARTIAL, digest
from world.rpc import WorldError

IMPORT = re.compile(r"""^\s*import\b[^;"']*["']([^"']+)["']""", re.M)


class CompileError(WorldError):
    """solc refused the sources."""


@dataclass(frozen=True)
class Job:
    """Contracts to compile together, by `path:Name`; a path starts with a package or `ours/`."""

    name: str
    solc: str
    contracts: Sequence[str]
    via_ir: bool = False
    runs: int = 200
    evm: str = "paris"
    remappings: Mapping[str, str] = field(default_factory=dict)
    metadata_hash: str = "none"

    def input(self, modules: Path) -> str:
        """Standard JSON with every source inlined, so that its hash names the result."""
        wanted = [contract.split(":") for contract in self.contracts]
        sources: dict[str, dict[str, str]] = {}
        queue = [path for path, _ in wanted]
        while queue:
            unit = queue.pop()
            if unit not in sources:
                text = _locate(modules, self._remap(unit)).read_text()
                sources[unit] = {"content": text}
                queue += (_resolve(unit, found) for found in IMPORT.findall(text))
        selection: dict[str, dict[str, list[str]]] = {}
        for path, contract in wanted:
            selection.setdefault(path, {})[contract] = ["abi", "evm.bytecode"]
        settings = {
            "optimizer": {"enabled": True, "runs": self.runs},
            "viaIR": self.via_ir,
            "evmVersion": self.evm,
            "metadata": {"bytecodeHash": self.metadata_hash},
            "outputSelection": selection,
        }
        ordered = dict(sorted(sources.items()))
        return json.dumps({"language": "Solidity", "sources": ordered, "settings": settings})

    def _remap(self, unit: str) -> str:
        for prefix, target in self.remappings.items():
            if unit.startswith(prefix):
                return target + unit.removeprefix(prefix)
        return unit


def _resolve(unit: str, imported: str) -> str:
    """Name of an imported unit as solc names it: relative to the importer, or as written."""
    if not imported.startswith("."):
        return imported
    return os.path.normpath(PurePosixPath(unit).parent / imported)


def _locate(modules: Path, unit: str) -> Path:
    if unit.startswith("ours/"):
        return HERE / "solidity" / unit.removeprefix("ours/")
    return modules / unit


def compile_all(
    jobs: Iterable[Job], modules: Path, store: Path, done: Callable[[Job], None]
) -> dict[str, Artifact]:
    """Compile every job, or take it from the store; artifacts by contract name."""
    pending = list(jobs)

    def run(job: Job) -> dict[str, Artifact]:
        artifacts = _run(job, modules, store)
        done(job)
        return artifacts

    with ThreadPoolExecutor(max_workers=2) as pool:
        parts = list(pool.map(run, pending))
    return {name: artifact for part in parts for name, artifact in part.items()}


def _run(job: Job, modules: Path, store: Path) -> dict[str, Artifact]:
    text = job.input(modules)
    kept = store / f"{job.name}-{digest([job.solc.encode(), text.encode()])}.json"
    if not kept.is_file():
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=PARTIAL, dir=store) as folder:
            partial = Path(folder) / "output.json"
            partial.write_text(json.dumps(_solc(job, text, modules, Path(folder))))
            partial.rename(kept)
    contracts: dict[str, Any] = json.loads(kept.read_text())
    return {
        name: from_solc(name, output)
        for units in contracts.values()
        for name, output in units.items()
    }


def _solc(job: Job, text: str, modules: Path, folder: Path) -> dict[str, Any]:
    request = folder / "input.json"
    request.write_text(text)
    package = modules / f"solc-{job.solc}"
    ran = subprocess.run(
        ["node", str(HERE / "solc.cjs"), str(package), str(request)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise CompileError(f"{job.name}: solc {job.solc} failed: {ran.stderr[-500:]}")
    answer = json.loads(ran.stdout)
    errors = [e for e in answer.get("errors", ()) if e["severity"] == "error"]
    if errors:
        raise CompileError(f"{job.name}: " + "\n".join(e["formattedMessage"] for e in errors[:5]))
    contracts: dict[str, Any] = answer["contracts"]
    return contracts
