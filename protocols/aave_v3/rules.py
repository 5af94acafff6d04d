"""What each release of Aave v3 does differently, by the pool's own `POOL_REVISION`.

| revision | release | first to |
|---|---|---|
| 1 to 3 | 3.0.0 to 3.0.2, Spark | |
| 4 | 3.1 | have a liquidation grace period per reserve, virtual accounting |
| 5, 6 | 3.2.0, 3.2.1 | keep e-mode collateral as a bitmap; drop stable debt, e-mode prices |
| 7 | 3.3 | close small positions whole; ask `balanceOf` for debt without virtual balance |
| 8 | 3.4 | compound by a polynomial; treat every debt token alike |
| 9 | 3.5 | round debt up and supply down; not truncate the average threshold |
| 10 | 3.6 | count collateral whose only threshold is its e-mode's |
| 11 | 3.7 | drop the oracle sentinel, siloed borrowing and debt ceilings; round seizure down |

Source: `PoolInstance.POOL_REVISION` and `GenericLogic`, `LiquidationLogic`, `ValidationLogic`,
`MathUtils` of each release.
"""

from dataclasses import dataclass
from typing import Final

NEWEST: Final = 11


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one pool."""

    revision: int | None
    """What the pool says; None where it says nothing."""

    @property
    def known(self) -> bool:
        """Tell whether this release was checked; an unknown one is read as the newest."""
        return self.revision is not None and 1 <= self.revision <= NEWEST

    @property
    def engine(self) -> int:
        """Return the revision whose rules are applied."""
        said = self.revision  # asked for at every rounding: `known` again, without a call
        return said if said is not None and 1 <= said <= NEWEST else NEWEST

    @property
    def version(self) -> str:
        """Return what the contract says it is, for people."""
        return "rev unknown" if self.revision is None else f"rev {self.revision}"

    @property
    def polynomial(self) -> bool:
        """Tell whether debt compounds by the polynomial (3.4) and not by the binomial form."""
        return self.engine >= 8

    @property
    def exact_threshold(self) -> bool:
        """Tell whether health sums thresholds exactly and debt rounds up (3.5)."""
        return self.engine >= 9

    @property
    def threshold_gates(self) -> bool:
        """Tell whether a reserve with threshold 0 is never collateral, e-mode or not (to 3.5)."""
        return self.engine <= 9

    @property
    def emode_bitmap(self) -> bool:
        """Tell whether a category lists its collateral (3.2), not a reserve its category."""
        return self.engine >= 5

    @property
    def stable_debt(self) -> bool:
        """Tell whether debt at a stable rate exists (to 3.1)."""
        return self.engine <= 4

    @property
    def discounts(self) -> bool:
        """Tell whether a debt token without virtual balance may grant a discount (to 3.3)."""
        return self.engine <= 7

    @property
    def discounted_health(self) -> bool:
        """Tell whether health counts such debt as its token does (3.3), not in full (to 3.2)."""
        return self.engine == 7

    @property
    def grace_periods(self) -> bool:
        """Tell whether reserves have liquidation grace periods (3.1)."""
        return self.engine >= 4

    @property
    def sentinel(self) -> bool:
        """Tell whether the oracle sentinel may refuse liquidations (to 3.6)."""
        return self.engine <= 10

    @property
    def isolation(self) -> bool:
        """Tell whether debt ceilings and siloed borrowing exist (to 3.6)."""
        return self.engine <= 10

    @property
    def closes_dust(self) -> bool:
        """Tell whether small positions are closed whole and must not be left as dust (3.3)."""
        return self.engine >= 7

    @property
    def ceil_debt_needed(self) -> bool:
        """Tell whether the debt that a capped seizure repays rounds up (3.5)."""
        return self.engine >= 9

    @property
    def floor_seizure(self) -> bool:
        """Tell whether seized collateral rounds down and the protocol's fee up (3.7)."""
        return self.engine >= 11
