"""`execute` for a Safe: the proposal, signed by one owner where that was asked for; never sent."""

import json
import time
from typing import Final

from rich.text import Text

from chain.calls import ReadFailed, Reads
from chain.client import connect
from chain.errors import ChainError
from chain.types import Address, checksum
from chain.wallet import safe as safes
from chain.wallet.errors import WalletError
from chain.wallet.safe import Proposal, SafeCall, SafeTransaction, propose, together
from executor.plan.types import Plan
from underkeel.cli.options import Globals
from underkeel.cli.output import console, print_document
from underkeel.config.load import Config
from underkeel.documents.execution import ProposalDocument
from underkeel.errors import AppError, ChainDown, ConfigError, Exit, UsageError
from underkeel.portfolio import spec_of
from underkeel.signers import no_one, on_terminal, signer_for

MULTI_SEND_CALL_ONLY: Final = {
    "1.3.0": checksum("0x40a2accbd92bca938b02010e17a5b8929b49130d"),
    "1.4.1": checksum("0x9641d764fc13c8b624c04430c7356c1c7c8102e2"),
}
"""By the Safe's version; from Safe's list of deployments."""


def propose_plan(
    options: Globals, config: Config, plan: Plan, chain: str, owner: str | None, execute: bool
) -> Exit:
    """Print the Safe transaction that does the whole plan at once; sign it with `--execute`."""
    if execute and owner is None:
        raise UsageError("--owner is missing: which wallet of the config signs for the Safe?")
    if execute and config.settings.mode != "live":
        raise ConfigError([f'{config.path}: mode: --execute needs mode = "live"'])
    safe = Address(plan.wallet)
    try:
        with connect(spec_of(chain, config.settings.chains[chain], config)) as client:
            snapshot = client.snapshot(client.head())
            nonce, version, owners = snapshot.run(_read(safe))
    except ReadFailed as failure:
        raise AppError(f"{safe} does not answer as a Safe: {failure.cause}") from None
    except ChainError as error:
        raise ChainDown(config.scrub(str(error))) from None
    calls = [SafeCall(s.call.to, s.call.value, s.call.data) for s in plan.steps]
    transaction = _transaction(safe, plan.chain_id, version, calls, nonce)
    proposal: Proposal | None = None
    if execute and owner is not None:
        ask = on_terminal if options.may_ask else no_one
        signer = signer_for(config, owner, plan.chain_id, ask)
        if signer.address not in owners:
            raise UsageError(f"{owner} ({signer.address}) is no owner of the Safe {safe}")
        try:
            proposal = propose(transaction, signer)
        except WalletError as error:
            raise AppError(str(error)) from None
    _print(options, plan, chain, transaction, proposal)
    return Exit.OK


def _read(safe: Address) -> Reads[tuple[int, str, tuple[Address, ...]]]:
    reads = [safes.NONCE.at(safe), safes.VERSION.at(safe), safes.OWNERS.at(safe)]
    nonce, version, owners = yield reads
    return (
        safes.NONCE.decode(nonce),
        safes.VERSION.decode(version),
        tuple(safes.OWNERS.decode(owners)),
    )


def _transaction(
    safe: Address, chain_id: int, version: str, calls: list[SafeCall], nonce: int
) -> SafeTransaction:
    known = version.split("+")[0]
    if known not in MULTI_SEND_CALL_ONLY:
        raise AppError(
            f"the Safe {safe} is of version {version}; only 1.3.0 and 1.4.1 are known here"
        )
    to, value, data, operation = together(calls, MULTI_SEND_CALL_ONLY[known])
    return SafeTransaction(safe, chain_id, to, value, data, operation, nonce)


def _print(
    options: Globals,
    plan: Plan,
    chain: str,
    transaction: SafeTransaction,
    proposal: Proposal | None,
) -> None:
    digest = "0x" + transaction.digest.hex()
    body = proposal.document() if proposal else None
    if options.json:
        print_document(
            ProposalDocument(
                schema="underkeel.proposal/1",
                generated_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                plan=plan.hash,
                chain=chain,
                chain_id=str(plan.chain_id),
                safe=transaction.safe,
                hash=digest,
                proposal=body,
            )
        )
        return
    screen = console(options)
    screen.print(Text(f"{plan.name}: {plan.what}", style="bold"))
    screen.print(
        Text(f"  Safe {transaction.safe}, nonce {transaction.nonce}, {len(plan.steps)} calls")
    )
    screen.print(Text(f"  owners sign {digest}"))
    if body is None:
        screen.print(Text("  nothing was signed: --execute --owner NAME signs the proposal"))
    else:
        screen.print(Text("  the signed proposal, for Safe's transaction service or app:"))
        print(json.dumps(body, indent=2))
