"""The live part: the service watches, a price falls in steps, and what must happen happens.

The demo moves the price and looks on. It reads the service's database, as its pages do, and hears
its webhooks; planning, judging, signing and sending are the service's and its children's.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, func, select

from chain.types import Address
from chain.wallet.local import Key, LocalSigner
from underkeel.config.load import Config, load
from underkeel.demo import settings
from underkeel.demo.guards import Guarded, set_up
from underkeel.demo.receiver import Receiver, receiving
from underkeel.demo.rescue import NotRescued, Rescue, Saved
from underkeel.demo.service import Service, serving
from underkeel.demo.stage import CRASHED, Stage, arbitrage, crash, demo_key, price_of
from underkeel.demo.timeline import Timeline
from underkeel.portfolio import read_portfolio
from underkeel.steer import rows
from underkeel.steer.record import plan_of
from underkeel.steer.types import Proposal, Status
from underkeel.store import chains, events
from underkeel.store.open import open_store
from underkeel.store.store import Store
from underkeel.store.tables import alerts, notifications

FALLS: Final = (-0.04, -0.12)
"""Against the first price: a warning, then the danger that is steered away from."""
PATIENCE_S: Final = 180
LOOK_S: Final = 0.05
DRIFT: Final = 0.003
REFRESH: Final = 200
"""So many moves of one price, and all feeds are answered again."""
ENDS: Final = frozenset({Status.FAILED, Status.REFUSED, Status.UNKNOWN, Status.WITHDRAWN})


@dataclass
class Live:
    """A running demo: the chain, the service that watches it, and what was seen so far."""

    stage: Stage
    folder: Path
    config: Config
    guarded: tuple[Guarded, ...]
    service: Service
    store: Store
    receiver: Receiver
    timeline: Timeline
    pause: Callable[[float], None]
    """Lets people look; does nothing where nobody does."""
    bottom: float = 0.0
    drifts: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    # What moves

    def block(self) -> int:
        """Return the newest block's number."""
        return int(self.stage.world.node.block()["number"], 16)

    def fall(self, to: float) -> str:
        """Let the price fall to a value, by a real round and by trades that follow it."""
        said = crash(self.stage, to / price_of(self.stage, CRASHED) - 1)
        self.timeline.add("price", said, block=self.block())
        arbitrage(self.stage)
        self.await_read()
        return said

    def drift(self) -> None:
        """Let the price move a little, and feeds speak before they are overdue."""
        price = price_of(self.stage, CRASHED)
        step = DRIFT * (2 * self.chance.random() - 1) + (self.bottom / price - 1) / 20
        crash(self.stage, step)
        self.drifts += 1
        if self.drifts % REFRESH == 0:
            from world.actors import feeds

            feeds.refresh_feeds(self.stage.world)

    # What is waited for

    def until(self, what: str, holds: Callable[[], Any]) -> Any:
        """Return what `holds` returns as soon as that is something; raises `NotRescued`."""
        stop = time.monotonic() + PATIENCE_S
        while not (found := holds()):
            self.service.check()
            if time.monotonic() > stop:
                raise NotRescued(f"{what}: not within {PATIENCE_S} s")
            time.sleep(LOOK_S)
        return found

    def await_read(self) -> None:
        """Wait until the service has read the newest block."""
        wanted = self.block()

        def read() -> bool:
            with self.store.reading() as db:
                state = chains.get(db, settings.CHAIN)
            return state is not None and (state.block_number or 0) >= wanted

        self.until(f"block {wanted} is read", read)

    def await_state(self, rule: str, *states: str) -> None:
        """Wait until every alert of a rule is in one of the states, and there is one."""

        def there() -> bool:
            with self.store.reading() as db:
                query = select(alerts.c.state).where(alerts.c.rule == rule)
                found = list(db.execute(query).scalars())
            return bool(found) and all(state in states for state in found)

        self.until(f"the alert {rule} is {' or '.join(states)}", there)

    def await_done(self, rule: str) -> Proposal:
        """Wait until what a rule's action asked for is carried out; raises `NotRescued`."""

        def done() -> Proposal | None:
            own = [p for p in self.proposals() if p.rule == rule]
            if ended := next((p for p in own if p.status in ENDS), None):
                raise NotRescued(f"{rule} ended {ended.status}: {ended.cause}")
            return next((p for p in own if p.status is Status.DONE), None)

        found = self.until(f"{rule} is carried out", done)
        assert isinstance(found, Proposal)
        return found

    def await_delivered(self) -> None:
        """Wait until no message waits for its channel."""

        def delivered() -> bool:
            open_ = notifications.c.status.in_(("waiting", "sending"))
            with self.store.reading() as db:
                query = select(func.count()).select_from(notifications).where(open_)
                return not db.execute(query).scalar()

        self.until("every message is delivered", delivered)

    def proposals(self) -> tuple[Proposal, ...]:
        """Return every proposal so far."""
        with self.store.reading() as db:
            return rows.current(db, 0)


@contextmanager
def open_live(
    stage: Stage,
    folder: Path,
    timeline: Timeline,
    port: int,
    pause: Callable[[float], None],
) -> Iterator[Live]:
    """Set guards up, start receiver and service, and follow what they do; all ends together."""
    owner = LocalSigner(Key(demo_key(settings.OWNER), "demo"), "the demo's owner")
    guarded = set_up(stage, owner, Address(stage.operator))
    timeline.add("chain", "guards set up: a delegate for Aave, a module for Morpho")
    state = folder / "state"
    environ = {
        "UNDERKEEL_STATE_DIR": str(state),
        "UNDERKEEL_CACHE_DIR": str(folder / "cache"),
    }
    follower = Follower(timeline)
    with receiving(settings.SECRET, follower.hear) as receiver:
        path = settings.write(stage, folder, guarded, receiver.url, port)
        config = load(path, environ={})
        with serving(path, environ, state) as service:
            timeline.add("service", f"the dashboard is at {service.url}")
            store = open_store(config, create=False, environ=environ)
            try:
                with follower.following(store):
                    live = Live(
                        stage, folder, config, guarded, service, store, receiver, timeline, pause
                    )
                    live.await_read()
                    yield live
            finally:
                store.close()


def play(live: Live, bottom: float) -> Rescue:
    """Let the price fall: warning, danger, rescue, and the rest of the fall to `bottom`."""
    first, live.bottom = price_of(live.stage, CRASHED), bottom
    live.pause(2)
    for fraction in FALLS:
        warning = live.fall(first * (1 + fraction))
        live.pause(2)
    saved = []
    for one in live.guarded:
        rule = settings.PLANS[one.market]
        proposal = live.await_done(rule)
        live.await_state(rule, "resolved", "ok")
        saved.append(_saved(one, proposal))
    live.pause(3)
    last = price_of(live.stage, CRASHED)
    live.fall((last + bottom) / 2)
    live.pause(2)
    end_of_fall = live.fall(bottom)
    live.until("a proposal for what has no guard", lambda: _proposed(live, "unguarded"))
    live.await_delivered()
    accounts = tuple(Address(one) for one in live.stage.owners.values())
    end = read_portfolio(live.config, accounts, cache=live.folder / "cache")
    by_id = {assessed.position.id: assessed for assessed in end.assessments}
    ended = tuple(
        Saved(one.plan, one.guarded, one.hash, one.before, one.after, by_id.get(one.after.id))
        for one in saved
    )
    return Rescue(warning, ended, end_of_fall, end)


def _proposed(live: Live, rule: str) -> bool:
    return any(p.rule == rule for p in live.proposals())


def _saved(guarded: Guarded, proposal: Proposal) -> Saved:
    plan = plan_of(proposal)
    if plan is None:
        raise NotRescued(f"{proposal.name}: its plan cannot be read")
    before, after = (
        next(v for v in views if guarded.market.casefold() in v.market.casefold())
        for views in (plan.before, plan.after)
    )
    ended = (proposal.ended or {}).get("ended") or [{}]
    return Saved(plan, guarded, ended[-1].get("hash"), before, after)


class Follower:
    """Puts every event of the store into the timeline, in the order of its commits."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._store: Store | None = None
        self._last = 0
        self._lock = threading.Lock()

    def look(self) -> None:
        """Add what is new; nothing where there is no store yet."""
        with self._lock:
            if self._store is None:
                return
            with self._store.reading() as db:
                for event in events.after(db, self._last):
                    self._last = event.id
                    tell(self._timeline, event, _block_of(db, event))

    def hear(self, message: Mapping[str, Any]) -> None:
        """Add a message that was received, after what it tells of."""
        self.look()
        self._timeline.add(
            "receipt",
            f"webhook received: {message['title']}",
            severity=message["severity"],
            alert=message["alert"] or message["rule"],
        )

    @contextmanager
    def following(self, store: Store) -> Iterator[None]:
        """Look all the time."""
        stop = threading.Event()

        def follow() -> None:
            while not stop.wait(LOOK_S):
                self.look()

        self._store = store
        thread = threading.Thread(target=follow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)
            with self._lock:
                self._store = None


def _block_of(db: Connection, event: events.Event) -> int | None:
    """Return the block that an alert was judged by."""
    query = select(alerts.c.block_number).where(alerts.c.key == event.alert)
    return db.execute(query).scalar() if event.kind == "alert" else None


def tell(timeline: Timeline, event: events.Event, block: int | None) -> None:
    """Put one event into the timeline; what a plan has sent is an entry of its own."""
    timeline.add(event.kind, event.text, block=block, severity=event.severity, alert=event.alert)
    if event.kind == "plan":
        for one in event.body.get("transactions") or ():
            timeline.add("transaction", f"{one['end']}: {one['hash']}", transaction=one["hash"])
