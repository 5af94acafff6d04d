"""What `stress` prints: within 80 columns, nothing cut, and what is not known said."""

from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from protocols.exposure.state import LinkKind
from protocols.types import Leg, Side
from risk.exposure.priors import user_facts
from risk.market.types import DAY_S
from risk.scenario.extreme import Peaks
from tests.risk.exposure.build import PRIORS, contract, key, link, power, stands, survey
from tests.support.fake_chain import AT
from tests.underkeel.stress.build import ETH_FEED, ODD, USDC_FEED, loan, portfolio, wallet
from underkeel.cli.stress_tables import stress_report
from underkeel.documents.registry import DOCUMENTS
from underkeel.exposure.assemble import assemble
from underkeel.exposure.reading import Read
from underkeel.stress.document import Report, stress_document
from underkeel.stress.grid import grid
from underkeel.stress.library import library
from underkeel.stress.nodes import node_failures
from underkeel.stress.run import Book, Play, named
from underkeel.stress.tail import Market, Risk, at_risk
from underkeel.stress.tail import key as named_key

PLACE = portfolio()
BOOK = Book.of(PLACE)
QUIET = lambda _what, _done, _all: None  # noqa: E731


def report(**more: Any) -> Report:
    results = tuple(named(BOOK, library(), name, Play()) for name in library().scenarios)
    given = {"results": results, "greeks": {}, "factors": BOOK.factors, "unread": ()} | more
    return Report(portfolio=PLACE, how=Play(), **given)


def shown(made: Report, width: int = 80) -> str:
    DOCUMENTS["underkeel.stress/1"].model_validate_json(
        stress_document(made, 0.0).model_dump_json(by_alias=True)
    )
    screen = Console(width=width, file=StringIO(), color_system=None)
    screen.print(stress_report(made))
    assert isinstance(screen.file, StringIO)
    return screen.file.getvalue()


@pytest.fixture(scope="module")
def risk() -> Risk:
    stated = {named_key("main", ETH_FEED): 0.06, named_key("main", USDC_FEED): 0.002}
    return at_risk(BOOK, Market.of(BOOK, {}, {}, stated), Play(), 7 * DAY_S, 2_000, QUIET)


def test_report__eighty_columns__no_line_is_longer_and_no_cell_cut(risk: Risk) -> None:
    big = grid(BOOK, library(), ("ETH", "USDC"), Play(1))
    text = shown(report(grid=big, risk=risk))
    assert max(len(line) for line in text.splitlines()) <= 80
    for name in library().scenarios:
        assert name in text
    assert "as stated 6.0% a day" in text
    assert "assumed" in text, "what nobody stated"


def test_report__tail__fitted_with_its_errors_or_why_not(risk: Risk) -> None:
    told = Peaks(900.0, 200, 2_000, 0.21, 0.09, 300.0, 0.05)
    text = shown(report(risk=replace(risk, peaks=told)))
    assert "a Pareto tail of shape 0.21 ± 0.09 fitted to the 200 worst" in " ".join(text.split())
    assert "99.9% fitted" in text
    assert "±" in text.split("99.99% fitted")[1].splitlines()[0]
    refused = shown(report(risk=replace(risk, peaks="90 paths are too few: 500 at least")))
    assert "Beyond the paths: unknown, 90 paths are too few" in refused
    assert "fitted" not in refused


def test_report__failures__largest_first_and_how_many_more(risk: Risk) -> None:
    held = (loan(), wallet())
    many = range(20)
    links = [
        stands(p.id, *(link(p.id, 0x30 + i, LinkKind.ORACLE, 1 / (i + 2)) for i in many))
        for p in held
    ]
    facts = [contract(0x30 + i, power(9), code=i) for i in many]
    equity = {held[0].id: 5_000.0, held[1].id: 4_200.0}
    read = Read("main", AT, held, equity, tuple(links), survey(*facts, key(9)), {})
    exposure = assemble([read], PRIORS, user_facts())
    found = tuple(node_failures(BOOK, exposure, ()))
    text = shown(report(results=found))
    assert "Failures of what positions share, each alone, whole" in text
    assert f"And {len(found) - 15} that take less; --json has all." in text
    assert "Scenarios" not in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_report__nothing_known__says_so() -> None:
    place = portfolio(wallet(Leg(ODD, 1, Side.ASSET)))
    book = Book.of(place)
    nothing = at_risk(book, Market.of(book, {}, {}, {}), Play(), DAY_S, 500, QUIET)
    made = Report(place, Play(), (), {}, book.factors, book.unread, None, nothing)
    text = shown(made)
    assert "Value at risk: unknown" in text
    assert "Not in these numbers:" in text
