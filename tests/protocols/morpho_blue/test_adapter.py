"""What the Morpho adapter says when contracts are odd, silent or gone."""

from dataclasses import replace

import pytest

from chain.calls import NoCode, ReadFailed, Reverted, Unknown
from chain.types import ZERO_ADDRESS
from chain.units import UINT256_MAX, WAD
from protocols import tokens
from protocols.adapter import Market
from protocols.morpho import (
    BORROW_RATE_VIEW,
    FEE_RECIPIENT,
    ID_TO_MARKET_PARAMS,
    MARKET,
    POSITION,
    accrue,
)
from protocols.morpho_blue import MorphoBlue
from protocols.morpho_blue.irm import RATE_AT_TARGET
from protocols.morpho_blue.math import average_rate
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position, Price, Reading, Side, Unreadable
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.morpho_blue.fake import (
    AT_TARGET,
    COLLATERAL,
    IRM,
    LOAN,
    MORPHO,
    OWNER,
    PARAMS,
    RECIPIENT,
    TOTALS,
    FakeMorpho,
)
from tests.support import referee
from tests.support.fake_chain import AT, NOW, address


def state_of(position: Position) -> MorphoPosition:
    assert isinstance(position.state, MorphoPosition)
    return position.state


def test_read__borrower_and_lender__three_legs_accrued_to_the_block() -> None:
    fake = FakeMorpho()
    position = fake.position_of()
    accrued = accrue(TOTALS, average_rate(AT_TARGET, TOTALS, NOW), NOW).totals
    assert [(leg.name, leg.side, leg.amount, leg.token.symbol) for leg in position.legs] == [
        ("collateral", Side.COLLATERAL, 10**18, "WETH"),
        ("supply", Side.ASSET, accrued.supplied(10**15), "USDC"),
        ("debt", Side.DEBT, accrued.borrowed(10**15), "USDC"),
    ]
    assert position.market == "test WETH/USDC 86%"
    assert position.version == "AdaptiveCurveIrm"
    assert position.id == f"1:morpho-blue:{MORPHO}:{OWNER}:0x{PARAMS.id().hex()}"
    assert (position.unknown, position.notes, position.verified) == ((), (), True)
    assert len(fake.rounds) == 2
    assert assess_liquidation(position).status is Status.SAFE


def test_read__no_ids_or_no_accounts__asks_nothing() -> None:
    fake = FakeMorpho()
    assert fake.read(OWNER, ids=()) == Reading()
    market = Market("morpho-blue", "test", MORPHO, {"market_ids": (PARAMS.id(),)})
    assert referee.drive(MorphoBlue().read(market, (), AT), fake.answer_all) == Reading()
    assert fake.rounds == []


@pytest.mark.parametrize("bad", ["0x12", "hello", "0x" + "0" * 63, b"\x00"])
def test_read__malformed_id__says_what_is_expected(bad: str | bytes) -> None:
    with pytest.raises(ReadFailed, match="expected 0x and 64 hex digits"):
        FakeMorpho().read(OWNER, ids=(bad,))


def test_read__id_written_twice__is_one_position() -> None:
    text = "0x" + PARAMS.id().hex()
    fake = FakeMorpho()
    assert len(fake.read(OWNER, ids=(text, text.upper().replace("0X", "0x"))).positions) == 1


def test_read__no_contract_at_the_root__fails_with_the_cause() -> None:
    fake = FakeMorpho()
    del fake.contracts[MORPHO]
    with pytest.raises(ReadFailed, match="no Morpho at"):
        fake.read()


def test_read__market_that_does_not_exist__is_unreadable() -> None:
    fake = FakeMorpho()
    missing, known = b"\x01" * 32, PARAMS.id()
    good, bad = fake.read(OWNER, ids=(missing, known)).positions
    assert isinstance(good, Position)
    assert isinstance(bad, Unreadable)
    assert (bad.owner, "no market" in bad.cause) == (None, True)


@pytest.mark.parametrize(
    ("function", "answer", "cause"),
    [
        (ID_TO_MARKET_PARAMS, replace(PARAMS, lltv=1).words(), "not that of market"),
        (ID_TO_MARKET_PARAMS, Reverted(b""), "reverted"),
        (MARKET, (0,) * 6, "never created"),
        (MARKET, replace(TOTALS, last_update=NOW + 5).words(), "5 s after the block"),
        (MARKET, replace(TOTALS, fee=WAD + 1).words(), "own limits"),
        (MARKET, replace(TOTALS, borrow_assets=10**14).words(), "own limits"),
        (MARKET, Unknown("line cut"), "line cut"),
    ],
)
def test_read__market_answers_nonsense__is_unreadable(
    function: object, answer: object, cause: str
) -> None:
    fake = FakeMorpho()
    assert function in (ID_TO_MARKET_PARAMS, MARKET)
    fake.put(MORPHO, ID_TO_MARKET_PARAMS if function is ID_TO_MARKET_PARAMS else MARKET, answer)
    (lost,) = fake.read().positions
    assert isinstance(lost, Unreadable)
    assert cause in lost.cause


def test_read__threshold_of_everything__is_refused() -> None:
    fake = FakeMorpho(replace(PARAMS, lltv=WAD))
    (lost,) = fake.read().positions
    assert isinstance(lost, Unreadable)
    assert "threshold" in lost.cause


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        ((0, 10**19, 0), "owes more shares"),
        ((10**20, 0, 0), "holds more shares"),
        (Unknown("line cut"), "line cut"),
    ],
)
def test_read__one_account_unreadable__the_other_is_not_touched(answer: object, cause: str) -> None:
    fake = FakeMorpho()
    other = address(50)
    fake.held[other] = (0, 10**12, 10**18)
    fake.put(
        MORPHO,
        POSITION,
        lambda i, who: answer if who == OWNER.lower() else fake.position(i, who),
    )
    good, bad = fake.read(OWNER, other).positions
    assert isinstance(good, Position)
    assert good.owner == other
    assert isinstance(bad, Unreadable)
    assert (bad.owner, cause in bad.cause) == (OWNER, True)


def test_read__fee_recipient__holds_the_shares_that_the_accrual_gives() -> None:
    fake = FakeMorpho()
    position = fake.position_of(RECIPIENT)
    state = state_of(position)
    assert state.supply_shares == state.accrued.fee_shares > 0
    assert [leg.name for leg in position.legs] == ["supply"]
    fake.held[RECIPIENT] = (10**15, 0, 0)
    assert state_of(fake.position_of(RECIPIENT)).supply_shares == 10**15 + state.supply_shares


def test_read__fee_recipient_of_a_market_just_touched__has_nothing() -> None:
    fake = FakeMorpho(totals=replace(TOTALS, last_update=NOW))
    assert fake.read(RECIPIENT).positions == ()


def test_read__fee_recipient_unreadable__supply_is_not_called_known() -> None:
    fake = FakeMorpho()
    fake.put(MORPHO, FEE_RECIPIENT, Unknown("line cut"))
    position = fake.position_of()
    assert any("fee shares" in cause for cause in position.unknown)
    assert assess_liquidation(position).status is Status.UNKNOWN


# --- rate model ---------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [Reverted(b""), Unknown("line cut"), NoCode(), UINT256_MAX])
def test_rate__model_fails__debt_is_unknown_and_never_zero(answer: object) -> None:
    fake = FakeMorpho()
    fake.put(IRM, BORROW_RATE_VIEW, answer)
    position = fake.position_of()
    assert [leg.name for leg in position.legs] == ["collateral"]
    assert position.state is None
    assert any(cause.startswith("interest:") for cause in position.unknown)
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_rate__morpho_could_not_accrue__is_unknown() -> None:
    fake = FakeMorpho()
    fake.put(IRM, BORROW_RATE_VIEW, 2**127)
    position = fake.position_of()
    assert any("cannot accrue" in cause for cause in position.unknown)
    assert position.state is None


def test_rate__another_model__exact_now_and_inexact_later() -> None:
    fake = FakeMorpho()
    fake.drop(IRM, RATE_AT_TARGET)
    position = fake.position_of()
    state = state_of(position)
    assert state.rate_at_target is None
    assert state.rate == average_rate(AT_TARGET, TOTALS, NOW)
    assert not state.has_adaptive_irm
    assert "unfamiliar rate model" in position.notes[0]
    assert position.version.startswith("rate model 0x")
    judged = assess_liquidation(position)
    assert (judged.status, judged.time_exact) == (Status.SAFE, False)


def test_rate__same_shape_but_other_constants__is_not_taken_for_the_adaptive_one() -> None:
    """It answers alike for this market, and differently for a full one."""
    fake = FakeMorpho()

    def rate(params: object, words: tuple[int, ...]) -> int:
        told = fake.rate((), words)
        return told if words[2] < words[0] else told * 2

    fake.put(IRM, BORROW_RATE_VIEW, rate)
    state = state_of(fake.position_of())
    assert state.rate == average_rate(AT_TARGET, TOTALS, NOW)
    assert state.rate_at_target is None


@pytest.mark.parametrize("at_target", [-1, -(2**255)])
def test_rate__negative_rate_at_target__is_another_model(at_target: int) -> None:
    fake = FakeMorpho()
    fake.put(IRM, RATE_AT_TARGET, at_target)
    assert state_of(fake.position_of()).rate_at_target is None


def test_rate__probe_lost__is_said() -> None:
    fake = FakeMorpho()
    fake.put(IRM, RATE_AT_TARGET, Unknown("line cut"))
    position = fake.position_of()
    assert position.unknown == ("rate model: line cut",)
    assert position.notes == ()
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_rate__no_model__no_interest() -> None:
    fake = FakeMorpho(replace(PARAMS, irm=ZERO_ADDRESS))
    position = fake.position_of()
    state = state_of(position)
    assert (state.rate, state.accrued.interest) == (0, 0)
    assert position.version == "no rate model"
    assert state.has_adaptive_irm
    assert assess_liquidation(position).time_exact


# --- tokens, idle markets, liquidity ------------------------------------------------------------


def test_token__without_decimals__price_counts_in_base_units_and_says_so() -> None:
    fake = FakeMorpho()
    fake.drop(COLLATERAL, tokens.DECIMALS)
    position = fake.position_of()
    assert position.legs[0].token.decimals is None
    price = price_of(position)
    assert (price.decimals, len(price.problems)) == (42, 1)
    assert position.legs[0].amount == 10**18


def test_token__unreadable__is_said() -> None:
    fake = FakeMorpho()
    fake.put(LOAN, tokens.DECIMALS, Unknown("line cut"))
    assert any("line cut" in cause for cause in fake.position_of().unknown)


def test_read__idle_market__supply_only_and_no_oracle_is_asked() -> None:
    idle = replace(
        PARAMS, collateral_token=ZERO_ADDRESS, oracle=ZERO_ADDRESS, irm=ZERO_ADDRESS, lltv=0
    )
    fake = FakeMorpho(idle, replace(TOTALS, borrow_assets=0, borrow_shares=0))
    fake.held[OWNER] = (10**15, 0, 0)
    position = fake.position_of()
    assert position.market == "test USDC 0%"
    assert [leg.name for leg in position.legs] == ["supply"]
    state = state_of(position)
    assert state.collateral_token is None
    assert state.withdrawable == state.supplied
    assert assess_liquidation(position).status is Status.NOT_LIQUIDATABLE


def test_read__supply_lent_out__says_how_much_can_leave() -> None:
    fake = FakeMorpho(totals=replace(TOTALS, borrow_assets=10**13 - 5))
    fake.held[OWNER] = (10**15, 0, 0)
    position = fake.position_of()
    assert state_of(position).withdrawable == 5
    assert "only 5 of" in position.notes[0]


def test_read__a_reverting_token__hides_nothing_else() -> None:
    fake = FakeMorpho()
    del fake.contracts[COLLATERAL]
    position = fake.position_of()
    assert position.legs[0].amount == 10**18
    assert any("no contract" in cause for cause in position.unknown)


def price_of(position: Position) -> Price:
    price = position.legs[0].price
    assert isinstance(price, Price)
    return price
