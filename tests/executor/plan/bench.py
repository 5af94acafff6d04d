"""Plan on the test world, then carry the plan out for real and look at everything again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from world.actors import morpho as morpho_actor
from world.anvil import Anvil
from world.world import World

from chain.calls import ReadFailed, gather
from chain.client import ChainSpec, Client, connect
from chain.pool import Patience
from chain.types import ZERO_ADDRESS, Address, checksum
from executor.plan.build import Request
from executor.plan.cost import gas_price
from executor.plan.lab import Lab
from executor.plan.types import Plan, PositionView
from executor.plan.view import view
from executor.swaps.types import Venue
from executor.swaps.uniswap_v3 import UniswapV3
from protocols.adapter import Market
from protocols.prices.book import PriceBook
from protocols.registry import BY_NAME
from protocols.types import Position, Price, Unpriced

VALID_S = 600


def client_of(world: World[Anvil]) -> Client:
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    return connect(spec, patience=Patience(1, sleep=lambda _: None))


def markets_of(world: World[Anvil]) -> tuple[Market, ...]:
    book = world.book
    tokens = tuple(checksum(book.tokens[s].address) for s in ("USDC", "WETH", "WBTC", "DAI"))
    ids = tuple(
        bytes.fromhex(morpho_actor.page(world, name)["id"][2:])
        for name in ("WETH/USDC", "WBTC/USDC")
    )
    roots = [("aave-v3", n, book[n]["pool_addresses_provider"]) for n in ("aave-3.0", "aave-3.6")]
    vault = checksum(book["metamorpho"]["vault"])
    plain = checksum(book["erc4626"]["pvDAI"])
    manager = checksum(book["uniswap-v3"]["position_manager"])
    spenders = tuple(checksum(book[n]["pool"]) for n in ("aave-3.0", "aave-3.6"))
    wallet = {"tokens": tokens, "spenders": spenders}
    return (
        *(Market(a, n, checksum(r), {}) for a, n, r in roots),
        Market("morpho-blue", "Morpho", checksum(book["morpho"]["morpho"]), {"market_ids": ids}),
        Market("compound-v2", "Compound", checksum(book["compound-v2"]["comptroller"]), {}),
        Market("erc4626", "wUSDC", vault, {}),
        Market("erc4626", "pvDAI", plain, {}),
        Market("uniswap-v3", "Uniswap", manager, {}),
        Market("wallet", "wallet", ZERO_ADDRESS, wallet),
    )


def venues_of(world: World[Anvil]) -> tuple[Venue, ...]:
    page = world.book["uniswap-v3"]
    factory, quoter, router = (checksum(page[key]) for key in ("factory", "quoter", "router"))
    return (UniswapV3("Uniswap v3", factory, quoter, router, router_02=False),)


def lab_of(world: World[Anvil], account: str, wallet: str | None = None, **more: Any) -> Lab:
    """Read an account as the command line does; `more` replaces parts of the lab."""
    client = client_of(world)
    at = client.head()
    owner, payer = checksum(account), checksum(wallet or account)
    accounts = tuple(dict.fromkeys((owner, payer)))
    markets = markets_of(world)
    programs = [BY_NAME[m.adapter].read(m, accounts, at) for m in markets]
    readings = client.snapshot(at).run(gather(programs))
    positions: list[Position] = []
    prices: list[Price | Unpriced] = []
    for reading in readings:
        assert not isinstance(reading, ReadFailed), reading
        positions += [p for p in reading.positions if isinstance(p, Position)]
        prices += reading.prices
    weth = checksum(world.book.tokens["WETH"].address)
    lab = Lab(
        client=client,
        at=at,
        time=at.timestamp + VALID_S,
        account=owner,
        wallet=payer,
        markets=markets,
        positions=tuple(positions),
        book=PriceBook(own=tuple(prices), wrapped_native=weth),
        venues=venues_of(world),
    )
    return replace(lab, **more)


def position_in(lab: Lab, market: str) -> Position:
    """Return the account's position in a market."""
    return next(p for p in lab.positions if market in p.market and p.owner == lab.account)


def request_of(lab: Lab, name: str = "test") -> Request:
    return Request(name, "a test", None, lab.time, gas_price(lab))


def carry_out(
    world: World[Anvil], plan: Plan, *, exact_gas: bool = True
) -> tuple[PositionView, ...]:
    """Send every step, all in one block of the plan's own time; return the account then."""
    node = world.node
    node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(0))
    node.automine(False)
    try:
        hashes = [
            node.rpc.request(
                "eth_sendTransaction",
                {
                    "from": step.sender,
                    "to": step.call.to,
                    "data": "0x" + step.call.data.hex(),
                    "value": hex(step.call.value),
                    "gas": hex(step.gas_limit),
                    # as a simulation has it: no fee is taken from the balance
                    "maxFeePerGas": hex(0),
                    "maxPriorityFeePerGas": hex(0),
                },
            )
            for step in plan.steps
        ]
        node.mine_at(plan.time)
    finally:
        node.automine(True)
    for step, hash_ in zip(plan.steps, hashes, strict=True):
        receipt = node.rpc.request("eth_getTransactionReceipt", hash_)
        assert receipt["status"] == "0x1", step.what
        used = int(receipt["gasUsed"], 16)
        assert used == step.gas_used or not exact_gas
        assert used < step.gas_limit
    then = lab_of(world, plan.account, plan.wallet)
    assert then.at.timestamp == plan.time
    return tuple(view(p, then.book) for p in then.positions)


def health_of(views: Sequence[PositionView], position_id: str) -> int | None:
    return next(v.health_raw for v in views if v.id == position_id)


def address(world: World[Anvil], symbol: str) -> Address:
    return checksum(world.book.tokens[symbol].address)
