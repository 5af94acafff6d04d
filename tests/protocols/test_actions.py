"""Every action of every adapter, sent to the real contract: it does what its name says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from world.actors import aave, tokens, uniswap, vaults
from world.actors import compound as compound_actor
from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.node import Tx
from world.world import World, actor

from chain.client import ChainSpec, connect
from chain.types import Address, checksum
from protocols.aave_v3 import actions as pool_actions
from protocols.adapter import Market
from protocols.compound_v2 import CompoundV2
from protocols.compound_v2 import actions as compound
from protocols.compound_v2.state import CMarket, CompoundAccount
from protocols.effects import Effect
from protocols.erc4626 import actions as vault_actions
from protocols.morpho import MarketParams
from protocols.morpho_blue import actions as morpho
from protocols.types import Position
from protocols.uniswap_v3 import actions as nft_actions
from protocols.wallet import actions as wallet

pytestmark = pytest.mark.world

OWNER = checksum(actor("acting"))
OTHER = checksum(actor("acted for"))
Send = Callable[[Effect], None]


@pytest.fixture(scope="module")
def staged(anvil: World[Anvil]) -> Iterator[World[Anvil]]:
    with anvil.node.rollback():
        for who in (OWNER, OTHER):
            anvil.node.set_balance(who, 10**21)
        for symbol, whole in (("USDC", 50_000), ("WETH", 50), ("DAI", 50_000)):
            tokens.mint(anvil, symbol, OWNER, anvil.amount(symbol, whole))
        yield anvil


@pytest.fixture
def scene(staged: World[Anvil]) -> Iterator[World[Anvil]]:
    with staged.node.rollback():
        yield staged


@pytest.fixture
def send(scene: World[Anvil]) -> Send:
    def one(effect: Effect) -> None:
        scene.node.send(Tx(OWNER, effect.to, "0x" + effect.data.hex(), effect.value))

    return one


def held(world: World[Anvil], symbol: str, who: str = OWNER) -> int:
    amount: int = world.token(symbol).call("balanceOf", who)
    return amount


def at(world: World[Anvil], symbol: str) -> Address:
    return checksum(world.book.tokens[symbol].address)


def test_wallet__approve_transfer_wrap_unwrap(scene: World[Anvil], send: Send) -> None:
    usdc, weth = at(scene, "USDC"), at(scene, "WETH")
    send(wallet.approve(usdc, OTHER, 7))
    assert scene.token("USDC").call("allowance", OWNER, OTHER) == 7
    send(wallet.transfer(usdc, OTHER, 5))
    assert held(scene, "USDC", OTHER) == 5
    before = held(scene, "WETH")
    send(wallet.wrap(weth, 10**18))
    assert held(scene, "WETH") == before + 10**18
    send(wallet.unwrap(weth, 10**18))
    assert held(scene, "WETH") == before


@pytest.mark.parametrize("market", ["aave-3.0", "aave-3.6"])
def test_aave__every_action(scene: World[Anvil], send: Send, market: str) -> None:
    page = scene.book[market]
    pool, weth, usdc = checksum(page["pool"]), at(scene, "WETH"), at(scene, "USDC")

    def data() -> Any:
        return aave.account_data(scene, market, OWNER)

    for token in (weth, usdc):
        send(wallet.approve(token, pool, 10**30))
    send(pool_actions.supply(pool, weth, 10**19, OWNER))
    assert data().collateral > 0
    send(pool_actions.use_as_collateral(pool, weth, on=False))
    assert data().collateral == 0
    send(pool_actions.use_as_collateral(pool, weth, on=True))
    category = scene.book[market].get("emode", 1)
    category = category if isinstance(category, int) else 1
    send(pool_actions.set_emode(pool, category))
    emode = aave.pool(scene, market).call("getUserEMode", OWNER)
    assert emode == category
    send(pool_actions.set_emode(pool, 0))
    send(pool_actions.borrow(pool, usdc, 5_000 * 10**6, OWNER))
    owed = data().debt
    assert owed > 0
    send(pool_actions.repay(pool, usdc, 2_000 * 10**6, OWNER))
    assert data().debt < owed
    send(pool_actions.supply(pool, usdc, 10_000 * 10**6, OWNER))
    send(pool_actions.repay_with_atokens(pool, usdc, pool_actions.MOST))
    assert data().debt == 0
    before = held(scene, "WETH")
    send(pool_actions.withdraw(pool, weth, pool_actions.MOST, OWNER))
    assert held(scene, "WETH") >= before + 10**19 - 1


def test_morpho__every_action(scene: World[Anvil], send: Send) -> None:
    contract = checksum(scene.book["morpho"]["morpho"])
    loan, collateral, oracle, irm, lltv = morpho_actor.params(scene, "WETH/USDC")
    market = MarketParams(
        checksum(loan), checksum(collateral), checksum(oracle), checksum(irm), lltv
    )

    def position() -> Any:
        return morpho_actor.position(scene, "WETH/USDC", OWNER)

    for symbol in ("WETH", "USDC"):
        send(wallet.approve(at(scene, symbol), contract, 10**30))
    send(morpho.supply_collateral(contract, market, 10**19, OWNER))
    assert position().collateral == 10**19
    send(morpho.borrow(contract, market, 9_000 * 10**6, OWNER, OWNER))
    shares = position().borrow_shares
    send(morpho.repay(contract, market, OWNER, assets=4_000 * 10**6))
    left = position().borrow_shares
    assert 0 < left < shares
    send(morpho.repay(contract, market, OWNER, shares=left))
    assert position().borrow_shares == 0
    send(morpho.withdraw_collateral(contract, market, 10**19, OWNER, OTHER))
    assert position().collateral == 0
    assert held(scene, "WETH", OTHER) == 10**19
    send(morpho.supply(contract, market, 1_000 * 10**6, OWNER))
    lent = position().supply_shares
    assert lent > 0
    send(morpho.withdraw(contract, market, OWNER, OWNER, assets=400 * 10**6))
    rest = position().supply_shares
    send(morpho.withdraw(contract, market, OWNER, OWNER, shares=rest))
    assert position().supply_shares == 0
    bound = morpho_actor.morpho(scene)
    for on in (True, False):
        send(morpho.set_authorization(contract, OTHER, on=on))
        assert bound.call("isAuthorized", OWNER, OTHER) is on


@pytest.mark.parametrize("name", ["wUSDC", "pvDAI"])
def test_vault__deposit_withdraw_redeem(scene: World[Anvil], send: Send, name: str) -> None:
    bound = vaults.vault(scene, name)
    vault, symbol = checksum(bound.address), vaults.ASSETS[name]
    amount = scene.amount(symbol, 1_000)
    send(wallet.approve(at(scene, symbol), vault, amount))
    before = held(scene, symbol)
    send(vault_actions.deposit(vault, amount, OWNER))
    assert held(scene, symbol) == before - amount
    send(vault_actions.withdraw(vault, amount // 4, OWNER, OWNER))
    assert held(scene, symbol) == before - amount + amount // 4
    shares = bound.call("balanceOf", OWNER)
    send(vault_actions.redeem(vault, shares, OWNER, OWNER))
    assert bound.call("balanceOf", OWNER) == 0


def test_uniswap__collect_and_close(scene: World[Anvil], send: Send) -> None:
    first, second = uniswap.in_order(scene, "WETH", "USDC")
    raw = {"WETH": scene.amount("WETH", 1), "USDC": scene.amount("USDC", 3_000)}
    where = (-887220, 887220)
    number = uniswap.mint(scene, OWNER, first, second, 3000, *where, raw[first], raw[second])
    manager = checksum(scene.book["uniswap-v3"]["position_manager"])
    liquidity = uniswap.position(scene, number).liquidity
    send(nft_actions.collect(manager, number, OWNER))  # nothing yet: allowed all the same
    before = held(scene, "WETH")
    send(nft_actions.close(manager, number, liquidity, (0, 0), OWNER, 2**40))
    assert held(scene, "WETH") > before
    assert uniswap.manager(scene).call("balanceOf", OWNER) == 0


def compound_markets(world: World[Anvil]) -> dict[str, CMarket]:
    """Return the markets that the owner is in, as the adapter reads them."""
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    client = connect(spec)
    head = client.head()
    where = Market(
        "compound-v2", "Compound", checksum(compound_actor.comptroller(world).address), {}
    )
    reading = client.snapshot(head).run(CompoundV2().read(where, [OWNER], head))
    (position,) = reading.positions
    assert isinstance(position, Position)
    assert isinstance(position.state, CompoundAccount)
    return {one.market.symbol: one.market for one in position.state.holdings}


def test_compound__every_action(scene: World[Anvil], send: Send) -> None:
    ctokens = {n: checksum(a) for n, a in scene.book["compound-v2"]["ctokens"].items()}
    comptroller = checksum(compound_actor.comptroller(scene).address)
    send(compound.enter(comptroller, list(ctokens.values())))
    for name in ("cETH", "cUSDC"):
        compound_actor.supply(scene, name, OWNER, 1)  # else there is no position to read
    markets = compound_markets(scene)
    eth, usdc = markets["cETH"], markets["cUSDC"]

    def balance(name: str) -> int:
        amount: int = compound_actor.ctoken(scene, name).call("balanceOf", OWNER)
        return amount

    def debt(name: str) -> int:
        amount: int = compound_actor.ctoken(scene, name).call("borrowBalanceStored", OWNER)
        return amount

    send(wallet.approve(at(scene, "USDC"), usdc.ctoken, 10**30))
    send(compound.supply(eth, 10**19))
    send(compound.supply(usdc, 10**9))
    assert balance("cETH") > 0 < balance("cUSDC")
    send(compound.borrow(usdc, 5 * 10**9))
    send(compound.repay(usdc, 10**9))
    send(compound.repay_for(usdc, 10**9, OWNER))
    assert 0 < debt("cUSDC") < 3 * 10**9 + 10**6
    send(compound.repay(usdc, compound.MOST))
    assert debt("cUSDC") == 0
    send(compound.borrow(eth, 10**18))
    send(compound.repay(eth, 10**17))
    send(compound.repay_for(eth, 10**17, OWNER))
    assert 8 * 10**17 <= debt("cETH") < 9 * 10**17
    send(compound.redeem_underlying(usdc, 10**8))
    send(compound.redeem(usdc, balance("cUSDC")))
    assert balance("cUSDC") == 0
    send(compound.leave(comptroller, usdc.ctoken))
    entered = compound_actor.comptroller(scene).call("getAssetsIn", OWNER)
    assert usdc.ctoken.lower() not in [one.lower() for one in entered]
