"""Oracles taken apart: known shapes, opaque ones, and those that lie or are silent."""

import pytest

from chain.calls import NoCode, Reverted, Unknown
from protocols.morpho_blue import oracle
from protocols.types import Position, Price, Unpriced
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.morpho_blue.fake import (
    BASE,
    BASE_2,
    LOAN,
    ORACLE,
    OWNER,
    PRICE,
    QUOTE,
    QUOTE_VAULT,
    VAULT,
    FakeMorpho,
)
from tests.support.fake_chain import NOW


def price_of(position: Position) -> Price:
    price = position.legs[0].price
    assert isinstance(price, Price)
    return price


def test_oracle__unknown_shape__is_one_opaque_factor() -> None:
    price = price_of(FakeMorpho().position_of())
    assert (price.source, price.factor) == (f"oracle({ORACLE})", ORACLE)
    assert (price.raw, price.decimals, price.quote) == (PRICE, 24, LOAN)
    assert (price.updated_at, price.problems) == (None, ())


@pytest.mark.parametrize("answer", [0, Reverted(b""), NoCode(), Unknown("line cut")])
def test_oracle__no_price__position_is_unknown_never_safe(answer: object) -> None:
    fake = FakeMorpho()
    fake.put(ORACLE, oracle.PRICE, answer)
    position = fake.position_of()
    assert isinstance(position.legs[0].price, Unpriced)
    assert position.legs[2].amount > 0
    assert any(cause.startswith("oracle:") for cause in position.unknown)
    judged = assess_liquidation(position)
    assert judged.status is Status.UNKNOWN
    assert judged.health_raw is None


def test_oracle__no_price_and_no_debt__nothing_to_liquidate() -> None:
    fake = FakeMorpho()
    fake.held[OWNER] = (0, 0, 10**18)
    fake.put(ORACLE, oracle.PRICE, Reverted(b""))
    position = fake.position_of()
    assert isinstance(position.legs[0].price, Unpriced)
    assert assess_liquidation(position).status is Status.NOT_LIQUIDATABLE


def test_oracle__two_feeds_over_one_with_vaults__is_their_expression() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 3000 * 10**8, "ETH / USD", age=100)
    fake.feed(BASE_2, 11 * 10**7, "stETH / ETH", age=500)
    fake.feed(QUOTE, 99_990_000, "USDC / USD", age=50)
    fake.put(VAULT, oracle.CONVERT, lambda shares: shares * 12 // 10)
    fake.put(QUOTE_VAULT, oracle.CONVERT, lambda shares: shares * 3)
    over = 12 * 10**17 * 3000 * 10**8 * 11 * 10**7
    price = 10**10 * over // (3 * 10**6 * 99_990_000)
    fake.compose(
        BASE_FEED_1=BASE,
        BASE_FEED_2=BASE_2,
        QUOTE_FEED_1=QUOTE,
        BASE_VAULT=VAULT,
        QUOTE_VAULT=QUOTE_VAULT,
        base_sample=10**18,
        quote_sample=10**6,
        SCALE_FACTOR=10**10,
        price=price,
    )
    position = fake.position_of()
    told = price_of(position)
    assert told.source == (
        f"div(mul(ratio({VAULT}), feed({BASE}), feed({BASE_2})), "
        f"mul(ratio({QUOTE_VAULT}), feed({QUOTE})))"
    )
    assert told.raw == price
    assert told.updated_at == NOW - 500
    assert told.problems == ()
    assert len(fake.rounds) == 3


def test_oracle__first_version_with_one_vault__is_understood() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 3000 * 10**8, "ETH / USD")
    fake.put(VAULT, oracle.CONVERT, 11 * 10**17)
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10, price=10 * 11 * 10**17 * 3000 * 10**8)
    fake.drop(ORACLE, oracle.BASE_VAULT)
    fake.put(ORACLE, oracle.V1_VAULT, VAULT)
    fake.put(ORACLE, oracle.V1_SAMPLE, 10**18)
    assert price_of(fake.position_of()).source == f"mul(ratio({VAULT}), feed({BASE}))"


def test_oracle__no_feed_at_all__is_a_constant() -> None:
    fake = FakeMorpho()
    fake.compose(SCALE_FACTOR=PRICE, price=PRICE)
    assert price_of(fake.position_of()).source == "const(1)"


def test_oracle__one_feed_gone_quiet__is_not_safe() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 3000 * 10**8, "ETH / USD", age=3 * 86_400)
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10**16, price=PRICE)
    position = fake.position_of()
    assert "ETH / USD: stale" in price_of(position).problems[0]
    assert price_of(position).label == "ETH / USD"
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_oracle__parts_do_not_give_its_price__is_opaque_and_doubted() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 3000 * 10**8, "ETH / USD")
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10**16, price=PRICE + 1)
    position = fake.position_of()
    assert price_of(position).source == f"oracle({ORACLE})"
    assert "but its feeds and vaults give" in price_of(position).problems[0]
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_oracle__feed_or_vault_silent__is_opaque_and_doubted() -> None:
    fake = FakeMorpho()
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10**16, price=PRICE)
    assert "no contract" in price_of(fake.position_of()).problems[0]
    fake.feed(BASE, 3000 * 10**8, "ETH / USD")
    fake.compose(BASE_FEED_1=BASE, BASE_VAULT=VAULT, SCALE_FACTOR=10**16, price=PRICE)
    price = price_of(fake.position_of())
    assert price.source == f"oracle({ORACLE})"
    assert "vault 0x" in price.problems[0]


def test_oracle__getter_lost_on_the_way__is_doubted() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 3000 * 10**8, "ETH / USD")
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10**16, price=PRICE)
    lost = oracle.SCALE_FACTOR.at(ORACLE)
    fake.override = lambda read: Unknown("line cut") if read == lost else None
    assert price_of(fake.position_of()).problems == ("oracle SCALE_FACTOR: line cut",)


def test_oracle__feed_answers_zero_or_less__its_own_problem_is_told() -> None:
    fake = FakeMorpho()
    fake.feed(BASE, 0, "ETH / USD")
    fake.compose(BASE_FEED_1=BASE, SCALE_FACTOR=10**16, price=PRICE)
    assert any("answers 0" in p for p in price_of(fake.position_of()).problems)
