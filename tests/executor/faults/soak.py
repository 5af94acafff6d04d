"""Random faults, one after another, against real processes on a real node behind a hostile proxy.

    PYTHONPATH=contracts python -m tests.executor.faults.soak [FAULTS] [SEED]      default: 1,000

Kills, stops with take-overs, wrong clocks, lost, late, doubled and false replies, dropped pools,
reorganisations, strangers at our nonces, fee spikes, cancellations, pauses, backups restored. Ends
with: one effect per intent, nothing lost, spent and reserved never above the cap.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from executor.types import TERMINAL, Intent, State
from tests.executor.faults.place import FORK, GUARD, GUARD_CODE, Executor, Gone, Place
from tests.executor.faults.test_replies import AFTER_ACCEPTANCE, Swallowing, sends
from tests.executor.run.stage import ETHER, GWEI
from tests.support import faults
from tests.support.proxy import Proxy

if TYPE_CHECKING:
    from world.anvil import Anvil

DEPTH = 8
CAP = ETHER // 1000
"""Wei in a day. A day of the soak ends when most of it is spent."""
DAY_S = 26 * 3600
PATIENCE = 200
"""Blocks within which all must have ended once nothing goes wrong any more."""


class Soak:
    """One wallet, and what happens to it."""

    def __init__(self, place: Place, proxy: Proxy, seed: int) -> None:
        self.place = place
        self.proxy = proxy
        self.rng = random.Random(seed)
        self.wanted: list[Intent] = []
        self.done: Counter[str] = Counter()
        self.most = 0
        self.days = 0
        self.before = 0
        """Wei spent before this day."""
        self.running: Executor | None = None
        self.faults: tuple[Callable[[], None], ...] = (
            self.kill, self.kill, self.kill, self.stop, self.skew, self.reply, self.reply,
            self.swallow, self.drop, self.reorg, self.reorg, self.stranger, self.spike,
            self.cancel, self.pause, self.restore,
        )  # fmt: skip

    # What goes on

    def step(self) -> None:
        """Want something more, do one fault, and let time pass."""
        if len(self.place.open()) < 3:
            self.want()
        fault = self.rng.choice(self.faults)
        self.done[fault.__name__] += 1
        fault()
        self.tick()
        if self.rng.random() < 0.8:
            self.place.node.mine(self.rng.choice((1, 1, 1, 2, 4)))
        self.check()

    def want(self) -> None:
        """Record an intent like no other; some are marked by a guard."""
        number = len(self.wanted) + 1
        cap = self.rng.choice((3, 10, 60)) * GWEI
        if self.rng.random() < 0.3:
            self.wanted.append(self.place.guarded(fee_cap_abs=cap))
        else:
            deadline = self.place.node.timestamp() + 100_000
            self.wanted.append(self.place.intent(1000 + number, fee_cap_abs=cap, deadline=deadline))

    def start(self) -> Executor:
        if self.running is None or not self.running.process.is_alive():
            self.running = self.place.start(**self.options(), timeout_s=2.0)
        return self.running

    def options(self, skew_s: int = 0) -> dict[str, Any]:
        """Return what every process is started with."""
        skew_s += self.days * DAY_S
        return {"urls": (self.proxy.url,), "depth": DEPTH, "cap": CAP, "skew_s": skew_s}

    def next_day(self) -> None:
        """Let what is settled leave the caps' window."""
        self.end()
        self.days += 1
        self.before = self.place.spent()

    def tick(self) -> None:
        try:
            self.start().tick()
        except Gone:
            self.running = None

    def end(self) -> None:
        if self.running is not None:
            self.running.kill()
            self.running = None

    # What goes wrong

    def kill(self) -> None:
        self.end()
        self.place.die(
            self.rng.randrange(40), ticks=2, mine=self.rng.random() < 0.5, **self.options()
        )

    def stop(self) -> None:
        """Stop a process somewhere; another takes over an hour later, and the first goes on."""
        self.end()
        name = self.rng.choice(("before commit", "before check", "before the sending"))
        stopped = self.place.start(stop_on=(name, 0), **self.options())
        stopped.ask()
        if stopped.pipe.poll(0.5):  # it never came there
            stopped.kill()
            return
        other = self.place.start(holder="other", **self.options(3600))
        other.tick()
        self.place.node.mine()
        other.tick()
        stopped.go_on()
        stopped.answer()
        stopped.kill()
        other.quit()

    def skew(self) -> None:
        self.end()
        wrong = self.place.start(**self.options(self.rng.choice((-3600, 3600))))
        wrong.tick()
        wrong.kill()

    def reply(self) -> None:
        kinds = [k for k in AFTER_ACCEPTANCE if k != "times-out"]
        when = sends if self.rng.random() < 0.7 else None
        fault = AFTER_ACCEPTANCE[self.rng.choice(kinds)]
        if when is None:
            fault = self.rng.choice((faults.cut, faults.html, faults.truncated))
        self.proxy.script.always(fault, when=when)
        self.tick()
        self.proxy.script.calm()

    def swallow(self) -> None:
        assert isinstance(self.proxy, Swallowing)
        self.proxy.swallows = True
        self.tick()
        self.proxy.swallows = False

    def drop(self) -> None:
        self.place.drop()

    def reorg(self) -> None:
        self.place.node.reorg(self.rng.randrange(1, DEPTH))
        if self.rng.random() < 0.5:
            self.place.drop()

    def stranger(self) -> None:
        self.place.drop()
        self.place.stranger(self.place.nonce(), value="0x1", data="0x77", gas=hex(30_000))
        self.place.node.mine()

    def spike(self) -> None:
        self.place.base_fee(self.rng.choice((2, 10, 50)))
        self.place.node.mine()
        self.tick()
        self.place.base_fee()

    def cancel(self) -> None:
        if opened := self.place.open():
            self.place.journal.wish(self.rng.choice(opened).id, "cancel")

    def pause(self) -> None:
        file = self.place.folder / "pause"
        at = time.time()
        file.touch()
        self.tick()
        self.place.node.mine()
        self.tick()
        signed = [s for s in self.place.signed() if s.effect and s.at > at]
        assert not signed, "an effect was signed after the pause"
        file.unlink()

    def restore(self) -> None:
        """Let a backup of a moment ago take the journal's place."""
        if self.rng.random() < 0.7:
            return
        self.end()
        copy = self.place.backup()
        self.tick()
        self.place.node.mine()
        self.tick()
        self.end()
        self.place.restore(copy)

    # What must hold

    def check(self) -> None:
        spent = self.place.spent() - self.before
        total = spent + self.place.reserved()
        self.most = max(self.most, total)
        assert total <= CAP, f"{total} wei spent and reserved, of {CAP}"
        if spent > CAP * 3 // 4:
            self.next_day()

    def finish(self) -> Counter[State]:
        """Let nothing go wrong any more; return how many ended how."""
        place = self.place
        self.proxy.script.calm()
        self.next_day()
        for block in range(PATIENCE):
            place.base_fee()
            if block == PATIENCE // 2:  # what the cap holds back
                for intent in place.open():
                    place.journal.wish(intent.id, "cancel")
            self.tick()
            if not place.open():
                break
            place.node.mine()
        self.end()
        place.resend()
        place.node.mine()
        ends: Counter[State] = Counter()
        sent = Counter((tx["to"], int(tx["value"], 16), tx["input"], place.receipt(tx["hash"])[
            "status"]) for tx in place.transactions())  # fmt: skip
        for intent in self.wanted:
            state = place.state(intent)
            call = intent.call
            effects = sent[call.to.lower(), call.value, "0x" + call.data.hex(), "0x1"]
            assert state in TERMINAL, f"{intent.id} is {state}"
            assert effects == (state is State.DONE), f"{intent.id} is {state}: {effects} effects"
            ends[state] += 1
        self.check()
        return ends


def soak(node: Anvil, folder: Path, count: int, seed: int, say: Callable[[str], None]) -> None:
    """Do so many faults; raises where an invariant breaks."""
    with Swallowing(node.url) as proxy:
        proxy.swallows = False
        place = Place(node, folder)
        node.set_code(GUARD, GUARD_CODE)
        node.mine(DEPTH + 1)  # no reorganisation takes its code and the wallet's coins back
        made = Soak(place, proxy, seed)
        started = time.monotonic()
        try:
            for number in range(1, count + 1):
                made.step()
                if number % 50 == 0:
                    say(f"{number} faults, {len(made.wanted)} intents, "
                         f"{time.monotonic() - started:.0f} s")  # fmt: skip
            ends = made.finish()
        finally:
            place.close()
        parts = ", ".join(f"{n} {state}" for state, n in sorted(ends.items()))
        kinds = ", ".join(f"{name} {n}" for name, n in sorted(made.done.items()))
        say(f"{count} faults (seed {seed}): {len(made.wanted)} intents: {parts}; "
             f"{len(place.signed())} payloads signed; at most {made.most / ETHER:.6f} of "
             f"{CAP / ETHER} spent and reserved a day, {made.days} days\n  {kinds}")  # fmt: skip


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    from world.anvil import Anvil
    from world.builder import build

    FORK.set_forkserver_preload(["tests.executor.faults.entry"])
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder, Anvil(build().anvil) as node:
        soak(node, Path(folder), count, seed, tell)


if __name__ == "__main__":
    main()
