"""A chain that gives no clear word is an error with its name, not a traceback."""

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chain.errors import Reorged
from chain.types import Address, BlockRef
from executor.plan.types import Blocked
from protocols.types import Unreadable
from tests.underkeel.plans.test_config import OWNER, written
from tests.underkeel.plans.test_wishes import AT, A, position, token
from underkeel.errors import ChainDown
from underkeel.plans import make as making
from underkeel.plans.wanted import Asked, wanted
from underkeel.portfolio import ChainReport, Fault, Portfolio
from underkeel.valuation import Valuation

ROW = '[[plan]]\nname = "a"\nkind = "sweep-allowances"\naccount = "daring"'


def report(**more: Any) -> ChainReport:
    valuation = Valuation.of((), (), (), AT)
    return ChainReport("demo", 7, AT, valuation=valuation, **more)


def made(monkeypatch: pytest.MonkeyPatch, folder: Path, chain: ChainReport, opener: Any) -> Any:
    config = written(folder, ROW)
    reading = Portfolio((), (chain,), {})
    monkeypatch.setattr(making, "read_portfolio", lambda *_args, **_more: reading)
    return making.make(config, wanted(config, "a", Asked()), opener=opener)


def owned() -> Any:
    held = replace(position(token(A, "ONE")), owner=Address(OWNER))
    return SimpleNamespace(
        position=held, liquidation=SimpleNamespace(health_raw=None, health_scale=1, causes=())
    )


@contextmanager
def gone(_spec: object) -> Any:
    raise Reorged(BlockRef(7, 1, "0x" + "a" * 64, "0x" + "b" * 64, 1))
    yield


def test_make__block_that_left_the_chain__names_the_chain(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ChainDown, match="demo: block 7:1:0xaaaaaaaa left the chain"):
        made(monkeypatch, tmp_path, report(positions=(owned(),)), gone)


def test_make__chain_that_was_not_read__is_no_ground_to_plan_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ChainDown, match="nothing is planned on what is not read"):
        made(monkeypatch, tmp_path, report(fault=Fault.DOWN, cause="no route"), gone)


def test_make__market_that_was_not_read__blocks_even_without_a_position(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lost = Unreadable("wallet", "wallet", A, None, "it is silent", AT)
    found = made(monkeypatch, tmp_path, report(unreadable=(lost,)), gone)
    assert found.planned == Blocked("a", ("wallet wallet: it is silent",))
