"""The wallet guard as the runner calls it: facts are gathered anew for every signature."""

from collections.abc import Callable
from dataclasses import dataclass

from chain.transactions import Transaction
from executor.policy.judge import judge
from executor.policy.limits import Facts, Limits
from executor.policy.rules import Refusal, Rule, refused
from executor.types import Allowed, Intent, Ledger, Verdict


@dataclass(frozen=True, slots=True)
class WalletGuard:
    """The policy of one wallet, with where its facts come from.

    `facts` must not raise: what cannot be read is None in them, and refuses.
    """

    limits: Callable[[], Limits | None]
    """Of the newest block: markets may get new contracts."""
    facts: Callable[[Intent], Facts]
    name: str
    """The config's name of the wallet."""

    def verdict(self, intent: Intent, transaction: Transaction, ledger: Ledger) -> Verdict:
        """Return whether this transaction may be signed for this intent now."""
        limits = self.limits()
        if limits is None:
            what = "no policy is written for this wallet here, or the chain could not be read"
            return refused([Refusal(Rule.NO_POLICY, what, self.name)])
        reserved, reasons = judge(limits, self.facts(intent), intent, transaction, ledger)
        if reasons or reserved is None:
            return refused(reasons)
        return Allowed(reserved.usd_e6)
