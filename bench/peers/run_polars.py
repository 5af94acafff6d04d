"""Count liquidations with polars: `run_polars.py FOLDER`, prints JSON for each line it reads.

The folder holds `prices.npy` [F, S] float32 as raw columns and `rows.json`, a list of
[[factor, weight], …]. Each account is one lazy expression over the columns of its own factors only
(polars is not made to multiply by zeros), in float64 so that counts agree; columns are made before
the clock starts.
"""

import json
import sys
import time
from pathlib import Path

import polars as pl

folder = Path(sys.argv[1])
about = json.loads((folder / "rows.json").read_text())
factors, scenarios = about["shape"]
raw = (folder / "prices.f32").read_bytes()
size = 4 * scenarios
frame = pl.DataFrame(
    {
        f"f{f}": pl.Series(
            memoryview(raw)[f * size : (f + 1) * size].cast("f"), dtype=pl.Float32
        ).cast(pl.Float64)
        for f in range(factors)
    }
)
asked = []
for a, row in enumerate(about["rows"]):
    margin = pl.sum_horizontal(pl.col(f"f{f}") * w for f, w in row)
    asked += [(margin < 0).sum().alias(f"c{a}"), margin.clip(upper_bound=0).sum().alias(f"s{a}")]

for _ in sys.stdin:  # so that contestants can take turns
    start = time.perf_counter()
    parts = [frame.lazy().select(asked[i : i + 40]).collect() for i in range(0, len(asked), 40)]
    wall = time.perf_counter() - start
    found = pl.concat(parts, how="horizontal").row(0)
    told = {"version": pl.__version__, "wall": wall, "counts": list(found[::2])}
    print(json.dumps(told), flush=True)
