"""What Aave v3 says when it refuses: codes up to 3.4, errors by name from 3.5 on, in words.

Source: `Errors.sol` of each release; only those that an owner's own action meets.
"""

from typing import Final

from eth_utils.crypto import keccak

WORDS: Final = {
    ("27", "ReserveInactive()"): "the reserve is not active",
    ("28", "ReserveFrozen()"): "the reserve is frozen",
    ("29", "ReservePaused()"): "the reserve is paused",
    ("30", "BorrowingNotEnabled()"): "borrowing is not enabled",
    ("32", "NotEnoughAvailableUserBalance()"): "more than is supplied",
    ("35", "HealthFactorLowerThanLiquidationThreshold()"): "health would fall below 1",
    ("36", "CollateralCannotCoverNewBorrow()"): "collateral does not bear so much debt",
    ("39", "NoDebtOfSelectedType()"): "there is no such debt",
    ("43", "UnderlyingBalanceZero()"): "nothing of it is supplied",
    ("50", "BorrowCapExceeded()"): "the borrow cap is reached",
    ("51", "SupplyCapExceeded()"): "the supply cap is reached",
    ("53", "DebtCeilingExceeded()"): "the debt ceiling of the isolated collateral is reached",
    ("57", "LtvValidationFailed()"): "collateral with LTV 0 must be withdrawn first",
    ("58", "InconsistentEModeCategory()"): "the e-mode does not allow that asset",
    ("60", "AssetNotBorrowableInIsolation()"): "it may not be borrowed in isolation mode",
    ("89", "SiloedBorrowingViolation()"): "a siloed asset may only be borrowed alone",
}
"""Code, error, and what it means."""
_CODES: Final = {code: words for (code, _), words in WORDS.items()}
_ERRORS: Final = {keccak(text=name)[:4]: words for (_, name), words in WORDS.items()}


def meaning(data: bytes, reason: str) -> str | None:
    """Return what a refusal means: by its error's selector, or by a reason that is a code.

    None for what is none of Aave's. A code is a number, which other contracts may use as well.
    """
    return _ERRORS.get(data[:4]) or _CODES.get(reason)
