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
from typing import Final

import numpy as np
from numpy.typing import NDArray

from chain.bulk import Bulk, Chunks, NoLens, Step
from chain.types import BlockRef
from protocols.aave_v3 import rest, slots
from protocols.aave_v3.columns import Kind, Way
from protocols.aave_v3.gathering import Cell, Gathering
from protocols.aave_v3.layouts import Layouts, jobs, search
from protocols.aave_v3.lens import Misshapen, Run
from protocols.aave_v3.slots import Words
from protocols.aave_v3.sources import Held, Source, any_limb, bounds, integer, limbs_of, wanted

BESIDE: Final = tuple(kind for kind in Kind if kind not in (Kind.SUPPLY, Kind.DEBT, Kind.WALLET))
"""What is read by functions in any case."""
WITNESSES: Final = 2
"""Holders by whom a layout is looked for."""
RESERVED: Final = 1 << 16
"""Addresses below are the chain's own programs, which our code must not replace."""


def amounts(
    found: Gathering, layouts: Layouts, at: BlockRef, first: Run, flags: int
) -> Bulk[list[Cell]]:
    """Take in all supply, variable debt and wallets of accounts whose flags are known.

    By storage where that is proven, else by a lens that calls functions: `first` is a run of it
    that knows the market, `flags` what the whole reading is asked for. Which was read how is left
    in `found.ways`. Returns the amounts that are still to be asked for.
    """
    sources, masks = wanted(found, flags)
    dice = np.random.default_rng(int(at.hash, 16))
    for one in sources:
        if int(one.contract, 16) < RESERVED:
            one.refuse("code of ours cannot be put at its address")
        elif (known := layouts.of(one.contract, one.kind)) is not None:
            (one.code, one.layout), one.proven = known, True
    new = [i for i, one in enumerate(sources) if one.layout is None and not one.cause]
    if new:
        yield from _look(found, layouts, [sources[i] for i in new], masks[:, new], dice)
    chosen = [i for i, one in enumerate(sources) if one.layout is not None]
    cells: list[Cell] = []
    if chosen:
        told, masks_of = [sources[i] for i in chosen], masks[:, chosen]
        held = yield from _read(found, layouts, told, masks_of)
        if held is not None:
            yield from _check(found, layouts, told, held, masks_of, dice)
            cells = _take(found, told, held)
    found.ways = tuple(Way(one.contract, one.kind, one.cause) for one in sources)
    cells += yield from rest.refused(found, first, flags, sources, masks)
    return cells


def unread(found: Gathering, flags: int, cause: str) -> tuple[Way, ...]:
    """Return the ways of a market whose storage was not looked at."""
    return tuple(Way(one.contract, one.kind, cause) for one in wanted(found, flags)[0])


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
    reads = [sources[i].ask(holder) for i, holder in pairs]
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
        by_job.setdefault((row, job), {})[place] = sum(x << 64 * n for n, x in enumerate(limbs))
    told: list[list[tuple[int, dict[tuple[int, int], int]]]] = [[] for _ in sources]
    for (i, holder), result in zip(pairs, answers.results, strict=True):
        amount = sources[i].answer(result)
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
    for one, seen_of in zip(sources, told, strict=True):
        if one.cause and not seen_of:
            _alike(layouts, one, sources)


def _alike(layouts: Layouts, one: Source, others: Sequence[Source]) -> None:
    """Take the layout of another proxy of the same code, where nobody is known to hold any."""
    assert one.code is not None
    layout = layouts.alike(one.code, one.kind)
    if layout is None and one.code:
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
    flags = found.flagged(0 if one.kind is Kind.DEBT else 1)
    rows = np.flatnonzero(flags[:, one.place] & mask)
    drawn = dice.choice(rows, min(WITNESSES, len(rows)), replace=False)
    return [found.accounts[row].tobytes() for row in drawn.tolist()]


def _read(
    found: Gathering, layouts: Layouts, sources: Sequence[Source], masks: NDArray[np.bool_]
) -> Bulk[Held | None]:
    """Read every word; None where that did not go well."""
    asked = [one.layout.job(one.contract) for one in sources if one.layout is not None]
    rows = np.flatnonzero(masks.any(axis=1))
    answers = yield Step(lens=slots.lens("read", asked, found.accounts[rows], masks[rows]))
    words = _words(answers.lens, len(asked))
    if isinstance(words, str):
        for one in sources:
            one.refuse(words)
        return None
    for one, named in zip(sources, words.implementations, strict=True):
        if one.code != named:
            layouts.forget(one.contract, one.kind)
            one.refuse("its implementation is not the one that was looked at")
    return Held(rows[words.account], words.job.astype(np.int64), words.word)


def _check(
    found: Gathering,
    layouts: Layouts,
    sources: Sequence[Source],
    held: Held,
    masks: NDArray[np.bool_],
    dice: np.random.Generator,
) -> Bulk[None]:
    """Ask the functions about accounts that are drawn, and refuse whatever differs."""
    held.settle(sources)
    number, rows, words = held.draw(masks, dice)
    asked = np.array([one.layout is not None for one in sources], np.bool_)[number]
    number, rows, words = number[asked], rows[asked], words[asked]
    holders = found.accounts[rows].tobytes()
    reads = [sources[i].ask(holders[20 * n : 20 * n + 20]) for n, i in enumerate(number.tolist())]
    results = (yield Step(reads)).results
    amounts, same = limbs_of(results)
    for mask in bounds([one.layout for one in sources]):  # then the widths between agree as well
        same &= ~any_limb(words & mask[number] ^ amounts)
    for i in set(number[same & any_limb(amounts)].tolist()):
        sources[i].proven = True
    for n in np.flatnonzero(~same).tolist():
        one = sources[number[n]]
        if one.layout is None:
            continue
        amount = one.answer(results[n])
        left = one.layout.seen(integer(words[n]), amount) if isinstance(amount, int) else None
        if left is None:
            cause = amount if isinstance(amount, str) else "it says otherwise than its storage"
            layouts.forget(one.contract, one.kind)
            one.refuse(f"{cause}, of {found.owner(int(rows[n]))}")
        else:
            one.layout, one.proven = left, one.proven or amount != 0
    _learn(layouts, sources)


def _learn(layouts: Layouts, sources: Sequence[Source]) -> None:
    """Remember what was proven, and refuse that of which nothing was."""
    proven = {(one.code, one.kind) for one in sources if one.layout and one.code and one.proven}
    for one in sources:
        if one.layout is None:
            continue
        assert one.code is not None
        alike = (one.code, one.kind) in proven or layouts.alike(one.code, one.kind) is not None
        if one.proven or alike:
            layouts.learn(one.contract, one.kind, one.code, one.layout)
        else:
            one.refuse("nobody is known to hold any")


def _take(found: Gathering, sources: Sequence[Source], held: Held) -> list[Cell]:
    """Take in the amounts of what is believed; return those that a layout leaves open."""
    held.settle(sources)
    place = np.array([one.place for one in sources], np.uint16)[held.source]
    kind = np.array([one.kind for one in sources], np.uint8)[held.source]
    good = held.present & ~held.doubted
    hi, lo = held.amounts[good, 1], held.amounts[good, 0]
    found.add(held.rows[good], place[good], kind[good], hi, lo)
    open_ = np.flatnonzero(held.doubted).tolist()
    return [Cell(int(held.rows[i]), int(place[i]), Kind(int(kind[i]))) for i in open_]


def _words(answer: Chunks | NoLens | None, count: int) -> Words | str:
    """Return what the storage lens found, or why it found nothing."""
    if not isinstance(answer, Chunks):
        return answer.reason if answer is not None else "no lens was asked for"
    try:
        return slots.decode(answer, count)
    except Misshapen as failure:
        return failure.cause
