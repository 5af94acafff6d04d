"""Read balances from the storage of an Aave market's tokens, where that is proven to be the same.

Reads: of each aToken and variable debt token, and of each asset where wallets are wanted, the
mapping of balances by SLOAD; beside that, of some accounts, `scaledBalanceOf` and `balanceOf`
themselves. Everything else of a market is read by functions in any case: reserves, prices, flags,
e-modes, stable debt, discounts.

A contract is believed in one run, at one block, if all of this holds; else its amounts are read by
its functions, and the outcome says why:

1. Exactly one mapping among those tried holds what its function says of witnesses: accounts that
   hold some of it, of assets the aToken. What is remembered of an earlier run is used only while
   the proxy names the same implementation with the same code.
2. Its function says the same as the mapping of accounts drawn by the block's hash: of some that
   hold some of it, and of some that hold nothing.
3. Something that is not zero was among these, or a proxy of the same implementation was proven so.

What that leaves unproven: a function that says otherwise than storage of few accounts only, who
were not drawn. Hence it is off unless asked for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.abi import Function
from chain.bulk import Bulk, Chunks, NoLens, Step
from chain.calls import Call, Result, Unknown
from chain.types import Address, BlockRef, checksum
from protocols.aave_v3 import contracts as c
from protocols.aave_v3 import lens, slots
from protocols.aave_v3.columns import U64, Kind, Way
from protocols.aave_v3.gathering import Cell, Gathering
from protocols.aave_v3.layouts import Layout, Layouts, jobs, search
from protocols.aave_v3.lens import Misshapen, Run
from protocols.aave_v3.plain import BALANCE_OF
from protocols.aave_v3.slots import Implementation, Words

BESIDE: Final = tuple(kind for kind in Kind if kind not in (Kind.SUPPLY, Kind.DEBT, Kind.WALLET))
"""What is read by functions in any case."""
WITNESSES: Final = 2
"""Holders by whom a layout is looked for."""
HOLDERS: Final = 4
"""Of those who hold some of a contract, how many are drawn to be asked about by its function."""
OTHERS: Final = 2
"""The same of those who hold nothing."""
RESERVED: Final = 1 << 16
"""Addresses below are the chain's own programs, which our code must not replace."""


@dataclass(slots=True)
class Source:
    """One contract of the market that is asked about accounts, and what is known of it."""

    contract: Address
    kind: Kind
    place: int
    code: Implementation | None = None
    layout: Layout | None = None
    proven: bool = False
    """Whether something that is not zero agreed."""
    cause: str = ""
    """Why it is read by its functions."""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    amounts: U64 = field(default_factory=lambda: np.zeros((0, 4), np.uint64))
    words: U64 = field(default_factory=lambda: np.zeros((0, 4), np.uint64))
    doubted: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, np.bool_))

    @property
    def function(self) -> Function:
        """Return the function whose answer the mapping stands for."""
        return BALANCE_OF if self.kind is Kind.WALLET else c.SCALED_BALANCE_OF

    def refuse(self, cause: str) -> None:
        """Have it read by its functions."""
        self.cause, self.layout = cause, None


def wanted(found: Gathering, flags: int) -> tuple[list[Source], NDArray[np.bool_]]:
    """Return the contracts that concern any account, and (P, contracts) which concern whom."""
    health_only, wallet = bool(flags & lens.HEALTH), bool(flags & lens.WALLET)
    known = np.ones(len(found.accounts), np.bool_)
    known[list(found.missing)] = False
    sources, masks = [], []
    for place, one in enumerate(found.reserves):
        owing, used = found.flagged(place, 0) & known, found.flagged(place, 1) & known
        every = (used | owing) if health_only else known
        contracts = (
            (Kind.SUPPLY, one.a_token, used if health_only else known),
            (Kind.DEBT, one.debt_token, owing),
            (Kind.WALLET, one.reserve.asset, every if wallet else known & False),
        )
        for kind, contract, mask in contracts:
            if mask.any():
                sources.append(Source(contract, kind, place))
                masks.append(mask)
    if not sources:
        return [], np.zeros((len(found.accounts), 0), np.bool_)
    return sources, np.stack(masks, axis=1)


def amounts(
    found: Gathering, layouts: Layouts, at: BlockRef, first: Run, flags: int
) -> Bulk[list[Cell]]:
    """Take in all supply, variable debt and wallets of accounts whose flags are known.

    By storage where that is proven, else by a lens that calls functions: `first` is a run of it
    that knows the market, `flags` what the whole reading is asked for. Which was read how is left
    in `found.ways`. Returns the amounts that are still to be asked for.
    """
    sources, masks = wanted(found, flags)
    yield from _believe(found, layouts, at, sources, masks)
    for one in sources:
        if one.layout is not None:
            _take(found, one)
    found.ways = tuple(Way(one.contract, one.kind, one.cause) for one in sources)
    left = yield from _rest(found, first, flags, sources, masks)
    return _doubts(sources) + left


def unread(found: Gathering, flags: int, cause: str) -> tuple[Way, ...]:
    """Return the ways of a market that storage was not looked at in."""
    return tuple(Way(one.contract, one.kind, cause) for one in wanted(found, flags)[0])


def _believe(
    found: Gathering,
    layouts: Layouts,
    at: BlockRef,
    sources: Sequence[Source],
    masks: NDArray[np.bool_],
) -> Bulk[None]:
    """Give each contract its words, and a layout that is proven or the cause why there is none."""
    dice = np.random.default_rng(int(at.hash, 16))
    for one in sources:
        if int(one.contract, 16) < RESERVED:
            one.refuse("code of ours cannot be put at its address")
        elif (known := layouts.of(one.contract, one.kind)) is not None:
            one.code, one.layout = known
            one.proven = True
    new = [i for i, one in enumerate(sources) if one.layout is None and not one.cause]
    if new:
        yield from _look(found, layouts, [sources[i] for i in new], masks[:, new], dice)
    chosen = [i for i, one in enumerate(sources) if one.layout is not None]
    if chosen:
        told = [sources[i] for i in chosen]
        if (yield from _read(found, layouts, told, masks[:, chosen])):
            yield from _check(found, layouts, told, masks[:, chosen], dice)


def _look(
    found: Gathering,
    layouts: Layouts,
    sources: Sequence[Source],
    masks: NDArray[np.bool_],
    dice: np.random.Generator,
) -> Bulk[None]:
    """Look for layouts by witnesses, in one step: their words, and what functions say of them."""
    looked = [jobs(one.contract, one.kind) for one in sources]
    firsts = np.cumsum([0, *(len(many) for many in looked)])
    pairs: list[tuple[int, bytes]] = []
    for i, one in enumerate(sources):
        pairs += ((i, holder) for holder in _witnesses(found, one, masks[:, i], dice))
    holders = list(dict.fromkeys(holder for _, holder in pairs)) or [bytes(20)]
    row_of = {holder: row for row, holder in enumerate(holders)}
    asked = np.zeros((len(holders), int(firsts[-1])), np.bool_)
    for i, holder in pairs:
        asked[row_of[holder], firsts[i] : firsts[i + 1]] = True
    reads = [sources[i].function.at(sources[i].contract, _address(holder)) for i, holder in pairs]
    flat = [job for many in looked for job in many]
    packed = np.frombuffer(b"".join(holders), np.uint8).reshape(-1, 20)
    answers = yield Step(reads, slots.lens("look", flat, packed, asked))
    words = _words(answers.lens, len(flat))
    if isinstance(words, str):
        for one in sources:
            one.refuse(words)
        return
    by_job: dict[tuple[int, int], dict[int, int]] = {}
    for job, place, row, limbs in zip(
        words.job.tolist(), words.place.tolist(), words.account.tolist(), words.word.tolist(),
        strict=True,
    ):  # fmt: skip
        by_job.setdefault((row, job), {})[place] = _number(limbs)
    told: list[list[tuple[int, dict[tuple[int, int], int]]]] = [[] for _ in sources]
    for (i, holder), result in zip(pairs, answers.results, strict=True):
        amount = _answer(sources[i].function, result)
        if isinstance(amount, str):
            sources[i].refuse(amount)
        elif amount:
            row = row_of[holder]
            seen = {
                (n, place): word
                for n in range(len(looked[i]))
                for place, word in by_job.get((row, int(firsts[i]) + n), {}).items()
            }
            told[i].append((amount, seen))
    for i, one in enumerate(sources):
        one.code = words.implementations[int(firsts[i])]
        if one.cause:
            continue
        layout = search(looked[i], told[i])
        if isinstance(layout, str):
            one.cause = layout
        else:
            one.layout, one.proven = layout, True
    for one in sources:
        if one.cause and not told[sources.index(one)]:
            _alike(layouts, one, sources)


def _alike(layouts: Layouts, one: Source, others: Sequence[Source]) -> None:
    """Take the layout of another proxy of the same code, where nobody is known to hold any."""
    assert one.code is not None
    layout = layouts.alike(one.code, one.kind)
    if layout is None and int(one.code.address, 16):
        for other in others:
            if other.proven and other.kind is one.kind and other.code == one.code:
                layout = other.layout
    if layout is not None:
        one.layout, one.cause = layout, ""


def _witnesses(
    found: Gathering, one: Source, mask: NDArray[np.bool_], dice: np.random.Generator
) -> list[bytes]:
    """Return who probably holds some of it: of an asset the aToken, else whoever is flagged."""
    if one.kind is Kind.WALLET:
        return [bytes.fromhex(found.reserves[one.place].a_token[2:])]
    flag = found.flagged(one.place, 0 if one.kind is Kind.DEBT else 1) & mask
    rows = np.flatnonzero(flag)
    drawn = dice.choice(rows, min(WITNESSES, len(rows)), replace=False)
    return [found.accounts[row].tobytes() for row in drawn.tolist()]


def _read(
    found: Gathering, layouts: Layouts, sources: Sequence[Source], masks: NDArray[np.bool_]
) -> Bulk[bool]:
    """Read every word; return whether that went well."""
    asked = [one.layout.job(one.contract) for one in sources if one.layout is not None]
    rows = np.flatnonzero(masks.any(axis=1))
    answers = yield Step(lens=slots.lens("read", asked, found.accounts[rows], masks[rows]))
    words = _words(answers.lens, len(asked))
    if isinstance(words, str):
        for one in sources:
            one.refuse(words)
        return False
    order = np.argsort(words.job, kind="stable")
    ends = np.searchsorted(words.job[order], np.arange(len(sources) + 1))
    for i, one in enumerate(sources):
        mine = order[ends[i] : ends[i + 1]]
        if one.code != words.implementations[i]:
            layouts.forget(one.contract, one.kind)
            one.refuse("its implementation is not the one that was looked at")
            continue
        assert one.layout is not None
        one.words = words.word[mine]
        one.amounts, one.doubted = one.layout.amounts(one.words)
        one.rows = rows[words.account[mine]]
    return True


def _check(
    found: Gathering,
    layouts: Layouts,
    sources: Sequence[Source],
    masks: NDArray[np.bool_],
    dice: np.random.Generator,
) -> Bulk[None]:
    """Ask the functions about accounts that are drawn, and refuse whatever differs."""
    drawn: list[tuple[Source, int, int]] = []
    reads: list[Call] = []
    for i, one in enumerate(sources):
        if one.layout is None:
            continue
        for row, word in _draw(one, masks[:, i], dice):
            drawn.append((one, row, word))
            reads.append(one.function.at(one.contract, found.owner(row)))
    answers = yield Step(reads)
    for (one, row, word), result in zip(drawn, answers.results, strict=True):
        if one.layout is None:
            continue
        amount = _answer(one.function, result)
        left = one.layout.seen(word, amount) if isinstance(amount, int) else None
        if left is None:
            cause = amount if isinstance(amount, str) else "it says otherwise than its storage"
            layouts.forget(one.contract, one.kind)
            one.refuse(f"{cause} for {found.owner(row)}")
            continue
        one.layout = left
        one.proven = one.proven or amount != 0
    for one in sources:
        if one.layout is None:
            continue
        assert one.code is not None
        if not one.proven:
            _trust(layouts, one, sources)
        if one.layout is not None:
            layouts.learn(one.contract, one.kind, one.code, one.layout)


def _trust(layouts: Layouts, one: Source, others: Sequence[Source]) -> None:
    """Let zeros stand where the same code was proven elsewhere."""
    assert one.code is not None
    same = (other for other in others if (other.code, other.kind) == (one.code, one.kind))
    if layouts.alike(one.code, one.kind) is None and not any(
        other.proven and other.layout is not None for other in same
    ):
        one.refuse("nobody is known to hold any")


def _draw(one: Source, mask: NDArray[np.bool_], dice: np.random.Generator) -> list[tuple[int, int]]:
    """Return rows to ask about, with their words."""
    holding = np.flatnonzero(one.amounts.any(axis=1))
    holders = dice.choice(holding, min(HOLDERS, len(holding)), replace=False).tolist()
    chosen = [(int(one.rows[i]), _number(one.words[i].tolist())) for i in holders]
    empty = mask.copy()
    empty[one.rows] = False
    rows = np.flatnonzero(empty)
    others = dice.choice(rows, min(OTHERS, len(rows)), replace=False).tolist()
    left = np.flatnonzero(~one.amounts.any(axis=1))  # nothing held, something else in the word
    spent = dice.choice(left, min(OTHERS, len(left)), replace=False).tolist()
    chosen += [(int(one.rows[i]), _number(one.words[i].tolist())) for i in spent]
    return chosen + [(row, 0) for row in others]


def _take(found: Gathering, one: Source) -> None:
    """Take in the amounts of a contract that is believed."""
    assert one.layout is not None
    one.amounts, one.doubted = one.layout.amounts(one.words)
    good = ~one.doubted & one.amounts.any(axis=1)
    found.add(one.rows[good], one.place, one.kind, one.amounts[good, 1], one.amounts[good, 0])


def _doubts(sources: Sequence[Source]) -> list[Cell]:
    """Return the amounts that a layout leaves open."""
    return [
        Cell(row, one.place, one.kind)
        for one in sources
        if one.layout is not None
        for row in one.rows[one.doubted].tolist()
    ]


def _rest(
    found: Gathering, first: Run, flags: int, sources: Sequence[Source], masks: NDArray[np.bool_]
) -> Bulk[list[Cell]]:
    """Read by functions what storage was not believed for; return the amounts still to be asked.

    `first` is a run that knows the market, `flags` what the whole reading is asked for.
    """
    refused = [i for i, one in enumerate(sources) if one.layout is None]
    rows = np.flatnonzero(masks[:, refused].any(axis=1))
    if not len(rows):
        return []
    number = {(sources[i].place, sources[i].kind): i for i in refused}
    asset_of = {found.reserves[place].reserve.asset: place for place, _ in number}
    listed = tuple(row for row in first.reserves if row.asset in asset_of)
    if not any(kind is Kind.WALLET for _, kind in number):
        flags &= ~lens.WALLET
    few = replace(first, reserves=listed)
    answers = yield Step(lens=lens.following(few, found.accounts[rows].tobytes(), flags))
    done = np.zeros(len(rows), np.bool_)
    cells: list[Cell] = []
    wanted_of = np.zeros((len(listed), 256), np.bool_)
    for i, row in enumerate(listed):
        wanted_of[i, [kind for place, kind in number if place == asset_of[row.asset]]] = True
    for chunk in answers.lens.chunks if isinstance(answers.lens, Chunks) else ():
        run = lens.decode(chunk)
        fine = run.status & 0xF == lens.OK
        done[run.first : run.first + run.done] = fine
        kept = wanted_of[run.reserve, run.kind] & fine[run.account]
        places = np.array([asset_of[row.asset] for row in listed], np.uint16)[run.reserve]
        where = rows[run.account + run.first]
        for kind in {kind for _, kind in number}:
            of_kind = kept & (run.kind == kind)
            good, bad = of_kind & (run.failed == lens.OK), of_kind & (run.failed != lens.OK)
            found.add(where[good], places[good], kind, run.hi[good], run.lo[good])
            cells += map(Cell, where[bad].tolist(), places[bad].tolist(), repeat(kind))
    for (place, kind), i in number.items():
        left = rows[~done & masks[rows, i]]
        cells += (Cell(row, place, kind) for row in left.tolist())
    return cells


def _words(answer: Chunks | NoLens | None, count: int) -> Words | str:
    """Return what the storage lens found, or why it found nothing."""
    if not isinstance(answer, Chunks):
        return answer.reason if answer is not None else "no lens was asked for"
    try:
        return slots.decode(answer, count)
    except Misshapen as failure:
        return failure.cause


def _answer(function: Function, result: Result) -> int | str:
    """Return what a function says, or why it says nothing."""
    amount: int | Unknown = function.known(result)
    return amount.reason if isinstance(amount, Unknown) else amount


def _address(packed: bytes) -> Address:
    return checksum("0x" + packed.hex())


def _number(limbs: Sequence[int]) -> int:
    return sum(limb << 64 * i for i, limb in enumerate(limbs))
