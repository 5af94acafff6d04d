"""What the journal knows of a wallet as a whole."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Probe:
    """A nonce that was read at a head; once that block is final, so is the nonce."""

    nonce: int
    block: int
    hash: str


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal knows of a wallet."""

    whole: bool
    """Every payload that was ever sent from it is recorded."""
    nonce: int | None
    """Its final nonce when it was last looked at; all below is accounted for."""
    block: int | None
    """The block of that."""
    burn: int | None = None
    """While not whole: a nonce that has to be finally spent before it is again."""
    probe: Probe | None = None
