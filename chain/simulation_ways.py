"""The requests of both ways to simulate, and what their answers mean."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from eth_utils.crypto import keccak

from chain import actor, relay, wire
from chain.errors import Malformed
from chain.simulation import CannotRun, Event, Message, Outcome, Override
from chain.types import Address, BlockRef, checksum
from chain.wire import Ask

NOBODY: Final = checksum("0x" + keccak(text="underkeel.nobody")[-20:].hex())
"""Who calls where it does not matter: an address nobody can have the key of."""
INTRINSIC: Final = 21_000
ZERO_BYTE: Final = 4
OTHER_BYTE: Final = 16


@dataclass(frozen=True, slots=True)
class Asked:
    """A request whose block is still to be named, and how to understand its answer."""

    ask: Ask
    """Its block belongs after the first parameter."""
    outcomes: Callable[[Any], tuple[Outcome, ...]]
    """One per message and read, in order."""


def by_simulate(
    label: str,
    block: BlockRef,
    messages: Sequence[Message],
    reads: Sequence[Message],
    overrides: Mapping[Address, Override],
    _gas: int | None,
) -> Asked:
    """Run everything in one block of `eth_simulateV1`."""
    every = (*messages, *reads)
    there = {relay.ADDRESS: Override(_code(relay.code()[0])), **overrides}
    one = {
        "blockOverrides": {"number": hex(block.number), "time": hex(block.timestamp)},
        "stateOverrides": _states(there),
        "calls": [_call(message) for message in every],
    }
    ask = Ask("eth_simulateV1", [{"blockStateCalls": [one], "validation": False}])

    def outcomes(answer: Any) -> tuple[Outcome, ...]:
        try:
            (ran,) = answer
            found = tuple(_outcome(label, call) for call in ran["calls"])
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise Malformed(label, "a simulation of another shape") from error
        if len(found) != len(every):
            raise Malformed(label, f"{len(found)} outcomes of {len(every)} calls")
        return found

    return Asked(ask, outcomes)


def by_call(
    label: str,
    block: BlockRef,
    messages: Sequence[Message],
    reads: Sequence[Message],
    overrides: Mapping[Address, Override],
    gas: int | None,
) -> Asked:
    """Run everything in one `eth_call`, by our actor at each sender's address."""
    every = (*messages, *reads)
    first = next((m.sender for m in every if m.sender != NOBODY), NOBODY)
    there = {relay.ADDRESS: Override(_code(relay.code()[0])), **overrides}
    program = _code(actor.code())
    for sender in {first, *(m.sender for m in every if m.sender != NOBODY)}:
        own = there.get(sender, Override())
        there[sender] = Override(program, own.balance, own.slots)
    entries = [_entry(message, first) for message in every]
    text = actor.encode(entries)
    call = {"from": first, "to": first, "data": "0x" + text.hex()}
    if gas is not None:
        call["gas"] = hex(gas)
    context = {"number": hex(block.number), "time": hex(block.timestamp)}
    ask = Ask("eth_call", [call, _states(there), context])

    def outcomes(answer: Any) -> tuple[Outcome, ...]:
        try:
            ran = actor.decode(text, len(every), wire.data(label, answer))
            return tuple(
                _done(message, entry, done, first)
                for message, entry, done in zip(every, entries, ran, strict=True)
            )
        except relay.Corrupt as error:
            # an endpoint without code overrides calls an account that has none
            raise CannotRun(label, f"our actor's answer: {error}") from None

    return Asked(ask, outcomes)


def _code(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def _states(overrides: Mapping[Address, Override]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for address, one in overrides.items():
        state: dict[str, Any] = {}
        if one.code is not None:
            state["code"] = "0x" + one.code.hex()
        if one.balance is not None:
            state["balance"] = hex(one.balance)
        if one.slots:
            state["stateDiff"] = {f"0x{k:064x}": f"0x{v:064x}" for k, v in one.slots.items()}
        found[address] = state
    return found


def _call(message: Message) -> dict[str, str]:
    call = {"from": message.sender, "to": message.to, "data": "0x" + message.data.hex()}
    if message.value:
        call["value"] = hex(message.value)
    if message.gas is not None:
        call["gas"] = hex(message.gas)
    return call


def _outcome(label: str, call: Mapping[str, Any]) -> Outcome:
    """Return what a node says of one call; the reason of a failure is where it puts it."""
    ok = wire.quantity(label, call["status"]) == 1
    output = wire.data(label, call.get("returnData") or "0x")
    error = call.get("error")
    if not ok and isinstance(error, Mapping) and isinstance(error.get("data"), str):
        output = wire.data(label, error["data"])
    events = tuple(
        Event(
            checksum(log["address"]),
            tuple(wire.data(label, topic) for topic in log["topics"]),
            wire.data(label, log["data"]),
        )
        for log in call.get("logs") or ()
    )
    return Outcome(ok, output, wire.quantity(label, call["gasUsed"]), events)


def _entry(message: Message, first: Address) -> actor.Entry:
    """Return the call that the first sender's actor makes; others act through their own."""
    gas = 0 if message.gas is None else max(1, message.gas - _intrinsic(message.data))
    entry = actor.Entry(message.to, message.data, message.value, gas)
    if message.sender in (first, NOBODY):
        return entry
    return actor.Entry(message.sender, actor.encode([entry]))


def _done(message: Message, entry: actor.Entry, done: actor.Done, first: Address) -> Outcome:
    if message.sender not in (first, NOBODY):
        if not done.ok:
            raise relay.Corrupt("another sender's actor failed")
        (done,) = actor.decode(entry.data, 1, done.output)
    return Outcome(done.ok, done.output, done.gas_used + _intrinsic(message.data), None)


def _intrinsic(data: bytes) -> int:
    """Return what a transaction costs before it runs."""
    zeros = data.count(0)
    return INTRINSIC + ZERO_BYTE * zeros + OTHER_BYTE * (len(data) - zeros)
