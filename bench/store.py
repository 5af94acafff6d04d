"""How long a block of a watched crowd takes to be written: `python -m bench.store [URL]`.

2,000 positions with 8 series each, every 2 s, into one transaction with their document of about
4 MB. Prints milliseconds of wall clock and of processor time, median and worst.
"""

import random
import statistics
import sys
import tempfile
import time
from decimal import Decimal
from pathlib import Path

import orjson

from underkeel.config.storage import RetainTable
from underkeel.observe.types import Observation, labels
from underkeel.store import documents
from underkeel.store.samples import Sampler
from underkeel.store.status import status
from underkeel.store.store import Store
from underkeel.store.upkeep import Upkeep

POSITIONS = 2_000
SERIES = 8
BLOCK_S = 2
BEGIN = 1_790_000_000.0


class Crowd:
    """What is observed of it, block by block."""

    def __init__(self) -> None:
        self.rng = random.Random(1)
        ids = [f"1:aave-v3:0x{n:040x}:0x{n * n:040x}:" for n in range(POSITIONS)]
        self.labels = [
            labels(chain="e", market="core", position=id_, protocol="aave-v3", wallet=f"w{n % 50}")
            for n, id_ in enumerate(ids)
        ]
        self.values = [Decimal(self.rng.randint(10**17, 10**19)) / 10**18 for _ in ids]
        self.document = orjson.dumps({"positions": [self._position(id_) for id_ in ids]})

    def _position(self, id_: str) -> dict[str, object]:
        legs = [
            {
                "asset": f"0x{n:040x}", "side": "debt", "name": "", "value_usd": self.rng.random(),
                "amount_raw": str(self.rng.getrandbits(80)),
                "price_raw": str(self.rng.getrandbits(70)),
            }
            for n in range(12)
        ]  # fmt: skip
        return {
            "id": id_, "legs": legs, "verified": True, "unknown": [],
            "liquidation": {"status": "safe"},
            "provenance": {"timestamp": str(int(BEGIN)), "block_number": "1", "block_hash": None},
        }  # fmt: skip

    def block(self, at: float, move: Decimal) -> list[Observation]:
        self.values = [value * move for value in self.values]
        return [
            Observation(f"metric_{n}", names, value, "", at, None)
            for names, value in zip(self.labels, self.values, strict=True)
            for n in range(SERIES)
        ]


def main(url: str) -> None:
    store = Store.open(url, mode="dry-run", chains={"e": 1})
    crowd, sampler, at = Crowd(), Sampler(), BEGIN
    print(f"{POSITIONS} positions × {SERIES} series, document {len(crowd.document) / 1e6:.1f} MB")
    calm, shock = Decimal("1.00001"), Decimal("0.97")
    for name, pause, blocks, move in (
        ("the first block", 0, 1, calm), ("calm blocks", 0, 100, calm),
        ("all is due", 1_400, 1, calm), ("a price falls by 3 %", 20, 1, shock),
    ):  # fmt: skip
        at += pause
        walls, cpus, rows = [], [], 0
        for _ in range(blocks):
            at += BLOCK_S
            seen = crowd.block(at, move)
            wall, cpu = time.perf_counter(), time.process_time()
            with store.writing() as db:
                rows += sampler.write(db, seen)
                documents.put(db, "risk", "e", crowd.document, at=at)
            walls.append(1e3 * (time.perf_counter() - wall))
            cpus.append(1e3 * (time.process_time() - cpu))
        print(
            f"{name}: {statistics.median(walls):.0f} ms, worst {max(walls):.0f} ms "
            f"(processor {statistics.median(cpus):.0f} ms), {rows / blocks:,.0f} rows a block"
        )
    store.clock = lambda: at + 7_200
    wall = time.perf_counter()
    Upkeep(store, RetainTable()).run()
    print(f"upkeep, positions kept and hours rolled up: {time.perf_counter() - wall:.1f} s")
    print(f"size {status(store).size_bytes / 1e6:.1f} MB")
    store.close()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(sys.argv[1])
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
