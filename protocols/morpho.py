"""The maths and the reads of a Morpho Blue market, for every adapter that meets one.

Reads: `idToMarketParams`, `market`, `position`, `borrowRateView`.
Scales: assets and shares in base units; rates are wads per second; `lltv` and `fee` are wads.
Rounds: as `MathLib`, `SharesMathLib` and `Morpho._accrueInterest` do. A market must be accrued to
the block's time before its shares are worth anything: the stored totals are those of `last_update`.
"""

from dataclasses import dataclass, replace
from typing import Any, Final

from eth_utils.crypto import keccak

from chain.abi import Function
from chain.calls import Call, ReadFailed, Result
from chain.types import ZERO_ADDRESS, Address
from chain.units import WAD, mul_div_down, mul_div_up

_PARAMS: Final = "(address,address,address,address,uint256)"
_MARKET: Final = "(uint128,uint128,uint128,uint128,uint128,uint128)"

ID_TO_MARKET_PARAMS: Final = Function(
    "idToMarketParams(bytes32)(address,address,address,address,uint256)"
)
MARKET: Final = Function("market(bytes32)(uint128,uint128,uint128,uint128,uint128,uint128)")
POSITION: Final = Function("position(bytes32,address)(uint256,uint128,uint128)")
FEE_RECIPIENT: Final = Function("feeRecipient()(address)")
BORROW_RATE_VIEW: Final = Function(f"borrowRateView({_PARAMS},{_MARKET})(uint256)")

VIRTUAL_SHARES: Final = 10**6
VIRTUAL_ASSETS: Final = 1
UINT128_MAX: Final = 2**128 - 1
UINT256_MAX: Final = 2**256 - 1


class AccrualReverts(ArithmeticError):
    """Morpho itself could not accrue this market: a number would not fit its word."""


@dataclass(frozen=True, slots=True)
class MarketParams:
    """What a market is; its id is their hash, so they can never change."""

    loan_token: Address
    collateral_token: Address
    oracle: Address
    irm: Address
    lltv: int
    """Wad: debt over collateral value at which a position becomes liquidatable."""

    def words(self) -> tuple[Any, ...]:
        """Return the struct as the ABI takes it."""
        return (self.loan_token, self.collateral_token, self.oracle, self.irm, self.lltv)

    def id(self) -> bytes:
        """Return the market's id, as `MarketParamsLib.id` computes it."""
        return keccak(_PARAMS_STRUCT.encode(self.words())[4:])


_PARAMS_STRUCT: Final = Function(f"params({_PARAMS})()")


@dataclass(frozen=True, slots=True)
class Totals:
    """A market's totals at `last_update`."""

    supply_assets: int
    supply_shares: int
    borrow_assets: int
    borrow_shares: int
    last_update: int
    """Seconds since 1970."""
    fee: int
    """Wad: share of the interest that goes to the fee recipient."""

    def words(self) -> tuple[int, ...]:
        """Return the struct as the ABI takes it."""
        return (
            self.supply_assets,
            self.supply_shares,
            self.borrow_assets,
            self.borrow_shares,
            self.last_update,
            self.fee,
        )

    @property
    def liquidity(self) -> int:
        """Return the loan assets that nobody has borrowed."""
        return max(0, self.supply_assets - self.borrow_assets)

    def supplied(self, shares: int) -> int:
        """Return the assets that supply shares can be withdrawn for, rounded down."""
        return to_assets_down(shares, self.supply_assets, self.supply_shares)

    def borrowed(self, shares: int) -> int:
        """Return the assets that borrow shares owe, rounded up."""
        return to_assets_up(shares, self.borrow_assets, self.borrow_shares)


@dataclass(frozen=True, slots=True)
class Accrued:
    """A market's totals at a later time, and what the accrual made."""

    totals: Totals
    interest: int
    fee_shares: int
    """Supply shares given to the fee recipient by the accrual."""


def to_shares_down(assets: int, total_assets: int, total_shares: int) -> int:
    """Return ⌊assets·(S + 1e6)/(A + 1)⌋."""
    return mul_div_down(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def to_shares_up(assets: int, total_assets: int, total_shares: int) -> int:
    """Return ⌈assets·(S + 1e6)/(A + 1)⌉."""
    return mul_div_up(assets, total_shares + VIRTUAL_SHARES, total_assets + VIRTUAL_ASSETS)


def to_assets_down(shares: int, total_assets: int, total_shares: int) -> int:
    """Return ⌊shares·(A + 1)/(S + 1e6)⌋."""
    return mul_div_down(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def to_assets_up(shares: int, total_assets: int, total_shares: int) -> int:
    """Return ⌈shares·(A + 1)/(S + 1e6)⌉."""
    return mul_div_up(shares, total_assets + VIRTUAL_ASSETS, total_shares + VIRTUAL_SHARES)


def taylor_compounded(rate: int, elapsed: int) -> int:
    """Return e^(rate·elapsed) − 1 by its first three terms, a wad; as `wTaylorCompounded`."""
    first = rate * elapsed
    second = first * first // (2 * WAD)
    third = second * first // (3 * WAD)
    if first * first > UINT256_MAX or second * first > UINT256_MAX:
        raise AccrualReverts("the compounded rate does not fit 256 bits")
    return first + second + third


def accrue(totals: Totals, rate: int, at: int) -> Accrued:
    """Return the totals at `at` seconds, when nobody touched the market since its last update.

    `rate` is the average borrow rate over that time, a wad per second, as the IRM answers at `at`.
    Raises `AccrualReverts` where Morpho would revert. As `Morpho._accrueInterest`.
    """
    elapsed = at - totals.last_update
    if elapsed == 0:
        return Accrued(totals, 0, 0)
    growth = taylor_compounded(rate, elapsed)
    if totals.borrow_assets * growth > UINT256_MAX:
        raise AccrualReverts("the interest does not fit 256 bits")
    interest = totals.borrow_assets * growth // WAD
    supply = totals.supply_assets + interest
    borrow = totals.borrow_assets + interest
    fee_assets = interest * totals.fee // WAD
    fee_shares = to_shares_down(fee_assets, supply - fee_assets, totals.supply_shares)
    shares = totals.supply_shares + fee_shares
    if max(supply, borrow, shares) > UINT128_MAX:
        raise AccrualReverts("the totals after interest do not fit 128 bits")
    later = replace(
        totals, supply_assets=supply, supply_shares=shares, borrow_assets=borrow, last_update=at
    )
    return Accrued(later, interest, fee_shares)


def rate_read(params: MarketParams, totals: Totals) -> Call:
    """Return the read of the average borrow rate since the market's last update."""
    return BORROW_RATE_VIEW.at(params.irm, params.words(), totals.words())


def decode_params(market_id: bytes, result: Result) -> MarketParams:
    """Return a market's params; they must hash to its id, so that no wrong answer passes.

    Raises `ReadFailed`.
    """
    params = MarketParams(*ID_TO_MARKET_PARAMS.decode(result))
    if params == MarketParams(ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, ZERO_ADDRESS, 0):
        raise ReadFailed(f"Morpho has no market 0x{market_id.hex()}")
    if params.id() != market_id:
        raise ReadFailed(f"idToMarketParams: the answer is not that of market 0x{market_id.hex()}")
    return params


def decode_totals(result: Result, now: int) -> Totals:
    """Return a market's totals; what Morpho's own invariants exclude is refused.

    Raises `ReadFailed`.
    """
    totals = Totals(*MARKET.decode(result))
    if totals.last_update == 0:
        raise ReadFailed("market: it was never created")
    if totals.last_update > now:
        raise ReadFailed(f"market: last updated {totals.last_update - now} s after the block")
    if totals.fee > WAD or totals.borrow_assets > totals.supply_assets:
        raise ReadFailed("market: the answer breaks Morpho's own limits")
    return totals
