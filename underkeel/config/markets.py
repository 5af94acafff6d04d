"""The `[[chains.X.markets]]` rows: which keys there are is what the adapters say.

The registry of adapters is asked, so a new adapter needs no change here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from chain.types import ZERO_ADDRESS, Address
from protocols.adapter import Adapter, Market
from underkeel.config.problems import Problem, did_you_mean, dotted
from underkeel.config.values import ADDRESS_SCHEMA, ID_SCHEMA, address, identifier, refuse

COMMON: Final = ("adapter", "name")


@dataclass(frozen=True, slots=True)
class MarketRow:
    """A checked row; `market` is None while its problems are being collected."""

    market: Market
    given: Mapping[str, Any] = field(default_factory=dict)


def adapters() -> dict[str, Adapter]:
    """Return the registered adapters by name."""
    from protocols.registry import ADAPTERS

    return {adapter.name: adapter for adapter in ADAPTERS}


def market_row(value: object) -> MarketRow:
    """Return the market that a row describes; raise every problem of the row at once."""
    if isinstance(value, MarketRow):
        return value
    if not isinstance(value, dict):
        raise refuse("is not a table", "write [[chains.NAME.markets]] and its keys below")
    problems: list[tuple[str, str, str]] = []
    known = adapters()
    chosen = value.get("adapter")
    if not isinstance(chosen, str) or chosen not in known:
        missing = "adapter" not in value
        what = "is missing" if missing else f"{_shown(chosen)} is not an adapter"
        todo = did_you_mean(chosen if isinstance(chosen, str) else "", known)
        raise _many([("adapter", what, todo)])
    adapter = known[chosen]
    allowed = _keys(adapter)
    for key in value:
        if key not in allowed and key not in COMMON:
            todo = did_you_mean(key, [*allowed, *COMMON])
            problems.append((key, f"is not a key of {chosen}", todo))
    params: dict[str, Any] = {}
    for key, kind in allowed.items():
        if key in value:
            _parse(key, kind, value[key], params, problems)
        elif key == adapter.root_key:
            problems.append((key, "is missing", f"{chosen} is read from its root address"))
    name = value.get("name", chosen)
    if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 80:
        problems.append(("name", "is not a name", "write 1 to 80 printable characters"))
    if problems:
        raise _many(problems)
    root = params[adapter.root_key] if adapter.root_key else ZERO_ADDRESS
    return MarketRow(Market(chosen, str(name), root, params), dict(value))


def market_schema() -> dict[str, Any]:
    """Return the JSON schema of one row."""
    return {"oneOf": [_row_schema(adapter) for _, adapter in sorted(adapters().items())]}


def row_problems(
    where: str, loc: tuple[str | int, ...], context: Mapping[str, Any]
) -> list[Problem]:
    """Return the problems that `market_row` raised as one error."""
    return [Problem(where, dotted((*loc, *key)), what, todo) for key, what, todo in context["many"]]


def _keys(adapter: Adapter) -> dict[str, str]:
    root = {adapter.root_key: "address"} if adapter.root_key else {}
    return {**root, **adapter.keys, "from_block": "block"}


def _parse(
    key: str,
    kind: str,
    value: object,
    params: dict[str, Any],
    problems: list[tuple[Any, str, str]],
) -> None:
    from pydantic_core import PydanticCustomError

    if kind == "block":
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            problems.append((key, f"{_shown(value)} is not a block number", f"write {key} = 0"))
        else:
            params[key] = value
        return
    one = identifier if kind == "ids" else address
    many = kind in ("addresses", "ids")
    if many and not isinstance(value, list | tuple):
        problems.append((key, "is not a list", f'write {key} = ["0x…"]'))
        return
    parsed: list[str | Address] = []
    items: list[Any] = list(value) if isinstance(value, list | tuple) else [value]
    for i, item in enumerate(items):
        try:
            parsed.append(one(item))
        except PydanticCustomError as error:
            context = error.context or {}
            at = (key, i) if many else key
            problems.append((at, f"{_shown(item)} {context['what']}", context["todo"]))
    if len(set(parsed)) < len(parsed):
        problems.append((key, "names one thing twice", "remove the repetition"))
    if many:
        params[key] = tuple(parsed)
    elif parsed:
        params[key] = parsed[0]


def _many(problems: list[Any]) -> Exception:
    from pydantic_core import PydanticCustomError

    located = [(key if isinstance(key, tuple) else (key,), w, t) for key, w, t in problems]
    return PydanticCustomError("underkeel_row", "bad market", {"many": located})


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 90 else text[:80] + "…"


def _row_schema(adapter: Adapter) -> dict[str, Any]:
    shapes: dict[str, dict[str, Any]] = {
        "address": ADDRESS_SCHEMA,
        "addresses": {"type": "array", "items": ADDRESS_SCHEMA},
        "ids": {"type": "array", "items": ID_SCHEMA},
        "block": {"type": "integer", "minimum": 0},
    }
    keys = {key: shapes[kind] for key, kind in _keys(adapter).items()}
    return {
        "type": "object",
        "title": adapter.name,
        "properties": {"adapter": {"const": adapter.name}, "name": {"type": "string"}, **keys},
        "required": ["adapter", *([adapter.root_key] if adapter.root_key else [])],
        "additionalProperties": False,
    }
