"""Read a guard: its policy and state, used ids, its event and its refusals."""

from functools import cache
from typing import Any, Final

from eth_abi.abi import decode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from chain.calls import Call, Reads, Result
from chain.types import ZERO_ADDRESS, Address, address_of_word
from executor.guard import codec
from executor.guard.artifact import MODULE, artifact
from executor.guard.types import (
    Executed,
    GuardError,
    GuardState,
    Lender,
    LenderKind,
    Policy,
    Protocol,
    Unset,
    Watched,
)

EXECUTED: Final = keccak(text="Executed(bytes32,address,uint256,uint256,int256)")
"""First topic of the event; the second is the intent's id."""


def read_guard(guard: Address) -> Reads[GuardState | Unset]:
    """Read all of a guard in one batch; `ReadFailed` where there is none or it cannot be read."""
    status, policy, assets, lenders = yield (
        codec.STATUS.at(guard),
        codec.READ_POLICY.at(guard),
        codec.READ_ASSETS.at(guard),
        codec.READ_LENDERS.at(guard),
    )
    account, epoch, paused, at, block, left = codec.STATUS.decode(status)
    held = codec.READ_POLICY.decode(policy)
    if held[0] == ZERO_ADDRESS:
        return Unset(account)
    return GuardState(
        account,
        _policy(held),
        tuple(_watched(one) for one in codec.READ_ASSETS.decode(assets)),
        tuple(Lender(LenderKind(k), who) for k, who in codec.READ_LENDERS.decode(lenders)),
        epoch,
        paused,
        at,
        block,
        left,
    )


def used_at(guard: Address, intent: bytes) -> Call:
    """Return the read of when an intent was carried out."""
    return codec.USED_AT.at(guard, intent)


def when_used(result: Result) -> int:
    """Return Unix seconds, 0 if the intent was not carried out.

    Raises `ReadFailed` if that is not known: also where there is no code, because an account that
    delegates to nobody now may have had a guard when the intent was carried out.
    """
    return int(codec.USED_AT.decode(result))


def decode_executed(topics: tuple[bytes, ...], data: bytes) -> Executed | None:
    """Return the guard's event, or None if the log is something else.

    That the log is of the guard's address is for the caller to compare.
    """
    if len(topics) != 3 or topics[0] != EXECUTED or len(data) != 96:
        return None
    before, after, loss = (int.from_bytes(data[i : i + 32], "big") for i in (0, 32, 64))
    signed = loss - (1 << 256) if loss >> 255 else loss
    return Executed(topics[1], address_of_word(topics[2]), before, after, signed)


def named_error(data: bytes) -> GuardError | None:
    """Return the guard's refusal in revert data, or None if it is nothing the guard says."""
    entry = _errors().get(data[:4])
    if entry is None:
        return None
    name, kinds, names = entry
    try:
        values = decode(kinds, data[4:])
    except (DecodingError, OverflowError):
        return None
    return GuardError(
        name, tuple(_plain(n, k, v) for n, k, v in zip(names, kinds, values, strict=True))
    )


@cache
def _errors() -> dict[bytes, tuple[str, list[str], list[str]]]:
    found = {}
    entries = [entry for protocol in Protocol for entry in artifact(protocol, MODULE).abi]
    for entry in entries:
        if entry["type"] == "error":
            kinds = [one["type"] for one in entry["inputs"]]
            names = [one["name"] for one in entry["inputs"]]
            selector = keccak(text=f"{entry['name']}({','.join(kinds)})")[:4]
            found[selector] = (entry["name"], kinds, names)
    return found


def _plain(name: str, kind: str, value: Any) -> object:
    """Return the name of a field (`what`) as text; everything else as it is."""
    if name == "what" and kind == "bytes32":
        return bytes(value).rstrip(b"\0").decode("ascii", "replace")
    return value


def _policy(held: tuple[Any, ...]) -> Policy:
    fields = list(held)
    fields[7] = Protocol(fields[7])
    return Policy(*fields)


def _watched(held: tuple[Any, ...]) -> Watched:
    return Watched(*held[:6], *held[6])
