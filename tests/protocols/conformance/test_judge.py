"""The judge itself: it must see every lie that the suite is there to catch."""

from dataclasses import replace

import pytest

from chain.calls import ReadFailed
from chain.types import ZERO_ADDRESS
from protocols.types import (
    AllowanceGiven,
    Leg,
    Position,
    Price,
    Reading,
    Side,
    Token,
    Unpriced,
    Unreadable,
)
from tests.protocols.conformance.judge import false_claims
from tests.protocols.prices.build import AT, address

COIN = Token(address(1), "COIN", 18)
PRICE = Price(COIN.address, "USD", 5, 0, "feed", "feed", 1)
OWNER = address(2)
HELD = Position(
    id="1:x",
    protocol="wallet",
    version="",
    market="m",
    root=ZERO_ADDRESS,
    owner=OWNER,
    kind="wallet",
    legs=(Leg(COIN, 7, Side.ASSET, PRICE),),
    at=AT,
    allowances=(AllowanceGiven(COIN, address(3), 9, False),),
)
TRUTH = Reading((HELD,), (PRICE,))
(LEG,) = HELD.legs


def missing(owner: str | None) -> Unreadable:
    """Return a complaint about an owner's part of the market."""
    return Unreadable("wallet", "m", ZERO_ADDRESS, owner and OWNER, "cause", AT)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "outcome",
    [
        TRUTH,
        ReadFailed("down"),
        Reading((missing(OWNER),)),
        Reading((missing(None),)),
        Reading((replace(HELD, legs=(), unknown=("balance",)),), (PRICE,)),
        Reading((replace(HELD, legs=(), verified=False),), (PRICE,)),
        Reading((replace(HELD, legs=(replace(LEG, token=replace(COIN, symbol="?")),)),)),
        Reading((replace(HELD, legs=(replace(LEG, price=Unpriced(OWNER, "s", "c")),)),)),
        Reading((HELD,), (replace(PRICE, raw=6, problems=("stale",)),)),
    ],
)
def test_false_claims__truth_or_not_known__is_honest(outcome: Reading | ReadFailed) -> None:
    assert false_claims(TRUTH, outcome) == []


@pytest.mark.parametrize(
    "outcome",
    [
        Reading(),
        Reading((HELD, replace(HELD, id="2:x"))),
        Reading((replace(HELD, legs=()),)),
        Reading((replace(HELD, legs=(replace(LEG, amount=0),)),)),
        Reading((replace(HELD, legs=(LEG, LEG)),)),
        Reading((replace(HELD, legs=(replace(LEG, price=replace(PRICE, raw=6)),)),)),
        Reading((replace(HELD, legs=(replace(LEG, price=None),)),)),
        Reading((replace(HELD, allowances=()),)),
        Reading((HELD,), (replace(PRICE, raw=6),)),
    ],
)
def test_false_claims__anything_else__is_told(outcome: Reading) -> None:
    assert len(false_claims(TRUTH, outcome)) >= 1
