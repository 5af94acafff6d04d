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
from world.actors import aave, morpho
from world.anvil import Anvil
from world.artifacts import Artifact
from world.cache import cache_home, locked
from world.compiler import Job, compile_all
from world.install import node_modules
from world.node import Bound, Tx
from world.rpc import RpcError
from world.world import World, actor

from chain.types import Address
from executor.guard import (
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
)
from tests.support.guard_place import ETHER, WAD, Place

EXECUTOR = Address(actor("guard executor"))
GUARDIAN = Address(actor("guard guardian"))
THIEF = Address(actor("guard thief"))

FORMS = ("module", "delegate")
PLANTED = Job(
    "guard-planted",
    "0.8.27",
    (
        *(f"ours/../planted/Thieves.sol:{name}" for name in ("FaithlessRouter", "CallingToken")),
        "ours/../planted/Thieves.sol:FalseLender",
        "ours/../planted/Bare.sol:Bare",
    ),
    evm="cancun",
)
numbers = itertools.count(1)


@cache
def artifacts() -> Mapping[str, Artifact]:
    """Return the contracts that tests and benchmarks set beside a guard."""
    home, modules = cache_home(), node_modules()
    with locked(home):
        return compile_all((PLANTED,), modules, home / "solc", lambda _: None)


def plant(world: World[Anvil], name: str) -> Bound:
    """Deploy one of the thieves."""
    artifact = artifacts()[name]
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
    unsigned: dict[str, Any] = {
        **fees,
        "type": 4,
        "chainId": chain,
        "nonce": nonce,
        "value": 0,
        "to": target or owner.address,
        "data": data,
        "authorizationList": [allowed],
    }
    signed = owner.sign_transaction(unsigned)
    hash_ = request("eth_sendRawTransaction", "0x" + signed.raw_transaction.hex())
    receipt = world.node._receipt(Tx(owner.address, owner.address, label="delegate"), hash_)
    # The node counts the next nonce from its pool, which does not know that this one took two.
    world.node._settle()
    return receipt


@dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"{self.place.name}-{self.form}"

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
        """Carry out an intent one second after the head, however long the test has run."""
        self.world.node.set_next_timestamp(self.world.node.timestamp() + 1)
        return self.world.node.send(self.tx(intent))

    def mined(self, intent: GuardIntent) -> dict[str, Any]:
        """Send an intent that may fail; return the receipt."""
        hash_ = self.world.node.rpc.request("eth_sendTransaction", self.tx(intent).params())
        receipt = None
        while receipt is None:
            receipt = self.world.node.rpc.request("eth_getTransactionReceipt", hash_)
        return dict(receipt)

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
    world.node.fund([owner.address, EXECUTOR, GUARDIAN, THIEF])
    debt = where.open(owner.address)
    # What was borrowed is spent: the wallet is empty.
    usdc = world.token("USDC")
    world.node.send(
        usdc.tx(owner.address, "transfer", world.book.whale, usdc.call("balanceOf", owner.address))
    )
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
