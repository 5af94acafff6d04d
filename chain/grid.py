"""The same questions about many accounts: what to ask, and the answers as arrays.

A bulk reader says its questions once (`question`) and yields from `ask`. Where programs of ours
run, contracts/src/GridLens.sol asks them on the node and answers with what is not zero; elsewhere,
and for what it could not read, they are ordinary reads. The answers are the same. No I/O here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from itertools import islice
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chain.abi import Function
from chain.bulk import Bulk, Chunk, Chunks, Lens, Step
from chain.calls import Call, NativeBalance, Ok, Read, ReadFailed, Result, Unknown
from chain.types import Address, checksum

U8: TypeAlias = NDArray[np.uint8]
U16: TypeAlias = NDArray[np.uint16]
U32: TypeAlias = NDArray[np.uint32]
U64: TypeAlias = NDArray[np.uint64]

PROGRAM: Final = "grid_lens"
ALLOWANCE: Final = 600_000
"""Gas for one question; many times what a proxied token takes for a balance."""
FLOOR: Final = 120_000
ALWAYS: Final = 0xFFFF
CAUSES: Final = {
    1: "reverted",
    3: "gave no whole answer",
    4: "may have failed for want of gas",
}
SAMPLE: Final = 16
"""Cells of one question asked again before the rest is taken to fail alike."""
ALONE: Final = 1_000
"""Accounts that the lens missed, at most, to be read by ordinary reads; more are unknown."""
READS: Final = 20_000
"""Ordinary reads of one round, so that memory stays small."""

_WORD: Final = 32
_ENTRY: Final = np.dtype(
    [("account", ">u4"), ("question", ">u2"), ("status", "u1"), ("half", "u1"),
     ("hi", ">u8"), ("lo", ">u8")]
)  # fmt: skip


class Hole(Enum):
    """What takes the place of an argument."""

    ACCOUNT = 1
    ANSWER = 2
    """What the question it comes `after` answered about the same account."""


@dataclass(frozen=True, slots=True)
class Question:
    """One word to ask about every account; the native balance where there is no target."""

    target: Address | None = None
    data: bytes = b""
    """Call data with a hole of 32 bytes."""
    hole: int = 0
    kind: Hole = Hole.ACCOUNT
    after: int | None = None
    """An earlier question: where that answers with zero, this one is not asked, and is zero."""

    def read(self, account: Address, answer: int = 0) -> Read:
        """Return it as an ordinary read; `answer` is what the question before it gave."""
        if self.target is None:
            return NativeBalance(account)
        number = answer if self.kind is Hole.ANSWER else int(account, 16)
        word = number.to_bytes(_WORD, "big")
        return Call(self.target, self.data[: self.hole] + word + self.data[self.hole + _WORD :])


NATIVE: Final = Question()


def question(function: Function, target: Address, *args: Any, after: int | None = None) -> Question:
    """Return a question; exactly one of its arguments, all of one word, is a `Hole`."""
    (place,) = (i for i, arg in enumerate(args) if isinstance(arg, Hole))
    if function.outputs != ["uint256"] or (args[place] is Hole.ANSWER and after is None):
        raise ValueError(f"not a question about accounts: {function}")
    plain = [0 if arg is Hole.ANSWER else f"0x{0:040x}" if arg is Hole.ACCOUNT else arg
             for arg in args]  # fmt: skip
    data = function.encode(*plain)
    if len(data) != 4 + _WORD * len(args):
        raise ValueError(f"arguments of more than a word: {function}")
    return Question(target, data, 4 + _WORD * place, args[place], after)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """P accounts and N answers other than zero, ordered by account, then question."""

    accounts: U8
    """(P, 20)."""
    questions: tuple[Question, ...]
    account: U32
    """(N,): row in `accounts`."""
    question: U16
    """(N,): place in `questions`."""
    words: U64
    """(N, 4): the answers, exact, the lowest limb first."""
    unread: dict[tuple[int, int], Result] = field(default_factory=dict)
    """By row and question: what was answered where that is no word. Unknown is not zero."""
    missing: dict[int, str] = field(default_factory=dict)
    """By row: why nothing is known of an account."""

    def __len__(self) -> int:
        return len(self.accounts)

    def address(self, row: int) -> Address:
        """Return an account's address."""
        return checksum("0x" + self.accounts[row].tobytes().hex())

    def word(self, entry: int) -> int:
        """Return one answer as an integer."""
        return sum(int(limb) << 64 * i for i, limb in enumerate(self.words[entry].tolist()))

    def results(self, row: int) -> list[Result]:
        """Return every question's answer about one account, as ordinary reads would give it."""
        if row in self.missing:
            return [Unknown(self.missing[row])] * len(self.questions)
        found: list[Result] = [Ok(bytes(_WORD))] * len(self.questions)
        ends = np.array([row, row + 1], self.account.dtype)
        first, last = np.searchsorted(self.account, ends).tolist()
        for i in range(first, last):
            found[int(self.question[i])] = Ok(self.word(i).to_bytes(_WORD, "big"))
        for place, one in enumerate(self.questions):
            if (row, place) in self.unread:
                found[place] = self.unread[row, place]
            elif one.after is not None and (row, one.after) in self.unread:
                found[place] = self.unread[row, one.after]
        return found


class Misshapen(ReadFailed):
    """The answer is not laid out as the lens writes it."""


Cell: TypeAlias = tuple[int, int, int]
"""Row, question, and what the question before it answered."""


def ask(
    accounts: Sequence[Address] | U8,
    questions: Sequence[Question],
    *,
    beside: Sequence[Read] = (),
    allowance: int = ALLOWANCE,
) -> Bulk[tuple[Grid, Sequence[Result]]]:
    """Ask the questions about accounts, given as addresses or as (P, 20) bytes.

    Returns the answers, and the results of the reads `beside`, which travel in the first round.
    """
    found = _Gathering(packed(accounts), tuple(questions))
    lens = Lens(PROGRAM, f"{len(questions)} of {allowance}", head(questions, allowance),
                found.accounts.tobytes())  # fmt: skip
    answers = yield Step(beside, lens)
    left = list(range(len(found.accounts)))
    if isinstance(answers.lens, Chunks):
        failing = [cell for chunk in answers.lens.chunks for cell in found.take(chunk)]
        for start, count, cause in answers.lens.failed:
            found.missing.update(dict.fromkeys(range(start, start + count), cause))
        yield from found.again(failing)
        left = list(found.missing)[:ALONE]
    for row in left:
        found.missing.pop(row, None)
    roots = [i for i, one in enumerate(questions) if one.after is None]
    yield from found.plainly((row, place, 0) for row in left for place in roots)
    return found.grid(), answers.results


def packed(accounts: Sequence[Address] | U8) -> U8:
    """Return accounts as (P, 20) bytes."""
    if isinstance(accounts, np.ndarray):
        return np.ascontiguousarray(accounts, np.uint8).reshape(-1, 20)
    text = bytes.fromhex("".join(account[2:] for account in accounts))
    return np.frombuffer(text, np.uint8).reshape(-1, 20)


def head(questions: Sequence[Question], allowance: int = ALLOWANCE) -> bytes:
    """Return the input of the lens before the accounts."""
    numbers = (allowance.to_bytes(4, "big"), FLOOR.to_bytes(4, "big"))
    parts = [*numbers, len(questions).to_bytes(2, "big")]
    for one in questions:
        after = ALWAYS if one.after is None else one.after
        parts += [
            (one.kind.value if one.target else 0).to_bytes(1, "big"),
            after.to_bytes(2, "big"),
            bytes.fromhex(one.target[2:]) if one.target else bytes(20),
            one.hole.to_bytes(2, "big"),
            len(one.data).to_bytes(2, "big"),
            one.data,
        ]
    return b"".join(parts)


class _Gathering:
    """What is known so far."""

    def __init__(self, accounts: U8, questions: tuple[Question, ...]) -> None:
        self.accounts = accounts
        self.questions = questions
        self.missing: dict[int, str] = {}
        self._unread: dict[tuple[int, int], Result] = {}
        self._parts: list[tuple[U32, U16, U64]] = []
        self._ones: list[tuple[int, int, bytes]] = []

    @cached_property
    def _dependent(self) -> list[list[int]]:
        """Return by question those that come after it."""
        found: list[list[int]] = [[] for _ in self.questions]
        for place, one in enumerate(self.questions):
            if one.after is not None:
                found[one.after].append(place)
        return found

    def _owner(self, row: int) -> Address:
        return checksum("0x" + self.accounts[row].tobytes().hex())

    def take(self, chunk: Chunk) -> Iterator[tuple[Cell, int]]:
        """Take a run of the lens in; yield what it could not read, with the status."""
        entries = np.frombuffer(chunk.data, _ENTRY, offset=4) if _sound(chunk) else None
        if entries is None:
            raise Misshapen(f"{len(chunk.data)} bytes for {chunk.done} of {chunk.asked} accounts")
        if not self._meant(chunk, entries):
            raise Misshapen("answers to what was not asked")
        account = entries["account"].astype(np.uint32) + np.uint32(chunk.first)
        whole = (entries["half"] == 0) & (entries["status"] == 0)
        place = np.cumsum(whole)
        words = np.zeros((int(whole.sum()), 4), np.uint64)
        words[:, 1], words[:, 0] = entries["hi"][whole], entries["lo"][whole]
        upper = entries["half"] == 1
        words[place[upper], 3] = entries["hi"][upper]
        words[place[upper], 2] = entries["lo"][upper]
        question = entries["question"].astype(np.uint16)
        self._parts.append((account[whole], question[whole], words))
        for i in np.nonzero(entries["status"])[0].tolist():
            row, number = int(account[i]), int(question[i])
            before = self.questions[number].after
            answer = 0
            if before is not None:
                known = (account[whole] == row) & (question[whole] == before)
                if not known.any():
                    raise Misshapen("an answer without the one it comes after")
                answer = _integer(words[known][0])
            yield (row, number, answer), int(entries["status"][i])

    def _meant(self, chunk: Chunk, entries: NDArray[np.void]) -> bool:
        """Whether every entry is of what was asked, and every upper half before its lower one."""
        upper = np.flatnonzero(entries["half"])
        if upper.size and (entries["half"][upper] > 1).any():
            return False
        if upper.size and upper[-1] + 1 == len(entries):
            return False
        key = ["account", "question"]
        lower = entries[upper + 1]
        return bool(
            (entries["account"] < chunk.done).all()
            and (entries["question"] < len(self.questions)).all()
            and np.isin(entries["status"], [0, *CAUSES]).all()
            and not lower["half"].any()
            and not (lower["status"].any() or entries["status"][upper].any())
            and (lower[key] == entries[upper][key]).all()
        )

    def again(self, failing: Sequence[tuple[Cell, int]]) -> Bulk[None]:
        """Ask for what the lens could not read; of a question that fails for all of a sample the
        rest is not asked."""
        by_question: dict[int, list[tuple[Cell, int]]] = {}
        for cell, status in failing:
            by_question.setdefault(cell[1], []).append((cell, status))
        for many in by_question.values():
            yield from self.plainly(cell for cell, _ in many[:SAMPLE])
            if all(cell[:2] in self._unread for cell, _ in many[:SAMPLE]):
                for (row, number, _), status in many[SAMPLE:]:
                    self._unread[row, number] = Unknown(CAUSES[status])
            else:
                yield from self.plainly(cell for cell, _ in many[SAMPLE:])

    def plainly(self, cells: Iterable[Cell]) -> Bulk[None]:
        """Ask by ordinary reads, and then what depends on the answers."""
        left = iter(cells)
        while some := list(islice(left, READS)):
            reads = [self.questions[n].read(self._owner(row), answer) for row, n, answer in some]
            results = (yield Step(reads)).results
            follow: list[Cell] = []
            for (row, number, _), result in zip(some, results, strict=True):
                if not (isinstance(result, Ok) and len(result.data) >= _WORD):
                    self._unread[row, number] = result
                elif any(result.data[:_WORD]):
                    self._ones.append((row, number, result.data[:_WORD]))
                    value = int.from_bytes(result.data[:_WORD], "big")
                    follow += [(row, other, value) for other in self._dependent[number]]
            yield from self.plainly(follow)

    def grid(self) -> Grid:
        """Return it all, in order."""
        ones = self._ones
        limbs = np.frombuffer(b"".join(one[2] for one in ones), ">u8").reshape(-1, 4)
        own = (
            np.array([one[0] for one in ones], np.uint32),
            np.array([one[1] for one in ones], np.uint16),
            limbs[:, ::-1].astype(np.uint64),
        )
        account, question, words = (
            np.concatenate(column) for column in zip(*self._parts, own, strict=True)
        )
        order = account.astype(np.uint64) << np.uint64(16) | question.astype(np.uint64)
        if (order[1:] < order[:-1]).any():
            by = np.argsort(order, kind="stable")
            account, question, words = account[by], question[by], words[by]
        return Grid(self.accounts, self.questions, account, question, words,
                    dict(sorted(self._unread.items())), self.missing)  # fmt: skip


def _sound(chunk: Chunk) -> bool:
    entries = int.from_bytes(chunk.data[:4], "big")
    return len(chunk.data) == 4 + entries * _ENTRY.itemsize and chunk.done <= chunk.asked


def _integer(limbs: U64) -> int:
    return sum(int(limb) << 64 * i for i, limb in enumerate(limbs.tolist()))
