"""The `underkeel.risk/1` of a chain, made anew only where something was judged anew.

A position's part is kept as JSON text until it is judged again, because making one costs more
than judging it. Positions may be of different blocks; each says of which. Where there is no time
to make all parts anew, the rest are made the next time; what was never made is waited for.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import orjson

from risk.types import Assessment, Status
from underkeel.documents import models
from underkeel.documents.build import common, position
from underkeel.portfolio import ChainReport, Portfolio

SCHEMA: Final = "underkeel.risk/1"
EMPTY: Final = b'"positions":[]'


@dataclass(slots=True)
class Papers:
    """The parts of one chain's document. For one thread."""

    monotonic: Callable[[], float] = time.monotonic
    parts: dict[str, tuple[Assessment, bytes]] = field(default_factory=dict)
    """Each position's, the one made longest ago first."""

    def document(
        self, portfolio: Portfolio, at: float, budget_s: float | None = None
    ) -> bytes | None:
        """Return the document of a portfolio of one chain as JSON.

        With a budget, None where that does not last for parts that were never made: what was
        made is kept for the next call.

        Of a chain that could not be read, every position's status is unknown: what is told of it
        was true at its own block, and is not known to be now.
        """
        (chain,) = portfolio.chains
        whole = self._make(chain, portfolio, budget_s)
        ids = [a.position.id for a in chain.positions]
        if not all(id_ in self.parts for id_ in ids):
            return None
        parts = {id_: self.parts[id_][1] for id_ in ids}
        for id_ in self.parts.keys() - parts.keys():
            del self.parts[id_]
        if chain.fault:
            parts = {id_: _doubted(self.parts[id_][0], part, chain) for id_, part in parts.items()}
        document = models.RiskDocument(
            schema=SCHEMA,
            positions=[],
            **common(portfolio, at, hashed=whole and _of_one_block(chain)),
        )
        head = document.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return head.replace(EMPTY, b'"positions":[' + b",".join(parts.values()) + b"]", 1)

    def _make(self, chain: ChainReport, portfolio: Portfolio, budget_s: float | None) -> bool:
        """Make parts anew, the missing and then the oldest first; return whether all are new."""
        age = {id_: number for number, id_ in enumerate(self.parts)}
        due = [a for a in chain.positions if not self._is_new(a)]
        due.sort(key=lambda a: age.get(a.position.id, -1))
        until = None if budget_s is None else self.monotonic() + budget_s
        for done, assessment in enumerate(due, 1):
            id_ = assessment.position.id
            self.parts.pop(id_, None)  # the newest is the last
            self.parts[id_] = (assessment, _json(position(assessment, chain, portfolio)))
            if until is not None and self.monotonic() > until:
                return done == len(due)
        return True

    def _is_new(self, assessment: Assessment) -> bool:
        kept = self.parts.get(assessment.position.id)
        return kept is not None and kept[0] is assessment


def _json(part: models.Position) -> bytes:
    return part.model_dump_json(by_alias=True, exclude_unset=True).encode()


def _of_one_block(chain: ChainReport) -> bool:
    return all(a.position.at == chain.at for a in chain.positions)


def _doubted(found: Assessment, part: bytes, chain: ChainReport) -> bytes:
    """Return a part with its status unknown; changing its text costs a fiftieth of making it."""
    if found.liquidation.status is Status.NOT_LIQUIDATABLE:
        return part
    told = orjson.loads(part)
    block = found.position.at.number
    cause = f"not read since block {block}: {chain.cause or chain.fault}"
    causes = [*found.liquidation.causes, cause]
    told["liquidation"] |= {"status": Status.UNKNOWN.value, "causes": causes}
    return orjson.dumps(told)
