"""Make of a contract's answers who controls it: Safes, timelocks, governors, owners. Pure."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Final

from chain.calls import Call, NoCode, Ok, Read, Result, Unknown
from chain.types import ZERO_ADDRESS, Address, checksum
from protocols.exposure import questions as q
from protocols.exposure import slots
from protocols.exposure.state import BURNED, Governor, Power, Safe, Verb
from protocols.shipped import table

MOST_BYTES: Final = 2**17
"""Of an answer that is decoded: four thousand addresses, more than any list has that is meant."""
UNLIMITED_S: Final = 2**40
"""A delay of more seconds is no delay but nonsense."""


class Answers:
    """What one contract answered, by question."""

    def __init__(self, address: Address, results: Mapping[Read, Result]) -> None:
        self.address = address
        self._results = results
        self.trusted = not self._anything()

    def _anything(self) -> bool:
        answer = self._results.get(q.nonsense(self.address))
        return isinstance(answer, Ok) and bool(answer.data)

    def has(self, read: Read) -> bool:
        """Return whether a read was made."""
        return read in self._results

    def learn(self, read: Read, result: Result) -> None:
        """Add what a later round answered."""
        self._results = {**self._results, read: result}

    def raw(self, read: Read) -> Result:
        """Return the result of a read that was made."""
        if not self.trusted and isinstance(read, Call):
            return NoCode()
        return self._results[read]

    def ask(self, function: Any, *args: Any) -> Result:
        """Return the result of a call of this contract."""
        return self.raw(function.at(self.address, *args))

    def value(self, function: Any, *args: Any) -> Any:
        """Return a decoded answer; None where it does not say, `Unknown` where we failed."""
        result = self.ask(function, *args)
        if isinstance(result, Unknown):
            return result
        if not isinstance(result, Ok):
            return None
        if len(result.data) > MOST_BYTES:
            return Unknown(f"{function.name}: an answer of {len(result.data):,} bytes")
        decoded = function.known(result)
        return None if isinstance(decoded, Unknown) else decoded

    def seconds(self, function: Any) -> int | None:
        """Return a delay in seconds; None where there is none that makes sense."""
        value = self.value(function)
        return value if isinstance(value, int) and 0 <= value < UNLIMITED_S else None


@cache
def singletons() -> Mapping[Address, str]:
    """Return the published Safes' singletons and their versions."""
    rows: Mapping[str, str] = table("exposure", "safes.toml")["singletons"]
    return {checksum(address): version for address, version in rows.items()}


def safe(answers: Answers, slot: Result, guard: Result) -> tuple[Safe, tuple[str, ...]] | None:
    """Return a Safe and what about it is unknown; None for what does not answer as one."""
    owners, threshold = answers.value(q.OWNERS), answers.value(q.THRESHOLD)
    if not isinstance(owners, tuple) or not isinstance(threshold, int) or not owners:
        return None
    unknown: list[str] = []
    modules, coming = modules_so_far(answers)
    if modules is None:
        unknown.append("its modules could not be read")
    elif coming is not None:
        unknown.append(f"not all of its modules were read, only {len(modules)}")
    singleton = slots.held(slot)
    published = singletons().get(singleton) if isinstance(singleton, str) else None
    if published is None:
        unknown.append("a non-standard Safe: its code is none of the published ones")
    if not 1 <= threshold <= len(owners):
        unknown.append(f"its threshold is {threshold} of {len(owners)}")
    guarded = slots.held(guard)
    if isinstance(guarded, Unknown):
        unknown.append(f"its guard: {guarded.reason}")
    version = answers.value(q.VERSION)
    found = Safe(
        owners=owners,
        threshold=threshold,
        modules=modules or (),
        guard=guarded if isinstance(guarded, str) else ZERO_ADDRESS,
        singleton=singleton if isinstance(singleton, str) else ZERO_ADDRESS,
        version=published or (version if isinstance(version, str) else ""),
        standard=published is not None,
    )
    return found, tuple(unknown)


def modules_so_far(answers: Answers) -> tuple[tuple[Address, ...] | None, Call | None]:
    """Return a Safe's modules as far as they were asked for, and the read of the page after.

    None for no answer. A page begins after the last module of the one before: what a Safe to 1.3
    names as the next one would be left out.
    """
    found: dict[Address, None] = {}
    start = q.SENTINEL
    while True:
        listed = answers.value(q.MODULES, start, q.MOST_MODULES)
        if not isinstance(listed, tuple):
            return None, None
        fresh = [module for module in listed[0] if module not in found]
        found.update(dict.fromkeys(fresh))
        if listed[1] in (q.SENTINEL, ZERO_ADDRESS):
            return tuple(found), None
        if not fresh:  # it goes in circles, and says that there is more
            return None, None
        start = fresh[-1]
        read = q.MODULES.at(answers.address, start, q.MOST_MODULES)
        if not answers.has(read):
            return tuple(found), read


def governor(answers: Answers) -> Governor | None:
    """Return how long a vote takes, of what answers as a governor."""
    delay, period = answers.seconds(q.VOTING_DELAY), answers.seconds(q.VOTING_PERIOD)
    if delay is None or period is None:
        return None
    mode = answers.value(q.CLOCK_MODE)
    clock = "timestamp" if isinstance(mode, str) and "timestamp" in mode else "blocknumber"
    return Governor(delay, period, clock)


def timelock(answers: Answers) -> tuple[str, int, tuple[Power, ...]] | None:
    """Return a timelock's family, its delay and who announces; OpenZeppelin's are its roles'."""
    delay = answers.seconds(q.MIN_DELAY)
    if delay is not None:
        return "openzeppelin", delay, ()
    if (delay := answers.seconds(q.COOLDOWN)) is not None:
        listed = answers.value(q.MODULES, q.SENTINEL, q.MOST_MODULES)
        announcers = listed[0] if isinstance(listed, tuple) else ()
        return "zodiac-delay", delay, _executes(announcers, delay, "getModulesPaginated()")
    grace = answers.seconds(q.GRACE)
    for family, of, by in (
        ("compound", q.DELAY, q.ADMIN),
        ("aave-v2", q.EXECUTOR_DELAY, q.EXECUTOR_ADMIN),
    ):
        delay, admin = answers.seconds(of), answers.value(by)
        if grace is not None and delay is not None and isinstance(admin, str):
            return family, delay, _executes((Address(admin),), delay, f"{by.name}()")
    return None


def payloads(answers: Answers) -> int | None:
    """Return the shortest delay of Aave's payloads controller; None for anything else."""
    told = [answers.value(q.PAYLOADS, level) for level in q.LEVELS]
    delays = [t[1] for t in told if isinstance(t, tuple) and t[0] != ZERO_ADDRESS]
    return min(delays, default=None)


def _executes(holders: Sequence[Address], delay: int, evidence: str) -> tuple[Power, ...]:
    return tuple(
        Power(Verb.EXECUTE, holder, evidence, delay) for holder in holders if holder not in BURNED
    )


def named(answers: Answers) -> tuple[list[Power], list[str]]:
    """Return the powers that a contract's getters name, and what could not be read of them.

    A holder that is zero gave the power up; it is nobody's.
    """
    found: list[Power] = []
    unknown: list[str] = []
    for function, verb in q.POWERS:
        holder = q.word_address(answers.ask(function))
        if isinstance(holder, Unknown):
            unknown.append(f"{function.name}(): {holder.reason}")
        elif holder is not None and holder not in BURNED:
            found.append(Power(verb, holder, f"{function.name}()"))
    return found, unknown


def renounced(answers: Answers) -> bool:
    """Return whether the contract had an owner, and has none any more."""
    owner = answers.ask(q.OWNER)
    return q.answered_zero(owner) or q.word_address(owner) in BURNED


def is_morpho(answers: Answers) -> bool:
    """Return whether it answers as Morpho Blue, whose owner can set fees and no more."""
    return answers.value(q.MARKET_PARAMS, bytes(32)) is not None


def vault_timelock(answers: Answers) -> int | None:
    """Return how long a MetaMorpho's risk waits before it grows; None for anything else."""
    if not isinstance(q.word_address(answers.ask(q.MORPHO)), str):
        return None
    return answers.seconds(q.VAULT_TIMELOCK)
