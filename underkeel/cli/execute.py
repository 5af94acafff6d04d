"""`execute`: a dry run by default; live only where everything says so."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from chain.client import Client, connect
from chain.errors import ChainError
from chain.sending import Sender
from executor.journal.journal import Journal
from executor.plan.types import Plan
from executor.policy.spending import money
from executor.policy.switch import Switch
from executor.run.runner import LEDGER_S
from executor.types import Intent, Ledger, State
from underkeel.accounts import require_chains
from underkeel.cli.consent import answerable, confirm
from underkeel.cli.options import Globals
from underkeel.cli.output import console, log_to_stderr, print_document
from underkeel.config.load import Config, load
from underkeel.documents.execution import EndedPart, ExecuteDocument, RefusalPart, StepPart
from underkeel.errors import ChainDown, ConfigError, Exit, PolicyRefused, UsageError
from underkeel.execution.desk import runner_for
from underkeel.execution.facts import Observer
from underkeel.execution.limits import max_fee
from underkeel.execution.live import Ended, carry_out, open_journal, same, worst
from underkeel.execution.plan_file import chain_of, read_plan
from underkeel.execution.preview import Shown, preview, total_usd
from underkeel.execution.steps import intents_of
from underkeel.plans.again import resimulate
from underkeel.portfolio import spec_of
from underkeel.signers import wallet_of
from underkeel.state import state_folder

GRACE_S: Final = 120
"""After a plan's expiry, for what is in flight to settle."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    execute: bool = False
    max_usd: str | None = None
    yes: bool = False
    final: bool = False
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One plan, on one chain, for one wallet of the config."""

    config: Config
    plan: Plan
    chain: str
    name: str
    """The config's name of the wallet."""
    intents: tuple[Intent, ...]
    max_usd_e6: int | None

    @property
    def signer(self) -> str | None:
        """What signs, as the config says."""
        table = self.config.settings.wallets[self.name].signer
        return None if table is None else table.kind


def run_execute(options: Globals, path: Path, asked: Asked) -> Exit:
    """Show what a plan would sign; with `--execute`, sign and send it."""
    log_to_stderr(options)
    case = _case(options, path, asked)
    if case.config.settings.wallets[case.name].kind == "safe":
        from underkeel.cli.proposal import propose_plan

        return propose_plan(options, case.config, case.plan, case.chain, asked.owner, asked.execute)
    if asked.execute:
        _may_go_live(case, asked, options)
    try:
        with connect(
            spec_of(case.chain, case.config.settings.chains[case.chain], case.config)
        ) as c:
            return _with_client(options, case, asked, c)
    except ChainError as error:
        raise ChainDown(case.config.scrub(str(error))) from None


def _case(options: Globals, path: Path, asked: Asked) -> Case:
    config = load(options.config)
    require_chains(config)
    plan = read_plan(path)
    chain = chain_of(config, plan)
    name = wallet_of(config, plan.wallet)
    if name is None:
        raise UsageError(f"the plan is for {plan.wallet}, which is no wallet of the config; add it")
    policy = config.settings.policy.get(name)
    intents = intents_of(plan, max_fee(policy) if policy else plan.cost.gas_price * 2 + 1)
    return Case(config, plan, chain, name, intents, _max_usd(asked.max_usd))


def _max_usd(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(-1)
    if not (number.is_finite() and 0 < number <= 10**12):
        raise UsageError(f"--max-usd {text!r} is no amount; write a number of dollars such as 500")
    return int(number * 10**6)


def _may_go_live(case: Case, asked: Asked, options: Globals) -> None:
    """Raise unless the config is live and somebody can say yes."""
    if case.config.settings.mode != "live":
        raise ConfigError(
            [f'{case.config.path}: mode: --execute needs mode = "live"; now it is a dry run']
        )
    answerable(options, yes=asked.yes)


def _with_client(options: Globals, case: Case, asked: Asked, client: Client) -> Exit:
    switch = Switch(state_folder())
    journal = open_journal(case.config, create=asked.execute)
    try:
        accounts = tuple(dict.fromkeys((case.plan.account, case.plan.wallet)))
        observer = Observer(
            case.config, case.chain, case.name, client, switch, accounts, max_usd=case.max_usd_e6
        )
        sender = Sender(client)
        intents = _left(journal, case.intents)
        simulation = _simulation(case, len(case.intents) - len(intents))
        shown = preview(observer, sender, intents, _ledger(journal, case)) if intents else ()
        document = _document(case, shown, simulation)
        refusals = [str(refusal) for one in shown for refusal in one.refusals]
        refusals += _over_max(case, shown)
        if not asked.execute:
            _print(options, case, document, shown, refusals)
            return _dry_code(simulation, refusals)
        assert journal is not None
        _print_steps(console(options, stderr=True), case, shown, simulation)
        if simulation is not None:
            raise PolicyRefused(f"the plan does not hold any more: {simulation}; make a new one")
        if refusals:
            raise PolicyRefused("\n".join(refusals))
        confirm(case.chain, options, yes=asked.yes)
        ended = _live(case, asked, observer, sender, journal, switch)
        document = document.model_copy(update={"ended": [_ended_part(one) for one in ended]})
        _print_ended(options, document, ended)
        return worst(ended)
    finally:
        if journal is not None:
            journal.close()


def _left(journal: Journal | None, intents: Sequence[Intent]) -> tuple[Intent, ...]:
    """Return the steps that have not happened: carrying a plan out again goes on where it was."""
    if journal is None:
        return tuple(intents)
    happened = (State.DONE, State.MINED)
    recorded = [journal.intent(intent.id) for intent in intents]
    for known, intent in zip(recorded, intents, strict=True):
        if known is not None and not same(known, intent):
            raise UsageError(f"{known.id[:10]} is recorded as another call: make a new plan")
        if known is not None and known.state in (State.CANCELLED, State.REVERTED):
            raise UsageError(
                f"{known.id[:10]} of this plan is {known.state} ({known.reason}): make a new plan"
            )
    return tuple(
        intent
        for intent, known in zip(intents, recorded, strict=True)
        if known is None or known.state not in happened
    )


def _simulation(case: Case, done: int) -> str | None:
    """Return why the plan does not do any more what it promised; None if it does."""
    if done == len(case.intents):
        return None
    found = resimulate(case.config, case.plan, done)
    return found if isinstance(found, str) else None


def _ledger(journal: Journal | None, case: Case) -> Ledger:
    now = int(time.time())
    if journal is None:
        return Ledger(now, None, ())
    return journal.ledger(case.plan.chain_id, case.plan.wallet, since=now - LEDGER_S)


def _over_max(case: Case, shown: Sequence[Shown]) -> list[str]:
    total = total_usd(shown)
    if case.max_usd_e6 is None or total is None or total <= case.max_usd_e6:
        return []
    return [f"max-usd: all steps come to {money(total)} of {money(case.max_usd_e6)}; raise it"]


def _dry_code(simulation: str | None, refusals: Sequence[str]) -> Exit:
    return Exit.POLICY if simulation is not None or refusals else Exit.OK


def _live(
    case: Case,
    asked: Asked,
    observer: Observer,
    sender: Sender,
    journal: Journal,
    switch: Switch,
) -> tuple[Ended, ...]:
    ids = frozenset(intent.id for intent in case.intents)
    with runner_for(case.config, observer, sender, journal, switch, ids) as runner:
        return carry_out(
            runner,
            journal,
            case.intents,
            until_final=asked.final,
            stop_at=time.time() + max(0, case.plan.expires_at - observer.now()) + GRACE_S,
            tell=lambda text: print(text, file=sys.stderr),
        )


def _document(case: Case, shown: Sequence[Shown], simulation: str | None) -> ExecuteDocument:
    plan = case.plan
    total = total_usd(shown)
    what = {step.id: step.what for step in plan.steps}
    return ExecuteDocument(
        schema="underkeel.execute/1",
        generated_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        mode="live" if case.config.settings.mode == "live" else "dry-run",
        plan=plan.hash,
        name=plan.name,
        chain=case.chain,
        chain_id=str(plan.chain_id),
        wallet=plan.wallet,
        account=plan.account,
        signer=case.signer,
        expires_at=str(plan.expires_at),
        simulation=simulation,
        total_usd=None if total is None else _dollars(total),
        steps=[_step_part(one, what[one.intent.id]) for one in shown],
    )


def _step_part(one: Shown, what: str) -> StepPart:
    asked = one.transaction
    assert asked.to is not None
    return StepPart(
        id=one.intent.id,
        what=what,
        kind=str(int(asked.kind)),
        nonce=str(asked.nonce),
        to=asked.to,
        value=str(asked.value),
        data="0x" + asked.data.hex(),
        gas=str(asked.gas),
        max_fee=str(asked.max_fee),
        max_tip=str(asked.max_tip),
        signing_hash="0x" + asked.digest().hex(),
        usd=None if one.usd_e6 is None else _dollars(one.usd_e6),
        refusals=[RefusalPart(rule=r.rule, what=r.what, todo=r.todo) for r in one.refusals],
    )


def _ended_part(one: Ended) -> EndedPart:
    return EndedPart(
        id=one.intent.id,
        end=one.end.value,
        state=one.intent.state.value,
        hash=one.hash,
        reason=one.reason,
    )


def _dollars(usd_e6: int) -> str:
    return str(Decimal(usd_e6).scaleb(-6))


def _print(
    options: Globals,
    case: Case,
    document: ExecuteDocument,
    shown: Sequence[Shown],
    refusals: Sequence[str],
) -> None:
    if options.json:
        print_document(document)
        return
    screen = console(options)
    _print_steps(screen, case, shown, document.simulation)
    for refusal in refusals:
        screen.print(Text(f"✖ {refusal}", style="bold red"))
    if not refusals and document.simulation is None:
        screen.print(Text("✔ allowed; nothing was signed: --execute does it", style="green"))


def _print_steps(
    screen: Console, case: Case, shown: Sequence[Shown], simulation: str | None
) -> None:
    plan = case.plan
    screen.print(Text(f"{plan.name}: {plan.what}", style="bold"))
    screen.print(Text(f"  why: {plan.why}"))
    screen.print(Text(f"  on {case.chain} (chain {plan.chain_id}), signed by {case.name}"))
    screen.print(Text(f"  plan {plan.hash}"))
    what = {step.id: step.what for step in plan.steps}
    for number, one in enumerate(shown, 1):
        asked = one.transaction
        usd = "? dollars" if one.usd_e6 is None else money(one.usd_e6)
        screen.print(Text(f"{number}. {what[one.intent.id]}", style="bold"))
        where = f"   nonce {asked.nonce}  to {asked.to}  value {asked.value} wei"
        screen.print(Text(where), soft_wrap=True)
        screen.print(Text(f"   data 0x{asked.data.hex()}"), soft_wrap=True)
        fee = f"max fee {asked.max_fee} wei, tip {asked.max_tip} wei"
        screen.print(Text(f"   gas {asked.gas}  {fee}  counts {usd}"))
        screen.print(Text(f"   signs 0x{asked.digest().hex()}"))
    if not shown:
        screen.print(Text("  nothing is left to do: every step has happened", style="green"))
    if simulation is not None:
        screen.print(Text(f"✖ the plan does not hold any more: {simulation}", style="bold red"))


def _print_ended(options: Globals, document: ExecuteDocument, ended: Sequence[Ended]) -> None:
    if worst(ended) is Exit.OUTCOME:
        what = "what was signed may still take effect: look with `underkeel tx list`; "
        what += "the same `execute` goes on"
        console(options, stderr=True).print(Text(what), soft_wrap=True)
    if options.json:
        print_document(document)
        return
    screen = console(options)
    for one in ended:
        screen.print(
            Text(f"{one.end.value}: {one.intent.id[:10]} {one.hash or ''} {one.reason}"),
            soft_wrap=True,
        )
