"""Who is measured, how each is run, and up to what size it is worth waiting for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from bench import environments
from bench.environments import Environment

NO_LIMIT = 10**9
ROOT = Path(__file__).resolve().parents[1]
QUIET_DANK = {
    "TYPEDENVS_SHUTUP": "1",
    # Its limiter, meant for providers, is all that is measured where it is on.
    "DANKMIDS_REQUESTS_PER_SECOND": "1000000",
    "DANKMIDS_MIN_REQUESTS_PER_SECOND": "1000000",
}


@dataclass(frozen=True)
class Contestant:
    """One way of reading."""

    name: str
    environment: Callable[[], Environment]
    script: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environ: Mapping[str, str] = field(default_factory=dict)
    most: int = NO_LIMIT
    """Cells (accounts × reserves) above which it is left out, because it would take minutes."""
    far: int = NO_LIMIT
    """The same with latency added."""
    tasks: tuple[str, ...] = ("full", "health")
    ours: bool = False
    patient: bool = False
    """Waits for a limiter of its own, so it reads once, without a warm-up."""
    brief: bool = False
    """Fast enough to be measured often at any size."""
    replayed: bool = False
    """Whether its own requests are sent again without it, for comparison."""

    def leaves_out(self, cells: int, latency_ms: int) -> bool:
        """Whether so much is too much for it."""
        return cells > min(self.most, self.far if latency_ms else NO_LIMIT)


def _peer(name: str, lock: str, script: str, most: int, **options: Any) -> Contestant:
    return Contestant(name, partial(environments.python, lock), script, options, most=most)


def _js(name: str, script: str, most: int, **options: Any) -> Contestant:
    return Contestant(name, environments.node, script, options, most=most)


def _ours(name: str, how: str, most: int = NO_LIMIT, *tasks: str) -> Contestant:
    by_lens = how.startswith("lens")
    return Contestant(
        name,
        environments.ours,
        "run_underkeel.py",
        {"how": how},
        most=most,
        environ={"PYTHONPATH": str(ROOT)},
        tasks=tasks or ("full", "health"),
        ours=True,
        brief=by_lens,
        replayed=by_lens,
    )


TASKS = ("full", "health", "uniswap", "owners")
REFERENCE = "multicall.py"
"""Whom the ratios are taken from: the best Python peer."""

NAIVE, EXTENDED = "web3.py, naive", "eth_defi multicall"
DANK, DANK_UNLIMITED = "dank_mids, as installed", "dank_mids, limiter off"
VIEM, LENS, STORAGE = "viem, tuned", "underkeel, lens", "underkeel, storage"
HEALTH, WARM = "underkeel, health lens", "underkeel, adapter warm"
FRESH = "multicall.py, fresh client"
OWNERS = "underkeel, positions lens"

CONTESTANTS = (
    replace(_peer(NAIVE, "web3", "run_web3.py", 300, how="naive"), far=0),
    replace(_peer("web3.py, gather", "web3", "run_web3.py", 300, how="gather"), far=10),
    replace(_peer("web3.py, batch_requests", "web3", "run_web3.py", 300, how="batch"), far=30),
    Contestant(
        DANK,
        partial(environments.python, "dank_mids"),
        "run_dank_mids.py",
        environ={"TYPEDENVS_SHUTUP": "1"},
        most=300,
        far=0,
        tasks=("full",),
        patient=True,
    ),
    Contestant(
        DANK_UNLIMITED,
        partial(environments.python, "dank_mids"),
        "run_dank_mids.py",
        environ=QUIET_DANK,
        most=300,
        far=10,
    ),
    replace(_peer(EXTENDED, "eth_defi", "run_eth_defi.py", 300), far=10),
    replace(_js("ethers", "run_ethers.mjs", 3_000), far=300),
    replace(_js("viem", "run_viem.mjs", 3_000, how="default"), far=300),
    _js(VIEM, "run_viem.mjs", 30_000, how="tuned"),
    replace(_peer(REFERENCE, "multicall", "run_multicall.py", 300_000), tasks=TASKS, far=30_000),
    replace(_peer(FRESH, "multicall", "run_multicall.py", 30, how="fresh"), tasks=("full",)),
    replace(_ours("underkeel, Multicall3", "multicall3", 30_000), far=3_000),
    replace(_ours("underkeel, relay", "override"), far=30_000),
    _ours(LENS, "lens", NO_LIMIT, "full"),
    replace(_ours("underkeel, lens, fresh client", "lens-fresh", 30, "full"), replayed=False),
    _ours(STORAGE, "lens-storage", NO_LIMIT, "full"),
    _ours(HEALTH, "lens-health", NO_LIMIT, "health"),
    _ours("underkeel, adapter", "cold", NO_LIMIT, "uniswap"),
    _ours(WARM, "warm", NO_LIMIT, "uniswap"),
    _ours(OWNERS, "owners", NO_LIMIT, "owners"),
)
