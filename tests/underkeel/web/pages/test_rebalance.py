"""A plan's amounts before and after."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from underkeel.documents.plan import PlanLeg, PlanPart, PlanPosition
from underkeel.web.pages.views.rebalance import legs

TOKEN = "0x" + "11" * 20


def position(id_: str, protocol: str, side: str, amount: int) -> PlanPosition:
    leg = PlanLeg(asset=TOKEN, symbol="USDC", decimals="6", side=side, name="", amount=str(amount))
    return PlanPosition.model_construct(id=id_, protocol=protocol, market=id_, legs=[leg])


def test_legs__interest_of_minutes__left_out_but_not_of_a_purse() -> None:
    many = 10**12
    sides = [
        [
            position("paid", "aave-v3", "debt", paid),
            position("untouched", "aave-v3", "debt", many + drift),
            position("wallet", "wallet", "asset", many - drift),
        ]
        for paid, drift in ((many, 0), (many // 2, 5_000))
    ]
    plan = cast(PlanPart, SimpleNamespace(before=sides[0], after=sides[1]))
    table = legs(plan, "x")
    assert [row.cells[0].text for row in table.rows] == ["paid", "wallet"]
    assert [row.cells[5].text for row in table.rows] == ["−500,000", "−0.005"]
