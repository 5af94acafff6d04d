"""The base of every table of the config."""

from pydantic import BaseModel, ConfigDict


class Table(BaseModel):
    """A TOML table; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)
