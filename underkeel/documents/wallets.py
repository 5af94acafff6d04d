"""What the commands about wallets print as JSON."""

from typing import Literal

from pydantic import Field

from underkeel.documents.part import AddressText, Part


class WalletRow(Part):
    """One wallet of the config, or a keystore that belongs to none."""

    name: str | None
    address: AddressText | None = Field(description="As the config has it, or the keystore.")
    kind: str | None
    signer: str | None = Field(description="What signs for it; null where nothing does.")
    policy: bool = Field(description="Whether the config says what it may sign.")
    keystore: str | None
    problem: str | None


class WalletsDocument(Part):
    """`underkeel wallet list --json`."""

    schema_: Literal["underkeel.wallets/1"] = Field(alias="schema")
    wallets: list[WalletRow]


class WalletDocument(Part):
    """`underkeel wallet create|import|watch|remove --json`."""

    schema_: Literal["underkeel.wallet/1"] = Field(alias="schema")
    name: str
    address: AddressText
    config: str


class PauseDocument(Part):
    """`underkeel pause|resume --json`."""

    schema_: Literal["underkeel.pause/1"] = Field(alias="schema")
    paused: bool
    reason: str | None
    file: str
