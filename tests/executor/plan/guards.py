"""Guards for the owner of a test: a module, or the delegate that the owner's account becomes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.node import Tx
from world.world import World

from chain.types import Address, checksum
from executor.guard import (
    NATIVE,
    UNLIMITED,
    Asset,
    Lender,
    LenderKind,
    Policy,
    Protocol,
    delegate_init,
    encode_configure,
    grants,
    module_init,
    rule,
)
from executor.swaps.uniswap_v3 import SWAP_OUT
from protocols.wallet.actions import UNWRAP, WRAP

FAR = 2**40
GAS = 15_000_000


def policy_of(world: World[Anvil], market: str, executor: str, **more: Any) -> Policy:
    morpho = market == "Morpho"
    book = world.book
    places = {
        "Morpho": (Protocol.MORPHO_BLUE, book["morpho"]["morpho"]),
        "Compound": (Protocol.COMPOUND_V2, book["compound-v2"]["comptroller"]),
    }
    protocol, place = places.get(market) or (Protocol.AAVE_V3, book[market]["pool"])
    values: dict[str, Any] = {
        "executor": checksum(executor),
        "valid_until": FAR,
        "cooldown": 0,
        "guardian": NATIVE,
        "window": 86_400,
        "max_loss_bps": 300,
        "max_flash_fee_bps": 10,
        "protocol": protocol,
        "may_borrow": False,
        "market": checksum(place),
        "max_base_fee": 10**12,
        "market_id": morpho_actor.market_id(world, "WETH/USDC") if morpho else bytes(32),
        "trigger": 2 * 10**18,
        "floor": 105 * 10**16,
        "ceiling": UNLIMITED,
        "max_window_loss": 10**24 if protocol is Protocol.COMPOUND_V2 else 10**13,
    }
    return Policy(**{**values, **more})


def guard_of(
    world: World[Anvil],
    market: str,
    owner: str,
    executor: str,
    *,
    form: str,
    lenders: Sequence[LenderKind] = (LenderKind.MORPHO, LenderKind.AAVE_V3),
    **more: Any,
) -> Address:
    """Deploy and configure a guard, and grant it what it needs; return its address."""
    policy = policy_of(world, market, executor, **more)
    init = (
        module_init(policy.protocol, checksum(owner))
        if form == "module"
        else delegate_init(policy.protocol)
    )
    receipt = world.node.send(Tx(world.book.admin, None, "0x" + init.hex(), gas=GAS))
    code_at = checksum(receipt["contractAddress"])
    guard = code_at
    if form == "delegate":
        guard = checksum(owner)
        world.node.set_code(owner, "0xef0100" + code_at[2:].lower())
    data = encode_configure(
        policy, _assets(world, market), _lenders(world, lenders), _rules(world, guard)
    )
    world.node.send(Tx(owner, guard, "0x" + data.hex(), gas=GAS))
    if form == "module":
        amounts = {}
        if market == "Compound":
            amounts = {checksum(world.book["compound-v2"]["ctokens"]["cETH"]): 2**128}
        elif market != "Morpho":
            a_token = checksum(world.book[market]["tokens"]["WETH"]["a_token"])
            amounts = {a_token: 2**128}
        for call in grants(policy, guard, amounts):
            world.node.send(Tx(owner, call.to, "0x" + call.data.hex(), gas=GAS))
    return guard


def _assets(world: World[Anvil], market: str) -> tuple[Asset, ...]:
    if market == "Compound":
        ctokens = {n: checksum(a) for n, a in world.book["compound-v2"]["ctokens"].items()}
        weth, usdc = (checksum(world.book.tokens[s].address) for s in ("WETH", "USDC"))
        return (
            Asset(NATIVE, ctokens["cETH"], True, 0),
            Asset(usdc, ctokens["cUSDC"], True, 0),
            Asset(weth, ctokens["cETH"], False, 0),
        )
    symbols = ("WETH", "USDC") if market == "Morpho" else ("WETH", "USDC", "DAI")
    found = []
    for symbol in symbols:
        token = checksum(world.book.tokens[symbol].address)
        source = checksum(world.book["morpho"]["morpho"]) if market == "Morpho" else token
        found.append(Asset(token, source, True, 0))
    return tuple(found)


def _lenders(world: World[Anvil], kinds: Sequence[LenderKind]) -> tuple[Lender, ...]:
    places = {
        LenderKind.MORPHO: world.book["morpho"]["morpho"],
        LenderKind.AAVE_V3: world.book["aave-3.0"]["pool"],
        LenderKind.BALANCER_V2: world.book["balancer-v2"]["vault"],
    }
    return tuple(Lender(kind, checksum(places[kind])) for kind in kinds)


def _rules(world: World[Anvil], guard: Address) -> tuple[Any, ...]:
    router = checksum(world.book["uniswap-v3"]["router"])
    weth = checksum(world.book.tokens["WETH"].address)
    return (
        # the struct is dynamic: offset, then path offset, recipient, deadline and the amounts
        rule(router, SWAP_OUT, None, None, guard),
        rule(weth, WRAP),
        rule(weth, UNWRAP),
    )
