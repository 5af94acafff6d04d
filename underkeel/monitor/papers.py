"""The `underkeel.risk/1` of a chain, made anew only where something was judged anew.

A position's part is kept as JSON text until it is judged again, because making one costs more
than judging it. Positions may be of different blocks; each says of which.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from risk.types import Assessment, Status
from underkeel.documents import models
from underkeel.documents.build import common, position
from underkeel.portfolio import ChainReport, Portfolio

SCHEMA: Final = "underkeel.risk/1"
EMPTY: Final = b'"positions":[]'


@dataclass(slots=True)
class Papers:
    """The parts of one chain's document. For one thread."""

    parts: dict[str, tuple[Assessment, bytes]] = field(default_factory=dict)

    def document(self, portfolio: Portfolio, at: float) -> bytes:
        """Return the document of a portfolio of one chain as JSON.

        Of a chain that could not be read, every position's status is unknown: what is told of it
        was true at its own block, and is not known to be now.
        """
        (chain,) = portfolio.chains
        texts: list[bytes] = []
        current: dict[str, tuple[Assessment, bytes]] = {}
        for assessment in chain.positions:
            told = _doubted(assessment, chain) if chain.fault else assessment
            id_ = assessment.position.id
            kept = self.parts.get(id_)
            if kept is None or kept[0] is not assessment or chain.fault:
                kept = (told, _json(position(told, chain, portfolio)))
            current[id_] = kept
            texts.append(kept[1])
        self.parts = current
        whole = models.RiskDocument(
            schema=SCHEMA,
            positions=[],
            **common(portfolio, at, hashed=_of_one_block(chain)),
        )
        head = whole.model_dump_json(by_alias=True, exclude_unset=True).encode()
        return head.replace(EMPTY, b'"positions":[' + b",".join(texts) + b"]", 1)


def _json(part: models.Position) -> bytes:
    return part.model_dump_json(by_alias=True, exclude_unset=True).encode()


def _of_one_block(chain: ChainReport) -> bool:
    return all(a.position.at == chain.at for a in chain.positions)


def _doubted(found: Assessment, chain: ChainReport) -> Assessment:
    if found.liquidation.status is Status.NOT_LIQUIDATABLE:
        return found
    block = found.position.at.number
    cause = f"not read since block {block}: {chain.cause or chain.fault}"
    causes = (*found.liquidation.causes, cause)
    return replace(
        found, liquidation=replace(found.liquidation, status=Status.UNKNOWN, causes=causes)
    )


def judged_anew(papers: Papers, assessments: Iterable[Assessment]) -> int:
    """Return how many of these have no part yet, or one of an older judgement."""
    return sum(
        1
        for a in assessments
        if (kept := papers.parts.get(a.position.id)) is None or kept[0] is not a
    )
