"""Adapters compute; they do not look around."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

import protocols
from protocols.registry import ADAPTERS, BY_NAME
from tests.protocols.conformance.fixture import NoFixture, fixture_of

ROOM = Path(protocols.__file__).parent
FILES = sorted(ROOM.rglob("*.py"))
ALLOWED = frozenset(
    (
        *("abc", "bisect", "collections", "contextlib", "dataclasses", "decimal", "enum"),
        *("fractions", "functools", "itertools", "math", "operator", "re", "struct", "types"),
        *("typing", "eth_abi", "eth_utils", "numpy", "chain", "protocols"),
    )
)
READS_DATA = ROOM / "shipped.py"
"""The one module that may read files: those of its own package."""
LOOKS_AROUND = frozenset({"open", "print", "input", "exec", "eval", "compile", "__import__"})
FILES_OF_NUMPY = frozenset(
    ("load", "loadtxt", "genfromtxt", "fromfile", "memmap", "save", "savetxt", "savez", "tofile")
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOM)))
def test_module__imports_and_calls__nothing_that_does_io(file: Path) -> None:
    tree = ast.parse(file.read_text("utf-8"))
    allowed = ALLOWED | {"tomllib", "importlib"} if file == READS_DATA else ALLOWED
    assert set(_imported(tree)) <= allowed
    assert not LOOKS_AROUND & set(_called(tree))
    assert not FILES_OF_NUMPY & {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}


def _imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


def _called(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


def test_registry__names_and_keys__are_distinct_and_have_fixtures() -> None:
    assert len(BY_NAME) == len(ADAPTERS)
    for adapter in ADAPTERS:
        assert adapter.root_key not in adapter.keys
        fixture_of(adapter)


def test_fixture_of__adapter_without_one__fails_the_suite() -> None:
    @dataclass(frozen=True)
    class Unproven:
        name: ClassVar[str] = "un-proven"

    with pytest.raises(NoFixture, match=r"tests\.protocols\.un_proven\.conformance_fixture"):
        fixture_of(Unproven())  # type: ignore[arg-type]
