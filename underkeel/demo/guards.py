"""The demo's guards: what an owner sets up once, so that a key without powers can come to help.

Aave's position gets the delegate form: its owner's account runs the guard's code (EIP-7702).
Morpho's gets a module, a contract beside the account that Morpho lets act for it.
"""

from dataclasses import dataclass
from typing import Any, Final

from chain.transactions import Authorization, Kind, Transaction
from chain.types import Address, checksum
from executor.guard import (
    NATIVE,
    UNLIMITED,
    Asset,
    Lender,
    LenderKind,
    Policy,
    Protocol,
    Rule,
    delegate_init,
    encode_configure,
    grants,
    module_init,
    rule,
)
from executor.swaps.uniswap_v3 import SWAP_OUT
from underkeel.demo.stage import ETHER, Stage

FORMS: Final = {"Aave 3.6": "delegate", "Morpho": "module"}
"""By the market that is guarded."""
GAS: Final = 15_000_000
GWEI: Final = 10**9
DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Guarded:
    """One market's guard."""

    market: str
    form: str
    guard: Address


def set_up(stage: Stage, owner: Any, executor: Address) -> tuple[Guarded, ...]:
    """Deploy, configure and empower both guards; `owner` signs what only an owner can sign."""
    world = stage.world
    for who in (owner.address, executor):
        world.node.set_balance(who, 3 * ETHER)
    return (_delegate(stage, owner, executor), _module(stage, owner.address, executor))


def _delegate(stage: Stage, owner: Any, executor: Address) -> Guarded:
    """One transaction of the owner delegates the account and configures the guard."""
    pool = checksum(stage.world.book["aave-3.6"]["pool"])
    policy = _policy(executor, Protocol.AAVE_V3, pool, bytes(32), 10_000 * 10**8)
    code = _deploy(stage, delegate_init(Protocol.AAVE_V3))
    account = Address(owner.address)
    data = _configured(stage, policy, account, ("WETH", "USDC", "DAI"), None)
    nonce = int(_ask(stage, "eth_getTransactionCount", account, "pending"), 16)
    leave = owner.authorize(Authorization(stage.chain_id, code, nonce + 1))
    signed = owner.sign(
        Transaction(
            stage.chain_id, nonce, account, 0, data, GAS, 50 * GWEI, GWEI, (leave,), Kind.DELEGATE
        )
    )
    _ask(stage, "eth_sendRawTransaction", "0x" + signed.hex())
    return Guarded("Aave 3.6", "delegate", account)


def _module(stage: Stage, owner: Address, executor: Address) -> Guarded:
    """A contract of the owner's; Morpho is told to let it act."""
    from world.actors import morpho

    world = stage.world
    place = checksum(world.book["morpho"]["morpho"])
    market = morpho.market_id(world, "WETH/USDC")
    policy = _policy(executor, Protocol.MORPHO_BLUE, place, market, 10_000 * 10**6)
    guard = _deploy(stage, module_init(Protocol.MORPHO_BLUE, owner))
    _send(stage, owner, guard, _configured(stage, policy, guard, ("WETH", "USDC"), place))
    for call in grants(policy, guard, {}):
        _send(stage, owner, call.to, call.data)
    return Guarded("Morpho", "module", guard)


def _policy(
    executor: Address, protocol: Protocol, market: Address, market_id: bytes, window_loss: int
) -> Policy:
    return Policy(
        executor=executor,
        valid_until=2**40,
        cooldown=0,
        guardian=NATIVE,
        window=DAY_S,
        max_loss_bps=300,
        max_flash_fee_bps=10,
        protocol=protocol,
        may_borrow=False,
        market=market,
        max_base_fee=200 * GWEI,
        market_id=market_id,
        trigger=ETHER * 11 // 10,
        floor=ETHER * 12 // 10,
        ceiling=UNLIMITED,
        max_window_loss=window_loss,
    )


def _configured(
    stage: Stage, policy: Policy, guard: Address, symbols: tuple[str, ...], source: Address | None
) -> bytes:
    """Return the owner's call: what is watched, who lends, which router may be asked."""
    book = stage.world.book
    tokens = [checksum(book.tokens[symbol].address) for symbol in symbols]
    lenders = (
        Lender(LenderKind.MORPHO, checksum(book["morpho"]["morpho"])),
        Lender(LenderKind.AAVE_V3, checksum(book["aave-3.6"]["pool"])),
    )
    router = checksum(book["uniswap-v3"]["router"])
    rules: tuple[Rule, ...] = (rule(router, SWAP_OUT, None, None, guard),)
    assets = tuple(Asset(token, source or token, True, 0) for token in tokens)
    return encode_configure(policy, assets, lenders, rules)


def _deploy(stage: Stage, init: bytes) -> Address:
    from world.node import Tx

    receipt = stage.world.node.send(Tx(stage.world.book.admin, None, "0x" + init.hex(), gas=GAS))
    return checksum(receipt["contractAddress"])


def _send(stage: Stage, sender: Address, to: Address, data: bytes) -> None:
    from world.node import Tx

    stage.world.node.send(Tx(sender, to, "0x" + data.hex(), gas=GAS))


def _ask(stage: Stage, method: str, *params: Any) -> Any:
    return stage.world.node.rpc.request(method, *params)
