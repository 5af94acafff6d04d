"""The small types of the config: addresses, durations, endpoints and references to secrets."""

import re
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from chain.types import Address, InvalidAddress, parse_address

UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
DURATION: Final = re.compile(r"([0-9]{1,9})\s*([smhd])")
ADDRESS_SCHEMA: Final = {"type": "string", "pattern": "^0x[0-9a-fA-F]{40}$"}
ID_SCHEMA: Final = {"type": "string", "pattern": "^0x[0-9a-fA-F]{64}$"}
DURATION_SCHEMA: Final = {"type": "string", "pattern": "^[0-9]{1,9}[ \\t]*[smhd]$"}


def refuse(message: str, todo: str = "") -> PydanticCustomError:
    """Return the error that `problems_of` turns into one line, word for word."""
    return PydanticCustomError("underkeel", "{what}", {"what": message, "todo": todo})


def address(value: object) -> Address:
    """Return a checked address; raise with the right checksum where only that is wrong."""
    if not isinstance(value, str):
        raise refuse("is not text", 'write an address as "0x…" in quotes')
    try:
        return parse_address(value)
    except InvalidAddress as error:
        raise refuse(f"is not an address: {error.reason}") from None


def identifier(value: object) -> str:
    """Return a 32-byte identifier as 0x and 64 lower-case digits."""
    if isinstance(value, str) and re.fullmatch(r"0x[0-9a-fA-F]{64}", value):
        return value.lower()
    raise refuse("is not an id", "expected 0x and 64 hex digits in quotes")


def seconds(value: object) -> int:
    """Return a duration such as `60s`, `5m`, `2h` or `1d` in seconds."""
    if isinstance(value, str) and (found := DURATION.fullmatch(value.strip())):
        return int(found[1]) * UNITS[found[2]]
    raise refuse("is not a duration", 'write a whole number and a unit, such as "60s" or "5m"')


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool | float):
        raise refuse("is not a whole number")
    return value


def _endpoint(*schemes: str) -> Any:
    def check(value: object) -> str:
        if not isinstance(value, str):
            raise refuse("is not text", "write a URL, env:NAME or file:PATH in quotes")
        text = value.strip()
        if text.startswith(("env:", "file:")):
            if not text.partition(":")[2]:
                raise refuse("names nothing", "write env:NAME or file:PATH")
            return text
        problem = url_problem(text, schemes)
        if problem:
            raise refuse(problem, f"write {schemes[0]}://…, env:NAME or file:PATH")
        return text

    return check


def url_problem(text: str, schemes: tuple[str, ...]) -> str | None:
    """Say what is wrong with a URL, without repeating it: it may hold a key."""
    try:
        parts = urlsplit(text)
        port_ok = parts.port is None or parts.port > 0
    except ValueError:
        return "is not a URL"
    if parts.scheme not in schemes or not parts.hostname or not port_ok:
        return "is not a URL of the kind " + " or ".join(schemes)
    if any(c.isspace() or not c.isprintable() for c in text):
        return "is a URL with a blank in it"
    return None


AddressText = Annotated[str, BeforeValidator(address), WithJsonSchema(ADDRESS_SCHEMA)]
Duration = Annotated[int, BeforeValidator(seconds), WithJsonSchema(DURATION_SCHEMA)]
Whole = Annotated[int, BeforeValidator(_no_bool)]
HttpEndpoint = Annotated[
    str, BeforeValidator(_endpoint("http", "https")), WithJsonSchema({"type": "string"})
]
WsEndpoint = Annotated[
    str, BeforeValidator(_endpoint("ws", "wss")), WithJsonSchema({"type": "string"})
]


def _printable(value: str) -> str:
    if not value or not value.isprintable() or len(value) > 80:
        raise refuse("is not a name", "write 1 to 80 printable characters")
    return value


Name = Annotated[str, AfterValidator(_printable)]
