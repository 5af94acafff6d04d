"""The chance of liquidation before a time, of the worst positions, where histories are known.

Histories are read from files and chains; without the packages of `underkeel[risk]`, or where none
can be read, there are no chances, and the cause is said.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from chain.client import connect
from chain.errors import ChainError
from underkeel.config.load import Config
from underkeel.documents.ladder import LadderChance
from underkeel.portfolio import ChainReport, Open, Portfolio
from underkeel.studies.ladder import Chances

if TYPE_CHECKING:
    from risk.distance.probability import Probability
    from underkeel.distance.study import Study

log = logging.getLogger(__name__)

MOST: Final = 40
"""Positions, the worst."""
PATHS: Final = 2_000
BEYOND: Final = f"only of the {MOST} positions nearest to liquidation"


def chances(config: Config, portfolio: Portfolio, cache: Path, opener: Open = connect) -> Chances:
    """Return chances by position; never raises for what a chain does."""
    wanted = _worst(portfolio)
    kept = [a.position.id for chain in wanted.chains for a in chain.positions]
    found: dict[str, tuple[list[LadderChance], str | None]] = {
        a.position.id: ([], BEYOND) for a in portfolio.assessments
    }
    try:
        made = _study(config, wanted, cache, opener)
    except ImportError:
        return found | dict.fromkeys(kept, ([], "it needs underkeel[risk]"))
    except (ChainError, ArithmeticError, ValueError) as failure:
        log.warning("chances: %s", config.scrub(str(failure)))
        cause = f"histories could not be used: {type(failure).__name__}"
        return found | dict.fromkeys(kept, ([], cause))
    for id_ in kept:
        one = made.found.get(id_)
        cause = made.unmeasured.get(id_, "it could not be measured")
        found[id_] = ([], cause) if one is None else ([_chance(c) for c in one.chances], None)
    return found


def _study(config: Config, wanted: Portfolio, cache: Path, opener: Open) -> "Study":
    """Read the histories that the worst positions hang on, and simulate."""
    from underkeel.distance.study import HORIZON_S, HORIZONS_S, judged, measure
    from underkeel.history.collect import Histories, histories

    measured, unmeasured = measure(wanted, max(HORIZONS_S))
    factors: dict[str, dict[str, str]] = {}
    for one in measured.values():
        known = factors.setdefault(one.chain.name, {})
        known.update((factor.name, factor.label) for factor in one.factors)
    past = Histories()
    if measured:
        past = histories(config, wanted, factors, opener=opener, cache=cache)
    return judged(measured, unmeasured, past, (), HORIZON_S, PATHS)


def _worst(portfolio: Portfolio) -> Portfolio:
    """Return the portfolio with the positions nearest to liquidation only."""
    owed = [a for a in portfolio.assessments if a.liquidation.health_raw is not None]
    owed.sort(key=lambda a: (a.liquidation.health_raw or 0) / a.liquidation.health_scale)
    kept = {id(a) for a in owed[:MOST]}

    def cut(chain: ChainReport) -> ChainReport:
        return replace(chain, positions=tuple(a for a in chain.positions if id(a) in kept))

    return replace(portfolio, chains=tuple(cut(chain) for chain in portfolio.chains))


def _chance(found: "Probability") -> LadderChance:
    return LadderChance(
        horizon_s=str(found.horizon_s),
        p=found.p,
        ci_lo=found.ci_lo,
        ci_hi=found.ci_hi,
        method=found.method,
        cause=found.cause or None,
    )
