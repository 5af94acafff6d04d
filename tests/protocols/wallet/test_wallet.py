"""Wallets: what an account holds itself, and what it lets others take."""

from collections.abc import Sequence

import pytest

from chain.calls import NativeBalance, NoCode, Ok, Read, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address
from protocols.adapter import Log, Market
from protocols.types import AllowanceGiven, Leg, Position, Side, Token, Unreadable
from protocols.wallet import SPENDERS, Wallet
from protocols.wallet.adapter import UINT96_MAX, UNLIMITED
from protocols.wallet.discovery import APPROVAL
from tests.protocols.prices.build import AT, NO, address, text, words
from tests.support.referee import drive

ALICE, BOB, COIN, DUD, SPENDER = (address(n) for n in range(0xA, 0xF))
NATIVE = Token(ZERO_ADDRESS, "ETH", 18)
COINS = Token(COIN, "COIN", 6)


def market(tokens: Sequence[Address] = (COIN,), spenders: Sequence[Address] = (SPENDER,)) -> Market:
    """Return a wallet market."""
    return Market("wallet", "wallet", ZERO_ADDRESS, {"tokens": tokens, "spenders": spenders})


def read(
    answers: Sequence[Result], where: Market | None = None, accounts: Sequence[Address] = (ALICE,)
) -> tuple[Position | Unreadable, ...]:
    """Run the adapter on answers in the order of its reads, in exactly one round."""
    rounds = 0

    def answer(batch: Sequence[Read]) -> Sequence[Result]:
        nonlocal rounds
        rounds += 1
        assert len(batch) == len(answers)
        return answers

    reading = drive(Wallet().read(where or market(), accounts, AT), answer)
    assert rounds == 1
    return reading.positions


def one(answers: Sequence[Result], where: Market | None = None) -> Position:
    """Return the only position there is."""
    (position,) = read(answers, where)
    assert isinstance(position, Position)
    return position


META = (text("COIN"), words(6))


def test_read__coin_token_and_allowance__are_all_there() -> None:
    position = one([words(5), *META, words(7), words(9)])
    assert position.legs == (Leg(NATIVE, 5, Side.ASSET), Leg(COINS, 7, Side.ASSET))
    assert position.allowances == (AllowanceGiven(COINS, SPENDER, 9, False),)
    assert position.id == f"1:wallet:{ZERO_ADDRESS}:{ALICE}"
    assert (position.kind, position.unknown) == ("wallet", ())


def test_read__nothing_held_or_allowed__is_no_position() -> None:
    assert read([words(0), *META, words(0), words(0)]) == ()


def test_read__native_symbol__is_the_networks() -> None:
    where = Market("wallet", "wallet", ZERO_ADDRESS, {"native_symbol": "POL"})
    assert one([words(5)], where).legs == (Leg(Token(ZERO_ADDRESS, "POL", 18), 5, Side.ASSET),)


@pytest.mark.parametrize(
    ("amount", "unlimited"),
    [
        (1, False),
        (UINT96_MAX - 1, False),
        (UINT96_MAX, True),
        (UINT96_MAX + 1, False),
        (UNLIMITED - 1, False),
        (UNLIMITED, True),
        (2**256 - 1, True),
    ],
)
def test_read__allowance__unlimited_when_meant_so(amount: int, unlimited: bool) -> None:
    (given,) = one([words(0), *META, words(0), words(amount)]).allowances
    assert (given.amount, given.unlimited) == (amount, unlimited)


@pytest.mark.parametrize("bad", [NO, Reverted(b"\1\2\3\4"), NoCode(), Unknown("timeout"), Ok(b"")])
def test_read__one_balance_fails__is_unknown_and_the_others_stay(bad: Result) -> None:
    where = market((DUD, COIN), ())
    answers = [words(5), text("DUD"), words(18), bad, *META, words(7)]
    position = one(answers, where)
    assert [leg.amount for leg in position.legs] == [5, 7]
    (cause,) = position.unknown
    assert cause.startswith("DUD (0x0000…000d): balanceOf: ")


@pytest.mark.parametrize("bad", [Unknown("timeout"), Ok(b""), Ok(b"\0" * 31)])
def test_read__native_balance_fails__is_unknown(bad: Result) -> None:
    position = one([bad, *META, words(7), words(0)])
    assert position.unknown[0].startswith("native balance: ")
    assert [leg.amount for leg in position.legs] == [7]


def test_read__allowance_fails__is_unknown() -> None:
    position = one([words(0), *META, words(0), Unknown("timeout")])
    assert position.unknown == ("COIN (0x0000…000C) allowance of 0x0000…000E: allowance: timeout",)


def test_read__everything_fails__is_a_position_with_nothing_known() -> None:
    position = one([Unknown("down")] * 5)
    assert position.legs == ()
    assert len(position.unknown) == 3


def test_read__decimals_not_learned__matter_only_where_something_is_held() -> None:
    lost: list[Result] = [text("COIN"), Unknown("timeout")]
    assert read([words(0), *lost, words(0), words(0)]) == ()
    position = one([words(0), *lost, words(3), words(4)])
    assert len(position.unknown) == 1
    assert position.legs[0].token.decimals is None


def test_read__amount_of_77_digits__stays_whole() -> None:
    assert one([words(0), *META, words(10**77), words(0)]).legs[0].amount == 10**77


def test_read__two_accounts__are_kept_apart() -> None:
    answers = [words(1), words(0), *META, words(0), words(0), words(2), words(3)]
    alice, bob = read(answers, accounts=(ALICE, BOB))
    assert isinstance(alice, Position)
    assert isinstance(bob, Position)
    assert [leg.amount for leg in alice.legs] == [1]
    assert [leg.amount for leg in bob.legs] == [2]
    assert (alice.allowances, bob.allowances[0].amount) == ((), 3)


def test_read__token_listed_twice__is_read_once() -> None:
    position = one([words(0), *META, words(7), words(0)], market((COIN, COIN), (SPENDER, SPENDER)))
    assert len(position.legs) == 1


def test_read__asks_for_the_native_balance_of_each_account() -> None:
    program = Wallet().read(market((), ()), (ALICE, BOB), AT)
    assert next(program) == [NativeBalance(ALICE), NativeBalance(BOB)]


def _log(*topics: bytes) -> Log:
    return Log(COIN, topics, b"\0" * 32)


def _word(who: Address) -> bytes:
    return bytes.fromhex(who[2:]).rjust(32, b"\0")


def test_discovery__asks_each_token_for_the_accounts_approvals() -> None:
    (found,) = SPENDERS.filters(market(), (ALICE, BOB))
    assert found.address == COIN
    assert found.topics == (
        "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925",
        ("0x" + _word(ALICE).hex(), "0x" + _word(BOB).hex()),
    )
    assert SPENDERS.filters(market(), ()) == ()


def test_discovery__spenders__each_once_and_no_nfts() -> None:
    logs = [
        _log(APPROVAL, _word(ALICE), _word(SPENDER)),
        _log(APPROVAL, _word(BOB), _word(SPENDER)),
        _log(APPROVAL, _word(BOB), _word(DUD), b"\0" * 32),
        _log(b"\1" * 32, _word(BOB), _word(DUD)),
        _log(),
    ]
    assert SPENDERS.found(logs) == (SPENDER,)
