"""Notes of lines change nothing about what they are put into, and miss no line that ran."""

import ast
from dataclasses import is_dataclass
from textwrap import dedent
from typing import Any

from tests.support.lines import NAME, noting

SOURCE = dedent(
    '''\
    """What it is."""

    from __future__ import annotations

    from dataclasses import dataclass


    @dataclass(
        frozen=True,
    )
    class Pair:
        """Two."""

        left: int
        right: int = 2

        def __private(self) -> int:
            return self.left


    def walk(value):
        """Walk."""
        total = 0
        for one in value:
            if one == 1:
                total += 1
            elif one == 2:
                continue
            else:
                total += (
                    2
                )
        else:
            total += 10
        try:
            match total:
                case 13:
                    raise ValueError
                case _:
                    return "other"
        except KeyError:
            return "key"
        except ValueError:
            return "value"
        finally:
            total = 0


    async def never():
        return 1
    '''
)
RUN = {1, 3, 5, 8, 11, 12, 14, 15, 17, 21, 22, 23, 24, 25, 26, 27, 28, 30}
RUN |= {34, 35, 36, 37, 38, 43, 44, 46, 49}


def test_noting__a_module_that_is_run__has_exactly_its_lines() -> None:
    space: dict[str, Any] = {NAME: bytearray(60), "__name__": __name__}
    exec(compile(noting(ast.parse(SOURCE)), "noted", "exec", dont_inherit=True), space)
    assert space["walk"]([1, 2, 3]) == "value"
    assert {line for line, hit in enumerate(space[NAME]) if hit} == RUN
    assert space["__doc__"] == "What it is."
    assert space["walk"].__doc__ == "Walk."
    assert space["Pair"].__doc__ == "Two."
    assert is_dataclass(space["Pair"])
    assert space["Pair"].__annotations__ == {"left": "int", "right": "int"}


def test_noting__functions_that_numba_compiles__are_left_alone() -> None:
    text = "from numba import njit\n\n\n@njit\ndef twice(x):\n    return 2 * x\n"
    (*_, function) = noting(ast.parse(text)).body
    assert isinstance(function, ast.FunctionDef)
    assert [type(statement) for statement in function.body] == [ast.Return]
