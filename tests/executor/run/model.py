"""A small world around the real rules, for exploring every order of events.

The executor's part is the real code: `decide`, and what `changed`, `signed` and `sent` record. The
rest is a model: a chain whose blocks hold at most one transaction of the wallet, of which the last
`REORG` can be replaced; a pool that may drop what it accepted; replies that get lost; a stranger
who uses the same wallet; owners who cancel; and a process that dies between any two steps. Between
reading the chain and recording what was decided anything may happen, so decisions may be stale.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar, NamedTuple, Self, cast

from chain.types import Address, BlockRef
from executor.fees import Market
from executor.journal.known import Known
from executor.run import rules
from executor.run.actions import Action, Bind, Send, Sign, Wait
from executor.run.change import Change, changed, sent, signed
from executor.run.view import Observation, Settings, View, Wishes
from executor.types import TERMINAL, Attempt, Call, Intent, Kind, Receipt, State

REORG = 1
"""Depth that is not final."""
WALLET = Address("0x" + "aa" * 20)
GUARD = Address("0x" + "99" * 20)
SETTINGS = Settings(bump_blocks=1, foreign_s=0)
MARKET = Market(100, 0, 0)
LIMIT = 230
"""Bears one replacement: 203, 224, not 247."""
STRANGER = "stranger"

Payload = tuple[int, Kind, int, int]
"""Intent, kind, nonce, k."""


class Budget(NamedTuple):
    """What may still go wrong from outside."""

    blocks: int
    strangers: int = 0
    reorgs: int = 0
    cancels: int = 0
    thieves: int = 0
    """Times that somebody else may use the guard with an intent's id."""
    losses: int = 0
    """Times that the journal may be replaced by its first backup (tests/executor/run/loss.py)."""


class Interned:
    """A value of which there is one object only, so that comparing and hashing cost nothing."""

    _all: ClassVar[dict[tuple[object, ...], Any]] = {}
    __slots__: tuple[str, ...] = ()

    @classmethod
    def of(cls, *fields: Any) -> Self:
        """Return the one object with these fields."""
        key = (cls, *fields)
        found = cls._all.get(key)
        if found is None:
            found = cls._all[key] = cls.__new__(cls)
            for name, value in zip(cls.__slots__, fields, strict=True):
                setattr(found, name, value)
        return cast(Self, found)

    def but(self, **changes: Any) -> Self:
        """Return the one with some fields changed."""
        return self.of(*(changes.get(name, getattr(self, name)) for name in self.__slots__))


class Row(Interned):
    """What the journal has of one intent."""

    __slots__ = ("attempts", "cancel", "intent", "receipt")
    intent: Intent
    attempts: tuple[Attempt, ...]
    receipt: Receipt | None
    cancel: bool


class Pending(Interned):
    """What a process is about to do."""

    __slots__ = ("action", "height", "row", "sent", "which")
    which: int
    """Index of the intent."""
    action: Action
    row: Row
    """As it was read; another one is refused."""
    height: int
    sent: bool


def row_of(
    intent: Intent,
    attempts: tuple[Attempt, ...] = (),
    receipt: Receipt | None = None,
    cancel: bool = False,
) -> Row:
    return Row.of(attempts, cancel, intent, receipt)


class World(NamedTuple):
    """All there is."""

    rows: tuple[Row, ...]
    chain: tuple[Payload | str | None, ...]
    """Per block: a payload of ours, a stranger's transaction, a thief's use, or none."""
    pool: frozenset[Payload]
    signed: frozenset[Payload]
    """Effects whose signature ever left the signer for good."""
    pending: tuple[Pending | None, ...]
    budget: Budget
    known: Known | None = None
    """What the journal knows of the wallet, where it may have lost records."""


@dataclass(frozen=True, eq=False)
class Model:
    """The rules of a run, real or mutated."""

    table: tuple[rules.Rule, ...] = rules.RULES
    guarded: bool = False
    processes: int = 1
    fenced: bool = True
    """Stale rows are refused."""
    send_first: bool = False
    """Mutation: bytes are sent before they are recorded."""
    new_nonce: bool = False
    """Mutation: a replacement takes the next nonce."""
    latest_only: bool = False
    """Mutation: only the newest hash is looked up."""
    replies: bool = False
    """Whether a lost reply is recorded as such: the real rules do not look at it."""
    intents: int = 2

    def start(self, budget: Budget) -> World:
        rows = tuple(row_of(_intent(i, self.guarded)) for i in range(self.intents))
        nobody = (None,) * self.processes
        return World(rows, (), frozenset(), frozenset(), nobody, budget)

    # What can happen next

    def moves(self, world: World) -> Iterator[tuple[str, World]]:
        """Yield every possible next world, with the name of what happened."""
        for p, pending in enumerate(world.pending):
            if pending is None:
                yield from self._decisions(world, p)
            else:
                yield "crash", world._replace(pending=_set(world.pending, p, None))
                yield from self._continue(world, p, pending)
        yield from self._mine(world)
        yield from self._trouble(world)

    def _decisions(self, world: World, p: int) -> Iterator[tuple[str, World]]:
        for index, row in enumerate(world.rows):
            if row.intent.done:
                continue
            action = self.decision(world, index)
            if not isinstance(action, Wait):
                pending = Pending.of(action, len(world.chain), row, False, index)
                yield f"decide {index}", world._replace(pending=_set(world.pending, p, pending))

    def decision(self, world: World, index: int) -> Action:
        view = self.view(world.rows, world.chain, index)
        return rules.decide(view, self.table)

    @lru_cache(maxsize=1 << 17)  # noqa: B019  (models live as long as their test)
    def view(
        self, rows: tuple[Row, ...], chain: tuple[Payload | str | None, ...], index: int
    ) -> View:
        row = rows[index]
        others = tuple(r.intent for i, r in enumerate(rows) if i != index and not r.intent.done)
        return View(
            row.intent,
            row.attempts,
            observed(chain, index, row, latest_only=self.latest_only),
            SETTINGS,
            others,
            receipt=row.receipt,
            wishes=Wishes(cancel=row.cancel),
            limit=LIMIT,
        )

    def _continue(self, world: World, p: int, pending: Pending) -> Iterator[tuple[str, World]]:
        free = world._replace(pending=_set(world.pending, p, None))
        stale = self.fenced and world.rows[pending.which] != pending.row
        action = pending.action
        view = self.view(
            _set(world.rows, pending.which, pending.row), world.chain[: pending.height],
            pending.which,
        )  # fmt: skip
        if isinstance(action, Send) and not pending.sent:
            payloads = frozenset(
                _payload(pending.which, a) for a in pending.row.attempts if a.k in action.attempts
            )
            after = pending.but(sent=True)
            done = world._replace(pending=_set(world.pending, p, after))
            yield "sent, dropped", done
            if not payloads <= world.pool:
                yield "sent, accepted", done._replace(pool=world.pool | payloads)
            return
        if isinstance(action, Sign):
            attempt = self._attempt(view, pending.which, action)
            payload = _payload(pending.which, attempt)
            if self.send_first and not pending.sent:
                after = pending.but(sent=True)
                yield "sent before recorded", world._replace(
                    pending=_set(world.pending, p, after), pool=world.pool | {payload},
                    signed=world.signed | {payload},
                )  # fmt: skip
                return
            if stale:
                yield "stale", free
                return
            known = free._replace(signed=world.signed | {payload})
            yield "signed", self._record(known, pending, signed(view, attempt, None))
            return
        if stale:
            yield "stale", free
        elif isinstance(action, Send):
            for reply in ("unknown", "accepted") if self.replies else ("accepted",):
                replies = dict.fromkeys(action.attempts, reply)
                change = sent(view, action.attempts, action.public, replies)
                yield f"recorded as sent, {reply}", self._record(free, pending, change)
        else:
            change = changed(view, action)  # type: ignore[arg-type]
            yield f"recorded {type(action).__name__}", self._record(free, pending, change)

    def _attempt(self, view: View, index: int, action: Sign) -> Attempt:
        nonce = view.intent.nonce
        assert nonce is not None
        k = len(view.attempts)
        if self.new_nonce and view.attempts and action.kind is Kind.EFFECT:
            nonce = max(a.nonce for a in view.attempts) + 1
        gas = 24_150 if action.kind is Kind.EFFECT else 21_000
        name = f"{index}-{action.kind}-{nonce}-{k}"
        return Attempt(
            view.intent.id, k, action.kind, nonce, name.encode(), name, action.fees.tip,
            action.fees.cap, gas,
        )  # fmt: skip

    def _record(self, world: World, pending: Pending, change: Change) -> World:
        row = pending.row if self.fenced else world.rows[pending.which]
        if not self.fenced:
            row = row.but(intent=pending.row.intent)
        attempts = {a.k: a for a in row.attempts}
        attempts |= {a.k: a for a in change.attempts}
        intent = change.intent or row.intent
        receipt = change.receipt or row.receipt
        if intent.state in (State.BROADCAST, State.CANCELLING):
            receipt = None
        new = row_of(
            _plain(intent),
            tuple(attempts[k] for k in sorted(attempts)),
            receipt,
            row.cancel and not change.heard,
        )
        rows = _set(world.rows, pending.which, new)
        if change.new_intent is not None:
            bound = {r.intent.nonce for r in rows if r.intent.state in rules.SENT | rules.WANTED}
            if change.new_intent.nonce in bound:  # the journal's unique index
                return world
            made = _plain(replace(change.new_intent, id=f"f{len(rows)}"))
            rows = (*rows, row_of(made))
        return world._replace(rows=rows)

    # The world around

    def _mine(self, world: World) -> Iterator[tuple[str, World]]:
        budget = world.budget
        if not budget.blocks:
            return
        less = budget._replace(blocks=budget.blocks - 1)
        nonce = count(world.chain)
        choices: list[tuple[str, Payload | str | None, Budget]] = [("empty block", None, less)]
        choices += [("mined", p, less) for p in sorted(world.pool) if p[2] == nonce]
        if budget.strangers:
            spend = less._replace(strangers=budget.strangers - 1)
            choices.append(("stranger", STRANGER, spend))
        if budget.thieves:
            spend = less._replace(thieves=budget.thieves - 1)
            choices.append(("thief", "thief", spend))
        for name, entry, left in choices:
            yield (
                name,
                world._replace(
                    chain=(*world.chain, entry),
                    pool=frozenset(p for p in world.pool if p != entry),
                    budget=left,
                ),
            )

    def _trouble(self, world: World) -> Iterator[tuple[str, World]]:
        budget = world.budget
        for payload in world.pool:
            yield "dropped", world._replace(pool=world.pool - {payload})
        if budget.reorgs and world.chain and world.chain[-1] is not None:
            undone = world.chain[-1]
            less = budget._replace(reorgs=budget.reorgs - 1)
            chain = (*world.chain[:-1], None)
            yield "reorg, lost", world._replace(chain=chain, budget=less)
            if isinstance(undone, tuple):
                yield "reorg", world._replace(chain=chain, budget=less, pool=world.pool | {undone})
        if budget.cancels and not world.rows[0].intent.done and not world.rows[0].cancel:
            row = world.rows[0].but(cancel=True)
            less = budget._replace(cancels=budget.cancels - 1)
            yield "cancel", world._replace(rows=_set(world.rows, 0, row), budget=less)

    # The benign scheduler

    def benign(self, world: World) -> World | None:
        """Return what follows if nothing goes wrong any more; None when all is terminal."""
        if all(row.intent.done for row in world.rows):
            return None
        for p, pending in enumerate(world.pending):
            if pending is not None:
                *_, (_, after) = self._continue(world, p, pending)  # the last is the good one
                return after
        for _, after in self._decisions(world, 0):
            return after
        nonce = count(world.chain)
        mined = [p for p in sorted(world.pool) if p[2] == nonce]
        entry = mined[-1] if mined else None
        return world._replace(
            chain=(*world.chain, entry), pool=frozenset(p for p in world.pool if p != entry)
        )


# What must hold


def broken(model: Model, world: World) -> str | None:
    """Return which invariant does not hold."""
    final = world.chain[: max(0, len(world.chain) - REORG)]
    for index, row in enumerate(world.rows):
        if row.intent.filler:
            continue
        effects = effects_of(model, world.chain, index)
        if effects > 1:
            return f"two effects of intent {index}"
        state = row.intent.state
        if state not in TERMINAL:
            continue
        happened = effects_of(model, final, index)
        if state is State.DONE and happened != 1:
            return f"intent {index} is done without an effect in a final block"
        if state is not State.DONE:
            # A stranger may use the guard's id at any time, also after a cancellation.
            own = effects_of(model, tuple(e for e in final if e != "thief"), index)
            if own or (state is State.REVERTED and happened):
                return f"intent {index} is {state}, and its effect took place"
            live = [p for p in world.signed if p[0] == index and p[2] >= count(final)]
            if [p for p in live if p[1] is Kind.EFFECT]:
                return f"intent {index} is {state} with a live payload"
    return None


def effects_of(model: Model, chain: Sequence[Payload | str | None], index: int) -> int:
    """Return how often an intent took effect: a guard lets only the first through."""
    times = sum(isinstance(e, tuple) and e[:2] == (index, Kind.EFFECT) for e in chain)
    times += sum(e == "thief" for e in chain) if index == 0 else 0
    return min(times, 1) if model.guarded else times


def observed(
    chain: tuple[Payload | str | None, ...], index: int, row: Row, *, latest_only: bool
) -> Observation:
    """Return what the executor would read of the chain."""
    final = max(0, len(chain) - REORG)
    receipts: dict[str, Receipt] = {}
    used: list[int] = []
    for number, entry in enumerate(chain, 1):
        if entry == "thief" and index == 0:
            used.append(number)
        if not isinstance(entry, tuple) or entry[0] != index:
            continue
        succeeded = entry[1] is Kind.EFFECT and not (row.intent.guard and used)
        if entry[1] is Kind.EFFECT:
            used.append(number)
        name = f"{entry[0]}-{entry[1]}-{entry[2]}-{entry[3]}"
        block = f"{chain[:number]}"
        success = succeeded or entry[1] is Kind.NOOP
        receipts[name] = Receipt(name, block, number, success, 1, succeeded)
    if latest_only and row.attempts:
        latest = row.attempts[-1].hash
        receipts = {h: r for h, r in receipts.items() if h == latest}
    at = BlockRef(1, len(chain), f"{len(chain)}", "", 0)
    guarded = row.intent.guard is not None
    return Observation(
        at, final, count(chain), count(chain[:final]), MARKET, receipts,
        used=bool(used) if guarded else None,
        used_final=any(n <= final for n in used) if guarded else None,
    )  # fmt: skip


def count(chain: Sequence[Payload | str | None]) -> int:
    """Return how many transactions of the wallet there are."""
    return sum(entry is not None and entry != "thief" for entry in chain)


def _intent(index: int, guarded: bool) -> Intent:
    return Intent(
        id=f"i{index}", chain_id=1, account=WALLET, wallet=WALLET, call=Call(WALLET, index, b"x"),
        gas_limit=24_150, deadline=1 << 40, fee_cap_abs=LIMIT, state=State.APPROVED,
        guard=GUARD if guarded else None,
    )  # fmt: skip


def _plain(intent: Intent) -> Intent:
    return replace(intent, reason="", version=0)


def _payload(index: int, attempt: Attempt) -> Payload:
    return index, attempt.kind, attempt.nonce, attempt.k


def _set(values: tuple, index: int, value: object) -> tuple:  # type: ignore[type-arg]
    return (*values[:index], value, *values[index + 1 :])


def without(name: str) -> tuple[rules.Rule, ...]:
    """Return the rules but one."""
    table = tuple(rule for rule in rules.RULES if rule.name != name)
    assert len(table) == len(rules.RULES) - 1
    return table


def instead(name: str, says: Callable[[View], Action | None]) -> tuple[rules.Rule, ...]:
    """Return the rules with another in the place of one."""
    assert any(rule.name == name for rule in rules.RULES)
    return tuple(replace(rule, says=says) if rule.name == name else rule for rule in rules.RULES)


__all__ = ["Bind", "Budget", "Model", "World", "broken", "instead", "without"]
