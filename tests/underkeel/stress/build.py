"""A portfolio of one chain made by hand: a loan, a wallet with its receipt, a staked token."""

from dataclasses import replace

from protocols.types import Leg, Position, Price, Side, Token, Unreadable
from risk.assess import assess
from tests.risk.aave_states import account, owed, reserve, supplied
from tests.risk.aave_states import position as lending
from tests.risk.aave_states import quote as priced
from tests.support.fake_chain import AT, address
from underkeel.portfolio import ChainReport, Fault, Portfolio
from underkeel.valuation import Valuation

OWNER = address(9)
ETH_FEED, USDC_FEED, LINK_FEED = address(0xF1), address(0xF2), address(0xF3)
VAULT = address(0x51)
LOAN_ETH = reserve(0, priced(2_000 * 10**8, ETH_FEED, label="ETH / USD"))
LOAN_USDC = reserve(1, priced(10**8, USDC_FEED, label="USDC / USD"))
WETH = Token(LOAN_ETH.asset, "WETH", 18)
USDC = Token(LOAN_USDC.asset, "USDC", 18)
LINK = Token(address(0x44), "LINK", 18)
STAKED = Token(VAULT, "svETH", 18)
ODD = Token(address(0x45), "ODD", 18)
RECEIPT = Token(address(0x46), "aWETH", 18)


def price(token: Token, whole: int, source: str, factor: str, label: str = "") -> Price:
    return Price(token.address, "USD", whole * 10**8, 8, source, factor, AT.timestamp, label=label)


PRICES = (
    price(WETH, 2_000, f"feed({ETH_FEED})", ETH_FEED, "ETH / USD"),
    price(USDC, 1, f"feed({USDC_FEED})", USDC_FEED, "USDC / USD"),
    price(LINK, 20, f"feed({LINK_FEED})", LINK_FEED, "LINK / USD"),
    price(RECEIPT, 2_000, f"feed({ETH_FEED})", ETH_FEED, "ETH / USD"),
    Price(VAULT, WETH.address, 11 * 10**17, 18, f"ratio({VAULT})", f"ratio({VAULT})", None),
)


def loan(debt: int = 15_000) -> Position:
    """Return ten ether against dollars."""
    state = account(3, supplied(LOAN_ETH, 10**19), owed(LOAN_USDC, debt * 10**18))
    eth = price(WETH, 2_000, f"feed({ETH_FEED})", ETH_FEED, "ETH / USD")
    usdc = price(USDC, 1, f"feed({USDC_FEED})", USDC_FEED, "USDC / USD")
    legs = (
        Leg(WETH, 10**19, Side.COLLATERAL, eth, "supply"),
        Leg(USDC, debt * 10**18, Side.DEBT, usdc, "variable"),
    )
    held = replace(lending(state), legs=legs, receipts=(RECEIPT.address,))
    return replace(held, owner=OWNER, id=f"1:aave-v3:x:{OWNER}")


def wallet(*legs: Leg) -> Position:
    given = legs or (
        Leg(LINK, 100 * 10**18, Side.ASSET),
        Leg(STAKED, 10**18, Side.ASSET),
        Leg(RECEIPT, 10**19, Side.ASSET),
    )
    return Position(
        f"1:wallet:x:{OWNER}", "wallet", "", "wallet", address(0), OWNER, "wallet", given, AT
    )


def portfolio(*positions: Position, down: bool = False) -> Portfolio:
    """Return one chain with positions; with `down` a second one that could not be read."""
    held = positions or (loan(), wallet())
    chain = ChainReport(
        "main",
        1,
        AT,
        tuple(assess(p) for p in held),
        prices=PRICES,
        valuation=Valuation.of(PRICES, (), held, AT),
    )
    chains = [chain]
    if down:
        chains.append(ChainReport("other", 2, None, fault=Fault.DOWN, cause="no answer"))
        missing = Unreadable("erc4626", "vault", VAULT, None, "reverted", AT)
        chains[0] = replace(chain, unreadable=(missing,))
    return Portfolio((OWNER,), tuple(chains), {})
