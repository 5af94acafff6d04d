"""What a row names is found, or it is said what is there."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from chain.calls import ReadFailed
from chain.types import Address, BlockRef, checksum
from executor.plan.lab import Lab
from protocols.adapter import Market
from protocols.prices.book import PriceBook
from protocols.types import Leg, Position, Price, Side, Token
from underkeel.config.plans import PlanTable
from underkeel.errors import UsageError
from underkeel.plans.kinds import KINDS, concerns
from underkeel.plans.wishes import proposals, token_named

AT = BlockRef(1, 2, "0x" + "0" * 64, "0x" + "1" * 64, 3)
A, B, C = (checksum("0x" + digit * 40) for digit in "123")


def token(address: Address, symbol: str) -> Token:
    return Token(address, symbol, 18)


def position(*tokens: Token, kind: str = "wallet") -> Position:
    legs = tuple(Leg(one, 5, Side.ASSET) for one in tokens)
    return Position("id", "wallet", "1", "wallet", A, A, kind, legs, AT)


def lab(*tokens: Token, priced: tuple[Address, ...] = ()) -> Lab:
    def read(program: Any) -> Any:
        program.close()
        raise ReadFailed("it does not answer")

    prices = tuple(Price(one, "USD", 1, 0, "feed", "feed", None) for one in priced)
    found = SimpleNamespace(
        positions=(position(*tokens),),
        book=PriceBook(own=prices),
        markets=(Market("erc4626", "vault one", A, {}),),
        read=read,
    )
    return cast(Lab, found)


def test_token__by_symbol_and_by_address() -> None:
    here = lab(token(A, "ONE"), token(B, "TWO"))
    assert token_named(here, "one").address == A
    assert token_named(here, B).symbol == "TWO"
    assert token_named(here, B.lower()).symbol == "TWO"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("THRE", "did you mean 'THREE'?"),
        ("SAME", "2 tokens are called 'SAME'"),
        ("0x12", "is not an address"),
        (C, "it does not answer"),
    ],
)
def test_token__not_to_be_found__says_why(text: str, said: str) -> None:
    here = lab(token(A, "SAME"), token(B, "SAME"), token(checksum("0x" + "4" * 40), "THREE"),
               priced=(C,))  # fmt: skip
    with pytest.raises(UsageError, match=said.replace("?", r"\?")):
        token_named(here, text)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"kind": "move", "to_market": "vault one"}, "2 supplies match"),
        ({"kind": "move", "asset": "ONE", "to_market": "vault on"}, "did you mean 'vault one'"),
        ({"kind": "rebalance"}, "which weights"),
        ({"kind": "debt-swap"}, "to which token"),
        ({"kind": "collateral-swap", "asset": "ONNE"}, "did you mean 'ONE'"),
    ],
)
def test_wish__that_does_not_say__is_a_question(row: dict[str, Any], said: str) -> None:
    ones = (token(A, "ONE"), token(B, "TWO"))
    with pytest.raises(UsageError, match=said):
        proposals(lab(*ones), PlanTable(name="a", **row), position(*ones))


def test_kinds__each__is_about_its_own_positions() -> None:
    wallet, vault = position(), position(kind="vault")
    about = {kind: (concerns(kind, wallet), concerns(kind, vault)) for kind in KINDS}
    assert about["rebalance"] == about["sweep-allowances"] == (True, False)
    assert about["move"] == (False, True)
    assert about["repay"] == about["exit-vault"] == about["close-lp"] == (False, False)
