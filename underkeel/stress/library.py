"""Named shocks as data: what ships, and what a user's file adds or replaces."""

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from underkeel.config.problems import did_you_mean, dotted, one_line
from underkeel.errors import UsageError

SHIPPED: Final = Path(__file__).with_name("scenarios.toml")


def _listed(value: object) -> object:
    return value if isinstance(value, list) else [value]


Move = Annotated[
    list[Annotated[float, Field(gt=-1, le=100, allow_inf_nan=False)]],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=50),
]


Line = Annotated[str, AfterValidator(one_line)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Scenario(_Strict):
    """One named shock."""

    title: Line = ""
    source: Line = ""
    moves: dict[Line, Move] = {}
    other: Move | None = None
    discount: dict[str, Annotated[float, Field(gt=-1, le=100, allow_inf_nan=False)]] = {}
    gas: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] = 1.0

    @property
    def legs(self) -> int:
        """Return how many points it passes."""
        given = [*self.moves.values(), *([self.other] if self.other else [])]
        return max((len(move) for move in given), default=1)


class Library(_Strict):
    """A file of scenarios."""

    groups: dict[str, list[str]] = {}
    scenarios: dict[Line, Scenario] = {}

    def scenario(self, name: str) -> Scenario:
        """Return a scenario by name; raises `UsageError` with the nearest name."""
        found = self.scenarios.get(name)
        if found is None and name.startswith(("oracle-", "protocol-")):
            raise UsageError(f"--scenario {name}: it is made from positions; leave --scenario out")
        if found is None:
            hint = did_you_mean(name, self.scenarios)
            raise UsageError(f"--scenario: there is no {name!r}; {hint}")
        return found


def at(move: list[float], leg: int, legs: int) -> float:
    """Return a move's multiplier at one of a scenario's points; short ones are spread out.

    A single number is reached evenly at the last point.
    """
    if len(move) == 1:
        return float((1 + move[0]) ** ((leg + 1) / legs))
    return 1 + move[min(leg, len(move) - 1)]


@lru_cache(maxsize=1)
def shipped() -> Library:
    """Return the scenarios that come with the program."""
    return _parsed(SHIPPED)


def library(extra: Path | None = None) -> Library:
    """Return what ships, with a user's file over it; raises `UsageError`."""
    base = shipped()
    if extra is None:
        return base
    added = _parsed(extra)
    return Library(
        groups={**base.groups, **added.groups}, scenarios={**base.scenarios, **added.scenarios}
    )


def _parsed(path: Path) -> Library:
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # a syntax error, no UTF-8, or a number Python will not read
        raise UsageError(f"{path} is not TOML: {error}") from None
    except RecursionError:
        raise UsageError(f"{path} is not TOML: it is nested too deeply") from None
    try:
        found = Library.model_validate(data)
    except ValidationError as error:
        lines = [f"{path}: {dotted(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise UsageError("\n".join(lines)) from None
    for name, scenario in found.scenarios.items():
        _even(path, name, scenario)
    return found


def _even(path: Path, name: str, scenario: Scenario) -> None:
    """Refuse lists of different lengths: which price belongs to which moment would be a guess."""
    given: Mapping[str, list[float]] = {
        **scenario.moves,
        **({"other": scenario.other} if scenario.other else {}),
    }
    for key, move in given.items():
        if len(move) not in (1, scenario.legs):
            raise UsageError(
                f"{path}: scenarios.{name}.{key} has {len(move)} numbers where others have "
                f"{scenario.legs}; give one, or as many"
            )
