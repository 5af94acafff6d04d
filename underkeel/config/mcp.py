"""`[mcp]`: what language models may ask for, and over which door."""

from typing import Annotated

from pydantic import AfterValidator, Field

from underkeel.config.signing import Reference
from underkeel.config.table import Table
from underkeel.config.values import Whole, refuse
from underkeel.config.web import is_loopback, split

EXAMPLE = 'write "127.0.0.1:PORT"'


def _local(value: str) -> str:
    try:
        host, _ = split(value)
    except ValueError:
        raise refuse("is no address and port", EXAMPLE) from None
    if not is_loopback(host):
        raise refuse("can be reached from elsewhere", EXAMPLE)
    return value


class McpTable(Table):
    """`underkeel mcp`: tools for language models; they read, and may ask for plans."""

    bind: Annotated[str, AfterValidator(_local)] = Field(
        default="127.0.0.1:8898", description="Where `mcp --http` listens: this machine only."
    )
    token: Reference | None = Field(
        default=None, description="file:PATH or env:NAME; `mcp --http` needs it, stdio does not."
    )
    proposals_per_hour: Annotated[Whole, Field(ge=0, le=60)] = Field(
        default=6, description="How many plans models may ask for in an hour; 0: none."
    )

    @property
    def address(self) -> tuple[str, int]:
        """Return where to listen."""
        return split(self.bind)
