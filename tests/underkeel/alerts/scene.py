"""Rules, observations and a small house to judge them in."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from chain.types import BlockRef
from underkeel.alerts.rules import Rule, Rules, rules_of
from underkeel.config.builtin import BUILTIN
from underkeel.config.model import Settings
from underkeel.observe.metrics import CHAIN_METRICS
from underkeel.observe.types import Gap, Labels, Observation, Observed, Scope, labels

START: Final = 1_800_000_000.0
BLOCK_S: Final = 12
CHAIN: Final = "ethereum"
HEALTH: Final[dict[str, Any]] = {
    "id": "hf-low",
    "expr": "health_factor",
    "levels": [
        {"severity": "warning", "fire_below": 1.50, "clear_above": 1.60},
        {"severity": "critical", "fire_below": 1.15, "clear_above": 1.25},
    ],
    "for": "2 blocks",
    "critical_for": "0",
    "on_stale": {"after": "90s", "severity": "critical"},
    "repeat": {"every": "1h", "backoff": 2, "max": 6},
    "notify": {"warning": ["ops"], "critical": ["ops", "phone"]},
    "escalate": {"after": "10m", "unless": "ack", "to": ["boss"]},
}
"""The rule of the product's description."""


def settings(*alerts: dict[str, Any], built_in: bool = False, **more: Any) -> Settings:
    """Return a config with some rules; the built-in ones are off unless asked for."""
    off = () if built_in else tuple(
        {"id": name, "enabled": False}
        for name in BUILTIN
        if name not in {alert["id"] for alert in alerts}
    )  # fmt: skip
    return Settings.model_validate(
        {
            "version": 1,
            "chains": {
                CHAIN: {"chain_id": 1, "rpc": ["http://127.0.0.1:1"]},
                "base": {"chain_id": 8453, "rpc": ["http://127.0.0.1:1"]},
            },
            "wallets": {"treasury": {"address": "0x" + "11" * 20}},
            "channels": {name: {"apprise": "env:X"} for name in ("ops", "phone", "boss")},
            "alert": [*alerts, *off],
            **more,
        }
    )


def rules(*alerts: dict[str, Any], built_in: bool = False, **more: Any) -> Rules:
    """Return rules made ready."""
    return rules_of(settings(*alerts, built_in=built_in, **more))


def rule(**changes: Any) -> Rule:
    """Return the health rule with some keys changed."""
    return rules({**HEALTH, **changes}).by_id[changes.get("id", "hf-low")]


def position(number: int, wallet: str = "treasury") -> Labels:
    """Return the labels of a position."""
    return labels(
        chain=CHAIN,
        market="Core",
        position=f"1:aave-v3:0xroot:{number}",
        protocol="aave-v3",
        wallet=wallet,
    )


def block(number: int, fork: str = "0") -> BlockRef:
    """Return a block; `fork` makes another of the same number."""
    return BlockRef(1, number, f"0x{fork}{number:063x}", "0x" + "0" * 64, int(time_of(number)))


def time_of(number: int) -> float:
    """Return when a block is seen."""
    return START + BLOCK_S * number


def health(value: float | str | None, number: int, which: int = 0, **more: str) -> Observation:
    """Return a position's health at a block; None: unknown."""
    known = None if value is None else Decimal(str(value))
    return Observation(
        "health_factor",
        position(which, **more),
        known,
        "" if known is not None else "price missing",
        time_of(number),
        block(number),
    )


def observed(
    number: int | None, *found: Observation, gaps: Iterable[Gap] = (), fork: str = "0", **more: Any
) -> Observed:
    """Return a reading of the chain; without a number, one of a chain that was not read."""
    at = None if number is None else block(number, fork)
    metrics = more.pop("metrics", CHAIN_METRICS)
    return Observed(Scope(CHAIN, metrics, at, tuple(gaps), **more), found)


DOWN: Final = Gap(labels(chain=CHAIN), "no endpoint answers")
