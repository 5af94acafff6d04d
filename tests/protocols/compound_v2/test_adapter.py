"""What the world's Compound does not do: forks, gaps, strange contracts."""

import pytest
from eth_abi.abi import encode

from chain.abi import Function
from chain.calls import Call, NativeBalance, NoCode, Ok, Read, ReadFailed, Result, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address
from chain.units import WAD, YEAR
from protocols import tokens
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.compound_v2 import contracts as c
from protocols.compound_v2.state import Clock
from protocols.types import Price, Side, Unpriced, Unreadable
from risk.liquidation import assess_liquidation
from risk.liquidation.compound_v2 import ENGINE
from risk.types import Status
from tests.protocols.compound_v2.fake import (
    C_ETH,
    C_USD,
    COMP,
    FEED_ETH,
    FEED_USD,
    MODEL,
    NUMBER,
    ORACLE,
    OWNER,
    ROOT,
    USD,
    FakeCompound,
)
from tests.support.fake_chain import AT, NOW, address


def failing(fake: FakeCompound, selector: bytes, to: Address, result: Result) -> None:
    """Let one function of one contract give a result."""

    def override(read: Read) -> Result | None:
        hit = isinstance(read, Call) and read.target == to and read.data[:4] == selector
        return result if hit else None

    fake.override = override


def test_read__coins_and_dollars__legs_in_the_underlying_as_accrued() -> None:
    position = FakeCompound().position()
    legs = {leg.name: leg for leg in position.legs}
    assert (legs["supply"].token.address, legs["supply"].token.symbol) == (ZERO_ADDRESS, "ETH")
    assert legs["supply"].side is Side.COLLATERAL
    assert legs["debt"].token.symbol == "USDC"
    assert legs["debt"].amount == 4_000 * 10**6 * (WAD + 2 * 10**13) // WAD
    assert position.verified
    assert position.version == "interest by block"
    assert position.receipts == (C_ETH,)
    price = legs["supply"].price
    assert isinstance(price, Price)
    assert (price.raw, price.decimals, price.factor) == (3000 * WAD, 18, FEED_ETH)


def test_read__three_rounds__whatever_the_accounts() -> None:
    fake = FakeCompound()
    fake.read(OWNER, address(99), address(98))
    assert len(fake.rounds) == 3


def test_read__no_accounts__asks_nothing() -> None:
    program = CompoundV2().read(Market("compound-v2", "test", ROOT, {}), [], AT)
    with pytest.raises(StopIteration):
        next(program)


def test_read__interest_by_the_second__time_is_exact() -> None:
    fake = FakeCompound(seconds=True)
    state = fake.state()
    assert state.clock is Clock.SECONDS
    assert state.block_s is None
    assert fake.position().version == "interest by second"
    instant = ENGINE.time_to_liquidation(state, 100 * YEAR)
    assert instant.exact
    assert instant.after_s is not None
    then = state.timestamp + instant.after_s
    before, after = (ENGINE.health(state, at=at) for at in (then - 1, then))
    assert before is not None
    assert after is not None
    assert before >= WAD > after


def test_read__clock_of_neither_kind__amounts_known_and_times_not() -> None:
    fake = FakeCompound()
    fake.drop(ROOT, c.BLOCK_NUMBER)
    position = fake.position()
    assert position.version == "unfamiliar interest"
    assert position.verified
    assert any("unfamiliar interest" in note for note in position.notes)
    judged = assess_liquidation(position)
    assert judged.status is Status.SAFE
    assert (judged.time_to_liq_s, judged.time_exact) == (None, False)


def test_read__another_interest_engine__amounts_are_the_contracts_own() -> None:
    fake = FakeCompound()
    fake.put(C_USD, c.TOTAL_BORROWS, 7)
    position = fake.position()
    assert {leg.name: leg.amount for leg in position.legs}["debt"] == 4_000_080_000
    assert any(note.startswith("cUSDC: unfamiliar interest") for note in position.notes)


def test_read__rate_model_that_tells_no_pace__times_not_known() -> None:
    fake = FakeCompound()
    fake.drop(MODEL, c.BLOCKS_PER_YEAR)
    position = fake.position()
    assert any("how long a block takes" in note for note in position.notes)
    assert assess_liquidation(position).time_to_liq_s is None
    state = fake.state()
    assert ENGINE.health(state, at=NOW + YEAR) == ENGINE.health(state)


def test_read__stablecoin_of_its_own__is_not_verified() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.VAI_CONTROLLER, address(77))
    position = fake.position()
    assert not position.verified
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_read__comptroller_that_reckons_otherwise__is_not_verified() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.GET_LIQUIDITY, (0, 5, 0))
    position = fake.position()
    assert not position.verified
    assert "getAccountLiquidity says (5, 0)" in position.notes[0]
    assert assess_liquidation(position).status is Status.UNKNOWN


@pytest.mark.parametrize("answer", [(3, 0, 0), Reverted(b"")])
def test_read__comptroller_whose_view_fails__is_not_verified(answer: object) -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.GET_LIQUIDITY, answer)
    assert not fake.position().verified


def test_read__markets_of_another_shape__is_unknown() -> None:
    fake = FakeCompound()
    seven = encode(["uint256"] * 7, [1, WAD, 1, WAD, WAD, 0, 1])
    failing(fake, c.MARKETS.selector, ROOT, Ok(seven))
    position = fake.position()
    assert position.state is None
    assert any("more than we know" in cause for cause in position.unknown)
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_read__markets_of_two_words__is_understood() -> None:
    fake = FakeCompound()
    two = encode(["bool", "uint256"], [True, 8 * WAD // 10])
    failing(fake, c.MARKETS.selector, ROOT, Ok(two))
    assert fake.position().verified


@pytest.mark.parametrize("price", [0, Reverted(b""), Unknown("lost")])
def test_read__no_price__is_unknown(price: object) -> None:
    fake = FakeCompound()
    fake.prices[C_ETH] = 0
    fake.put(ORACLE, c.UNDERLYING_PRICE, lambda ctoken: price)
    position = fake.position()
    assert position.state is None
    assert any("no price" in cause for cause in position.unknown)
    assert all(isinstance(leg.price, Unpriced) for leg in position.legs)
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_read__market_without_token_and_without_coins__is_not_taken_for_coins() -> None:
    fake = FakeCompound()
    fake.drop(C_USD, c.UNDERLYING)
    position = fake.position()
    assert position.state is None
    assert any("its cash is not coins" in cause for cause in position.unknown)
    fake.override = lambda read: Unknown("x") if isinstance(read, NativeBalance) else None
    assert any("its coins" in cause for cause in fake.position().unknown)
    fake.put(C_USD, c.UNDERLYING, lambda *_: ZERO_ADDRESS)
    assert any("zero address" in cause for cause in fake.position().unknown)


@pytest.mark.parametrize("function", [c.EXCHANGE_RATE_CURRENT, c.BORROW_CURRENT])
def test_read__market_that_cannot_accrue__is_unknown(function: Function) -> None:
    fake = FakeCompound()
    failing(fake, function.selector, C_USD, Reverted(b""))
    position = fake.position()
    assert position.state is None
    assert [leg.name for leg in position.legs] == ["supply"]
    assert any(function.name in cause for cause in position.unknown)


def test_read__debt_that_shrinks_when_accrued__is_unknown() -> None:
    fake = FakeCompound()
    fake.put(C_USD, c.BORROW_CURRENT, lambda *_: 1)
    assert any("owes 1 when accrued" in cause for cause in fake.position().unknown)


def test_read__snapshot_that_answers_an_error__is_unknown() -> None:
    fake = FakeCompound()
    fake.put(C_USD, c.SNAPSHOT, (9, 0, 0, 0))
    assert any("error 9" in cause for cause in fake.position().unknown)


def test_read__entered_market_that_is_not_listed_any_more__is_unknown() -> None:
    fake = FakeCompound()
    fake.entered[OWNER] = (C_ETH, C_USD, address(66))
    fake.put(ROOT, c.GET_LIQUIDITY, (0, 0, 0))
    position = fake.position()
    assert position.state is None
    assert any("not among the Comptroller's markets" in cause for cause in position.unknown)


def test_read__membership_not_learned__the_account_is_unreadable() -> None:
    fake = FakeCompound()
    failing(fake, c.GET_ASSETS_IN.selector, ROOT, Unknown("lost"))
    (found,) = fake.read().positions
    assert isinstance(found, Unreadable)
    assert found.owner == OWNER


def test_read__broken_market_that_nobody_is_in__disturbs_nobody() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.GET_ALL_MARKETS, (C_ETH, C_USD, address(66)))
    fake.put(address(66), c.SNAPSHOT, (0, 0, 0, 0))
    fake.prices[address(66)] = 1
    assert fake.position().unknown == ()


def test_read__no_oracle__fails() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.ORACLE, ZERO_ADDRESS)
    with pytest.raises(ReadFailed, match="oracle"):
        fake.read()


def test_read__flags_and_shares_not_learned__are_unknown() -> None:
    for function, to in (
        (c.SEIZE_PAUSED, ROOT),
        (c.VAI_CONTROLLER, ROOT),
        (c.IS_DEPRECATED, ROOT),
        (c.MINT_PAUSED, ROOT),
        (c.COMP_ACCRUED, ROOT),
        (c.GET_LIQUIDITY, ROOT),
        (c.SEIZE_SHARE, C_ETH),
    ):
        fake = FakeCompound()
        failing(fake, function.selector, to, Unknown("lost"))
        assert any("lost" in cause for cause in fake.position().unknown), function


def test_read__first_releases__lack_what_came_later() -> None:
    fake = FakeCompound()
    for function in (c.SEIZE_PAUSED, c.IS_DEPRECATED, c.MINT_PAUSED, c.COMP_ACCRUED):
        fake.drop(ROOT, function)
    fake.drop(C_ETH, c.SEIZE_SHARE)
    position = fake.position()
    assert (position.unknown, position.verified) == ((), True)


def test_read__opaque_oracle__health_exact_and_no_dollars() -> None:
    fake = FakeCompound()
    fake.configs.clear()
    position = fake.position()
    assert all(isinstance(leg.price, Unpriced) for leg in position.legs)
    judged = assess_liquidation(position)
    assert judged.status is Status.SAFE
    assert judged.expected_loss_usd is None
    assert {b.factor for b in judged.boundary} == {
        f"oracle({ORACLE}) of {C_ETH}",
        f"oracle({ORACLE}) of {C_USD}",
    }
    assert fake.read().prices == ()


def test_read__one_price_without_a_feed__counts_in_the_others_dollars() -> None:
    fake = FakeCompound()
    del fake.configs[C_ETH]
    legs = {leg.name: leg for leg in fake.position().legs}
    price = legs["supply"].price
    assert isinstance(price, Price)
    assert (price.quote, price.updated_at) == ("USD", None)
    assert price.source == f"oracle({ORACLE}) of {C_ETH}"
    assert len(fake.read().prices) == 1


def test_read__feed_that_does_not_give_the_price__is_a_problem() -> None:
    fake = FakeCompound()
    fake.feed(FEED_ETH, 2999 * 10**8, "ETH / USD")
    position = fake.position()
    assert assess_liquidation(position).status is Status.UNKNOWN
    legs = {leg.name: leg for leg in position.legs}
    assert isinstance(legs["supply"].price, Price)
    assert "does not give" in legs["supply"].price.problems[0]
    fake.drop(FEED_ETH, tokens.DECIMALS)
    assert assess_liquidation(fake.position()).status is Status.UNKNOWN


def test_read__config_not_learned__is_a_problem() -> None:
    fake = FakeCompound()
    failing(fake, c.GET_CONFIG.selector, ORACLE, Unknown("lost"))
    assert assess_liquidation(fake.position()).status is Status.UNKNOWN
    failing(fake, c.GET_CONFIG.selector, ORACLE, NoCode())
    assert assess_liquidation(fake.position()).status is Status.SAFE


def test_read__fixed_price__moves_with_nothing() -> None:
    fake = FakeCompound()
    fake.configs[C_USD] = (6, ZERO_ADDRESS, 10**30)
    position = fake.position()
    legs = {leg.name: leg for leg in position.legs}
    assert isinstance(legs["debt"].price, Price)
    assert legs["debt"].price.source == f"const({10**30}, 30)"
    assert [f.name for f in ENGINE.factors(fake.state())] == [FEED_ETH]


def test_read__feeds_by_symbol__are_found_in_a_fourth_round() -> None:
    fake = FakeCompound()
    fake.configs.clear()
    feeds = {"ETH": FEED_ETH, "USDC": FEED_USD}
    fake.put(ORACLE, c.GET_FEED, lambda symbol: feeds.get(symbol, ZERO_ADDRESS))
    position = fake.position()
    assert len(fake.rounds) == 4
    sources = {leg.price.source for leg in position.legs if isinstance(leg.price, Price)}
    assert sources == {f"feed({FEED_ETH})", f"feed({FEED_USD})"}
    feeds.pop("ETH")
    legs = {leg.name: leg for leg in fake.position().legs}
    assert isinstance(legs["supply"].price, Price)
    assert legs["supply"].price.updated_at is None


def test_read__symbols_not_learned__is_unknown() -> None:
    fake = FakeCompound()

    def override(read: Read) -> Result | None:
        hit = isinstance(read, Call) and read.data[:4] == c.GET_FEED.selector
        return Unknown("lost") if hit else None

    fake.override = override
    assert "getFeed: lost" in fake.position().unknown


def test_read__token_without_decimals__has_no_price_for_people() -> None:
    fake = FakeCompound()
    fake.drop(USD, tokens.DECIMALS)
    legs = {leg.name: leg for leg in fake.position().legs}
    assert isinstance(legs["debt"].price, Unpriced)
    assert assess_liquidation(fake.position()).status is Status.SAFE


def test_read__rewards__are_what_was_accrued() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.COMP_ACCRUED, 5 * WAD)
    assert any("rewards" in cause for cause in fake.position().unknown)
    fake.put(ROOT, c.COMP_ADDRESS, COMP)
    fake.put(COMP, tokens.SYMBOL, "COMP")
    fake.put(COMP, tokens.DECIMALS, 18)
    (reward,) = (leg for leg in fake.position().legs if leg.side is Side.REWARD)
    assert (reward.token.symbol, reward.amount) == ("COMP", 5 * WAD)


def test_read__notes__say_what_the_owner_should_know() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.SEIZE_PAUSED, True)
    fake.put(ROOT, c.MINT_PAUSED, True)
    fake.held[C_USD, OWNER] = (10**16, 4_000 * 10**6)
    fake.entered[OWNER] = (C_ETH, C_USD)
    notes = " ".join(fake.position().notes)
    assert "seizing is paused" in notes
    assert "supplying is paused" in notes
    fake.entered[OWNER] = (C_USD,)
    assert "cETH is not entered" in " ".join(fake.position().notes)
    zero = FakeCompound()
    zero.put(ROOT, c.MARKETS_COMPED, (False, 0, False))
    zero.put(ROOT, c.GET_LIQUIDITY, (0, 0, 4_000 * WAD))
    notes = " ".join(zero.position().notes)
    assert "collateral factor of 0" in notes
    assert "not listed" in notes


def test_read__little_cash__says_what_can_leave() -> None:
    fake = FakeCompound()
    fake.held[C_ETH, OWNER] = (5 * 10**13, 0)
    assert any("can leave now" in note for note in fake.position().notes)


def test_read__an_account_that_only_entered__gives_nothing() -> None:
    fake = FakeCompound()
    fake.held.clear()
    assert fake.read().positions == ()


def test_state__number__is_the_comptrollers_own() -> None:
    assert FakeCompound().state().now == NUMBER


def test_read__more_markets_than_can_be_read__refused_before_any_is_read() -> None:
    many = tuple(address(1_000 + n) for n in range(1_001))
    fake = FakeCompound()
    fake.put(ROOT, c.GET_ALL_MARKETS, many)
    with pytest.raises(ReadFailed, match="names 1001 markets; 1000 are read at most"):
        fake.read()
    assert len(fake.rounds) == 1


def test_read__an_account_in_more_markets_than_can_be_read__is_unreadable_alone() -> None:
    fake = FakeCompound()
    many = tuple(address(1_000 + n) for n in range(1_001))
    fake.put(ROOT, c.GET_ASSETS_IN, lambda owner: (C_ETH, C_USD) if int(owner, 16) != 99 else many)
    fake.put(ROOT, c.GET_LIQUIDITY, lambda owner: (0, 0, 0))
    lost, known = fake.read(address(99), OWNER).positions
    assert isinstance(lost, Unreadable)
    assert "getAssetsIn: names 1001 markets" in lost.cause
    assert not isinstance(known, Unreadable)


def test_read__the_same_market_named_twice_and_itself__is_one() -> None:
    fake = FakeCompound()
    fake.put(ROOT, c.GET_ALL_MARKETS, (C_ETH, C_USD, C_ETH, ROOT))
    fake.prices[ROOT] = 0
    plain = {(leg.name, leg.amount) for leg in FakeCompound().position().legs}
    assert {(leg.name, leg.amount) for leg in fake.position().legs} == plain
