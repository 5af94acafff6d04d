"""What a shell offers on Tab: names out of the config, read quickly and without a word.

A config that does not load offers nothing: a shell in the midst of a line is no place for errors.
"""

import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import typer

from underkeel.config.find import find_config
from underkeel.errors import AppError

KINDS: Final = (
    "restore-health", "repay", "repay-with-atokens", "top-up", "withdraw-and-repay",
    "flash-deleverage", "collateral-swap", "debt-swap", "move", "exit-vault", "close-lp",
    "rebalance", "sweep-allowances",
)  # fmt: skip
"""`underkeel.plans.kinds.KINDS`, whose import takes longer than a key stroke may."""


def wallets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer wallets of the config."""
    return _offered(_table(ctx, "wallets"), incomplete)


def channels(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer channels of the config."""
    return _offered(_table(ctx, "channels"), incomplete)


def plans(ctx: typer.Context, incomplete: str) -> list[str]:
    """Offer plans of the config, and kinds of plans."""
    rows = _config(ctx).get("plan")
    named = (
        [row.get("name") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )
    return _offered([*named, *KINDS], incomplete)


def _offered(names: Iterable[object], incomplete: str) -> list[str]:
    return [name for name in names if isinstance(name, str) and name.startswith(incomplete)]


def _table(ctx: typer.Context, name: str) -> Iterable[object]:
    table = _config(ctx).get(name)
    return table if isinstance(table, dict) else ()


def _config(ctx: typer.Context) -> dict[str, Any]:
    named = ctx.find_root().params.get("config")
    try:
        path = find_config(Path(named) if named else None, os.environ, Path.cwd())
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (AppError, OSError, ValueError):
        return {}
