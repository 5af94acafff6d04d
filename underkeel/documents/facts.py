"""What one protocol's positions have that others have not, as parts of a document.

Names end in their unit as everywhere: `_raw` base units, `_wad` 1e18, `_s` seconds, `_pips`
millionths. A field that has no meaning on a release of the protocol is left out; what could not be
known is null.
"""

from typing import Any, TypeAlias

from pydantic import Field

from protocols.aave_v3.state import AaveAccount
from protocols.compound_v2.state import CompoundAccount
from protocols.erc4626.state import VaultHolding
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import State
from protocols.uniswap_v3 import UniswapV3State
from risk.liquidation import morpho_blue
from risk.types import Assessment, Status
from underkeel.documents.part import AddressText, Hash, Integer, Part


class AaveV3Facts(Part):
    """Of an `aave-v3` account."""

    emode_category: Integer | None = Field(description="Null: in none.")
    emode_liquidation_threshold_bps: Integer | None
    emode_liquidation_bonus_bps: Integer | None = Field(description="10500: a bonus of 5 %.")
    base_decimals: Integer | None = Field(description="Of the oracle's dollars; null: no dollars.")
    liquidation_allowed: bool | None = Field(
        default=None, description="What the oracle sentinel says; present up to 3.6."
    )
    minimum_base_raw: Integer | None = Field(
        default=None,
        description="Collateral or debt below this value is closed whole; base currency; "
        "present from 3.3.",
    )


class MorphoBlueFacts(Part):
    """Of a `morpho-blue` position."""

    market_id: Hash
    oracle: AddressText = Field(description="The zero address: none.")
    lltv_wad: Integer
    borrow_rate_wad_per_s: Integer = Field(description="The average since the market's last touch.")
    rate_at_target_wad_per_s: Integer | None = Field(
        description="Of an AdaptiveCurveIrm; null: another rate model, or none."
    )
    supply_shares_raw: Integer
    borrow_shares_raw: Integer
    withdrawable_raw: Integer = Field(description="Supplied assets that can leave now.")
    bad_debt_raw: Integer | None = Field(
        description="Loan assets that suppliers lose if it is liquidated: now if it can be, else "
        "at the nearest boundary. Null without debt or boundary."
    )


class CompoundV2Market(Part):
    """One market that a `compound-v2` account is in."""

    ctoken: AddressText
    underlying: AddressText = Field(description="The zero address: the native coin.")
    entered: bool = Field(description="Whether the Comptroller counts it; seizures do not ask.")
    ctokens_raw: Integer
    stored_debt_raw: Integer = Field(description="Before accrual: what an untouched market counts.")
    debt_raw: Integer = Field(description="Accrued to the block.")
    collateral_factor_wad: Integer
    stored_exchange_rate_wad: Integer
    exchange_rate_wad: Integer = Field(description="Accrued to the block.")
    cash_raw: Integer | None = Field(description="What can leave now, of all suppliers.")
    deprecated: bool = Field(description="Debts may be liquidated without a shortfall.")


class CompoundV2Facts(Part):
    """Of a `compound-v2` account."""

    close_factor_wad: Integer
    liquidation_incentive_wad: Integer
    seize_paused: bool
    interest_by: str | None = Field(description="`blocks` or `seconds`; null: of neither kind.")
    markets: list[CompoundV2Market]


class Erc4626Facts(Part):
    """Of an `erc4626` holding; null: the vault does not tell."""

    shares_raw: Integer
    share_decimals: Integer | None
    share_price_raw: Integer | None = Field(description="Assets of one whole share.")
    claim_raw: Integer | None = Field(description="`convertToAssets` of the shares.")
    preview_raw: Integer | None = Field(description="`previewRedeem` of the shares.")
    max_withdraw_raw: Integer | None
    max_redeem_shares_raw: Integer | None
    redeemable_raw: Integer | None = Field(description="Assets that `redeem` really pays now.")
    redeemable_shares_raw: Integer = Field(description="The shares that it pays them for.")
    exit_liquidity_raw: Integer | None = Field(
        description="Assets that could leave the vault now, whoever asks; of a plain vault no "
        "more is known than what this owner can take."
    )
    total_assets_raw: Integer | None
    total_supply_raw: Integer | None
    cash_raw: Integer | None = Field(description="Assets in the vault itself.")
    lost_assets_raw: Integer | None = Field(
        default=None,
        description="Bad debt that the vault counts as if it were there; present of MetaMorpho "
        "1.1.",
    )
    fee_wad: Integer | None = Field(
        default=None, description="Share of the interest; present of a MetaMorpho."
    )
    timelock_s: Integer | None = Field(default=None, description="Present of a MetaMorpho.")


class UniswapV3Facts(Part):
    """Of a `uniswap-v3` position."""

    token_id: Integer
    pool: AddressText
    fee_pips: Integer = Field(description="Swap fee in millionths.")
    tick_lower: Integer
    tick_upper: Integer
    tick: Integer
    in_range: bool = Field(description="tick_lower ≤ tick < tick_upper.")
    liquidity_raw: Integer
    pool_liquidity_raw: Integer | None = Field(description="In range now.")
    sqrt_price_x96: Integer = Field(description="√(token1 per token0, base units) · 2^96.")


Facts: TypeAlias = AaveV3Facts | CompoundV2Facts | MorphoBlueFacts | Erc4626Facts | UniswapV3Facts


def facts(found: Assessment) -> Facts | None:
    """Return a position's own facts; None where it has none, or could not be judged at all."""
    state: State | None = found.position.state
    if isinstance(state, AaveAccount):
        return _aave(state)
    if isinstance(state, CompoundAccount):
        return _compound(state)
    if isinstance(state, MorphoPosition):
        return _morpho(state, found)
    if isinstance(state, VaultHolding):
        return _vault(state)
    return _uniswap(state) if isinstance(state, UniswapV3State) else None


def bad_debt(found: Assessment) -> int | None:
    """Return the loan assets that a Morpho market's suppliers lose by its largest liquidation.

    At today's prices if it can be liquidated, else at its nearest boundary; None where there is
    neither.
    """
    state, judged = found.position.state, found.liquidation
    if not isinstance(state, MorphoPosition) or judged.health_raw is None:
        return None
    if judged.status is Status.LIQUIDATABLE:
        return morpho_blue.ENGINE.bad_debt(state)
    if not judged.boundary:
        return None
    edge = judged.boundary[0]
    return morpho_blue.ENGINE.bad_debt(state, {edge.factor: edge.price_raw})


def _aave(state: AaveAccount) -> AaveV3Facts:
    mode = state.emode
    given: dict[str, Any] = {}
    if state.rules.sentinel:
        given["liquidation_allowed"] = state.liquidation_allowed
    if state.rules.closes_dust:
        given["minimum_base_raw"] = str(state.minimum_base)
    return AaveV3Facts(
        emode_category=_text(mode.category if mode else None),
        emode_liquidation_threshold_bps=_text(mode.liquidation_threshold if mode else None),
        emode_liquidation_bonus_bps=_text(mode.liquidation_bonus if mode else None),
        base_decimals=_text(state.base_decimals),
        **given,
    )


def _compound(state: CompoundAccount) -> CompoundV2Facts:
    return CompoundV2Facts(
        close_factor_wad=str(state.close_factor),
        liquidation_incentive_wad=str(state.incentive),
        seize_paused=state.seize_paused,
        interest_by=state.clock.value if state.clock else None,
        markets=[
            CompoundV2Market(
                ctoken=one.market.ctoken,
                underlying=one.market.underlying.address,
                entered=one.entered,
                ctokens_raw=str(one.tokens),
                stored_debt_raw=str(one.stored_debt),
                debt_raw=str(one.debt),
                collateral_factor_wad=str(one.market.collateral_factor),
                stored_exchange_rate_wad=str(one.market.stored_rate),
                exchange_rate_wad=str(one.market.rate),
                cash_raw=_text(one.market.book.cash if one.market.book else None),
                deprecated=one.market.deprecated,
            )
            for one in state.holdings
        ],
    )


def _morpho(state: MorphoPosition, found: Assessment) -> MorphoBlueFacts:
    return MorphoBlueFacts(
        market_id=state.market_id,
        oracle=state.params.oracle,
        lltv_wad=str(state.params.lltv),
        borrow_rate_wad_per_s=str(state.rate),
        rate_at_target_wad_per_s=_text(state.rate_at_target),
        supply_shares_raw=str(state.supply_shares),
        borrow_shares_raw=str(state.borrow_shares),
        withdrawable_raw=str(state.withdrawable),
        bad_debt_raw=_text(bad_debt(found)),
    )


def _vault(state: VaultHolding) -> Erc4626Facts:
    inner = state.metamorpho
    given: dict[str, Any] = {}
    if inner is not None:
        given = {"fee_wad": str(inner.fee), "timelock_s": str(inner.timelock_s)}
        if inner.lost_assets is not None:
            given["lost_assets_raw"] = str(inner.lost_assets)
    return Erc4626Facts(
        shares_raw=str(state.shares),
        share_decimals=_text(state.share.decimals),
        share_price_raw=_text(state.share_price),
        claim_raw=_text(state.claim),
        preview_raw=_text(state.preview),
        max_withdraw_raw=_text(state.max_withdraw),
        max_redeem_shares_raw=_text(state.max_redeem),
        redeemable_raw=_text(state.redeemable),
        redeemable_shares_raw=str(state.redeemable_shares),
        exit_liquidity_raw=_text(state.exit_liquidity),
        total_assets_raw=_text(state.total_assets),
        total_supply_raw=_text(state.total_supply),
        cash_raw=_text(state.cash),
        **given,
    )


def _uniswap(state: UniswapV3State) -> UniswapV3Facts:
    return UniswapV3Facts(
        token_id=str(state.token_id),
        pool=state.pool,
        fee_pips=str(state.fee_pips),
        tick_lower=str(state.tick_lower),
        tick_upper=str(state.tick_upper),
        tick=str(state.tick),
        in_range=state.in_range,
        liquidity_raw=str(state.liquidity),
        pool_liquidity_raw=_text(state.pool_liquidity),
        sqrt_price_x96=str(state.sqrt_price_x96),
    )


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)
