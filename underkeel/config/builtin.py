"""The rules that are on from the start, written as `[[alert]]` tables are.

A row of the config with one of these ids changes it key by key; `enabled = false` switches it off.
"""

from collections.abc import Mapping
from typing import Any, Final


def _explains(*equal: str) -> list[dict[str, Any]]:
    """Return that what is unread for the same reason need not be told once more."""
    return [{"alerts": ["*"], "equal": list(equal), "unread_only": True}]


DAY: Final = {"every": "1d", "backoff": 1}


def _above(severity: str, fire: float | str, clear: float | str | None = None) -> dict[str, Any]:
    level = {"severity": severity, "fire_above": fire}
    return level if clear is None else {**level, "clear_below": clear}


def _below(severity: str, fire: float | str, clear: float | str | None = None) -> dict[str, Any]:
    level = {"severity": severity, "fire_below": fire}
    return level if clear is None else {**level, "clear_above": clear}


_ROWS: Final[tuple[dict[str, Any], ...]] = (
    {
        "id": "rpc-down",
        "expr": "chain_up",
        "levels": [_below("critical", 1)],
        "for": "30s",
        "keep_firing": "30s",
        "group_by": [],
        "on_stale": {"after": "2m", "severity": "critical"},
        "inhibit": _explains("chain"),
    },
    {
        "id": "data-stale",
        "expr": "data_age",
        "levels": [_above("warning", "3m", "2m"), _above("critical", "10m", "2m")],
        "group_by": [],
        "on_stale": {"after": "2m", "severity": "critical"},
        "inhibit": _explains("chain"),
    },
    {
        "id": "position-liquidatable",
        "expr": "liquidatable",
        "levels": [_above("critical", 0)],
        "repeat": {"every": "10m", "backoff": 2},
        "on_stale": {"after": "10m", "severity": "warning"},
    },
    {
        "id": "position-unknown",
        "expr": "position_unknown",
        "levels": [_above("warning", 0)],
        "for": "3m",
        "keep_firing": "1m",
        "inhibit": _explains("chain", "position"),
        "on_stale": {"after": "10m", "severity": "warning"},
    },
    {
        "id": "market-unread",
        "expr": "market_unread",
        "levels": [_above("warning", 0)],
        "for": "3m",
        "keep_firing": "1m",
        "inhibit": _explains("chain", "market", "protocol"),
        "group_by": ["chain"],
    },
    {
        "id": "price-divergence",
        "expr": "price_divergence_bps",
        "levels": [_above("warning", 200, 150), _above("critical", 500, 400)],
        "for": "2 blocks",
        "keep_firing": "5m",
        "group_by": ["chain"],
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "oracle-overdue",
        "expr": "oracle_overdue",
        "levels": [_above("warning", "5m", 0)],
        "group_by": ["chain"],
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "low-gas",
        "expr": "gas_reserve_ratio",
        "levels": [_below("warning", 1.5, 1.6), _below("critical", 1, 1.1)],
        "group_by": ["wallet"],
    },
    {
        "id": "tx-stuck",
        "expr": "transaction_pending_age",
        "levels": [_above("warning", "5m", 0), _above("critical", "30m", 0)],
        "group_by": ["chain", "wallet"],
    },
    {
        "id": "outcome-unknown",
        "expr": "plans_outcome_unknown",
        "levels": [_above("critical", 0)],
        "group_by": ["chain", "wallet"],
    },
    {
        "id": "unlimited-allowance",
        "expr": "allowance_unlimited",
        "levels": [_above("info", 0)],
        "repeat": {"every": "7d", "backoff": 1, "max": 4},
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "parameter-change",
        "expr": "parameter_change_age",
        "levels": [_below("warning", "1d")],
        "group_by": ["chain", "market"],
        "repeat": DAY,
        "tell_resolved": False,
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "implementation-change",
        "expr": "implementation_change_age",
        "levels": [_below("critical", "1d")],
        "group_by": ["chain"],
        "repeat": DAY,
        "tell_resolved": False,
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "oracle-change",
        "expr": "oracle_change_age",
        "levels": [_below("critical", "1d")],
        "group_by": ["chain", "market"],
        "repeat": DAY,
        "tell_resolved": False,
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "feed-change",
        "expr": "feed_change_age",
        "levels": [_below("warning", "1d")],
        "group_by": ["chain"],
        "repeat": DAY,
        "tell_resolved": False,
        "on_stale": {"after": "1h", "severity": "info"},
    },
    {
        "id": "chain-reorg",
        "expr": "reorg_depth",
        "levels": [_above("warning", 2), _above("critical", 11)],
        "group_by": [],
        "tell_resolved": False,
    },
    {
        "id": "signer-locked",
        "expr": "signer_locked",
        "levels": [_above("critical", 0)],
        "group_by": [],
    },
    # shown only: the delivery itself tells it on the channels that work
    {
        "id": "delivery-failing",
        "expr": "delivery_failing",
        "levels": [_above("warning", 2, 0), _above("critical", 19, 0)],
        "notify": {"critical": []},
        "group_by": [],
    },
    {
        "id": "service-degraded",
        "expr": "service_degraded",
        "levels": [_above("warning", 0)],
        "for": "1m",
        "keep_firing": "2m",
        "group_by": [],
    },
)

BUILTIN: Final[Mapping[str, Mapping[str, Any]]] = {row["id"]: row for row in _ROWS}
"""By id."""
