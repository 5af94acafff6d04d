"""What every model of a document is made of."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

Integer = Annotated[str, StringConstraints(pattern=r"^-?[0-9]+$")]
AddressText = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{40}$")]
Hash = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-f]{64}$")]
Utc = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]

Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""A time of our own clock, to the millisecond."""


class Part(BaseModel):
    """A part of a document; what is not listed is not there."""

    model_config = ConfigDict(extra="forbid", frozen=True)
