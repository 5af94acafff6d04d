"""Markets that others put an account into: anybody can, in a market of any oracle and token."""

from chain.units import UINT256_MAX
from protocols.morpho_blue import oracle
from protocols.types import Position, Price
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.morpho_blue.fake import ORACLE, OWNER, PARAMS, FakeMorpho

ID = "0x" + PARAMS.id().hex()


def given(fake: FakeMorpho) -> Position:
    (position,) = fake.read(discovered=(ID,)).positions
    assert isinstance(position, Position)
    return position


def test_read__collateral_given_unasked__has_no_price_of_that_market() -> None:
    fake = FakeMorpho()
    fake.held[OWNER] = (0, 0, 10**18)
    fake.put(ORACLE, oracle.PRICE, UINT256_MAX)
    position = given(fake)
    assert [(leg.amount, leg.price) for leg in position.legs] == [(10**18, None)]
    assert assess_liquidation(position).status is Status.NOT_LIQUIDATABLE


def test_read__collateral_in_a_market_the_owner_named__has_its_price() -> None:
    fake = FakeMorpho()
    fake.held[OWNER] = (0, 0, 10**18)
    (position,) = fake.read().positions
    assert isinstance(position, Position)
    assert isinstance(position.legs[0].price, Price)


def test_read__debt_in_a_discovered_market__is_judged_by_its_oracle() -> None:
    position = given(FakeMorpho())
    assert isinstance(position.legs[0].price, Price)
    assert assess_liquidation(position).health_raw is not None
