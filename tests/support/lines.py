"""Which lines of our rooms the tests run, noted by the lines themselves.

    NOTE_LINES=1 pytest && coverage combine && coverage report

A tracer is asked at every bytecode of every library too, which on Python 3.11 makes the suite
three times slower. Here each statement of our own modules is compiled with a store before it,
`__lines__[number] = 1`, and everything else runs as ever. The result is coverage.py's own data
file, for its own report.

Errs on the low side alone: the line of an `except` or a `case` counts once its body is entered.
Functions that numba compiles are left as they are, and other processes are not seen.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Final

NAME: Final = "__lines__"


class Recorder(MetaPathFinder):
    """Compiles the modules of some packages with notes of their lines."""

    def __init__(self, packages: Iterable[str], root: Path) -> None:
        self.packages = frozenset(packages)
        self.root = root
        self.seen: dict[str, bytearray] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module as ever; load it with our loader if it is one of ours."""
        if fullname.partition(".")[0] not in self.packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path, self.seen)
        return spec

    def install(self) -> None:
        """Note whatever is imported from now on; nothing of ours may have been before."""
        early = sorted(n for n in sys.modules if n.partition(".")[0] in self.packages)
        if early:
            raise RuntimeError(f"imported before its lines could be noted: {', '.join(early)}")
        sys.meta_path.insert(0, self)

    def save(self) -> None:
        """Write what ran, and the names of all files, to a data file of this process's own."""
        from coverage import CoverageData

        data = CoverageData(str(self.root / ".coverage"), suffix=f"lines.{os.getpid()}")
        ran = {
            name: [line for line, hit in enumerate(hits) if hit] for name, hits in self.seen.items()
        }
        data.add_lines(ran)
        files = {str(f) for package in self.packages for f in (self.root / package).rglob("*.py")}
        data.touch_files(sorted(files - ran.keys()))
        data.write()


class _Loader(SourceFileLoader):
    def __init__(self, fullname: str, path: str, seen: dict[str, bytearray]) -> None:
        super().__init__(fullname, path)
        self._seen = seen

    def exec_module(self, module: ModuleType) -> None:
        source = Path(self.path).read_bytes()
        tree = noting(ast.parse(source, self.path))
        hits = self._seen.setdefault(self.path, bytearray(source.count(b"\n") + 2))
        module.__dict__[NAME] = hits
        exec(compile(tree, self.path, "exec", dont_inherit=True), module.__dict__)


def noting(tree: ast.Module) -> ast.Module:
    """Return the module with a note of its line before every statement."""
    _block(tree, compiled=_imports_numba(tree))
    return ast.fix_missing_locations(tree)


def _imports_numba(tree: ast.Module) -> bool:
    return any(isinstance(n, ast.ImportFrom) and n.module == "numba" for n in tree.body)


def _block(node: ast.AST, compiled: bool, first: Sequence[int] = ()) -> None:
    """Work on every list of statements below a node; `first`: lines to note on entering it."""
    for field in ("body", "orelse", "finalbody"):
        found = getattr(node, field, None)
        if isinstance(found, list):
            start = first if field == "body" else ()
            setattr(node, field, _noted(found, start, compiled))
    for handler in getattr(node, "handlers", ()):
        _block(handler, compiled, [handler.lineno])
    for case in getattr(node, "cases", ()):
        _block(case, compiled, [case.pattern.lineno])


def _noted(body: list[ast.stmt], first: Sequence[int], compiled: bool) -> list[ast.stmt]:
    out: list[ast.stmt] = []
    lines = list(first)
    for place, statement in enumerate(body):
        lines += [statement.lineno]
        lines += [decorator.lineno for decorator in getattr(statement, "decorator_list", ())]
        if not (compiled and isinstance(statement, ast.FunctionDef)):
            _block(statement, compiled)
        if not _must_come_first(statement, place):
            out += [_note(line, statement) for line in lines]
            lines = []
        out.append(statement)
    return out + [_note(line, body[-1]) for line in lines]


def _must_come_first(statement: ast.stmt, place: int) -> bool:
    docstring = (
        place == 0
        and isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
    return docstring or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")


def _note(line: int, near: ast.stmt) -> ast.stmt:
    where = ast.Subscript(ast.Name(NAME, ast.Load()), ast.Constant(line), ast.Store())
    return ast.copy_location(ast.Assign([where], ast.Constant(1)), near)
