"""Vaults on the world: what a position says can leave is what `redeem` then really pays."""

from __future__ import annotations

from random import Random

import pytest
from world.actors import feeds, vaults
from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.world import World, actor

from chain.calls import ReadFailed
from chain.types import Address, checksum
from protocols.adapter import Market
from protocols.erc4626 import Erc4626
from protocols.types import Position, Price
from tests.protocols.erc4626 import scene
from tests.protocols.morpho_blue import scene as morpho_scene
from tests.support import referee

DAY = 86_400
NAMES = ("wUSDC", "pvDAI", "pvUSDC")


def depositors(world: World[Anvil], name: str, count: int, seed: int) -> list[Address]:
    """Open random holders, from a base unit to half a million."""
    random = Random(seed)
    accounts = [checksum(actor(f"{name} {seed} {n}")) for n in range(count)]
    world.node.fund(accounts)
    unit = world.amount(vaults.ASSETS[name], 1)
    for n, account in enumerate(accounts):
        assets = n + 2 if n < 2 else round(unit * 10 ** random.uniform(-2, 5))
        world.node.send_many(vaults.deposit_txs(world, name, account, assets)[:-2])
        world.node.send_many(vaults.deposit_txs(world, name, account, assets)[-2:])
    return accounts


def assert_pays(
    world: World[Anvil], name: str, accounts: list[Address], time: int
) -> list[Position]:
    """Redeem for real, each account on its own, in the very second that was read."""
    reading = scene.read_at(world, name, accounts, time)
    found = [p for p in reading.positions if isinstance(p, Position)]
    assert len(found) == len(reading.positions)
    for position in found:
        state = scene.holding(position)
        assert position.unknown == ()
        assert position.verified
        assert state.redeemable is not None
        if state.redeemable_shares == 0:
            assert state.redeemable == 0
            continue
        with morpho_scene.undone(world):
            world.node.set_next_timestamp(time)
            paid = vaults.redeem(world, name, position.owner, state.redeemable_shares)
        assert paid == state.redeemable
        if state.redeemable_shares == state.shares:
            assert position.legs[0].amount == paid
    return found


@pytest.mark.parametrize("name", NAMES)
def test_redeemable__time_has_passed__is_what_redeem_pays(world: World[Anvil], name: str) -> None:
    accounts = depositors(world, name, 8, seed=1)
    world.node.travel(45 * DAY)
    time = world.node.timestamp() + 77
    found = assert_pays(world, name, accounts, time)
    assert len(found) == len(accounts)


def test_redeemable__metamorpho_fee__shares_not_yet_minted_dilute(world: World[Anvil]) -> None:
    (account,) = depositors(world, "wUSDC", 1, seed=2)
    world.node.travel(200 * DAY)
    (position,) = assert_pays(world, "wUSDC", [account], world.node.timestamp() + 5)
    facts = scene.holding(position).metamorpho
    assert facts is not None
    assert facts.version == "1.0"
    assert facts.fee_shares > 0
    vault = vaults.vault(world, "wUSDC")
    time = world.node.timestamp() + 5
    before = vault.call("totalSupply")
    world.node.set_next_timestamp(time)
    # Setting the fee accrues what is owed.
    vault.send(world.book.admin, "setFee", 0)
    assert vault.call("totalSupply") - before == facts.fee_shares


def test_redeemable__liquidity_lent_out__is_what_the_queue_lets_out(world: World[Anvil]) -> None:
    accounts = depositors(world, "wUSDC", 4, seed=3)
    scene.drain(world, ("WETH/USDC", "WBTC/USDC"), left=1_234_567)
    vault = vaults.vault(world, "wUSDC")
    holder = checksum(world.book.whale)
    vault.send(holder, "withdraw", 900_000 * 10**6, holder, holder)
    world.node.travel(3600)
    (position, *_) = assert_pays(world, "wUSDC", [holder, *accounts], world.node.timestamp() + 3)
    state = scene.holding(position)
    assert state.metamorpho is not None
    assert state.redeemable_shares < state.shares
    assert state.exit_liquidity == state.metamorpho.withdrawable
    assert state.redeemable is not None
    # Redeeming whole shares may leave less than one share's worth behind.
    assert 0 <= state.metamorpho.withdrawable - state.redeemable <= 1
    assert "can be redeemed now" in position.notes[0]


def test_redeemable__nothing_left_in_the_queue__is_zero_and_the_claim_stays(
    world: World[Anvil],
) -> None:
    vault, whale = vaults.vault(world, "wUSDC"), checksum(world.book.whale)
    # The vault lends to one market only, all of which is then borrowed.
    for name in ("WBTC/USDC", "pvDAI/USDC", "idle/USDC"):
        vault.send(world.book.admin, "submitCap", morpho_actor.params(world, name), 0)
    scene.drain(world, ("WBTC/USDC",))
    vault.send(whale, "withdraw", vault.call("maxWithdraw", whale), whale, whale)
    (account,) = depositors(world, "wUSDC", 1, seed=4)
    scene.drain(world, ("WETH/USDC",))
    world.node.travel(60)
    time = world.node.timestamp() + 3
    (position,) = assert_pays(world, "wUSDC", [account], time)
    state = scene.holding(position)
    assert (state.redeemable, state.redeemable_shares) == (0, 0)
    assert position.legs[0].amount == state.preview
    assert state.preview is not None
    assert state.preview > 0
    assert "nothing can be redeemed now" in position.notes[0]


def test_redeemable__bad_debt_in_a_market__is_less_at_once(world: World[Anvil]) -> None:
    accounts = depositors(world, "wUSDC", 3, seed=5)
    before = {
        p.owner: p.legs[0].amount
        for p in assert_pays(world, "wUSDC", accounts, world.node.timestamp() + 10)
    }
    borrower = checksum(actor("ruined"))
    world.node.fund([borrower])
    world.node.set_balance(world.book.admin, 10**30)
    morpho_actor.supply_collateral(world, "WETH/USDC", borrower, 1_000)
    morpho_actor.borrow(world, "WETH/USDC", borrower, 2_000_000)
    feeds.crash(world, "WETH", -0.9)
    held = morpho_actor.position(world, "WETH/USDC", borrower).collateral
    liquidator = actor("bad debt")
    world.node.fund([liquidator])
    morpho_actor.morpho_liquidate(world, "WETH/USDC", liquidator, borrower, seized=held)
    found = assert_pays(world, "wUSDC", accounts, world.node.timestamp() + 10)
    for position in found:
        state = scene.holding(position)
        assert state.metamorpho is not None
        assert state.metamorpho.lost_assets is None
        if before[position.owner] > 1000:
            assert position.legs[0].amount < before[position.owner]


def test_redeemable__donation__raises_a_plain_vaults_shares(world: World[Anvil]) -> None:
    accounts = depositors(world, "pvUSDC", 2, seed=6)
    vaults.donate(world, "pvUSDC", 123.456789)
    reading = scene.read(world, "pvUSDC", accounts)
    (price,) = reading.prices
    assert isinstance(price, Price)
    vault = vaults.vault(world, "pvUSDC")
    assert price.raw == vault.call("convertToAssets", 10**6)
    assert price.source == f"ratio({vault.address})"
    assert_pays(world, "pvUSDC", accounts, world.node.timestamp() + 10)


def test_read__metamorpho__says_who_rules_it_and_what_is_pending(world: World[Anvil]) -> None:
    admin, vault = world.book.admin, vaults.vault(world, "wUSDC")
    guardian, curator = checksum(actor("guardian")), checksum(actor("curator"))
    vault.send(admin, "submitGuardian", guardian)
    vault.send(admin, "setCurator", curator)
    vault.send(admin, "submitTimelock", 7 * DAY)
    vault.send(admin, "submitTimelock", 2 * DAY)
    vault.send(admin, "submitGuardian", admin)
    vault.send(admin, "submitCap", morpho_actor.params(world, "WETH/USDC"), 9_000_000 * 10**6)
    vault.send(admin, "submitCap", morpho_actor.params(world, "WBTC/USDC"), 0)
    vault.send(admin, "submitMarketRemoval", morpho_actor.params(world, "WBTC/USDC"))
    removable = world.node.timestamp() + 7 * DAY
    reading = scene.read(world, "wUSDC", [checksum(world.book.whale)])
    facts = scene.holding(reading.positions[0]).metamorpho
    assert facts is not None
    assert (facts.owner, facts.curator, facts.guardian) == (admin, curator, guardian)
    assert (facts.timelock_s, facts.pending_timelock_s) == (7 * DAY, 2 * DAY)
    assert facts.pending_guardian == admin
    rows = {row.market_id: row for row in facts.queue}
    weth = rows[morpho_actor.page(world, "WETH/USDC")["id"]]
    wbtc = rows[morpho_actor.page(world, "WBTC/USDC")["id"]]
    assert (weth.cap, weth.pending_cap, weth.removable_at) == (2e6 * 10**6, 9e6 * 10**6, 0)
    assert (wbtc.cap, wbtc.pending_cap, wbtc.removable_at) == (0, None, removable)
    assert len(rows) == 4
    assert facts.morpho == world.book["morpho"]["morpho"]


def test_read__not_a_vault__says_so(world: World[Anvil]) -> None:
    at = referee.head(world.node.rpc)
    for root, cause in (
        (world.book.tokens["USDC"].address, "no ERC-4626 vault"),
        (actor("nobody"), "no contract"),
    ):
        market = Market("erc4626", "x", checksum(root), {})
        with pytest.raises(ReadFailed, match=cause):
            referee.run(
                Erc4626().read(market, [checksum(world.book.whale)], at), world.node.rpc, at
            )
