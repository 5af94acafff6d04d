"""What a call may be: target, function, and arguments that may only point back at the owner.

An allow-list of targets and selectors alone is no guard: `withdraw(asset, amount, to)` with an
allowed selector and a stranger in `to` empties the position. A `Grant` therefore says which
arguments must be accounts of the owner, and which must be empty.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError, EncodingError

from chain.abi import Function
from chain.types import Address, checksum
from executor.policy.rules import Rule

Path: TypeAlias = tuple[int, ...]
"""The way to an argument: its index, then the indexes inside tuples."""


@dataclass(frozen=True, slots=True)
class Approve:
    """Where a function that gives an allowance says to whom and how much."""

    spender: Path
    amount: Path


@dataclass(frozen=True, slots=True)
class Grant:
    """One function that may be called at one target."""

    function: Function
    own: tuple[Path, ...] = ()
    """Arguments that must be accounts of the owner."""
    empty: tuple[Path, ...] = ()
    """Bytes that must be empty: a callback would run what nobody checked."""
    known: tuple[Path, ...] = ()
    """Addresses that must be the owner's, an allowed target, or a priced token."""
    approve: Approve | None = None
    inner: Path | None = None
    """A list of calls to the same target, each of which must be granted as well."""
    payable: bool = False
    swaps: bool = True
    """Whether the outcome hangs on a market's price: unless it is known not to."""


Grants: TypeAlias = Mapping[Address, Mapping[bytes, Grant]]
"""By target, then by selector."""


@dataclass(frozen=True, slots=True)
class Approval:
    """An allowance that a call would give."""

    token: Address
    spender: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What a call was found to be."""

    faults: tuple[tuple[Rule, str], ...]
    approvals: tuple[Approval, ...] = ()
    swaps: bool = True


@dataclass(frozen=True, slots=True)
class Known:
    """The addresses that arguments may hold."""

    accounts: frozenset[Address]
    tokens: frozenset[Address]
    targets: frozenset[Address]


def read_call(grants: Grants, known: Known, to: Address, value: int, data: bytes) -> Reading:
    """Return what is wrong with a call, the allowances in it, and whether it trades."""
    here = grants.get(to)
    if here is None:
        return Reading(((Rule.TARGET, f"{to} is not on the list of what may be called"),))
    grant = here.get(data[:4])
    if grant is None or len(data) < 4:
        shown = "0x" + data[:4].hex()
        return Reading(((Rule.SELECTOR, f"the function {shown} of {to} is not on the list"),))
    name = grant.function.name
    if value and not grant.payable:
        return Reading(((Rule.VALUE, f"{name} would be sent {value} wei"),))
    values = _arguments(grant.function, data)
    if values is None:
        fault = f"the arguments of {name} do not decode, or in more than one way"
        return Reading(((Rule.ARGUMENT, fault),))
    faults = list(_faults(grant, values, known))
    approvals: tuple[Approval, ...] = ()
    if grant.approve is not None:
        spender = checksum(_at(values, grant.approve.spender))
        approvals = (Approval(to, spender, int(_at(values, grant.approve.amount))),)
    swaps = grant.swaps
    if grant.inner is not None:
        read = [read_call(grants, known, to, 0, part) for part in _at(values, grant.inner)]
        faults += [fault for one in read for fault in one.faults]
        approvals += tuple(approval for one in read for approval in one.approvals)
        swaps = swaps or any(one.swaps for one in read)
    return Reading(tuple(faults), approvals, swaps)


def _arguments(function: Function, data: bytes) -> tuple[Any, ...] | None:
    """Return the arguments; None unless these very bytes are their one canonical form.

    Anything else could be read in another way by the contract than by us.
    """
    try:
        values = decode(function.inputs, data[4:])
        canonical = encode(function.inputs, values)
    except (DecodingError, EncodingError, ValueError, OverflowError):
        return None
    return values if canonical == data[4:] else None


def _faults(grant: Grant, values: Sequence[Any], known: Known) -> Iterator[tuple[Rule, str]]:
    name = grant.function.name
    for path in grant.own:
        address = checksum(_at(values, path))
        if address not in known.accounts:
            where = _spelled(path)
            yield Rule.ARGUMENT, f"{name} names {address} in argument {where}, not one of yours"
    for path in grant.known:
        address = checksum(_at(values, path))
        if address not in known.accounts | known.tokens | known.targets:
            yield Rule.ARGUMENT, f"{name} names {address} in argument {_spelled(path)}: unknown"
    for path in grant.empty:
        if _at(values, path):
            yield Rule.ARGUMENT, f"{name} carries data in argument {_spelled(path)}"
    if grant.approve is not None:
        spender = checksum(_at(values, grant.approve.spender))
        if spender not in known.targets:
            yield Rule.APPROVAL, f"{name} would let {spender} take tokens"


def _at(values: Any, path: Path) -> Any:
    for index in path:
        values = values[index]
    return values


def _spelled(path: Path) -> str:
    return ".".join(str(index) for index in path)
