"""What thieves use against a guard."""

from __future__ import annotations

from collections.abc import Callable

from world.actors import aave
from world.actors.tokens import mint
from world.node import Bound, Tx

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    GuardError,
    Step,
    encode_configure,
    pull,
    rule,
    step,
)
from tests.support.guard_place import ETHER
from tests.support.guard_stage import Stage, asked, plant

FAITHLESS = Function("swap(address,uint256,address,uint256,address)()")
TAKE = Function("take(address,address,uint256)()")
KEEP = Function("keep()()")
RELAY = Function("relay(address,bytes)()")
BORROW = Function("borrow(address,uint256,uint256,uint16,address)()")


def at(bound: Bound) -> Address:
    return Address(bound.address)


def send(stage: Stage, sender: str, to: str, data: bytes) -> None:
    stage.world.node.send(Tx(sender, to, "0x" + data.hex()))


def said(stage: Stage, sender: str, data: bytes) -> GuardError | None:
    """What the guard tells a sender of any call."""
    return asked(stage.world, Tx(sender, stage.guard, "0x" + data.hex(), 0, 5_000_000))


def faithless(stage: Stage) -> tuple[Stage, Bound]:
    """Let the owner trust a router that deserves none, and give the router money."""
    router = plant(stage.world, "FaithlessRouter")
    mint(stage.world, "USDC", router.address, 10**12)
    mint(stage.world, "WETH", router.address, 100 * ETHER)
    functions = (FAITHLESS, TAKE, KEEP, RELAY)
    return stage.with_rules(*(rule(at(router), one) for one in functions)), router


def bad_swap(stage: Stage, router: Bound, sold: int, paid: int) -> Step:
    weth, usdc = stage.place.address("WETH"), stage.place.address("USDC")
    data = FAITHLESS.encode(weth, sold, usdc, paid, stage.guard)
    return step(at(router), data, token=weth, amount=sold)


def through(stage: Stage, router: Bound, sold: int, paid: int, repaid: int) -> tuple[Step, ...]:
    """Deleverage, swapping with the faithless router."""
    repay = stage.place.repay(stage.account, repaid)
    return repay, *stage.withdraw(sold), bad_swap(stage, router, sold, paid)


def worth(stage: Stage, usdc: int) -> int:
    """WETH worth so much USDC."""
    return usdc * ETHER * 100 // aave.oracle_price(stage.world, "aave-3.0", "WETH")


def from_wallet(stage: Stage, amount: int) -> tuple[Step, ...]:
    """Give the account money, and return the steps by which it is used."""
    mint(stage.world, "USDC", stage.account, amount)
    if stage.form == "delegate":
        return ()
    usdc = stage.world.token("USDC")
    stage.world.node.send(usdc.tx(stage.account, "approve", stage.guard, amount))
    return (pull(stage.place.address("USDC"), stage.account, stage.guard, amount),)


def configuration(stage: Stage) -> bytes:
    return encode_configure(stage.policy, stage.assets, stage.lenders, stage.rules)


Attempt = Callable[[Stage], tuple[GuardError | None, str]]
"""Try something; return what the guard said, and the name of what it should say."""
