"""A position at health 1.10 under a guard, in either form, on each lending protocol of the world.

The stage makes what a planner would: steps that deleverage by a flash loan. Amounts are the
test's own, so that the guard is judged without the planner.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from world.actors import aave, compound, morpho
from world.anvil import Anvil
from world.artifacts import Artifact
from world.cache import cache_home, locked
from world.compiler import Job, compile_all
from world.install import node_modules
from world.node import Bound, Tx
from world.rpc import RpcError
from world.world import World, actor

from chain.abi import Function
from chain.types import Address
from executor.guard import (
    ALL_NATIVE,
    NATIVE,
    Asset,
    GuardError,
    GuardIntent,
    Lender,
    LenderKind,
    Policy,
    Protocol,
    Rule,
    Step,
    delegate_init,
    encode_configure,
    encode_execute,
    grants,
    module_init,
    named_error,
    pull,
    rule,
    step,
)

ETHER = 10**18
WAD = 10**18
EXECUTOR = Address(actor("guard executor"))
GUARDIAN = Address(actor("guard guardian"))
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
FORMS = ("module", "delegate")
THIEVES = Job(
    "thieves",
    "0.8.27",
    tuple(
        f"ours/../planted/Thieves.sol:{name}"
        for name in ("FaithlessRouter", "CallingToken", "FalseLender")
    ),
    evm="cancun",
)
numbers = itertools.count(1)


@cache
def thieves() -> Mapping[str, Artifact]:
    home, modules = cache_home(), node_modules()
    with locked(home):
        return compile_all((THIEVES,), modules, home / "solc", lambda _: None)


def plant(world: World[Anvil], name: str) -> Bound:
    """Deploy one of the thieves."""
    artifact = thieves()[name]
    return world.node.at(deploy(world, bytes.fromhex(artifact.linked({})[2:])), artifact.interface)


def deploy(world: World[Anvil], init: bytes) -> Address:
    receipt = world.node.send(Tx(world.book.admin, None, "0x" + init.hex(), label="deploy"))
    return Address(to_checksum_address(receipt["contractAddress"]))


def delegate(
    world: World[Anvil], owner: LocalAccount, to: str, data: bytes = b"", target: str = ""
) -> dict[str, Any]:
    """Send a signed EIP-7702 transaction of the owner to itself; return the receipt."""
    request = world.node.rpc.request
    nonce = int(request("eth_getTransactionCount", owner.address, "latest"), 16)
    chain = world.node.chain_id
    allowed = owner.sign_authorization({"chainId": chain, "address": to, "nonce": nonce + 1})
    fees = {"maxFeePerGas": 10**11, "maxPriorityFeePerGas": 10**9, "gas": 5_000_000}
    signed = owner.sign_transaction(
        {  # type: ignore[arg-type]
            **fees,
            "type": 4,
            "chainId": chain,
            "nonce": nonce,
            "value": 0,
            "to": target or owner.address,
            "data": data,
            "authorizationList": [allowed],
        }
    )
    hash_ = request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    return world.node._receipt(Tx(owner.address, owner.address, label="delegate"), hash_)


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


@dataclass(frozen=True)
class Stage:
    """A position with its guard, configured."""

    place: Place
    form: str
    owner: LocalAccount
    guard: Address
    policy: Policy
    assets: tuple[Asset, ...]
    lenders: tuple[Lender, ...]
    rules: tuple[Rule, ...]
    debt: int
    extra: dict[str, Bound] = field(default_factory=dict)

    @property
    def world(self) -> World[Anvil]:
        return self.place.world

    @property
    def account(self) -> Address:
        return Address(self.owner.address)

    def configure(self, **changes: Any) -> Stage:
        """Configure anew: fields of the policy, or `assets`, `lenders`, `rules`."""
        lists = {key: changes.pop(key) for key in ("assets", "lenders", "rules") if key in changes}
        new = replace(self, policy=replace(self.policy, **changes), **lists)
        data = encode_configure(new.policy, new.assets, new.lenders, new.rules)
        self.world.node.send(Tx(self.account, self.guard, "0x" + data.hex(), label="configure"))
        return new

    def with_rules(self, *more: Rule) -> Stage:
        return self.configure(rules=(*self.rules, *more))

    def withdraw(self, amount: int) -> tuple[Step, ...]:
        return self.place.withdraw(self.account, self.guard, amount)

    def steps(self, repaid: int, owed: int | None = None) -> tuple[Step, ...]:
        """Repay, withdraw a tenth more than it costs, swap for what is owed, put the rest back."""
        price = self.place.world.amount("USDC", 1) * self._dollars()
        taken = repaid * ETHER // price * 11 // 10
        return (
            self.place.repay(self.account, repaid),
            *self.withdraw(taken),
            self.place.swap(self.guard, repaid if owed is None else owed, taken),
            *self.place.put_back(self.account),
        )

    def _dollars(self) -> int:
        return aave.oracle_price(self.world, "aave-3.0", "WETH") // 10**8

    def intent(self, repaid: int = 0, **changes: Any) -> GuardIntent:
        """An intent within the policy; by default one that repays near enough to the target."""
        repaid = repaid or self.debt * 30 // 100
        intent = GuardIntent(
            id=keccak(next(numbers).to_bytes(8, "big")),
            deadline=self.world.node.timestamp() + 3600,
            max_base_fee=self.policy.max_base_fee,
            min_health_factor_after=self.policy.floor,
            max_loss_bps=self.policy.max_loss_bps,
            flash_token=self.place.address("USDC"),
            flash_amount=repaid,
            calls=changes.pop("calls", None) or self.steps(repaid),
        )
        return replace(intent, **changes)

    def tx(self, intent: GuardIntent, sender: str = EXECUTOR, gas: int = 5_000_000) -> Tx:
        return Tx(sender, self.guard, "0x" + encode_execute(intent).hex(), 0, gas, "execute")

    def execute(self, intent: GuardIntent) -> dict[str, Any]:
        return self.world.node.send(self.tx(intent))

    def refusal(self, intent: GuardIntent, sender: str = EXECUTOR) -> GuardError | None:
        """What the guard says to an intent, asked at the head; None where it carries it out."""
        return asked(self.world, self.tx(intent, sender))

    def health(self) -> int:
        return self.place.health(self.account)


def asked(world: World[Anvil], tx: Tx) -> GuardError | None:
    """The named error of a transaction; None where it succeeds."""
    try:
        world.node.rpc.request("eth_call", tx.params(), "latest")
    except RpcError as error:
        found = named_error(bytes.fromhex(error.data.removeprefix("0x")))
        if found is None:
            raise
        return found
    return None


def lenders(world: World[Anvil]) -> tuple[Lender, ...]:
    return (
        Lender(LenderKind.MORPHO, Address(morpho.morpho(world).address)),
        Lender(LenderKind.BALANCER_V2, Address(world.book["balancer-v2"]["vault"])),
        Lender(LenderKind.AAVE_V3, Address(world.book["aave-3.6"]["pool"])),
    )


def stage(world: World[Anvil], place: str, form: str) -> Stage:
    """Open the position and put the guard over it."""
    where = Place(world, place)
    owner: LocalAccount = Account.from_key(keccak(text=f"guard owner {place} {form}"))
    world.node.fund([owner.address, EXECUTOR, GUARDIAN])
    debt = where.open(owner.address)
    account = Address(owner.address)
    policy = _policy(where, account)
    if form == "module":
        guard = deploy(world, module_init(where.protocol, account))
    else:
        implementation, guard = deploy(world, delegate_init(where.protocol)), account
    made = Stage(
        *(where, form, owner, guard, policy, where.assets()),
        *(lenders(world), where.rules(guard), debt),
    )
    configuration = encode_configure(policy, made.assets, made.lenders, made.rules)
    if form == "delegate":
        delegate(world, owner, implementation, configuration)
        return made
    world.node.send(Tx(account, guard, "0x" + configuration.hex(), label="configure"))
    amounts = {where.collateral_token: 2**255} if where.collateral_token != NATIVE else {}
    for call in grants(policy, guard, amounts):
        world.node.send(Tx(account, call.to, "0x" + call.data.hex(), label="grant"))
    return made


def _policy(place: Place, account: Address) -> Policy:
    market_id = bytes(32)
    if place.protocol is Protocol.MORPHO_BLUE:
        market_id = morpho.market_id(place.world, "WETH/USDC")
    return Policy(
        executor=EXECUTOR,
        valid_until=place.world.node.timestamp() + 90 * 86_400,
        cooldown=600,
        guardian=GUARDIAN,
        window=86_400,
        max_loss_bps=100,
        max_flash_fee_bps=10,
        protocol=place.protocol,
        may_borrow=False,
        market=place.market,
        max_base_fee=100 * 10**9,
        market_id=market_id,
        trigger=115 * WAD // 100,
        floor=120 * WAD // 100,
        ceiling=140 * WAD // 100,
        max_window_loss=place.equity(account) * 15 // 1000,
    )


@contextmanager
def staged(world: World[Anvil], place: str, form: str) -> Iterator[Stage]:
    """The stage, undone at the end."""
    with world.node.rollback():
        yield stage(world, place, form)
