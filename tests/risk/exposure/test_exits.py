"""What can leave, how long the rest takes, and what allowances let go."""

import pytest

from protocols.exposure.state import Exit
from protocols.types import AllowanceGiven, Leg, Side, Token
from risk.exposure.exits import leaving, takings
from tests.support.fake_chain import address

TOKEN = Token(address(1), "T", 6)


@pytest.mark.parametrize(
    ("claim", "available", "lent", "used", "days"),
    [
        (100, 100, 900, 0.9, 0.0),
        (100, 40, 60, 0.6, 50.0),
        (100, None, None, None, None),
        (100, 40, None, None, None),
        (100, 40, 0, 0.0, None),
        (0, 0, 0, 0.0, 0.0),
    ],
)
def test_leaving__cash_first_then_as_loans_come_back(
    claim: int, available: int | None, lent: int | None, used: float | None, days: float | None
) -> None:
    found = leaving(Exit(address(1), claim, available, lent), 0.02)
    assert (found.utilisation, found.days) == (used, days)


def test_takings__least_of_balance_and_allowance__unknown_where_the_balance_is() -> None:
    given = [AllowanceGiven(TOKEN, address(n), amount, False) for n, amount in ((7, 50), (8, 500))]
    legs = [Leg(TOKEN, 60, Side.ASSET), Leg(TOKEN, 40, Side.ASSET)]
    assert [t.takes for t in takings(given, legs, {})] == [50, 100]
    assert [t.takes for t in takings(given, [], {})] == [0, 0]
    assert [t.takes for t in takings(given, legs, {TOKEN.address: "reverted"})] == [None, None]
