"""Breadth-first search over a model: the shortest way to a broken invariant, or all states."""

from collections import deque
from dataclasses import dataclass, field

from tests.executor.run.model import Budget, Model, World, broken

PATIENCE = 400
"""Benign steps within which everything must have ended."""


@dataclass
class Found:
    """What a search saw."""

    states: int = 0
    depth: int = 0
    whole: bool = True
    """No state was left out by the limit."""
    fault: str | None = None
    trace: list[str] = field(default_factory=list)


def explore(model: Model, budget: Budget, *, limit: int = 1 << 30, depth: int = 1 << 30) -> Found:
    """Search until an invariant breaks, all is seen, or a limit is met."""
    start = model.start(budget)
    parents: dict[World, tuple[World, str] | None] = {start: None}
    queue = deque([(start, 0)])
    ends: set[World] = set()
    found = Found()
    while queue:
        world, level = queue.popleft()
        found.depth = level
        fault = broken(model, world) or stuck(model, world, ends)
        if fault is not None:
            found.fault = fault
            found.trace = _trace(parents, world)
            break
        if level >= depth:
            found.whole = False
            continue
        for name, after in model.moves(world):
            if after not in parents:
                if len(parents) >= limit:
                    found.whole = False
                    continue
                parents[after] = (world, name)
                queue.append((after, level + 1))
    found.states = len(parents)
    return found


def stuck(model: Model, world: World, ends: set[World]) -> str | None:
    """Return why not everything ends although nothing goes wrong any more; None if it does.

    The way to the end must be safe too.
    """
    way: list[World] = []
    seen: set[World] = set()
    for _ in range(PATIENCE):
        # How much may still go wrong does not matter to where nothing does.
        world = world._replace(budget=Budget(0))
        if world in ends:
            break
        if world in seen:
            return "it goes round in circles"
        seen.add(world)
        way.append(world)
        fault = broken(model, world)
        if fault is not None:
            return fault
        after = model.benign(world)
        if after is None:
            break
        world = after
    else:
        states = ", ".join(row.intent.state for row in world.rows)
        return f"no end is reached: {states}"
    ends.update(way)
    return None


def _trace(parents: dict[World, tuple[World, str] | None], world: World) -> list[str]:
    names: list[str] = []
    while (before := parents[world]) is not None:
        world, name = before
        names.append(name)
    return names[::-1]
