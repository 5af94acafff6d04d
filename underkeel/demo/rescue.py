"""The demo's rescue: a fall that warns, plans that are carried out, and the fall that then kills.

Everything goes the way an owner's own run goes: the config, `plan`, the wallet's policy, the
journal, the executor, the guards on chain. The keys are derived from words that everybody can
read here; they are worth nothing beyond this chain.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from chain.client import connect
from chain.sending import Sender
from chain.types import Address
from executor.journal.journal import Journal
from executor.plan.types import Plan, PositionView
from executor.policy.switch import Switch
from risk.types import Assessment
from underkeel.config.load import Config, load
from underkeel.demo.guards import Guarded, set_up
from underkeel.demo.stage import (
    CRASHED,
    OPERATOR,
    Stage,
    arbitrage,
    config_text,
    demo_key,
    price_of,
)
from underkeel.errors import AppError
from underkeel.execution.desk import runner_for
from underkeel.execution.facts import Observer
from underkeel.execution.limits import max_fee
from underkeel.execution.live import End, Ended, carry_out
from underkeel.execution.steps import intents_of
from underkeel.plans.make import make
from underkeel.plans.wanted import Asked, wanted
from underkeel.portfolio import Portfolio, read_portfolio, spec_of
from underkeel.signers import no_one, signer_for

WARNING_FALL: Final = -0.12
TARGET: Final = "1.5"
PATIENCE_S: Final = 60
OWNER, CHAIN = "daring", "demo"
PLANS: Final = {"Aave 3.6": "rescue-aave", "Morpho": "rescue-morpho"}
ENVIRON: Final = {"UNDERKEEL_DEMO_OWNER": OWNER, "UNDERKEEL_DEMO_OPERATOR": OPERATOR}
"""By the variable that holds it: whose key."""


class NotRescued(AppError):
    """The demo's own plan did not go as it must."""


@dataclass(frozen=True, slots=True)
class Saved:
    """One position that was brought to safety."""

    plan: Plan
    guarded: Guarded
    hash: str | None
    """Of the transaction."""
    before: PositionView
    after: PositionView
    end: Assessment | None = None
    """After the rest of the fall."""


@dataclass(frozen=True, slots=True)
class Rescue:
    """What happened."""

    warning: str
    """The fall that set it off, in words."""
    saved: tuple[Saved, ...]
    crash: str
    """The fall that followed."""
    end: Portfolio


def rescue(
    stage: Stage,
    folder: Path,
    config_name: str,
    fall: Callable[[float], str],
    bottom: float,
    say: Callable[[str], None],
) -> Rescue:
    """Play the fall to `bottom` (a price) once more, with guards; the chain is left there."""
    path = folder / config_name
    environ = {name: "0x" + demo_key(who).hex() for name, who in ENVIRON.items()}
    path.write_text(_config_text(stage), encoding="utf-8")
    config = load(path, environ={})
    say("setting up guards: a delegate for Aave, a module for Morpho")
    owner = signer_for(config, OWNER, stage.chain_id, no_one, environ)
    operator = Address(config.settings.wallets[OPERATOR].address)
    guarded = set_up(stage, owner, operator)
    path.write_text(_config_text(stage, guarded), encoding="utf-8")
    config = load(path, environ={})
    warning = fall(WARNING_FALL)
    arbitrage(stage)
    saved = tuple(_saved(config, one, folder, environ, say) for one in guarded)
    say("letting the price fall all the way")
    crash = fall(bottom / price_of(stage, CRASHED) - 1)
    accounts = tuple(Address(one) for one in stage.owners.values())
    end = read_portfolio(config, accounts, cache=folder)
    by_id = {assessed.position.id: assessed for assessed in end.assessments}
    ended = tuple(
        Saved(one.plan, one.guarded, one.hash, one.before, one.after, by_id.get(one.after.id))
        for one in saved
    )
    return Rescue(warning, ended, crash, end)


def _saved(
    config: Config,
    guarded: Guarded,
    folder: Path,
    environ: Mapping[str, str],
    say: Callable[[str], None],
) -> Saved:
    name = PLANS[guarded.market]
    say(f"planning and simulating {name}")
    made = make(config, wanted(config, name, Asked()), cache=folder)
    plan = made.planned
    if not isinstance(plan, Plan):
        raise NotRescued(f"{name} came to nothing: {plan}")
    say(f"carrying out {name}")
    (ended,) = _carried_out(config, plan, folder, environ)
    if ended.end not in (End.MINED, End.DONE):
        raise NotRescued(f"{name} ended {ended.end}: {ended.reason}")
    before, after = (
        next(v for v in views if guarded.market.casefold() in v.market.casefold())
        for views in (plan.before, plan.after)
    )
    return Saved(plan, guarded, ended.hash, before, after)


def _carried_out(
    config: Config, plan: Plan, folder: Path, environ: Mapping[str, str]
) -> tuple[Ended, ...]:
    policy = config.settings.policy[OPERATOR]
    intents = intents_of(plan, max_fee(policy))
    switch = Switch(folder)
    accounts = tuple(dict.fromkeys((plan.account, plan.wallet)))
    journal = Journal.open(
        f"sqlite:///{folder / 'journal.sqlite'}", mode="live", mark=folder / "journal.mark"
    )
    spec = spec_of(CHAIN, config.settings.chains[CHAIN], config)
    try:
        with connect(spec) as client:
            observer = Observer(config, CHAIN, OPERATOR, client, switch, accounts)
            ids = frozenset(intent.id for intent in intents)
            with runner_for(
                config, observer, Sender(client), journal, switch, ids, environ
            ) as runner:
                return carry_out(
                    runner, journal, intents,
                    until_final=False, stop_at=time.time() + PATIENCE_S, tell=lambda _text: None,
                )  # fmt: skip
    finally:
        journal.close()


def _config_text(stage: Stage, guarded: tuple[Guarded, ...] = ()) -> str:
    """Return the demo's config, live, with an operator whose only powers are the guards'."""
    page = stage.world.book["uniswap-v3"]
    text = config_text(stage).replace("version = 1", 'version = 1\nmode = "live"', 1)
    # The owner signs once, to set the guards up; later runs need that key no more.
    own = (
        'kind = "eoa"'
        if guarded
        else 'signer = { kind = "env", name = "UNDERKEEL_DEMO_OWNER", insist = true }'
    )
    text = text.replace(f"[wallets.{OWNER}]", f"[wallets.{OWNER}]\n{own}")
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
        'signer = { kind = "env", name = "UNDERKEEL_DEMO_OPERATOR", insist = true }',
        "",
        f"[policy.{OPERATOR}]",
        "max_tx_usd = 500",
        "max_day_usd = 1_000",
        "max_fee_gwei = 100",
        "max_oracle_gap_bps = 1_500 # the pools' mean over half an hour lags behind a fall",
        "allow = []",
        f"guards = {json.dumps([one.guard for one in guarded])}",
    ]
    for one in guarded:
        protocol = "morpho-blue" if one.form == "module" else "aave-v3"
        lines += [
            "",
            "[[plan]]",
            f'name = "{PLANS[one.market]}"',
            'kind = "flash-deleverage"',
            f'account = "{OWNER}"',
            f'wallet = "{OPERATOR}"',
            "fire_below = 1.1",
            f"restore_to = {TARGET}",
            f'guard = "{one.guard}"',
            f'match = {{ protocol = "{protocol}", market = "{one.market}" }}',
        ]
    return "\n".join(lines) + "\n"
