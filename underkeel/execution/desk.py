"""Everything that acts for one wallet on one chain, put together."""

import contextlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from chain.sending import Sender
from executor.journal.journal import Journal
from executor.policy.guard import WalletGuard
from executor.policy.switch import Switch
from executor.run.runner import Runner
from executor.types import Intent
from underkeel.config.load import Config
from underkeel.execution.facts import Observer
from underkeel.execution.live import OnlyThese, holder
from underkeel.signers import no_one, on_terminal, signer_for


@contextlib.contextmanager
def runner_for(
    config: Config,
    observer: Observer,
    sender: Sender,
    journal: Journal,
    switch: Switch,
    ids: frozenset[str],
    environ: Mapping[str, str] | None = None,
) -> Iterator[Runner]:
    """Load the wallet's signer and yield what acts for it; only `ids` may be signed for.

    While it is in use, SIGUSR1 pauses. Raises `ConfigError` where the signer cannot be loaded.
    """
    ask = on_terminal if sys.stdin.isatty() and sys.stderr.isatty() else no_one
    signer = signer_for(config, observer.name, sender.chain_id, ask, environ)
    observer.left = remaining(journal)
    policy = WalletGuard(observer.limits, observer.facts, observer.name)
    undo = switch.on_signal()
    try:
        yield Runner(
            journal,
            sender,
            signer,
            OnlyThese(policy, ids),
            holder=holder(),
            paused=lambda: switch.paused() is not None,
        )
    finally:
        undo()


def remaining(journal: Journal) -> Callable[[Intent], Sequence[Intent]]:
    """Return what tells the steps of an intent's plan from it on."""

    def left(intent: Intent) -> Sequence[Intent]:
        if not intent.plan:
            return (intent,)
        rest = journal.intents(intent.chain_id, intent.wallet)
        later = [i for i in rest if i.plan == intent.plan and i.step > intent.step]
        return (intent, *sorted(later, key=lambda i: i.step))

    return left
