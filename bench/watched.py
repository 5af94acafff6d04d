"""Fifty wallets with forty positions each, on the protocols' own bytecode, and their config.

Each wallet borrows in thirty isolated Morpho markets (four pairs, eight thresholds) and in two
Aave markets, holds three vaults, provides four Uniswap ranges and has a purse. All but the first
wallet's first loan are far from liquidation.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "contracts"))

if TYPE_CHECKING:
    from world.anvil import Anvil
    from world.node import Tx
    from world.world import World

WAD: Final = 10**18
PAIRS: Final = ("WETH/USDC", "WBTC/USDC", "WBTC/WETH", "wstETH/WETH")
LLTVS: Final = (385, 625, 770, 860, 915, 945, 965, 980)
MORPHO: Final = 30
"""Morpho markets of each wallet."""
NFTS: Final = 4
VAULTS: Final = ("wUSDC", "pvDAI", "pvUSDC")
AAVE: Final = {"aave-3.0": "Aave 3.0", "aave-3.6": "Aave 3.6"}
LOAN: Final = 100.0
"""Dollars borrowed in each market."""
HEALTH: Final = 3.0
WATCHED_HEALTH: Final = 1.6
"""Of the first wallet's first loan: the only one that a bench pushes over a threshold."""
DOLLARS: Final = {"USDC": 1.0, "WETH": 3000.0}


@dataclass(frozen=True)
class Crowd:
    """Who is watched."""

    world: World[Anvil]
    wallets: tuple[str, ...]
    market_ids: tuple[str, ...]

    @property
    def watched(self) -> tuple[str, str]:
        """The wallet and the market of the loan that is nearest to liquidation."""
        return self.wallets[0], self.market_ids[0]


def open_crowd(world: World[Anvil], wallets: int = 50, markets: int = MORPHO) -> Crowd:
    """Open everything; takes about half a minute for 50 wallets."""
    from world.world import actor

    users = tuple(actor(f"watched {i}") for i in range(wallets))
    node = world.node
    node.fund(users, 10**20)
    with node.ticking():
        params = _markets(world, markets)
        _lend(world, params, wallets)
        _borrow(world, params, users)
        _aave(world, users)
        _vaults(world, users)
        _ranges(world, users)
    ids = tuple("0x" + _id(p).hex() for _, p in params)
    return Crowd(world, users, ids)


Params = tuple[str, str, str, str, int]


def _id(params: Params) -> bytes:
    return bytes(keccak(encode(["address", "address", "address", "address", "uint256"], params)))


def _markets(world: World[Anvil], count: int) -> list[tuple[str, Params]]:
    from world.actors import morpho

    bound, found = morpho.morpho(world), []
    for lltv in LLTVS:
        for pair in PAIRS:
            loan, collateral, oracle, irm, own = morpho.params(world, pair)
            params = (loan, collateral, oracle, irm, lltv * WAD // 1000)
            if params[4] != own:
                bound.send(world.book.admin, "createMarket", params)
            found.append((pair, params))
    return found[:count]


def _sent(world: World[Anvil], txs: Iterator[Tx] | list[Tx]) -> None:
    world.node.send_many([replace(tx, gas=max(tx.gas, 600_000)) for tx in txs])


def _lend(world: World[Anvil], markets: list[tuple[str, Params]], wallets: int) -> None:
    from world.actors import morpho, tokens

    whale, bound = world.book.whale, morpho.morpho(world)
    for symbol, dollars in DOLLARS.items():
        whole = 3 * LOAN * wallets * len(markets) / dollars
        _sent(world, tokens.mint_txs(world, symbol, whale, world.amount(symbol, whole)))
        _sent(world, [tokens.approve_tx(world, symbol, whale, bound.address)])
    _sent(
        world,
        [
            bound.tx(whale, "supply", params, _loan(world, pair) * 2 * wallets, 0, whale, b"")
            for pair, params in markets
        ],
    )


def _loan(world: World[Anvil], pair: str) -> int:
    symbol = pair.partition("/")[2]
    return world.amount(symbol, LOAN / DOLLARS[symbol])


def _borrow(world: World[Anvil], markets: list[tuple[str, Params]], users: tuple[str, ...]) -> None:
    from world.actors import morpho, tokens

    bound = morpho.morpho(world)
    needed: dict[tuple[str, str], int] = {}
    steps: list[tuple[str, Params, int, int]] = []
    for i, user in enumerate(users):
        for j, (pair, params) in enumerate(markets):
            health = WATCHED_HEALTH if (i, j) == (0, 0) else HEALTH + (i + j) % 7 / 10
            debt, price = _loan(world, pair), morpho.oracle_price(world, pair)
            collateral = int(debt * 10**36 // price * WAD // params[4] * health)
            steps.append((user, params, collateral, debt))
            key = user, pair.partition("/")[0]
            needed[key] = needed.get(key, 0) + collateral
    mints = [t for (u, s), n in needed.items() for t in tokens.mint_txs(world, s, u, n + 1)]
    _sent(world, mints)
    _sent(world, [tokens.approve_tx(world, s, u, bound.address) for u, s in needed])
    _sent(world, [bound.tx(u, "supplyCollateral", p, c, u, b"") for u, p, c, _ in steps])
    _sent(world, [bound.tx(u, "borrow", p, d, 0, u, u) for u, p, _, d in steps])


def _aave(world: World[Anvil], users: tuple[str, ...]) -> None:
    from world.actors import aave, tokens

    amount, debt = world.amount("WETH", 1), world.amount("USDC", 500)
    for market in AAVE:
        _sent(world, [t for u in users for t in tokens.mint_txs(world, "WETH", u, amount)])
        _sent(world, [t for u in users for t in aave.supply_txs(world, market, u, "WETH", amount)])
        _sent(world, [aave.borrow_tx(world, market, u, "USDC", debt) for u in users])


def _vaults(world: World[Anvil], users: tuple[str, ...]) -> None:
    from world.actors import vaults

    for name in VAULTS:
        amount = world.amount(vaults.ASSETS[name], 50)
        _in_turn(world, [vaults.deposit_txs(world, name, u, amount) for u in users])


def _ranges(world: World[Anvil], users: tuple[str, ...]) -> None:
    from world.actors import uniswap

    first, second = uniswap.in_order(world, "WETH", "USDC")
    _, tick = uniswap.sqrt_price_and_tick(world, first, second, 3000)
    middle = tick // 60 * 60
    raw = {"WETH": world.amount("WETH", 0.1), "USDC": world.amount("USDC", 300)}
    for n in range(1, NFTS + 1):
        width = 600 * n
        ends = (middle - width, middle + width, raw[first], raw[second])
        _in_turn(
            world,
            [uniswap.mint_position_txs(world, u, first, second, 3000, *ends) for u in users],
        )


def _in_turn(world: World[Anvil], lists: list[list[Tx]]) -> None:
    """Send what others send first, then what each user does: order holds per sender only."""
    admin = world.book.admin
    world.node.send_many([tx for txs in lists for tx in txs if tx.sender == admin])
    world.node.send_many([tx for txs in lists for tx in txs if tx.sender != admin])


def config_text(crowd: Crowd, url: str, *, ws: str | None = None, extra: str = "") -> str:
    """Return the config that watches the crowd; `extra` are further tables."""
    book: Any = crowd.world.book
    ids = ", ".join(f'"{i}"' for i in crowd.market_ids)
    lines = [
        "version = 1",
        "",
        "[chains.bench]",
        f"chain_id = {crowd.world.node.chain_id}",
        f'rpc = ["{url}"]',
        *([f'ws = "{ws}"'] if ws else []),
        f'multicall3 = "{book["multicall3"]["address"]}"',
        "discover = false",
    ]
    rows = [
        *(("aave-v3", name, f'pool_addresses_provider = "{book[m]["pool_addresses_provider"]}"')
          for m, name in AAVE.items()),
        ("morpho-blue", "Morpho", f'morpho = "{book["morpho"]["morpho"]}"\nmarket_ids = [{ids}]'),
        ("erc4626", "wUSDC", f'vault = "{book["metamorpho"]["vault"]}"'),
        ("erc4626", "pvDAI", f'vault = "{book["erc4626"]["pvDAI"]}"'),
        ("erc4626", "pvUSDC", f'vault = "{book["erc4626"]["pvUSDC"]}"'),
        ("uniswap-v3", "Uniswap", f'position_manager = "{book["uniswap-v3"]["position_manager"]}"'),
    ]  # fmt: skip
    for adapter, name, keys in rows:
        lines += [
            "",
            "[[chains.bench.markets]]",
            f'adapter = "{adapter}"',
            f'name = "{name}"',
            keys,
        ]
    listed = [t for s, t in book.tokens.items() if s in ("USDC", "WETH", "WBTC", "DAI")]
    tokens = ", ".join(f'"{t.address}"' for t in listed)
    lines += ["", "[[chains.bench.markets]]", 'adapter = "wallet"', f"tokens = [{tokens}]"]
    priced = {t.address: t.feed for t in listed if t.feed}
    priced["0x" + "0" * 40] = "ETH / USD"
    for token, feed in priced.items():
        lines += ["", "[[chains.bench.prices]]", f'token = "{token}"', 'quote = "USD"']
        lines += [f'feed = "{book.feeds[feed].proxy}"']
    for i, wallet in enumerate(crowd.wallets):
        lines += ["", f"[wallets.w{i:02}]", f'address = "{wallet}"']
    return "\n".join([*lines, "", extra]) + "\n"
