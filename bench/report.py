"""Turn measurements into a table for the terminal and a page for the docs."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence

from bench.contestants import CONTESTANTS, REFERENCE
from bench.measure import ENOUGH_S, Measured, Result, Size
from bench.verdict import verdict

HEAD = ("", "wall ms", "× multicall.py", "CPU ms", "grown MB", "POSTs", "MB up", "MB down",
        "raw replay ms")  # fmt: skip
FAR = ("", "wall ms", "× multicall.py", "round trips")


def _ratio(results: Sequence[Result], result: Result) -> str:
    reference = next((r for r in results if r.name == REFERENCE), None)
    return f"{reference.wall_ms / result.wall_ms:.2g}" if reference else "–"


def _number(value: float | None, digits: int = 3) -> str:
    if value is None:
        return ""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{digits}g}" if value else "0"


def rows(size: Size, results: Mapping[Size, Measured]) -> list[tuple[str, ...]]:
    """Return the cells of one size's table, its head first."""
    here = results[size].results
    if size.latency_ms:
        near = (
            {r.name: r.wall_ms for r in results[size.near].results} if size.near in results else {}
        )
        lines: list[tuple[str, ...]] = [FAR]
        for r in here:
            trips = (r.wall_ms - near[r.name]) / size.latency_ms if r.name in near else None
            lines.append((r.name, _number(r.wall_ms), _ratio(here, r), _number(trips, 2)))
        return lines
    return [
        HEAD,
        *(
            (r.name, _number(r.wall_ms), _ratio(here, r), _number(r.cpu_ms), _number(r.peak_mb),
             "" if r.posts is None else f"{r.posts:,}", _number(r.up_mb), _number(r.down_mb),
             _number(r.floor_ms))
            for r in here
        ),
    ]  # fmt: skip


def left_out(size: Size) -> str:
    """Say who is not measured at a size: most would take minutes."""
    names = [
        c.name for c in CONTESTANTS
        if size.task in c.tasks and c.leaves_out(size.cells, size.latency_ms)
    ]  # fmt: skip
    if not names:
        return ""
    return f"Left out, too slow or of no interest at this size: {'; '.join(names)}."


def table(lines: Sequence[Sequence[str]]) -> str:
    """Return a table for the terminal."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


PAGE = """# Benchmarks

Written by `make bench`; every figure is of that one run. {machine}. Figures are medians of {runs}
readings, or of as many as fit into {enough:.0f} s. Node, proxy and reader share the machine:
trust the ratios, not the milliseconds.

## What is read

A real Aave V3.0.2 market on a local anvil. `full` is 3·P·R balances (aToken scaled, debt scaled,
wallet) + P user configurations + 2·R (reserve data, price) for P accounts × R reserves, 7 % of
the balances not zero; `health` is `getUserAccountData` of P accounts, or what our lens needs to
compute the same; `uniswap v3` is every NFT of one owner, or of many, with its pool's price and fee
growth (ours also reads the manager's account in the pool, tokens and a TWAP, of which amounts and
fees come exact to the wei). Everyone reads at one block. A
digest over all words proves that all did the same work; whoever differs is not in the tables.

## How it is measured

Each contestant runs in a process and an environment of its own. At each size all warm up, then read
in turns, so that whatever else the machine does hits all alike, each stopped while it is not its
turn; a short reading is repeated within its turn, for 0.15 s at most. Timed are building the calls,
sending, decoding; with 100,000 cells (accounts × reserves) peers read once, without a warm-up. CPU
counts the reader and what it started, not the node. `grown MB` is what the process grew by over its
size before the first timed reading. POSTs and bytes are counted by a proxy in a run of its own.
Latency is added by a proxy that delays every byte by half a round trip and a new connection by one
more; bandwidth and slow start are not modelled. `round trips` is the time that latency added, over
the latency. `raw replay` is our own requests sent again to the same node over bare sockets, in the
same turns, the answers read and dropped: what node and loopback take without any client.

`fresh client` makes a client, and its connection, for every reading; all others keep theirs.
`underkeel, lens` calls public functions only; `underkeel, storage` reads tokens' storage where that
was proven to give what the public function gives, and has proven it in the warm-up.
Peers: {versions}. dank_mids as installed limits its own rate, so it reads
once, without a warm-up. multicall.py runs with
steps of 3,000 calls, for health of 150: its own 10,000 run out of the gas it asks for, in words it
does not know; of n steps and one call it loses the last, so one more is added there. The node takes
requests of any size, which by default it does not (2 MB).
"""


def markdown(results: Mapping[Size, Measured], faults: Mapping[str, str], runs: int) -> str:
    """Return the page."""
    versions = {r.name.split(",")[0]: r.version for m in results.values() for r in m.results}
    named = ", ".join(f"{n} {v}" for n, v in sorted(versions.items()) if n != "underkeel")
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    parts = [PAGE.format(machine=machine, runs=runs, enough=ENOUGH_S, versions=named)]
    judged = verdict(results)
    if len(judged) > 1:
        parts += ["## Verdict\n", _markdown(judged), ""]
    for size in results:
        parts += [f"## {str(size)[0].upper()}{str(size)[1:]}\n", _markdown(rows(size, results)), ""]
        missing = left_out(size)
        if missing:
            parts += [missing, ""]
    if faults:
        parts.append("## Not measured\n")
        parts += [f"- {name}: {why}" for name, why in faults.items()]
        parts.append("")
    return "\n".join(parts)


def _markdown(lines: Sequence[Sequence[str]]) -> str:
    head, *rest = ("| " + " | ".join(cells) + " |" for cells in lines)
    return "\n".join([head, "|---" * len(lines[0]) + "|", *rest])
