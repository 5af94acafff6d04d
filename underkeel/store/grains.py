"""Raw, hourly and daily values: which rows lie together, and what is rolled up into what."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Table

from underkeel.store.tables import daily, hourly, samples

HOUR: Final = 3600
DAY: Final = 24 * HOUR


@dataclass(frozen=True, slots=True)
class Grain:
    """One of the three."""

    name: str
    table: Table
    span_s: int
    """Of a bucket; one bucket is rolled up into one row of each series."""


RAW: Final = Grain("raw", samples, HOUR)
HOURLY: Final = Grain("hourly", hourly, DAY)
DAILY: Final = Grain("daily", daily, 32 * DAY)
GRAINS: Final = {grain.name: grain for grain in (RAW, HOURLY, DAILY)}
COARSER: Final = ((RAW, HOURLY), (HOURLY, DAILY))
