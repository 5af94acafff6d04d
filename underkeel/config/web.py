"""The `[web]` table: where the pages are served, and who may see them."""

import ipaddress
from typing import Annotated, Final

from pydantic import AfterValidator, Field, field_validator, model_validator

from underkeel.config.signing import Reference
from underkeel.config.table import Table
from underkeel.config.values import Duration, Whole, refuse

BIND: Final = "127.0.0.1:8899"
EXAMPLE: Final = f'write "ADDRESS:PORT", for example "{BIND}"'


def split(bind: str) -> tuple[str, int]:
    """Return the address and the port of `127.0.0.1:8899` or `[::1]:8899`; else `ValueError`."""
    host, colon, port = bind.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not port.isascii() or not port.isdecimal() or not 0 <= int(port) <= 65_535:
        raise ValueError(bind)
    if bare == "localhost":
        return bare, int(port)
    if (":" in bare) is not (bare != host):
        raise ValueError(bind)
    return str(ipaddress.ip_address(bare)), int(port)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    return host == "localhost" or ipaddress.ip_address(host).is_loopback


def _bind(value: str) -> str:
    try:
        split(value)
    except ValueError:
        raise refuse("is no address and port", EXAMPLE) from None
    return value


def _address(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise refuse("is neither an address nor a network", 'write "10.0.0.2"') from None


def _host(value: str) -> str:
    if not value or len(value) > 253 or not all(c.isalnum() or c in ".-:[]" for c in value):
        raise refuse("is no host name", 'write it as browsers do, "keel.example.org"')
    return value.lower()


class WebTable(Table):
    """The pages, the JSON API and the metrics."""

    bind: Annotated[str, AfterValidator(_bind)] = Field(
        default=BIND, description="Address and port; anything but loopback needs a token."
    )
    token: Reference | None = Field(
        default=None, description="file:PATH or env:NAME; who shows it may see the pages."
    )
    hosts: tuple[Annotated[str, AfterValidator(_host)], ...] = Field(
        default=(), description="Further names that browsers may call it by, such as a proxy's."
    )
    proxies: tuple[Annotated[str, AfterValidator(_address)], ...] = Field(
        default=(), description="Addresses whose X-Forwarded headers are believed; none else."
    )
    session: Duration = Field(default=43_200, description="How long a login lasts.")
    max_streams: Annotated[Whole, Field(ge=1, le=10_000)] = Field(
        default=64, description="Browsers that may follow live at once."
    )

    @field_validator("session")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if not 60 <= value <= 2_592_000:
            raise refuse("is no time for a login", 'write "1m" to "30d"')
        return value

    @model_validator(mode="after")
    def _guarded(self) -> "WebTable":
        host, _ = split(self.bind)
        if self.token is None and not is_loopback(host):
            what = f"bind = {self.bind!r} can be reached from elsewhere"
            raise refuse(what, 'add token = "file:PATH", or bind to 127.0.0.1')
        return self

    @property
    def address(self) -> tuple[str, int]:
        """Return where to listen."""
        return split(self.bind)
