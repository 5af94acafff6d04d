"""Make a program's reads before it asks for them, because it asked for them last time.

A program that reads in rounds costs one request per round. Most rounds ask the same from one run
to the next, so the reads of the last run are sent along with the first batch, and later batches
are answered from what came back. All of it is of one block: an answer is the same whether it was
asked for early or late, and a memory, however stale or wrong, can cost time but change nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import orjson

from chain.calls import (
    Call,
    Code,
    NativeBalance,
    Pointer,
    Read,
    Reads,
    Result,
    Run,
    Storage,
    learned,
)
from chain.types import Address, checksum

T = TypeVar("T")

MOST_READS: Final = 20_000
"""Reads of one run above which none is remembered: rounds are not what such a run costs."""
MOST_RUNS: Final = 64
"""Runs remembered; the one not made for longest goes first."""
PATIENCE: Final = 3
"""Runs with failures in them for which a read that was not made is kept all the same."""
VERSION: Final = 1
_DEPTH: Final = 8
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")


@dataclass(slots=True)
class Foresight:
    """Which reads each program made when it last ran, by the name its caller gives it.

    For one thread. A read that a run no longer makes is forgotten; after a run in which reads
    failed, and which may have ended early for it, only when the failing lasts.
    """

    runs: dict[str, dict[Read, int]] = field(default_factory=dict)
    """By name, the least recently run first: each read, and for how many runs it was not made."""
    changed: bool = False
    """Whether there is anything to save."""

    def ahead(self, name: str, program: Reads[T]) -> Reads[T]:
        """Run a program with the reads of its last run in the first batch.

        What was remembered and failed is asked again if the program asks for it, and what the
        program asked for itself is asked again alone if it failed in company. A run that raises
        or is abandoned leaves the memory as it was.
        """
        made: dict[Read, Result] = {}
        value = yield from foreseen(program, tuple(self.runs.get(name, ())), made)
        self._remember(name, made)
        return value

    def _remember(self, name: str, made: Mapping[Read, Result]) -> None:
        before = self.runs.pop(name, {})
        now = dict.fromkeys(made, 0)
        if not all(learned(result) for result in made.values()):
            for read, missed in before.items():
                if read not in now and missed + 1 < PATIENCE:
                    now[read] = missed + 1
        if 0 < len(now) <= MOST_READS:
            self.runs[name] = now
        while len(self.runs) > MOST_RUNS:
            del self.runs[next(iter(self.runs))]
        self.changed |= self.runs.get(name, {}) != before

    def dump(self) -> bytes:
        """Return the memory as JSON."""
        runs = {
            name: [[missed, *_plain(read)] for read, missed in reads.items()]
            for name, reads in self.runs.items()
        }
        return orjson.dumps({"version": VERSION, "runs": runs})

    @classmethod
    def load(cls, text: bytes) -> "Foresight":
        """Return what `dump` wrote; nothing is remembered where it is damaged."""
        try:
            document = orjson.loads(text)
            if document["version"] != VERSION:
                return cls()
            runs = {
                str(name): {_read(entry[1:]): _count(entry[0]) for entry in entries[:MOST_READS]}
                for name, entries in list(document["runs"].items())[:MOST_RUNS]
            }
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return cls()
        return cls(runs)


def foreseen(
    program: Reads[T], expected: Sequence[Read], made: dict[Read, Result] | None = None
) -> Reads[T]:
    """Run a program with `expected` reads in its first batch; put what it asked for in `made`.

    An answer holds for the whole run, because it is of one block; a failure to learn one does
    not, and the program may ask again.
    """
    known: dict[Read, Result] = {}
    made = {} if made is None else made
    company = expected
    try:
        batch = next(program)
        while True:
            fresh: dict[Read, Result] = {}
            missing = dict.fromkeys(read for read in batch if read not in known)
            if missing or company:
                fresh = yield from _ask(missing, company)
                known.update((r, a) for r, a in fresh.items() if learned(a))
                company = ()
            answers = [known[read] if read in known else fresh[read] for read in batch]
            made.update(zip(batch, answers, strict=True))
            batch = program.send(answers)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        program.close()


def _ask(wanted: Mapping[Read, None], company: Sequence[Read]) -> Reads[dict[Read, Result]]:
    asked = list(dict.fromkeys([*wanted, *company]))
    found = dict(zip(asked, (yield asked), strict=True))
    failed = [read for read in wanted if not learned(found[read])]
    if failed and len(asked) > len(wanted):
        found.update(zip(failed, (yield failed), strict=True))
    return found


def _plain(read: Read) -> Iterator[Any]:
    """Yield a read as JSON has it: its kind, then its parts."""
    match read:
        case Call(target, data, sender):
            yield "call"
            yield [*_plain(target.call), target.word] if isinstance(target, Pointer) else target
            yield data.hex()
            yield sender
        case NativeBalance(account):
            yield from ("balance", account)
        case Code(account):
            yield from ("code", account)
        case Storage(account, slot):
            yield from ("storage", account, hex(slot))
        case Run(program, text):
            yield from ("run", program, text.hex())


def _read(plain: Sequence[Any], depth: int = 0) -> Read:
    """Return the read that `_plain` wrote; raise `ValueError` or `TypeError` for anything else."""
    match plain:
        case ["call", target, str(data), sender] if depth < _DEPTH:
            if isinstance(target, list):
                target = Pointer(_call(target[:-1], depth + 1), _count(target[-1]))
            else:
                target = _address(target)
            return Call(target, bytes.fromhex(data), None if sender is None else _address(sender))
        case ["balance", account]:
            return NativeBalance(_address(account))
        case ["code", account]:
            return Code(_address(account))
        case ["storage", account, str(slot)] if 0 <= (number := int(slot, 16)) < 1 << 256:
            return Storage(_address(account), number)
        case ["run", str(program), str(text)]:
            return Run(program, bytes.fromhex(text))
    raise ValueError("not a read")


def _call(plain: Sequence[Any], depth: int) -> Call:
    read = _read(plain, depth)
    if not isinstance(read, Call):
        raise TypeError("a pointer starts at a call")
    return read


def _address(text: Any) -> Address:
    if not isinstance(text, str) or not _ADDRESS.fullmatch(text):
        raise ValueError("not an address")
    return checksum(text)


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number < 1 << 16:
        raise ValueError("not a small number")
    return number
