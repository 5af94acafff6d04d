"""The `[wallets.X] signer` and `[policy.X]` tables."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, field_validator, model_validator

from executor.policy.grants import NAMES, written
from underkeel.config.problems import did_you_mean
from underkeel.config.table import Table
from underkeel.config.values import AddressText, Duration, HttpEndpoint, Name, Whole, refuse

DECIMAL_SCHEMA: Final = {"type": "number", "exclusiveMinimum": 0}
SIGNER_KEYS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "keystore": (("path",), ("password",)),
    "env": (("name",), ("insist",)),
    "web3signer": (("url",), ("public_key",)),
    "cast": (("device",), ("path", "password", "program")),
}
"""By kind of signer: the keys that it needs, and those that it may have."""
DEVICE_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "ledger": ("path",),
    "trezor": ("path",),
    "aws": (),
    "gcp": (),
    "keystore": ("path", "password"),
}
"""What `cast` is told besides the device."""


def _amount(places: int) -> Any:
    def check(value: object) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
            raise refuse("is not a number", "write a number above zero")
        try:
            number = Decimal(str(value))
        except ArithmeticError:
            raise refuse("is not a number", "write a number above zero") from None
        if not number.is_finite() or number < 0 or number > 10**15:
            raise refuse("is not a sensible amount", "write a number from 0 to 1e15")
        if number != round(number, places):
            raise refuse(f"has more than {places} places", "round it")
        return number

    return check


Usd = Annotated[Decimal, BeforeValidator(_amount(6)), WithJsonSchema(DECIMAL_SCHEMA)]
Coin = Annotated[Decimal, BeforeValidator(_amount(18)), WithJsonSchema(DECIMAL_SCHEMA)]
Gwei = Annotated[Decimal, BeforeValidator(_amount(9)), WithJsonSchema(DECIMAL_SCHEMA)]


def _reference(value: object) -> str:
    """Return a reference to a secret; the secret itself must not be in the config."""
    if isinstance(value, str) and re.fullmatch(r"(env|file):.+", value):
        return value
    raise refuse("is not a reference to a secret", 'write "file:PATH" or "env:NAME"')


Reference = Annotated[str, BeforeValidator(_reference), WithJsonSchema({"type": "string"})]


class SignerTable(Table):
    """What signs for a wallet."""

    kind: Literal["keystore", "env", "web3signer", "cast"]
    path: str | None = Field(
        default=None,
        description="The keystore's file, beside the keystores of `wallet create`; with a hardware "
        "wallet the derivation path.",
    )
    password: Reference | None = Field(
        default=None, description="file:PATH or env:NAME; asked for on a terminal if none."
    )
    name: str | None = Field(default=None, description="The environment variable with the key.")
    insist: bool = Field(
        default=False, description="Sign with a key from the environment on any chain."
    )
    url: HttpEndpoint | None = Field(default=None, description="Of the web3signer.")
    public_key: str | None = Field(
        default=None, description="128 hex digits by which the web3signer knows the key."
    )
    device: Literal["ledger", "trezor", "aws", "gcp", "keystore"] | None = Field(
        default=None, description="Where cast finds the key."
    )
    program: str = Field(default="cast", description="Where cast is, if it is not on the PATH.")

    @model_validator(mode="after")
    def _keys_of_the_kind(self) -> "SignerTable":
        needed, allowed = SIGNER_KEYS[self.kind]
        given = self.model_fields_set - {"kind"}
        if self.kind == "cast" and self.device is not None:
            allowed = (*DEVICE_KEYS[self.device], "program")
        for key in sorted(needed):
            if key not in given:
                raise refuse(f'kind = "{self.kind}" needs {key}', f"add {key}")
        for key in sorted(given):
            if key not in (*needed, *allowed):
                what = self.kind if self.device is None else f"{self.kind} with {self.device}"
                raise refuse(f"{key} is not a key of {what}", did_you_mean(key, needed + allowed))
        if self.kind == "cast" and self.password and not self.password.startswith("file:"):
            raise refuse("cast takes a password from a file only", 'write password = "file:PATH"')
        return self


class PolicyTable(Table):
    """What one wallet may sign. What is not here is refused."""

    max_tx_usd: Usd = Field(description="The most that may leave with one transaction, gas too.")
    max_day_usd: Usd = Field(description="The same in any 24 hours, all together.")
    max_fee_gwei: Gwei = Field(description="The most that is paid for a unit of gas.")
    allow: tuple[str, ...] = Field(
        description="Adapters and venues whose contracts may be called: " + ", ".join(NAMES)
    )
    chains: tuple[Name, ...] = Field(default=(), description="Only there; all if none.")
    max_hour_usd: Usd | None = None
    max_tx_eth: Coin | None = Field(
        default=None, description="Native coin with one transaction, gas at its cap included."
    )
    max_hour_eth: Coin | None = None
    max_day_eth: Coin | None = None
    max_gas: Annotated[Whole, Field(ge=21_000, le=100_000_000)] = Field(
        default=3_000_000, description="Gas of one transaction."
    )
    max_per_hour: Annotated[Whole, Field(ge=1)] = Field(
        default=20, description="Transactions begun in any hour."
    )
    max_slippage_bps: Annotated[Whole, Field(ge=0, le=5_000)] = Field(
        default=30, description="How much worse than its quote a swap may turn out."
    )
    min_gas_balance_eth: Coin = Field(
        default=Decimal(0), description="What stays in the wallet, whatever happens."
    )
    approvals: Literal["exact"] = Field(
        default="exact", description="What the plan uses and no more; there is no other way."
    )
    max_price_age: Duration | None = Field(
        default=None, description="An older price is stale, whatever its feed promises."
    )
    max_oracle_gap_bps: Annotated[Whole, Field(ge=0, le=10_000)] = Field(
        default=300, description="Between an oracle and the market's mean price."
    )
    require_market: bool = Field(
        default=True, description="Trade only what has a market's mean price beside the oracle's."
    )
    targets: dict[AddressText, tuple[str, ...]] = Field(
        default_factory=dict,
        description="Further contracts and functions; addresses in arguments must be yours.",
    )
    guards: tuple[AddressText, ...] = Field(
        default=(), description="Guard contracts: what accounts may be delegated to, and called."
    )
    heartbeat: str | None = Field(
        default=None, description="A file that you, or what watches for you, touches."
    )
    max_silence: Duration | None = Field(
        default=None, description="Nothing is signed once that file is older."
    )

    @field_validator("allow")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in NAMES:
                raise refuse(f"{name!r} cannot be allowed", did_you_mean(name, NAMES))
        return value

    @field_validator("targets")
    @classmethod
    def _readable(cls, value: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for signatures in value.values():
            for signature in signatures:
                try:
                    written(signature)
                except Exception as error:  # noqa: BLE001  (the parser has many of its own)
                    what = f"{signature!r} is not a function that can be checked: {error}"
                    raise refuse(what, 'write for example "claim(address)"') from None
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "PolicyTable":
        hour = self.max_hour_usd if self.max_hour_usd is not None else self.max_day_usd
        if not self.max_tx_usd <= hour <= self.max_day_usd:
            raise refuse(
                "max_tx_usd ≤ max_hour_usd ≤ max_day_usd does not hold", "correct one of them"
            )
        if (self.heartbeat is None) != (self.max_silence is None):
            raise refuse("heartbeat and max_silence go together", "give both or none")
        return self
