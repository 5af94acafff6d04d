"""The stated priors and the user's facts: read from TOML text, checked, never guessed."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, Final

UNKNOWN: Final = "unknown"
MOST: Final = 1e15
"""No number of these files is larger; products of them stay finite."""


class BadFile(ValueError):
    """A file of priors or facts says what makes no sense; the message says where."""


@dataclass(frozen=True, slots=True)
class Scale:
    """The multipliers of one question."""

    steps: tuple[tuple[float, float], ...] = ()
    """From so much on, so much; ascending."""
    words: Mapping[str, float] = field(default_factory=dict)
    unknown: float = 1.0

    def at(self, value: float | str | None) -> float:
        """Return the multiplier of a value; of None, and of a word not listed, the unknown's."""
        if value is None:
            return self.unknown
        if isinstance(value, str):
            return self.words.get(value, self.unknown)
        found = [multiplier for least, multiplier in self.steps if value >= least]
        return found[-1] if found else self.unknown


@dataclass(frozen=True, slots=True)
class Priors:
    """Everything that the score assumes."""

    horizon_years: float
    repaid_per_day: float
    base: Mapping[str, float]
    lgd: Mapping[str, float]
    multiplier: Mapping[str, Scale]


@dataclass(frozen=True, slots=True)
class ContractFact:
    """What somebody wrote down about a contract."""

    verified: bool | None = None
    audits: tuple[str, ...] | None = None
    incidents: tuple[str, ...] | None = None
    survived: float | None = None
    changed: date | None = None
    bridge: str | None = None


@dataclass(frozen=True, slots=True)
class Cover:
    """An insurance against the failure of some contracts."""

    name: str
    covers: tuple[str, ...]
    limit_usd: float
    pays: float
    insurer: str = ""


@dataclass(frozen=True, slots=True)
class UserFacts:
    """The facts of a file, by lower-case address or code hash."""

    contracts: Mapping[str, ContractFact] = field(default_factory=dict)
    cover: tuple[Cover, ...] = ()

    def of(self, address: str, codehash: str | None) -> ContractFact:
        """Return what is known of a contract: by its address, else by its code."""
        by_code = self.contracts.get((codehash or "").lower(), ContractFact())
        return self.contracts.get(address.lower(), by_code)


@cache
def shipped(name: str) -> str:
    """Return a data file of this room as text."""
    return (files("risk") / "data" / name).read_text("utf-8")


def priors(text: str | None = None) -> Priors:
    """Return the shipped priors, with what `text` has in place of theirs; raises `BadFile`."""
    table = tomllib.loads(shipped("exposure_priors.toml"))
    if text is not None:
        _merge(table, _parsed(text), ())
    return Priors(
        horizon_years=_number(table["horizon_years"], "horizon_years"),
        repaid_per_day=_number(table["repaid_per_day"], "repaid_per_day"),
        base={k: _number(v, f"base.{k}") for k, v in table["base"].items()},
        lgd={k: _number(v, f"lgd.{k}", most=1.0) for k, v in table["lgd"].items()},
        multiplier={k: _scale(v, k) for k, v in table["multiplier"].items()},
    )


def _parsed(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise BadFile(f"not TOML: {error}") from error
    except RecursionError:
        raise BadFile("not TOML: it is nested too deeply") from None


def _merge(into: dict[str, Any], other: Mapping[str, Any], where: Sequence[str]) -> None:
    for key, value in other.items():
        place = ".".join((*where, key))
        if key not in into:
            raise BadFile(f"{place}: there is no such prior")
        if isinstance(into[key], dict) != isinstance(value, dict):
            raise BadFile(f"{place}: a table and a number are not the same")
        if isinstance(into[key], list) and not _pairs(value):
            raise BadFile(f"{place}: expected a list of pairs such as [[0, 2.0], [30, 1.0]]")
        if isinstance(value, dict):
            _merge(into[key], value, (*where, key))
        else:
            into[key] = value


def _pairs(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(v, list) and len(v) == 2 for v in value)


def _number(value: object, where: str, most: float = MOST) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        bound = f" and at most {most:g}"
        raise BadFile(f"{where}: expected a number, at least 0{bound}, and found {value!r}")
    return float(value)


def _scale(table: Mapping[str, Any], name: str) -> Scale:
    where = f"multiplier.{name}"
    raw = table.get("steps", [])
    steps = tuple((_number(a, where), _number(b, where)) for a, b in raw)
    if list(steps) != sorted(steps):
        raise BadFile(f"{where}: its steps must ascend")
    words = {k: _number(v, f"{where}.{k}") for k, v in table.items() if k not in ("steps", UNKNOWN)}
    unknown = _number(table[UNKNOWN], f"{where}.unknown")
    if unknown < 1.0:
        raise BadFile(f"{where}.unknown: what is not known never counts in favour: at least 1")
    return Scale(steps, words, unknown)


_FACT_KEYS: Final = {"address", "codehash", *ContractFact.__dataclass_fields__}
_COVER_KEYS: Final = frozenset(Cover.__dataclass_fields__)


def user_facts(text: str | None = None) -> UserFacts:
    """Return the facts of a file; raises `BadFile`."""
    table = _parsed(shipped("exposure_facts.toml") if text is None else text)
    if extra := table.keys() - {"contract", "cover"}:
        raise BadFile(f"{sorted(extra)[0]}: only [[contract]] and [[cover]] are facts")
    contracts: dict[str, ContractFact] = {}
    for row in _rows(table, "contract"):
        if extra := row.keys() - _FACT_KEYS:
            raise BadFile(f"contract.{sorted(extra)[0]}: there is no such fact")
        name = row.get("address") or row.get("codehash")
        if not isinstance(name, str):
            raise BadFile("contract: needs an address or a codehash")
        contracts[name.lower()] = _fact(row)
    cover = tuple(_cover(row) for row in _rows(table, "cover"))
    return UserFacts(contracts, cover)


def _rows(table: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    rows = table.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadFile(f"{key}: write each under a [[{key}]] of its own")
    return rows


def _fact(row: Mapping[str, Any]) -> ContractFact:
    changed, survived = row.get("changed"), row.get("survived")
    if changed is not None and not isinstance(changed, date):
        raise BadFile("contract.changed: expected a date such as 2024-05-01")
    verified, bridge = row.get("verified"), row.get("bridge")
    if not isinstance(verified, bool | None):
        raise BadFile(f"contract.verified: expected true or false, and found {verified!r}")
    if not isinstance(bridge, str | None):
        raise BadFile(f"contract.bridge: expected a text, and found {bridge!r}")
    return ContractFact(
        verified=verified,
        audits=_texts(row, "audits") if "audits" in row else None,
        incidents=_texts(row, "incidents") if "incidents" in row else None,
        survived=None if survived is None else _number(survived, "contract.survived"),
        changed=changed,
        bridge=bridge,
    )


def _texts(row: Mapping[str, Any], key: str, of: str = "contract") -> tuple[str, ...]:
    value = row[key]
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise BadFile(f"{of}.{key}: expected a list of texts")
    return tuple(value)


def _cover(row: Mapping[str, Any]) -> Cover:
    if extra := row.keys() - _COVER_KEYS:
        raise BadFile(f"cover.{sorted(extra)[0]}: there is no such key")
    try:
        return Cover(
            name=str(row["name"]),
            covers=tuple(c.lower() for c in _texts(row, "covers", "cover")),
            limit_usd=_number(row["limit_usd"], "cover.limit_usd"),
            pays=_number(row["pays"], "cover.pays", most=1.0),
            insurer=str(row.get("insurer", "")).lower(),
        )
    except KeyError as missing:
        raise BadFile(f"cover: needs {missing.args[0]}") from missing
