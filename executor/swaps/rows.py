"""Venues as rows of data: those shipped in venues.toml, and those a config gives.

A row holds `kind`, `name` and the addresses of its kind; a shipped one `chain_id` too. What a
row says is checked on chain when it is used: quoter and router have to name the row's root.
"""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from chain.types import Address, parse_address
from executor.swaps.balancer_v2 import BalancerV2
from executor.swaps.types import Venue
from executor.swaps.uniswap_v2 import UniswapV2
from executor.swaps.uniswap_v3 import UniswapV3
from executor.swaps.uniswap_v4 import UniswapV4

FILE: Final = "venues.toml"
ID_LENGTH: Final = 66


class BadVenue(ValueError):
    """A row describes no venue."""

    def __init__(self, row: Mapping[str, Any], reason: str) -> None:
        super().__init__(f"venue {row.get('name', '')!r}: {reason}")
        self.row = row
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Kind:
    """What a row of one kind holds."""

    make: Callable[..., Venue]
    needed: Mapping[str, Callable[[Any], Any]]
    optional: Mapping[str, Callable[[Any], Any]]


def _boolean(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise ValueError(f"{value!r} is not true or false")


def _address(value: Any) -> Address:
    if isinstance(value, str):
        return parse_address(value)
    raise ValueError(f"{value!r} is not an address")


def _fee(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**24:
        raise ValueError(f"{value!r} is not a fee in millionths")
    return value


def _fees(value: Any) -> tuple[int, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{value!r} is not a list of fees")
    return tuple(map(_fee, value))


def _ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{value!r} is not a list of pool ids")
    return tuple(map(_id, value))


def _id(value: Any) -> str:
    digits = value[2:] if isinstance(value, str) and value.startswith("0x") else ""
    if len(digits) != ID_LENGTH - 2 or any(c not in "0123456789abcdef" for c in digits.lower()):
        raise ValueError(f"{value!r} is not 0x and 64 hex digits")
    return "0x" + digits.lower()


def _keys(value: Any) -> tuple[tuple[int, int, Address], ...]:
    if not isinstance(value, list) or not value:
        raise ValueError(f"{value!r} is not a list of [fee, tick spacing, hooks]")
    return tuple(map(_key, value))


def _key(value: Any) -> tuple[int, int, Address]:
    if not isinstance(value, list) or len(value) != len(("fee", "spacing", "hooks")):
        raise ValueError(f"{value!r} is not [fee, tick spacing, hooks]")
    return _fee(value[0]), _fee(value[1]), _address(value[2])


KINDS: Final[Mapping[str, Kind]] = {
    "uniswap-v2": Kind(UniswapV2, {"factory": _address, "router": _address}, {}),
    "uniswap-v3": Kind(
        UniswapV3,
        {"factory": _address, "quoter": _address, "router": _address},
        {"router_02": _boolean, "fees": _fees},
    ),
    "uniswap-v4": Kind(
        UniswapV4,
        {"pool_manager": _address, "quoter": _address, "router": _address, "permit2": _address},
        {"keys": _keys, "wrapped": _address},
    ),
    "balancer-v2": Kind(BalancerV2, {"vault": _address, "pool_ids": _ids}, {}),
}


def parse(row: Mapping[str, Any]) -> Venue:
    """Return the venue of a row; raises `BadVenue` that names the key."""
    rest = dict(row)
    kind = KINDS.get(str(rest.pop("kind", "")))
    name = rest.pop("name", None)
    if kind is None:
        raise BadVenue(row, f"its kind is none of {', '.join(KINDS)}")
    if not (isinstance(name, str) and name):
        raise BadVenue(row, "name is missing")
    missing = kind.needed.keys() - rest.keys()
    if missing:
        raise BadVenue(row, f"{', '.join(sorted(missing))} is missing")
    readers = {**kind.needed, **kind.optional}
    values = {}
    for key, value in rest.items():
        if key not in readers:
            raise BadVenue(row, f"there is no key {key!r}; there are {', '.join(readers)}")
        try:
            values[key] = readers[key](value)
        except ValueError as error:
            raise BadVenue(row, f"{key}: {error}") from error
    return kind.make(name, **values)


def venues(chain_id: int) -> tuple[Venue, ...]:
    """Return the venues shipped for a chain; none for a chain we know nothing of."""
    return tuple(venue for chain, venue in shipped() if chain == chain_id)


@cache
def shipped() -> tuple[tuple[int, Venue], ...]:
    """Return every shipped venue with its chain; raises `BadVenue`."""
    rows = tomllib.loads((files("executor.swaps") / FILE).read_text("utf-8"))["venue"]
    return tuple((row.pop("chain_id"), parse(row)) for row in rows)
