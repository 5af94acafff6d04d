"""The `[storage]` table: which database, and how long its rows are kept."""

import re
from typing import Annotated, Final

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from underkeel.config.table import Table
from underkeel.config.values import refuse

DAY: Final = 86_400
SPANS: Final = {"h": 3600, "d": DAY, "w": 7 * DAY, "y": 365 * DAY}
SPAN: Final = re.compile(r"([0-9]{1,6})\s*([hdwy])")

URL: Final = re.compile(r"sqlite:///.|postgresql(\+psycopg)?://.|(env|file):.")


def span(value: object) -> int:
    """Return a time such as `36h`, `30d`, `8w` or `2y` in seconds; a year has 365 days."""
    if isinstance(value, str) and (found := SPAN.fullmatch(value.strip())):
        seconds = int(found[1]) * SPANS[found[2]]
        if DAY <= seconds <= 100 * SPANS["y"]:
            return seconds
        raise refuse("is not a sensible time", 'write from "1d" to "100y"')
    raise refuse("is not a time", 'write a whole number and a unit, such as "30d" or "2y"')


Span = Annotated[
    int,
    BeforeValidator(span),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,6}[ \\t]*[hdwy]$"}),
]


class RetainTable(Table):
    """How long what the monitor writes is kept."""

    raw: Span = Field(default=30 * DAY, description="Single values, and positions hour by hour.")
    hourly: Span = Field(
        default=730 * DAY, description="Bounds and last value of each hour; positions day by day."
    )
    daily: Span = Field(default=3650 * DAY, description="The same of each day.")
    events: Span = Field(
        default=730 * DAY, description="What happened, messages that were settled, old proposals."
    )

    @model_validator(mode="after")
    def _longer_is_coarser(self) -> "RetainTable":
        if not self.raw <= self.hourly <= self.daily:
            raise refuse("raw ≤ hourly ≤ daily does not hold", "correct one of them")
        return self


def _url(value: object) -> str:
    """Return a database URL, or where one is; the message does not repeat it."""
    if isinstance(value, str) and (value == "sqlite" or URL.match(value)):
        return value
    raise refuse(
        "names no database of ours",
        'write "sqlite", sqlite:///PATH, postgresql+psycopg://…, env:NAME or file:PATH',
    )


class StorageTable(Table):
    """Where what must not be forgotten is kept: the monitor's store and the executor's journal."""

    url: Annotated[str, BeforeValidator(_url), WithJsonSchema({"type": "string"})] = Field(
        default="sqlite",
        description='"sqlite" in the state folder, sqlite:///PATH (relative to the config), '
        "postgresql+psycopg://…, env:NAME, file:PATH.",
    )
    retain: RetainTable = Field(default_factory=RetainTable)
