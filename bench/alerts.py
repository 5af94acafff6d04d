"""How long judging a reading takes: `python -m bench.alerts`.

2,000 positions with eight metrics each, the built-in rules and one about health, in a SQLite file.
Processor time of `evaluate` in milliseconds: while nothing changes, as 50 positions cross a level,
as all do, and as the chain cannot be read.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Final

from chain.types import BlockRef
from underkeel.alerts.evaluate import evaluate
from underkeel.alerts.rules import Rules, rules_of
from underkeel.config.model import Settings
from underkeel.observe.metrics import CHAIN_METRICS
from underkeel.observe.types import Gap, Observation, Observed, Scope, labels
from underkeel.store.store import Store

POSITIONS: Final = 2_000
WALLETS: Final = 50
START: Final = 1_800_000_000
ROUNDS: Final = 15
METRICS: Final = (
    "health_factor", "liquidation_distance", "time_to_liquidation", "liquidatable",
    "position_unknown", "collateral_usd", "debt_usd", "equity_usd",
)  # fmt: skip
FLAGS: Final = ("liquidatable", "position_unknown")
RULE: Final = {
    "id": "hf-low",
    "expr": "health_factor",
    "levels": [
        {"severity": "warning", "fire_below": 1.5, "clear_above": 1.6},
        {"severity": "critical", "fire_below": 1.15, "clear_above": 1.25},
    ],
}
OF: Final = [
    labels(
        chain="ethereum",
        market="Core",
        position=f"1:aave-v3:0x{'87' * 20}:0x{i:040x}",
        protocol="aave-v3",
        wallet=f"w{i % WALLETS}",
    )
    for i in range(POSITIONS)
]


def reading(number: int, health: Callable[[int], Decimal]) -> Observed:
    """Return what is observed at a block."""
    block = BlockRef(1, number, f"0x{number:064x}", "0x" + "0" * 64, START + 12 * number)
    found = [
        Observation(
            metric, of,
            health(i) if metric == "health_factor" else Decimal(metric not in FLAGS), "",
            block.timestamp, block,
        )
        for i, of in enumerate(OF)
        for metric in METRICS
    ]  # fmt: skip
    return Observed(Scope("ethereum", CHAIN_METRICS, block), tuple(found))


def timed(store: Store, rules: Rules, observed: Observed, now: float) -> float:
    """Return the milliseconds of processor time that judging takes."""
    with store.writing() as db:
        began = time.process_time()
        evaluate(db, rules, observed, now)
        return 1e3 * (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    settings = Settings.model_validate(
        {
            "version": 1,
            "chains": {"ethereum": {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]}},
            "channels": {"ops": {"apprise": "env:X"}},
            "alert": [RULE],
        }
    )
    rules = rules_of(settings)
    good, bad = Decimal(2), Decimal("1.1")
    down = Observed(
        Scope("ethereum", CHAIN_METRICS, None, (Gap(labels(chain="ethereum"), "no answer"),)), ()
    )
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'keel.sqlite'}"
        store = Store.open(url, mode="dry-run", chains={"ethereum": 1})
        number = 0

        def see(health: Callable[[int], Decimal]) -> float:
            nonlocal number
            number += 1
            return timed(store, rules, reading(number, health), START + 12 * number)

        def some(i: int) -> Decimal:
            return bad if i < WALLETS else good

        rows = [("first", see(lambda _: good))]
        rows.append(("calm", statistics.median(see(lambda _: good) for _ in range(ROUNDS))))
        rows.append((f"{WALLETS} cross", see(some)))
        rows.append((f"{WALLETS} fire", statistics.median(see(some) for _ in range(ROUNDS))))
        rows.append((f"{POSITIONS - WALLETS} cross", see(lambda _: bad)))
        rows.append(("all fire", statistics.median(see(lambda _: bad) for _ in range(ROUNDS))))
        later = START + 12 * (number + 1)
        rows.append(("chain down", timed(store, rules, down, later)))
        rows.append(("stays down", timed(store, rules, down, later + 12)))
        store.close()
    for name, took in rows:
        print(f"{name:<12} {took:8.1f} ms")


if __name__ == "__main__":
    main()
