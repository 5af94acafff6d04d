"""Markets that are known without configuration: rows of data, checked when they are read.

`protocols/data/*.toml` holds `[[market]]` rows: `chain_id`, `name`, the adapter's root key, any of
the adapter's other keys, `from_block` (where to begin to look for logs), `discover = false` (not to
look at all), and `adapter` where the file is not named for it; and `[[price]]` rows: `chain_id`,
`token`, `feed`, `quote`, `heartbeat`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from chain.types import ZERO_ADDRESS, Address, parse_address
from protocols.adapter import Adapter, Market
from protocols.prices.configured import PriceRow, parse_row
from protocols.registry import BY_NAME
from protocols.shipped import tables

COMMON: Final = {"from_block": "integer", "discover": "boolean"}
"""Keys that every row may have."""


class BadRow(ValueError):
    """A row of our own data is wrong; the release is broken."""

    def __init__(self, file: str, row: Mapping[str, Any], reason: str) -> None:
        super().__init__(f"protocols/data/{file}: {dict(row)}: {reason}")
        self.file = file
        self.row = row
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Deployment:
    """A market, and the chain it is on."""

    chain_id: int
    market: Market


def markets(chain_id: int) -> tuple[Market, ...]:
    """Return the markets known on a chain; none for a chain we know nothing of."""
    return tuple(d.market for d in deployments() if d.chain_id == chain_id)


def prices(chain_id: int) -> tuple[PriceRow, ...]:
    """Return the price sources known on a chain."""
    return tuple(row for chain, row in _prices() if chain == chain_id)


@cache
def deployments() -> tuple[Deployment, ...]:
    """Return every known market; raises `BadRow`."""
    return check(
        [
            (file, deployment(file, row))
            for file, table in tables("data")
            for row in table.get("market", ())
        ]
    )


@cache
def _prices() -> tuple[tuple[int, PriceRow], ...]:
    return tuple(
        price(file, row) for file, table in tables("data") for row in table.get("price", ())
    )


def deployment(file: str, row: Mapping[str, Any]) -> Deployment:
    """Return what one `[[market]]` row says; raises `BadRow`."""
    rest = dict(row)
    chain_id = rest.pop("chain_id", None)
    name = rest.pop("name", None)
    adapter = BY_NAME.get(rest.pop("adapter", file.removesuffix(".toml").replace("_", "-")))
    if adapter is None:
        raise BadRow(file, row, f"its adapter is none of {', '.join(BY_NAME)}")
    if not (isinstance(chain_id, int) and chain_id > 0):
        raise BadRow(file, row, "chain_id must be a positive integer")
    if not (isinstance(name, str) and name):
        raise BadRow(file, row, "name is missing")
    kinds = COMMON | dict(adapter.keys) | _root(adapter)
    try:
        params = {key: _parse(kinds, key, value) for key, value in rest.items()}
        root: Address = params.pop(adapter.root_key) if adapter.root_key else ZERO_ADDRESS
    except (ValueError, KeyError) as error:
        raise BadRow(file, row, str(error)) from error
    return Deployment(chain_id, Market(adapter.name, name, root, params))


def price(file: str, row: Mapping[str, Any]) -> tuple[int, PriceRow]:
    """Return what one `[[price]]` row says, and its chain; raises `BadRow`."""
    rest = dict(row)
    chain_id = rest.pop("chain_id", None)
    if not (isinstance(chain_id, int) and chain_id > 0):
        raise BadRow(file, row, "chain_id must be a positive integer")
    try:
        return chain_id, parse_row(rest)
    except ValueError as error:
        raise BadRow(file, row, str(error)) from error


def check(rows: list[tuple[str, Deployment]]) -> tuple[Deployment, ...]:
    """Return the deployments of `rows`; raises `BadRow` where two say they are the same one."""
    seen: set[tuple[int, str, Address]] = set()
    for file, found in rows:
        key = (found.chain_id, found.market.adapter, found.market.root)
        if key in seen:
            raise BadRow(file, {"name": found.market.name}, f"{key} is there twice")
        seen.add(key)
    return tuple(found for _, found in rows)


def _root(adapter: Adapter) -> dict[str, str]:
    return {adapter.root_key: "address"} if adapter.root_key else {}


_IDS: Final = 66


def _parse(kinds: Mapping[str, str], key: str, value: Any) -> Any:
    """Return a value as its kind has it; raises `ValueError` that names the key."""
    match kinds.get(key), value:
        case "address", str():
            return parse_address(value)
        case "addresses", list():
            return tuple(parse_address(item) for item in value)
        case "ids", list() if all(_is_id(item) for item in value):
            return tuple(item.lower() for item in value)
        case "integer", int() if value >= 0:
            return value
        case "boolean", bool():
            return value
        case None, _:
            raise ValueError(f"there is no key {key!r}; there are {', '.join(kinds)}")
        case kind, _:
            raise ValueError(f"{key} is not of kind {kind}: {value!r}")


def _is_id(value: Any) -> bool:
    if not (isinstance(value, str) and len(value) == _IDS and value.startswith("0x")):
        return False
    return all(c in "0123456789abcdefABCDEF" for c in value[2:])
