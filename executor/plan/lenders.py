"""Which of a guard's flash lenders will serve, and what it takes for that.

Mirrors `Flash._flash`: the owner's lenders in the owner's order, one that is dry is passed over.
Reads: the lender's balance of the token; Aave's `FLASHLOAN_PREMIUM_TOTAL` and the aToken that holds
the cash; Balancer's fee. Rounds: fees up.
"""

from dataclasses import dataclass
from typing import Final

from chain.abi import Function
from chain.calls import ReadFailed, Reads
from chain.types import Address
from chain.units import BPS, WAD, div_up
from executor.guard import GuardState, Lender, LenderKind
from executor.plan.lab import BALANCE_OF, Lab
from protocols.aave_v3.contracts import A_TOKEN_WORD, GET_RESERVE_DATA
from protocols.types import Token

PREMIUM: Final = Function("FLASHLOAN_PREMIUM_TOTAL()(uint128)")
FEES_COLLECTOR: Final = Function("getProtocolFeesCollector()(address)")
FLASH_FEE: Final = Function("getFlashLoanFeePercentage()(uint256)")


@dataclass(frozen=True, slots=True)
class Loan:
    """A lender that has enough, and its price."""

    name: str
    has: int
    numerator: int
    denominator: int

    def fee(self, amount: int) -> int:
        """Return what the lender takes for lending an amount, rounded up."""
        return div_up(amount * self.numerator, self.denominator)

    def due(self, amount: int) -> int:
        """Return what has to be given back."""
        return amount + self.fee(amount)


def loan_of(lab: Lab, guard: GuardState, token: Token, amount: int) -> Loan | str:
    """Return the first of the guard's lenders that has so much; text says why none."""
    reasons: list[str] = []
    for lender in guard.lenders:
        try:
            loan = lab.read(_loan(lender, token.address))
        except ReadFailed as failure:
            reasons.append(f"{lender.kind.name}: {failure.cause}")
            continue
        if loan.has >= amount:
            return loan
        reasons.append(f"{loan.name} has {loan.has} of {amount}")
    return f"nobody lends {token.symbol}: " + ("; ".join(reasons) or "the guard has no lender")


def _loan(lender: Lender, token: Address) -> Reads[Loan]:
    at = lender.address
    if lender.kind is LenderKind.MORPHO:
        (has,) = yield [BALANCE_OF.at(token, at)]
        return Loan("Morpho", BALANCE_OF.decode(has), 0, 1)
    if lender.kind is LenderKind.BALANCER_V2:
        collector = FEES_COLLECTOR.pointer(at)
        has, fee = yield [BALANCE_OF.at(token, at), FLASH_FEE.at(collector)]
        return Loan("Balancer", BALANCE_OF.decode(has), FLASH_FEE.decode(fee), WAD)
    data, premium = yield [GET_RESERVE_DATA.at(at, token), PREMIUM.at(at)]
    a_token: Address = GET_RESERVE_DATA.decode(data)[A_TOKEN_WORD]
    (has,) = yield [BALANCE_OF.at(token, a_token)]
    return Loan("Aave", BALANCE_OF.decode(has), PREMIUM.decode(premium), BPS)
