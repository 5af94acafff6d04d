"""Failures that are no market move: a protocol gone, an oracle that lies."""

from dataclasses import replace

from risk.scenario.play import play
from risk.scenario.types import Point
from underkeel.stress.factors import composite
from underkeel.stress.run import Book, Moved, Play, Result, play_all, summed, with_composites


def failures(book: Book, how: Play) -> list[Result]:
    """Return what is lost if a protocol fails, or an oracle lies.

    A protocol that fails takes what it owes the owner, and forgives nothing that it is owed beyond
    the position. An oracle that lies says half or double for a moment: liquidations go by it,
    while everything is worth what it was. The worse of both is told.
    """
    return [*_protocols(book), *_oracles(book, how)]


def _protocols(book: Book) -> list[Result]:
    results = []
    names = dict.fromkeys(e.position.protocol for e in book.positions)
    for protocol in names:
        if protocol == "wallet":
            continue
        fates = []
        for one in book.positions:
            fate = play(one, ())
            if one.position.protocol == protocol and fate.after_usd is not None:
                fate = replace(fate, after_usd=min(0.0, fate.after_usd))
            fates.append(fate)
        title = f"Everything owned in {protocol} is lost"
        results.append(
            summed(f"protocol-{protocol}", title, "", (), fates, book.positions, book.unread)
        )
    return results


def _oracles(book: Book, how: Play) -> list[Result]:
    judged = {
        (chain, part)
        for chain, own in book.own.items()
        for name in own
        for part, _ in composite(name)
    }
    results = []
    for known in book.factors:
        if (known.chain, known.name) not in judged:
            continue
        worst: Result | None = None
        for lie in (0.5, 2.0):
            paths = {}
            for chain, own in book.own.items():
                moves = {known.name: lie} if chain == known.chain else {}
                paths[chain] = (Point(with_composites(moves, own), {}),)
            title = f"The oracle {known.shown} says {'half' if lie < 1 else 'double'}"
            moved = (Moved(known, lie - 1, "oracle only"),)
            name = f"oracle-{known.shown}"
            found = play_all(book, paths, how.gas(1), name, title, "", moved)
            if worst is None or found.loss_usd > worst.loss_usd:
                worst = found
        if worst is not None:
            results.append(worst)
    return results
