"""What the vault adapter says of vaults that lie, refuse, or are not quite vaults."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chain.calls import NoCode, Ok, ReadFailed, Reverted, Unknown
from chain.types import ZERO_ADDRESS, Address
from chain.units import WAD
from protocols import tokens
from protocols.adapter import Market
from protocols.erc4626 import Erc4626, adapter, metamorpho
from protocols.erc4626.state import VaultHolding
from protocols.morpho import BORROW_RATE_VIEW, MARKET, accrue, to_assets_down
from protocols.morpho_blue.math import average_rate
from protocols.types import Position, Price, Reading, Side, Unpriced, Unreadable
from risk.liquidation import assess_liquidation
from risk.types import Status
from tests.protocols.morpho_blue.fake import (
    AT_TARGET,
    IRM,
    LOAN,
    MORPHO,
    PARAMS,
    TOTALS,
    FakeMorpho,
)
from tests.support import referee
from tests.support.fake_chain import AT, NOW, FakeChain, address

ASSET, OWNER, OTHER, VAULT = (address(n) for n in range(60, 64))
SHARES = 10**18


class FakeVault(FakeChain):
    """A vault worth 1.1 assets per share, that everybody can leave."""

    def __init__(self) -> None:
        super().__init__()
        self.put(VAULT, adapter.ASSET, ASSET)
        self.put(VAULT, tokens.SYMBOL, "vUSD")
        self.put(VAULT, tokens.DECIMALS, 18)
        self.put(ASSET, tokens.SYMBOL, "USD")
        self.put(ASSET, tokens.DECIMALS, 6)
        self.put(ASSET, adapter.BALANCE_OF, 12345)
        self.put(VAULT, adapter.TOTAL_ASSETS, 10**10)
        self.put(VAULT, adapter.TOTAL_SUPPLY, 10**22)
        self.put(VAULT, adapter.BALANCE_OF, lambda who: SHARES if who == OWNER.lower() else 0)
        self.put(VAULT, adapter.MAX_WITHDRAW, 1_100_000)
        self.put(VAULT, adapter.MAX_REDEEM, SHARES)
        for function in (adapter.CONVERT, adapter.PREVIEW_REDEEM):
            self.put(VAULT, function, worth)
        self.put(VAULT, adapter.REDEEM, self.redeem)
        self.most: int | None = None

    def redeem(self, shares: int, to: str, owner: str, sender: str) -> Any:
        assert to == owner == sender.lower() == OWNER.lower(), "redeemed by another than the owner"
        return Reverted(b"") if self.most is not None and shares > self.most else worth(shares)

    def read(self, *accounts: Address, name: str = "test") -> Reading:
        market = Market("erc4626", name, VAULT, {})
        return referee.drive(Erc4626().read(market, accounts or (OWNER,), AT), self.answer_all)

    def position(self) -> Position:
        (found,) = self.read().positions
        assert isinstance(found, Position)
        return found


def worth(shares: int) -> int:
    return shares * 11 // (10 * 10**12)


def state_of(position: Position) -> VaultHolding:
    assert isinstance(position.state, VaultHolding)
    return position.state


@pytest.mark.parametrize(
    ("name", "shown"),
    [("Yearn", "Yearn vUSD"), ("vUSD", "vUSD"), ("my vUSD vault", "my vUSD vault")],
)
def test_read__name_of_the_market__holds_the_symbol_once(name: str, shown: str) -> None:
    (position,) = FakeVault().read(OWNER, name=name).positions
    assert isinstance(position, Position)
    assert position.market == shown


def test_read__honest_vault__leg_is_the_asset_that_redeem_pays() -> None:
    fake = FakeVault()
    reading = fake.read(OWNER, OTHER)
    (position,) = reading.positions
    assert isinstance(position, Position)
    (leg,) = position.legs
    assert (leg.token.symbol, leg.amount, leg.side) == ("USD", 1_100_000, Side.ASSET)
    state = state_of(position)
    assert (state.redeemable, state.redeemable_shares, state.shares) == (1_100_000, SHARES, SHARES)
    assert (state.claim, state.preview, state.max_withdraw) == (1_100_000,) * 3
    assert (state.total_assets, state.total_supply, state.cash) == (10**10, 10**22, 12345)
    assert state.exit_liquidity == 1_100_000
    assert (position.version, position.verified, position.notes) == ("ERC-4626", True, ())
    assert position.id == f"1:erc4626:{VAULT}:{OWNER}"
    assert assess_liquidation(position).status is Status.NOT_LIQUIDATABLE
    (price,) = reading.prices
    assert isinstance(price, Price)
    assert (price.raw, price.decimals, price.quote) == (1_100_000, 6, ASSET)
    assert (price.source, price.factor, price.problems) == (f"ratio({VAULT})",) * 2 + ((),)
    assert len(fake.rounds) == 2


def test_read__nobody_holds_anything__one_round_and_no_position() -> None:
    fake = FakeVault()
    assert fake.read(OTHER) == Reading()
    assert len(fake.rounds) == 1
    market = Market("erc4626", "test", VAULT, {})
    assert referee.drive(Erc4626().read(market, (), AT), fake.answer_all) == Reading()


def test_read__preview_promises_more_than_redeem_pays__unverified() -> None:
    fake = FakeVault()
    fake.put(VAULT, adapter.PREVIEW_REDEEM, lambda shares: worth(shares) + 1)
    position = fake.position()
    assert position.legs[0].amount == 1_100_000
    assert not position.verified
    assert "previewRedeem promises 1100001, but redeem pays 1100000" in position.notes
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_read__fee_on_exit__amount_is_after_the_fee() -> None:
    fake = FakeVault()
    fake.put(VAULT, adapter.PREVIEW_REDEEM, lambda shares: worth(shares) * 99 // 100)
    fake.put(VAULT, adapter.REDEEM, lambda shares, *_: worth(shares) * 99 // 100)
    reading = fake.read()
    position = reading.positions[0]
    assert isinstance(position, Position)
    assert position.legs[0].amount == 1_089_000
    assert position.verified
    assert "convert to 1100000, but redeem pays 1089000" in position.notes[0]
    (price,) = reading.prices
    assert isinstance(price, Price)
    assert "redeem pays 1089000" in price.problems[0]


def test_read__views_revert_but_redeem_answers__redeem_is_the_amount() -> None:
    fake = FakeVault()
    for function in (
        adapter.PREVIEW_REDEEM,
        adapter.CONVERT,
        adapter.MAX_REDEEM,
        adapter.MAX_WITHDRAW,
        adapter.TOTAL_ASSETS,
        adapter.TOTAL_SUPPLY,
    ):
        fake.drop(VAULT, function)
    reading = fake.read()
    position = reading.positions[0]
    assert isinstance(position, Position)
    state = state_of(position)
    assert position.legs[0].amount == state.redeemable == 1_100_000
    assert (state.claim, state.preview, state.max_redeem, state.share_price) == (None,) * 4
    assert position.unknown == ()
    assert isinstance(reading.prices[0], Unpriced)


def test_redeem__part_of_the_shares__pays_that_part_and_the_claim_stays() -> None:
    fake = FakeVault()
    fake.most = SHARES // 4
    fake.put(VAULT, adapter.MAX_REDEEM, SHARES // 4)
    reading = fake.read()
    position = reading.positions[0]
    assert isinstance(position, Position)
    state = state_of(position)
    assert (state.redeemable, state.redeemable_shares) == (275_000, SHARES // 4)
    assert position.legs[0].amount == 1_100_000
    assert position.unknown == ()
    assert "only" in position.notes[0]
    (price,) = reading.prices
    assert isinstance(price, Price)
    assert price.problems == ("not all shares can be redeemed now",)


def test_redeem__closed_vault__zero_now_and_the_claim_stays() -> None:
    fake = FakeVault()
    fake.most = 0
    fake.put(VAULT, adapter.MAX_REDEEM, 0)
    position = fake.position()
    state = state_of(position)
    assert (state.redeemable, state.redeemable_shares) == (0, 0)
    assert position.legs[0].amount == 1_100_000
    assert position.unknown == ()
    assert position.notes[0].startswith("nothing can be redeemed now")


@pytest.mark.parametrize("allowed", [SHARES, SHARES // 2, 2**256 - 1, Reverted(b"")])
def test_redeem__refuses_what_max_redeem_allows__redeemable_is_unknown(allowed: Any) -> None:
    fake = FakeVault()
    fake.most = 0
    fake.put(VAULT, adapter.MAX_REDEEM, allowed)
    position = fake.position()
    assert state_of(position).redeemable is None
    assert position.legs[0].amount == 1_100_000
    assert position.unknown[0].startswith("redeemable now:")
    assert assess_liquidation(position).status is Status.UNKNOWN


def test_redeem__lost_on_the_way__claim_is_shown_and_the_rest_unknown() -> None:
    fake = FakeVault()
    fake.put(VAULT, adapter.REDEEM, Unknown("line cut"))
    position = fake.position()
    assert position.legs[0].amount == 1_100_000
    assert position.unknown == ("redeemable now: redeem: line cut",)


def test_redeem__nothing_answers__no_leg_and_never_a_zero() -> None:
    fake = FakeVault()
    for function in (adapter.REDEEM, adapter.PREVIEW_REDEEM, adapter.CONVERT):
        fake.drop(VAULT, function)
    position = fake.position()
    assert position.legs == ()
    assert any(cause.startswith("worth of the shares:") for cause in position.unknown)


def test_redeem__preview_missing__claim_stands_in() -> None:
    fake = FakeVault()
    fake.most = 0
    fake.put(VAULT, adapter.MAX_REDEEM, 0)
    fake.drop(VAULT, adapter.PREVIEW_REDEEM)
    assert fake.position().legs[0].amount == 1_100_000


def test_balance__unreadable__that_owner_only() -> None:
    fake = FakeVault()
    fake.put(
        VAULT,
        adapter.BALANCE_OF,
        lambda who: SHARES if who == OWNER.lower() else Unknown("line cut"),
    )
    good, bad = fake.read(OWNER, OTHER).positions
    assert isinstance(good, Position)
    assert isinstance(bad, Unreadable)
    assert (bad.owner, "line cut" in bad.cause) == (OTHER, True)


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (Reverted(b""), "no ERC-4626 vault"),
        (NoCode(), "no contract"),
        (ZERO_ADDRESS, "zero address"),
        (Ok(b""), "do not decode"),
        (Unknown("line cut"), "line cut"),
    ],
)
def test_asset__is_not_told__there_is_no_vault_to_read(answer: Any, cause: str) -> None:
    fake = FakeVault()
    fake.put(VAULT, adapter.ASSET, answer)
    with pytest.raises(ReadFailed, match=cause):
        fake.read()


def test_decimals__missing_or_absurd__amounts_stay_and_the_price_is_none() -> None:
    for at, decimals in ((VAULT, None), (ASSET, None), (VAULT, 200)):
        fake = FakeVault()
        if decimals is None:
            fake.drop(at, tokens.DECIMALS)
        else:
            fake.put(at, tokens.DECIMALS, decimals)
        reading = fake.read()
        position = reading.positions[0]
        assert isinstance(position, Position)
        assert position.legs[0].amount == 1_100_000
        assert isinstance(reading.prices[0], Unpriced)


# --- MetaMorpho ---------------------------------------------------------------------------------

POSITION_SHARES = 4 * 10**18
SUPPLY = 3 * 10**24


class FakeMetaMorpho(FakeVault):
    """One market; the vault's views are computed as the contract does, from here."""

    def __init__(self, lost: int | None, last_total: int, fee: int = WAD // 10) -> None:
        super().__init__()
        self.morpho = FakeMorpho()
        self.contracts |= self.morpho.contracts
        self.morpho.held[VAULT] = (POSITION_SHARES, 0, 0)
        self.put(VAULT, adapter.ASSET, LOAN)
        self.put(LOAN, adapter.BALANCE_OF, 10**12)
        for function, answer in (
            (metamorpho.MORPHO, MORPHO),
            (metamorpho.QUEUE_LENGTH, 1),
            (metamorpho.LAST_TOTAL_ASSETS, last_total),
            (metamorpho.FEE, fee),
            (metamorpho.FEE_RECIPIENT, OTHER),
            (metamorpho.DECIMALS_OFFSET, 12),
            (metamorpho.TIMELOCK, 86_400),
            (metamorpho.OWNER, OTHER),
            (metamorpho.CURATOR, ZERO_ADDRESS),
            (metamorpho.GUARDIAN, ZERO_ADDRESS),
            (metamorpho.PENDING_TIMELOCK, (0, 0)),
            (metamorpho.PENDING_GUARDIAN, (ZERO_ADDRESS, 0)),
            (metamorpho.WITHDRAW_QUEUE, lambda i: PARAMS.id() if i == 0 else Reverted(b"")),
            (metamorpho.CONFIG, (10**13, True, 0)),
            (metamorpho.PENDING_CAP, (0, 0)),
            (adapter.TOTAL_SUPPLY, SUPPLY),
        ):
            self.put(VAULT, function, answer)
        if lost is not None:
            self.put(VAULT, metamorpho.LOST_ASSETS, lost)
        real = to_assets_down(POSITION_SHARES, *accrued_supply())
        self.real = real
        carried = lost or 0
        if lost is not None and real < last_total - lost:
            carried = last_total - real
        total = real + carried
        interest = max(0, total - last_total)
        fee_assets = interest * fee // WAD
        self.fee_shares = fee_assets * (SUPPLY + 10**12) // (total - fee_assets + 1)
        self.total, self.lost = total, None if lost is None else carried
        supply = SUPPLY + self.fee_shares + 10**12
        for function in (adapter.CONVERT, adapter.PREVIEW_REDEEM):
            self.put(VAULT, function, lambda shares: shares * (total + 1) // supply)
        self.put(VAULT, adapter.REDEEM, lambda shares, *_: shares * (total + 1) // supply)
        self.put(VAULT, adapter.MAX_WITHDRAW, SHARES * (total + 1) // supply)


def accrued_supply() -> tuple[int, int]:
    totals = accrue(TOTALS, average_rate(AT_TARGET, TOTALS, NOW), NOW).totals
    return totals.supply_assets, totals.supply_shares


@given(
    lost=st.one_of(st.none(), st.integers(0, 10**12)),
    last_total=st.integers(10**12, 8 * 10**12),
    fee=st.integers(0, WAD // 2),
)
def test_metamorpho__any_losses_and_fees__totals_as_the_contract_has_them(
    lost: int | None, last_total: int, fee: int
) -> None:
    fake = FakeMetaMorpho(lost, last_total, fee)
    position = fake.position()
    facts = state_of(position).metamorpho
    assert facts is not None
    assert facts.version == ("1.0" if lost is None else "1.1")
    assert (facts.real_assets, facts.total_assets) == (fake.real, fake.total)
    assert (facts.lost_assets, facts.fee_shares) == (fake.lost, fake.fee_shares)
    assert position.verified
    assert position.unknown == ()
    told = (fake.lost or 0) * 10**6 > fake.total
    assert any("bad debt" in note for note in position.notes) is told
    assert len(fake.rounds) == 3


def test_metamorpho__loss_carried__is_said_and_only_real_assets_can_leave() -> None:
    fake = FakeMetaMorpho(lost=0, last_total=6 * 10**12)
    position = fake.position()
    facts = state_of(position).metamorpho
    assert facts is not None
    assert facts.lost_assets == 6 * 10**12 - fake.real > 0
    assert facts.total_assets == 6 * 10**12
    assert facts.withdrawable <= facts.real_assets
    # The market has more liquidity than Morpho holds of the token.
    assert facts.queue[0].liquidity == 10**12 == facts.withdrawable


@pytest.mark.parametrize("function", [adapter.CONVERT, adapter.MAX_WITHDRAW])
def test_metamorpho__view_differs_from_its_markets__unverified(function: Any) -> None:
    fake = FakeMetaMorpho(None, 10**12)
    fake.put(VAULT, function, 17)
    position = fake.position()
    assert not position.verified
    assert any("but its markets" in note for note in position.notes)


@pytest.mark.parametrize(
    ("at", "function", "answer"),
    [
        (IRM, BORROW_RATE_VIEW, Reverted(b"")),
        (IRM, BORROW_RATE_VIEW, 2**127),
        (MORPHO, MARKET, Unknown("line cut")),
        (VAULT, metamorpho.LAST_TOTAL_ASSETS, Unknown("line cut")),
        (VAULT, metamorpho.FEE, Reverted(b"")),
        (VAULT, metamorpho.QUEUE_LENGTH, 31),
        (VAULT, adapter.TOTAL_SUPPLY, Unknown("line cut")),
    ],
)
def test_metamorpho__part_unreadable__is_said_and_the_amount_stays(
    at: Address, function: Any, answer: Any
) -> None:
    fake = FakeMetaMorpho(None, 10**12)
    fake.put(at, function, answer)
    position = fake.position()
    assert state_of(position).metamorpho is None
    assert any(cause.startswith("MetaMorpho:") for cause in position.unknown)
    assert position.legs[0].amount > 0


def test_metamorpho__half_of_its_shape__is_another_kind_of_vault() -> None:
    fake = FakeVault()
    fake.put(VAULT, metamorpho.MORPHO, MORPHO)
    fake.put(VAULT, metamorpho.QUEUE_LENGTH, Ok(b""))
    fake.put(VAULT, metamorpho.LAST_TOTAL_ASSETS, Ok(b""))
    position = fake.position()
    assert position.version == "ERC-4626"
    assert position.unknown == ()
