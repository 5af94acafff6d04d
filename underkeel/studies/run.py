"""Make the slow documents one after the other; what fails is left out and said in the log."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chain.client import connect
from chain.errors import ChainError
from risk.exposure.priors import priors, user_facts
from underkeel.config.load import Config
from underkeel.documents.part import Part
from underkeel.errors import AppError
from underkeel.exposure.document import document as exposure_document
from underkeel.exposure.run import Asked, find
from underkeel.oracles.document import document as oracles_document
from underkeel.oracles.read import read_oracles
from underkeel.portfolio import Open, Portfolio
from underkeel.studies.chances import chances
from underkeel.studies.ladder import Chances, ladder

log = logging.getLogger(__name__)

Made = tuple[str, str, Part]
"""Kind, chain (empty: all), document."""


class Studies:
    """The studies of one config; chances are kept until they are computed anew."""

    def __init__(
        self,
        config: Config,
        cache: Path,
        *,
        opener: Open = connect,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._config = config
        self._cache = cache
        self._opener = opener
        self._clock = clock
        self._chances: Chances = {}

    def compute(self, portfolio: Portfolio) -> Iterator[Made]:
        """Yield every document as soon as it is made: the ladder first, it reads nothing."""
        known = self._chances
        parts: tuple[tuple[str, Callable[[], Part]], ...] = (
            ("ladder", lambda: ladder(portfolio, self._clock(), known)),
            ("exposure", lambda: self._exposure(portfolio)),
            ("oracles", lambda: self._oracles(portfolio)),
            ("ladder", lambda: self._ladder_with_chances(portfolio)),
        )
        for kind, make in parts:
            try:
                made = make()
            except (ChainError, AppError, ArithmeticError) as failure:
                log.warning("study %s: %s", kind, self._config.scrub(str(failure)))
            except Exception:  # one study must not end the others, nor the thread they run in
                log.exception("study %s failed", kind)
            else:
                yield kind, "", made

    def _exposure(self, portfolio: Portfolio) -> Part:
        asked = Asked(priors(None), user_facts(None))
        found = find(
            self._config,
            portfolio.accounts,
            asked,
            opener=self._opener,
            cache=self._cache,
            portfolio=portfolio,
        )
        return exposure_document(found, self._clock())

    def _oracles(self, portfolio: Portfolio) -> Part:
        feeds = read_oracles(self._config, portfolio, opener=self._opener, cache=self._cache)
        return oracles_document(portfolio, feeds, self._clock())

    def _ladder_with_chances(self, portfolio: Portfolio) -> Part:
        self._chances = chances(self._config, portfolio, self._cache, self._opener)
        return ladder(portfolio, self._clock(), self._chances)


def compute(
    config: Config,
    portfolio: Portfolio,
    cache: Path,
    *,
    opener: Open = connect,
    clock: Callable[[], float] = time.time,
) -> Iterator[Made]:
    """Yield every slow document of a portfolio."""
    return Studies(config, cache, opener=opener, clock=clock).compute(portfolio)
