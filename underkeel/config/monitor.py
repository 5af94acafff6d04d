"""`[monitor]`: how often is read, and what is near danger."""

from typing import Annotated

from pydantic import Field

from underkeel.config.table import Table
from underkeel.config.values import Duration


class MonitorTable(Table):
    """How `run` paces itself. Everything has a default that suits most."""

    every: Duration | None = Field(
        default=None, description="Least time between two readings of a chain; none: each block."
    )
    calm_every: Duration = Field(
        default=60, description="The same while every position is far from every threshold."
    )
    near: Annotated[float, Field(gt=1, le=100)] = Field(
        default=1.5, description="The health that matters where no rule names a higher one."
    )
    refresh: Duration = Field(
        default=30, description="Longest time until a position far from danger is judged anew."
    )
    discover_every: Duration = Field(
        default=300, description="How often logs are searched for new positions."
    )
    document_every: Duration = Field(
        default=0, description="Least time between two stored documents of a chain."
    )
    poll: Duration | None = Field(
        default=None, description="How often heads are asked for without subscription; by network."
    )
