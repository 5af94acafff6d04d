"""`tx`: what the journal knows of transactions, and the owner's wishes about them."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rich import box
from rich.table import Table
from rich.text import Text

from chain.client import connect
from chain.errors import ChainError
from chain.sending import Sender
from chain.types import Address
from executor.journal.journal import Journal
from executor.policy.switch import Switch
from executor.types import Intent
from underkeel.cli.consent import confirm
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document
from underkeel.config.load import Config, load
from underkeel.documents.execution import TxDocument, TxPart, WishDocument
from underkeel.errors import ChainDown, ConfigError, Exit, UsageError
from underkeel.execution.desk import runner_for
from underkeel.execution.facts import Observer
from underkeel.execution.limits import max_fee
from underkeel.execution.live import End, carry_out, open_journal, worst
from underkeel.portfolio import spec_of
from underkeel.signers import wallet_of
from underkeel.state import state_folder

PATIENCE_S: Final = 1_800
"""For a no-op to be final."""


def list_transactions(options: Globals, *, every: bool) -> Exit:
    """Print open transactions; with `every`, those that are over too."""
    log_to_stderr(options)
    config = load(options.config)
    journal = open_journal(config, create=False)
    rows = [] if journal is None else _rows(config, journal, every=every)
    if journal is not None:
        journal.close()
    paused = Switch(state_folder()).paused()
    if options.json:
        print_document(
            TxDocument(
                schema="underkeel.tx/1",
                generated_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                paused=paused,
                transactions=rows,
            )
        )
        return Exit.OK
    screen = console(options)
    if paused:
        screen.print(Text(f"‖ {paused}", style="bold yellow"))
    if not rows:
        screen.print(Text("no transactions" if every else "no open transactions"))
        return Exit.OK
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    for title in ("Id", "Wallet", "State", "Nonce", "Tries", "Why"):
        table.add_column(title)
    for row in rows:
        nonce = "–" if row.nonce is None else row.nonce
        where = f"{row.wallet}\n{row.chain}"
        table.add_row(row.id[:10], where, row.state, nonce, row.attempts, row.reason)
    screen.print(table)
    return Exit.OK


@dataclass(frozen=True, slots=True)
class Act:
    """Whether to act at once, and who said yes."""

    execute: bool = False
    yes: bool = False


def wish(options: Globals, id_: str, what: str, act: Act) -> Exit:
    """Note what the owner wants of a transaction; whoever carries it out does so."""
    log_to_stderr(options)
    config = load(options.config)
    journal = open_journal(config, create=False)
    try:
        found = None if journal is None else _find(config, journal, id_)
        if journal is None or found is None:
            raise UsageError(f"no transaction begins with {id_!r}; `underkeel tx list` shows them")
        cap = _cap(config, found) if what == "speed_up" else None
        if not journal.wish(found.id, what, fee_cap=cap):
            raise UsageError(f"{found.id[:10]} is {found.state} already: nothing can be changed")
    finally:
        if journal is not None:
            journal.close()
    if act.execute:
        return act_on(options, config, found, what, act)
    _say(options, found, what, "noted, for the next pass of what carries it out")
    return Exit.OK


def _say(options: Globals, intent: Intent, what: str, said: str) -> None:
    if options.json:
        document = WishDocument(
            schema="underkeel.wish/1", id=intent.id, wish=what, state=intent.state.value
        )
        print_document(document)
    else:
        print(f"{intent.id[:10]} ({intent.state}): {said}")


def act_on(options: Globals, config: Config, found: Intent, what: str, act: Act) -> Exit:
    """Follow a wish here and now: sign and send what it takes until the transaction is over."""
    chains = config.settings.chains
    chain = next(name for name, table in chains.items() if table.chain_id == found.chain_id)
    name = wallet_of(config, found.wallet)
    if name is None:
        raise UsageError(f"{found.wallet} is no wallet of the config")
    if config.settings.mode != "live":
        raise ConfigError([f'{config.path}: mode: --execute needs mode = "live"'])
    confirm(chain, options, yes=act.yes)
    journal = open_journal(config)
    assert journal is not None
    switch = Switch(state_folder())
    try:
        with connect(spec_of(chain, chains[chain], config)) as client:
            accounts = tuple(dict.fromkeys((found.account, found.wallet)))
            observer = Observer(config, chain, name, client, switch, accounts)
            ids = frozenset({found.id})
            sender = Sender(client)
            with runner_for(config, observer, sender, journal, switch, ids) as runner:
                (ended,) = carry_out(
                    runner,
                    journal,
                    [found],
                    until_final=what == "cancel",
                    stop_at=time.time() + PATIENCE_S,
                    tell=lambda text: print(text, file=sys.stderr),
                )
    except ChainError as error:
        raise ChainDown(config.scrub(str(error))) from None
    finally:
        journal.close()
    _say(options, ended.intent, what, f"{ended.end}: {ended.reason}")
    if what == "cancel" and ended.end is End.CANCELLED:
        return Exit.OK
    return worst([ended])


def _cap(config: Config, intent: Intent) -> int | None:
    """Return the policy's cap as it is in the config now: it may have been raised for this."""
    wallets = config.settings.wallets
    name = next((n for n, table in wallets.items() if table.address == intent.wallet), "")
    policy = config.settings.policy.get(name)
    return None if policy is None else max_fee(policy)


def _all(config: Config, journal: Journal, *, every: bool) -> Sequence[tuple[str, str, Intent]]:
    return [
        (chain, name, intent)
        for chain, table in config.settings.chains.items()
        for name, wallet in config.settings.wallets.items()
        for intent in journal.intents(table.chain_id, Address(wallet.address), open_only=not every)
    ]


def _find(config: Config, journal: Journal, id_: str) -> Intent | None:
    """Return the one intent whose id begins so; raises `UsageError` where several do."""
    found = [i for _, _, i in _all(config, journal, every=True) if i.id.startswith(id_.lower())]
    if len(found) > 1:
        raise UsageError(f"{len(found)} transactions begin with {id_!r}; give more of the id")
    return found[0] if found and len(id_) >= 4 else None


def _rows(config: Config, journal: Journal, *, every: bool) -> list[TxPart]:
    rows = []
    for chain, name, intent in _all(config, journal, every=every):
        attempts = journal.attempts(intent.id)
        receipt = journal.receipt(intent.id)
        newest = attempts[-1] if attempts else None
        hash_ = receipt.hash if receipt else newest.hash if newest else None
        rows.append(
            TxPart(
                id=intent.id,
                chain=chain,
                wallet=name,
                state=intent.state.value,
                nonce=None if intent.nonce is None else str(intent.nonce),
                what=f"step {intent.step + 1} of plan {intent.plan[:10]}",
                hash=hash_,
                attempts=str(len(attempts)),
                max_fee=None if newest is None else str(newest.cap),
                deadline=str(intent.deadline),
                reason=intent.reason,
            )
        )
    return rows
