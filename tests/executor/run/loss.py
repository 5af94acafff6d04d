"""The small world with a journal that may be replaced by a backup from before anything was signed.

The real `reconcile.run` works on stand-ins for journal and sender. As in the runner, it has done
what it can at a head before anything is decided there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from chain.sending import Mined, Spent
from chain.types import Address, BlockRef
from executor.journal.known import Known
from executor.run import reconcile, rules
from executor.run.actions import Action
from executor.run.change import Change
from executor.run.observe import Scene
from executor.run.view import Spender
from executor.types import Attempt, Intent, Kind, Lease
from tests.executor.run.model import (
    MARKET,
    REORG,
    SETTINGS,
    WALLET,
    Budget,
    Model,
    Payload,
    World,
    _plain,
    count,
    row_of,
)

LEASE = Lease(1, WALLET, 1, "me", 0)
Chain = tuple[Payload | str | None, ...]


@dataclass(frozen=True, eq=False)
class LossyModel(Model):
    """A model whose journal may go back in time."""

    careless: bool = False
    """Mutation: a journal that went back is believed to be whole."""
    unburnt: bool = False
    """Mutation: it is whole as soon as what is spent is accounted for."""

    def start(self, budget: Budget) -> World:
        return super().start(budget)._replace(known=Known(True, 0, 0))

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        after = self.caught_up(world)
        if after != world:
            yield "reconciled", after
            yield from self._mine(world)
        else:
            yield from super().moves(world)
        if world.budget.losses:
            less = world.budget._replace(losses=world.budget.losses - 1)
            backup = super().start(less)
            known = Known(True, 0, 0) if self.careless else Known(False, 0, 0)
            yield (
                "journal lost",
                world._replace(rows=backup.rows, pending=backup.pending, budget=less, known=known),
            )

    def benign(self, world: World) -> World | None:
        after = self.caught_up(world)
        return after if after != world else super().benign(world)

    def decision(self, world: World, index: int) -> Action:
        view = self.view(world.rows, world.chain, index)
        assert world.known is not None
        nonce = view.intent.nonce
        seen = view.seen
        if nonce is not None and nonce < seen.final_nonce:
            spent = Stand(world).spender(WALLET, nonce, 0, 0)
            assert spent is not None
            seen = replace(seen, spender=Spender(spent.hash, _same(spent, view.intent)))
        return rules.decide(replace(view, seen=seen, whole=world.known.whole), self.table)

    def caught_up(self, world: World) -> World:
        """Return the world after one look of the real code at what was lost."""
        if any(p is not None for p in world.pending) or self.careless:
            return world
        final = world.chain[: max(0, len(world.chain) - REORG)]
        at, end = _block(len(world.chain)), _block(len(final))
        scene = Scene(at, end, count(world.chain), count(final), 0, MARKET, 0)
        stand = Stand(world)
        reconcile.run(cast(Any, stand), cast(Any, stand), LEASE, scene, SETTINGS)
        known = stand.now
        if known.whole:
            known = Known(True, 0, 0)  # which nonce it was makes no difference any more
        elif self.unburnt and known.nonce == scene.final_nonce:
            known = Known(True, 0, 0)
        return world._replace(rows=tuple(stand.rows), known=replace(known, block=0))


class Stand:
    """Journal and sender in one, over a world."""

    def __init__(self, world: World) -> None:
        assert world.known is not None
        self.rows = list(world.rows)
        self.chain = world.chain
        self.now = world.known

    # The journal

    def known(self, chain_id: int, wallet: Address) -> Known:
        return self.now

    def saw(self, lease: Lease, known: Known) -> None:
        self.now = known

    def intents(
        self, chain_id: int, wallet: Address, *, open_only: bool = True
    ) -> tuple[Intent, ...]:
        return tuple(r.intent for r in self.rows if not (open_only and r.intent.done))

    def attempts(self, intent: str) -> tuple[Attempt, ...]:
        return next(r.attempts for r in self.rows if r.intent.id == intent)

    def commit(self, lease: Lease, before: Intent | None, change: Change) -> None:
        if change.new_intent is not None:
            self.rows.append(row_of(_plain(replace(change.new_intent, id=f"f{len(self.rows)}"))))
        for i, row in enumerate(self.rows):
            if before is not None and row.intent.id == before.id:
                self.rows[i] = row.but(attempts=row.attempts + change.attempts)

    def stray(self, lease: Lease, hash_: str, wei: int, usd_e6: int | None) -> None:
        """What is spent is not part of this world."""

    # The sender

    def receipts(self, hashes: Sequence[str], at: BlockRef) -> dict[str, Mined]:
        mined = {_name(entry, i) for i, entry in enumerate(self.chain) if entry is not None}
        return {hash_: Mined(hash_, "", 0, True, 1, ()) for hash_ in hashes if hash_ in mined}

    def spender(self, wallet: Address, nonce: int, low: int, high: int) -> Spent | None:
        spent = [(i, entry) for i, entry in enumerate(self.chain) if entry is not None]
        if len(spent) <= nonce:
            return None
        i, entry = spent[nonce]
        effect = isinstance(entry, tuple) and entry[1] is Kind.EFFECT
        value = entry[0] if effect and isinstance(entry, tuple) else 0
        data = b"x" if effect else str(entry).encode()
        return Spent(_name(entry, i), nonce, WALLET, value, data)


def _name(entry: Payload | str, at: int) -> str:
    return entry + str(at) if isinstance(entry, str) else "-".join(map(str, entry))


def _same(spent: Spent, intent: Intent) -> bool:
    call = intent.call
    return (spent.to, spent.value, spent.data) == (call.to, call.value, call.data)


def _block(number: int) -> BlockRef:
    return BlockRef(1, number, str(number), "", 0)
