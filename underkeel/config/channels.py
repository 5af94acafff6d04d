"""The `[channels.NAME]` and `[heartbeat]` tables: where messages go, and who hears our silence."""

from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from underkeel.config.signing import Reference
from underkeel.config.table import Table
from underkeel.config.values import Duration, HttpEndpoint, Whole, refuse

LONGEST_S: Final = 300
"""The longest that one attempt may be given: a lane sends one message at a time."""
PER_MINUTE: Final = {"apprise": 20, "webhook": 600}
"""Messages a minute where the table says nothing: people's services have limits of their own."""


class ChannelTable(Table):
    """One place that messages are sent to: a service by apprise, or a signed webhook."""

    apprise: Reference | None = Field(
        default=None, description="env:NAME or file:PATH with an apprise URL."
    )
    webhook: HttpEndpoint | None = Field(
        default=None, description="A URL, env:NAME or file:PATH; every message is signed."
    )
    secret: Reference | None = Field(
        default=None, description="env:NAME or file:PATH with what webhooks are signed with."
    )
    timeout: Duration = Field(default=15, description="For one attempt, answer included.")
    per_minute: Annotated[Whole, Field(ge=1, le=6_000)] | None = Field(
        default=None, description="The most that are sent in a minute."
    )
    retry_for: Duration = Field(
        default=7 * 86_400, description="How long a message is tried before it is given up."
    )

    @field_validator("timeout")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if not 1 <= value <= LONGEST_S:
            raise refuse("is not a sensible timeout", f'write "1s" to "{LONGEST_S}s"')
        return value

    @field_validator("retry_for")
    @classmethod
    def _patient(cls, value: int) -> int:
        if not 3_600 <= value <= 90 * 86_400:
            raise refuse("is not a sensible time to keep trying", 'write "1h" to "90d"')
        return value

    @model_validator(mode="after")
    def _one_kind(self) -> "ChannelTable":
        if (self.apprise is None) == (self.webhook is None):
            raise refuse("has one of apprise and webhook", "give one, not both")
        if (self.webhook is None) != (self.secret is None):
            raise refuse(
                "webhook and secret go together",
                'add secret = "file:PATH", which the receiver checks signatures with',
            )
        return self

    @property
    def kind(self) -> str:
        """`apprise` or `webhook`."""
        return "apprise" if self.apprise is not None else "webhook"

    @property
    def most_per_minute(self) -> int:
        """How many messages a minute may be sent."""
        return self.per_minute or PER_MINUTE[self.kind]


class HeartbeatTable(Table):
    """A dead-man switch: pinged while all is seen, silent as soon as anything is not."""

    url: HttpEndpoint = Field(description="A URL, env:NAME or file:PATH.")
    every: Duration = Field(default=60, description="Between two pings, at least.")
    method: Literal["GET", "POST"] = "GET"
    timeout: Duration = Field(default=10, description="For one ping.")
    signals: bool = Field(
        default=False,
        description="Also ping URL/start at the start and URL/fail when blind: healthchecks.io.",
    )

    @field_validator("every")
    @classmethod
    def _regular(cls, value: int) -> int:
        if not 1 <= value <= 86_400:
            raise refuse("is not a sensible interval", 'write "1s" to "1d"')
        return value

    @field_validator("timeout")
    @classmethod
    def _bounded(cls, value: int) -> int:
        if not 1 <= value <= 60:
            raise refuse("is not a sensible timeout", 'write "1s" to "60s"')
        return value
