"""The live demo's config: what an owner would write to be watched, told and rescued."""

import json
from pathlib import Path
from typing import Final

from chain.wallet import keystore
from chain.wallet.local import Key
from underkeel.demo.guards import Guarded
from underkeel.demo.stage import NAMES, OPERATOR, Stage, config_text, demo_key

OWNER: Final = NAMES[0]
CHAIN: Final = "demo"
CHANNEL: Final = "desk"
PLANS: Final = {"Aave 3.6": "rescue-aave", "Morpho": "rescue-morpho"}
"""By the market that is guarded: the plan, and the rule that has it carried out."""
QUIET: Final = "unlimited-allowance"
"""A built-in rule that is right here, since owners of the demo approve without end, and noisy."""
UNGUARDED: Final = "Aave 3.0"
TARGET: Final = "1.5"
WARN, ACT, CLEAR = "1.15", "1.1", "1.2"
PASSWORD: Final = "the demo's own password"
SECRET: Final = "a secret that the demo shares with its receiver"
LIGHT: Final = 1 << 12
"""Rounds of the keystore: enough for a key that everybody can work out."""


def write(stage: Stage, folder: Path, guarded: tuple[Guarded, ...], hook: str, port: int) -> Path:
    """Write config, keystore and secrets into a folder; return the config's path."""
    key = Key(demo_key(OPERATOR), OPERATOR)
    keystore.write(folder / "keys" / f"{OPERATOR}.json", key, PASSWORD, n=LIGHT)
    for name, text in (("password", PASSWORD), ("hook-secret", SECRET)):
        path = folder / name
        path.touch(0o600)
        path.write_text(text)
    path = folder / "underkeel.toml"
    path.write_text(text_of(stage, guarded, hook, port), encoding="utf-8")
    return path


def text_of(stage: Stage, guarded: tuple[Guarded, ...], hook: str, port: int) -> str:
    """Return the demo's config, live, with an operator whose only powers are the guards'."""
    page = stage.world.book["uniswap-v3"]
    text = config_text(stage).replace("version = 1", 'version = 1\nmode = "live"', 1)
    text = text.replace(
        f'rpc = ["{stage.url}"]', f'rpc = ["{stage.url}"]\nws = "{stage.world.node.ws_url}"'
    )
    text = text.replace(f"[wallets.{OWNER}]", f'[wallets.{OWNER}]\nkind = "eoa"')
    lines = [
        text,
        "[[chains.demo.venues]]",
        'kind = "uniswap-v3"',
        'name = "Uniswap"',
        *(f'{key} = "{page[key]}"' for key in ("factory", "router", "quoter")),
        "router_02 = false",
        "",
        f"[wallets.{OPERATOR}]",
        f'address = "{stage.operator}"',
        f'signer = {{ kind = "keystore", path = "{OPERATOR}.json", password = "file:password" }}',
        "",
        f"[policy.{OPERATOR}]",
        "max_tx_usd = 500",
        "max_day_usd = 1_000",
        "max_fee_gwei = 100",
        "max_oracle_gap_bps = 1_500 # the pools' mean over half an hour lags behind a fall",
        "allow = []",
        f"guards = {json.dumps([one.guard for one in guarded])}",
        "",
        "[web]",
        f'bind = "127.0.0.1:{port}"',
        "",
        f"[channels.{CHANNEL}]",
        f'webhook = "{hook}"',
        'secret = "file:hook-secret"',
        *_rules(guarded),
    ]
    for one in guarded:
        lines += _plan(one)
    return "\n".join(lines) + "\n"


def _rules(guarded: tuple[Guarded, ...]) -> list[str]:
    """Return a warning for all, a rescue for what is guarded, a proposal for what is not."""
    lines = [
        "",
        "[[alert]]",
        f'id = "{QUIET}"',
        "enabled = false",
        "",
        "[[alert]]",
        'id = "health"',
        'expr = "health_factor"',
        f'match = {{ wallet = "{OWNER}" }}',
        f'levels = [{{ severity = "warning", fire_below = {WARN}, clear_above = {CLEAR} }}]',
    ]
    actions = {one.market: f'plan = "{PLANS[one.market]}", mode = "execute"' for one in guarded}
    actions[UNGUARDED] = f'plan = "repay", restore_to = {TARGET}, mode = "propose"'
    for market, action in actions.items():
        lines += [
            "",
            "[[alert]]",
            f'id = "{PLANS.get(market, "unguarded")}"',
            'expr = "health_factor"',
            f'match = {{ wallet = "{OWNER}", market = "{market}*" }}',
            f'levels = [{{ severity = "critical", fire_below = {ACT}, clear_above = {CLEAR} }}]',
            'group_by = ["wallet", "market"]',
            f"action = {{ {action} }}",
        ]
    return lines


def _plan(one: Guarded) -> list[str]:
    protocol = "morpho-blue" if one.form == "module" else "aave-v3"
    return [
        "",
        "[[plan]]",
        f'name = "{PLANS[one.market]}"',
        'kind = "flash-deleverage"',
        f'account = "{OWNER}"',
        f'wallet = "{OPERATOR}"',
        f"fire_below = {ACT}",
        f"restore_to = {TARGET}",
        f'guard = "{one.guard}"',
        f'match = {{ protocol = "{protocol}", market = "{one.market}" }}',
    ]
