"""Small portfolios of loans without a chain."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chain.types import Address
from protocols.morpho_blue.state import MorphoOracle, MorphoPosition
from protocols.types import Leg, Position, Price, Side, State, Token
from tests.risk import aave_states as aave
from tests.risk.morpho_states import COLLATERAL, LOAN, ORACLE, parts
from tests.risk.morpho_states import position as morpho
from tests.support.fake_chain import AT, address
from underkeel.portfolio import ChainReport, Portfolio
from underkeel.valuation import Valuation, assess

OWNER = address(9)
USDC, WETH = Token(LOAN, "USDC", 6), Token(COLLATERAL, "WETH", 18)
VALUATION = Valuation.of((), (), (), AT)


def held(state: State | None, *legs: Leg, name: str = "1:p:r:o:7", **more: object) -> Position:
    """Return a lending position."""
    base = Position(name, "p", "v1", "m", address(8), OWNER, "lending", legs, AT, state=state)
    return replace(base, **more)  # type: ignore[arg-type]


def wallet(*amounts: tuple[Token, int]) -> Position:
    """Return what the owner's wallet holds."""
    legs = tuple(Leg(token, amount, Side.ASSET) for token, amount in amounts)
    return held(None, *legs, name="1:wallet:o", kind="wallet")


def loan(eth: int = 3000, **more: Any) -> MorphoPosition:
    """Return 1 WETH for 2,000 USDC on Morpho, over two feeds."""
    made = parts(base=eth * 10**8)
    worth = made.price()
    assert worth is not None
    return morpho(oracle=MorphoOracle(ORACLE, worth, made), **more)


def account(eth: int = 3000, btc: int = 60_000, debt: int = 40_000, **more: Any) -> State:
    """Return 10 ETH and half a BTC for dollars on Aave."""
    return aave.account(
        10,
        aave.supplied(aave.reserve(0, aave.quote(eth * 10**8, "eth", label="ETH / USD")), 10**19),
        aave.supplied(
            aave.reserve(1, aave.quote(btc * 10**8, "btc", label="BTC / USD")), 5 * 10**17
        ),
        aave.owed(aave.reserve(2, aave.quote(10**8, "usd", constant=True)), debt * 10**18),
        **more,
    )


def priced(token: Token, amount: int, side: Side, source: str, **more: Any) -> Leg:
    """Return a leg at a dollar price."""
    given = {"raw": 10**8, "updated_at": AT.timestamp - 5} | more
    price = Price(token.address, "USD", given["raw"], 8, source, source, given["updated_at"])
    return Leg(token, amount, side, price)


def portfolio(*positions: Position, valuation: Valuation = VALUATION) -> Portfolio:
    """Return positions of one chain called c."""
    return of_chains({"c": positions}, valuation)


def of_chains(
    chains: Mapping[str, tuple[Position, ...]], valuation: Valuation = VALUATION
) -> Portfolio:
    """Return positions of several chains."""
    reports = tuple(
        ChainReport(
            name,
            i + 1,
            AT,
            positions=tuple(assess(p, valuation, None) for p in positions),
            valuation=valuation,
        )
        for i, (name, positions) in enumerate(chains.items())
    )
    return Portfolio((OWNER,), reports, {})


def asset(number: int) -> Address:
    """Return the address of one of `account`'s assets."""
    return aave.asset(0xA0 + number)
