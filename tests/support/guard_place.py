"""A lending position of the world: what a guard watches of it, and the steps that change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from world.actors import aave, compound, morpho
from world.anvil import Anvil
from world.world import World

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    ALL_NATIVE,
    NATIVE,
    Asset,
    Protocol,
    Rule,
    Step,
    pull,
    rule,
    step,
)

ETHER = 10**18
WAD = 10**18
COLLATERAL = 10 * ETHER
START, TARGET = 1.10, 125 * WAD // 100

SWAP = Function(
    "exactOutputSingle((address,address,uint24,address,uint256,uint256,uint256,uint160))(uint256)"
)
REPAY = Function("repay(address,uint256,uint256,address)(uint256)")
WITHDRAW = Function("withdraw(address,uint256,address)(uint256)")
SUPPLY = Function("supply(address,uint256,address,uint16)()")
MARKET = "(address,address,address,address,uint256)"
MORPHO_REPAY = Function(f"repay({MARKET},uint256,uint256,address,bytes)(uint256,uint256)")
MORPHO_WITHDRAW = Function(f"withdrawCollateral({MARKET},uint256,address,address)()")
MORPHO_SUPPLY = Function(f"supplyCollateral({MARKET},uint256,address,bytes)()")
REPAY_BORROW = Function("repayBorrowBehalf(address,uint256)(uint256)")
REDEEM = Function("redeemUnderlying(uint256)(uint256)")
MINT_ETHER = Function("mint()()")
DEPOSIT = Function("deposit()()")
UNWRAP = Function("withdraw(uint256)()")

PLACES = {
    "aave-3.0": Protocol.AAVE_V3,
    "aave-3.6": Protocol.AAVE_V3,
    "morpho": Protocol.MORPHO_BLUE,
    "compound-v2": Protocol.COMPOUND_V2,
}


@dataclass(frozen=True)
class Place:
    """What a protocol makes of a position: measures, watched tokens, steps."""

    world: World[Anvil]
    name: str

    def address(self, symbol: str) -> Address:
        return Address(self.world.book.tokens[symbol].address)

    @property
    def protocol(self) -> Protocol:
        return PLACES[self.name]

    @property
    def market(self) -> Address:
        if self.protocol is Protocol.AAVE_V3:
            return Address(self.world.book[self.name]["pool"])
        if self.protocol is Protocol.MORPHO_BLUE:
            return Address(morpho.morpho(self.world).address)
        return Address(compound.comptroller(self.world).address)

    @property
    def collateral_token(self) -> Address:
        """What a module must be allowed to take; zero on Morpho."""
        if self.protocol is Protocol.AAVE_V3:
            return Address(self.world.book[self.name]["tokens"]["WETH"]["a_token"])
        if self.protocol is Protocol.COMPOUND_V2:
            return Address(compound.ctoken(self.world, "cETH").address)
        return NATIVE

    def open(self, user: str) -> int:
        """Supply and borrow to health 1.10; return the debt in base units."""
        world = self.world
        if self.protocol is Protocol.AAVE_V3:
            aave.supply(world, self.name, user, "WETH", COLLATERAL / ETHER)
            data = aave.account_data(world, self.name, user)
            debt = int(data.collateral * data.threshold / 10**6 / START)
            world.node.send(aave.borrow_tx(world, self.name, user, "USDC", debt))
        elif self.protocol is Protocol.MORPHO_BLUE:
            morpho.supply_collateral(world, "WETH/USDC", user, COLLATERAL / ETHER)
            worth = COLLATERAL * morpho.oracle_price(world, "WETH/USDC") // 10**36
            debt = int(worth * 0.86 / START)
            world.node.send(morpho.borrow_tx(world, "WETH/USDC", user, debt))
        else:
            compound.supply(world, "cETH", user, COLLATERAL / ETHER)
            worth = COLLATERAL * compound.price(world, "cETH") // compound.price(world, "cUSDC")
            debt = int(worth * 0.825 / START)
            compound.borrow(world, "cUSDC", user, debt / 10**6)
        return debt

    def equity(self, user: str) -> int:
        """In the protocol's unit of account, roughly: what caps are set by."""
        if self.protocol is Protocol.AAVE_V3:
            data = aave.account_data(self.world, self.name, user)
            return data.collateral - data.debt
        if self.protocol is Protocol.MORPHO_BLUE:
            return COLLATERAL * morpho.oracle_price(self.world, "WETH/USDC") // 10**36 * 22 // 100
        return COLLATERAL * compound.price(self.world, "cETH") // WAD // 4

    def assets(self) -> tuple[Asset, ...]:
        usdc, weth = self.address("USDC"), self.address("WETH")
        dollars, ether = 500 * 10**6, ETHER // 10
        if self.protocol is Protocol.AAVE_V3:
            return Asset(usdc, usdc, True, dollars), Asset(weth, weth, True, ether)
        if self.protocol is Protocol.MORPHO_BLUE:
            return Asset(usdc, self.market, True, dollars), Asset(weth, self.market, True, ether)
        c_usdc = Address(compound.ctoken(self.world, "cUSDC").address)
        return (
            Asset(usdc, c_usdc, True, dollars),
            Asset(weth, self.collateral_token, False, ether),
            Asset(NATIVE, self.collateral_token, True, ether),
        )

    def rules(self, guard: Address) -> tuple[Rule, ...]:
        usdc, weth = self.address("USDC"), self.address("WETH")
        router = Address(self.world.book["uniswap-v3"]["router"])
        swap = rule(router, SWAP, weth, usdc, None, guard)
        if self.protocol is not Protocol.COMPOUND_V2:
            return (swap,)
        return swap, rule(weth, DEPOSIT), rule(weth, UNWRAP)

    def swap(self, guard: Address, out: int, most: int, fee: int = 500) -> Step:
        usdc, weth = self.address("USDC"), self.address("WETH")
        router = Address(self.world.book["uniswap-v3"]["router"])
        data = SWAP.encode((weth, usdc, fee, guard, 2**48, out, most, 0))
        return step(router, data, token=weth, amount=most)

    def repay(self, account: Address, amount: int) -> Step:
        usdc = self.address("USDC")
        if self.protocol is Protocol.AAVE_V3:
            data = REPAY.encode(usdc, amount, 2, account)
            return step(self.market, data, token=usdc, amount=amount)
        if self.protocol is Protocol.MORPHO_BLUE:
            data = MORPHO_REPAY.encode(self.params, amount, 0, account, b"")
            return step(self.market, data, token=usdc, amount=amount)
        c_usdc = Address(compound.ctoken(self.world, "cUSDC").address)
        return step(c_usdc, REPAY_BORROW.encode(account, amount), token=usdc, amount=amount)

    @property
    def params(self) -> Any:
        return morpho.params(self.world, "WETH/USDC")

    def withdraw(self, account: Address, guard: Address, amount: int) -> tuple[Step, ...]:
        """Take collateral to the guard as WETH."""
        weth = self.address("WETH")
        if self.protocol is Protocol.MORPHO_BLUE:
            data = MORPHO_WITHDRAW.encode(self.params, amount, account, guard)
            return (step(self.market, data),)
        first = () if account == guard else (self._pull(account, guard, amount),)
        if self.protocol is Protocol.AAVE_V3:
            return (*first, step(self.market, WITHDRAW.encode(weth, amount, guard)))
        redeem = step(self.collateral_token, REDEEM.encode(amount))
        return (*first, redeem, step(weth, DEPOSIT.encode(), value=ALL_NATIVE))

    def _pull(self, account: Address, guard: Address, amount: int) -> Step:
        if self.protocol is Protocol.COMPOUND_V2:
            rate = compound.ctoken(self.world, "cETH").call("exchangeRateCurrent")
            amount = amount * WAD // rate + 1
        return pull(self.collateral_token, account, guard, amount)

    def put_back(self, account: Address) -> tuple[Step, ...]:
        """Supply again what the swap left of the collateral."""
        weth = self.address("WETH")
        if self.protocol is Protocol.AAVE_V3:
            data = SUPPLY.encode(weth, 0, account, 0)
            return (step(self.market, data, token=weth, fill=1),)
        if self.protocol is Protocol.MORPHO_BLUE:
            data = MORPHO_SUPPLY.encode(self.params, 0, account, b"")
            return (step(self.market, data, token=weth, fill=5),)
        unwrap = step(weth, UNWRAP.encode(0), token=weth, fill=0)
        return unwrap, step(self.collateral_token, MINT_ETHER.encode(), value=ALL_NATIVE)

    def health(self, user: str) -> int:
        """Wad, by the protocol's own numbers."""
        if self.protocol is Protocol.AAVE_V3:
            return aave.account_data(self.world, self.name, user).health
        if self.protocol is Protocol.MORPHO_BLUE:
            return self._morpho_health(user)
        return self._compound_health(user)

    def _morpho_health(self, user: str) -> int:
        held = morpho.position(self.world, "WETH/USDC", user)
        market = morpho.morpho(self.world).call("market", morpho.market_id(self.world, "WETH/USDC"))
        assets, shares = market[2], market[3]
        debt = -(-held.borrow_shares * (assets + 1) // (shares + 10**6))
        price = morpho.oracle_price(self.world, "WETH/USDC")
        most = held.collateral * price // 10**36 * self.params[4] // WAD
        return most * WAD // debt if debt else 2**256 - 1

    def _compound_health(self, user: str) -> int:
        c_eth, c_usdc = (compound.ctoken(self.world, name) for name in ("cETH", "cUSDC"))
        _, tokens, _, rate = c_eth.call("getAccountSnapshot", user)
        _, _, debt, _ = c_usdc.call("getAccountSnapshot", user)
        factor = compound.comptroller(self.world).call("markets", c_eth.address)[1]
        price = compound.price(self.world, "cETH")
        most = factor * rate // WAD * price // WAD * tokens // WAD
        owed = compound.price(self.world, "cUSDC") * debt // WAD
        return most * WAD // owed if owed else 2**256 - 1
