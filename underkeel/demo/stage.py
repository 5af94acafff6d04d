"""The demo's chain: start it, open positions on every adapter, crash a price, liquidate.

The world of the test set-up is used, from the checkout this program runs in; nothing here is
imported unless the demo runs.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from eth_utils.crypto import keccak

from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Position
from risk.liquidation.engine import Seizure
from underkeel.errors import AppError

if TYPE_CHECKING:
    from world.world import World

CRASHED: Final = "ETH / USD"
CRASH: Final = -0.25
ETHER: Final = 10**18
AAVE: Final = {"aave-3.0": "Aave 3.0", "aave-3.6": "Aave 3.6"}
ANVIL, IN_PROCESS = "anvil", "eth-tester"
NAMES: Final = ("daring", "careful")
OPERATOR: Final = "ops"
OWNERS: Final = slice(6, 8)
MOST_TRADED: Final = {"WETH": 5_000, "USDC": 20_000_000}
LIQUIDATOR: Final = 8
"""Which of the node's own accounts liquidates."""


class NoCheckout(AppError):
    """The local chain's recipe is not beside the program."""

    def __init__(self, where: Path) -> None:
        super().__init__(
            f"the demo needs the source checkout, and {where} is not there; clone the repository "
            "and run `make demo` in it"
        )


@dataclass(frozen=True)
class Stage:
    """A running chain with the demo's positions on it."""

    world: "World[Any]"
    node_kind: str
    """`anvil` or `eth-tester`."""

    @property
    def url(self) -> str:
        """Return the node's RPC URL."""
        return str(self.world.node.url)

    @property
    def chain_id(self) -> int:
        """Return the node's random chain id."""
        return int(self.world.node.chain_id)

    @property
    def owners(self) -> dict[str, str]:
        """Return the demo's accounts by the name they have in its config."""
        from world.world import actor

        if self.node_kind == ANVIL:
            return {NAMES[0]: _address(NAMES[0]), NAMES[1]: actor(f"demo {NAMES[1]}")}
        # only its own accounts can send there
        return dict(zip(NAMES, self.world.book.accounts[OWNERS], strict=True))

    @property
    def operator(self) -> str:
        """Return who signs rescues, and has no powers beside."""
        return _address(OPERATOR)

    @property
    def liquidator(self) -> str:
        """Return who liquidates."""
        return str(self.world.book.accounts[LIQUIDATOR])

    def detach(self) -> int:
        """Leave the node running when this program ends; return its process id."""
        return int(self.world.node.detach())


def demo_key(who: str) -> bytes:
    """Return a private key of the demo, which anybody can work out: worth nothing elsewhere."""
    return keccak(text=f"underkeel demo {who}")


def _address(who: str) -> str:
    from eth_account import Account

    return str(Account.from_key(demo_key(who)).address)


def import_world(contracts: Path | None = None) -> None:
    """Make the package `world` importable; raises `NoCheckout`."""
    folder = contracts or Path(__file__).resolve().parents[2] / "contracts"
    if not (folder / "world" / "__init__.py").is_file():
        raise NoCheckout(folder / "world")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


class NoStage(AppError):
    """The local chain could not be started; the message is the recipe's own."""


@contextmanager
def open_stage(port: int | None) -> Iterator[Stage]:
    """Start the chain, building the world first if need be, and open the positions.

    Without an anvil that runs on this machine it is the in-process EVM, on a port of its own.
    """
    import_world()
    from world.rpc import WorldError

    with ExitStack() as stack:
        try:
            stage = _started(port, stack)
            open_positions(stage)
        except WorldError as error:
            raise NoStage(str(error)) from error
        yield stage


def _started(port: int | None, stack: ExitStack) -> Stage:
    from world import world as recipe
    from world.anvil import AnvilError
    from world.install import NoAnvil

    try:
        return Stage(stack.enter_context(recipe.start(clock="wall", port=port)), ANVIL)
    except (NoAnvil, AnvilError, OSError):
        if port is not None:
            raise
    from world.tester import start_tester

    return Stage(stack.enter_context(start_tester(clock="wall")), IN_PROCESS)


def open_positions(stage: Stage) -> None:
    """Give both owners something on every adapter; the daring one borrows close to the limit."""
    from world.actors import aave, morpho, tokens, uniswap, vaults

    world, owners = stage.world, stage.owners
    daring, careful = owners["daring"], owners["careful"]
    if stage.node_kind == ANVIL:
        for owner in (daring, careful):
            world.node.set_balance(owner, 3 * ETHER)
    eth = price_of(stage, CRASHED)
    btc = price_of(stage, "BTC / USD")
    for market in AAVE:
        aave.supply(world, market, daring, "WETH", 10)
        aave.borrow(world, market, daring, "USDC", round(10 * eth * 0.70, 2))
        aave.supply(world, market, careful, "WETH", 20)
        aave.borrow(world, market, careful, "USDC", round(20 * eth * 0.30, 2))
    morpho.supply_collateral(world, "WETH/USDC", daring, 5)
    morpho.borrow(world, "WETH/USDC", daring, round(5 * eth * 0.72, 2))
    morpho.supply_collateral(world, "WBTC/USDC", careful, 1)
    morpho.borrow(world, "WBTC/USDC", careful, round(btc * 0.40, 2))
    vaults.deposit(world, "wUSDC", careful, 25_000)
    vaults.deposit(world, "pvDAI", daring, 5_000)
    first, second = uniswap.in_order(world, "WETH", "USDC")
    _, tick = uniswap.sqrt_price_and_tick(world, first, second, 3000)
    middle = tick // 60 * 60
    raw = {"WETH": world.amount("WETH", 4), "USDC": world.amount("USDC", 4 * eth)}
    uniswap.mint(
        world, careful, first, second, 3000, middle - 1200, middle + 1200, raw[first], raw[second]
    )
    tokens.mint(world, "USDC", daring, world.amount("USDC", 1_000))
    tokens.mint(world, "WBTC", careful, world.amount("WBTC", 0.25))
    for market in AAVE:
        asset = "USDC"
        amount = world.amount(asset, 10_000_000)
        aave.prepare_liquidator(world, market, stage.liquidator, asset, amount)
    liquidator = stage.liquidator
    for market in ("WETH/USDC", "WBTC/USDC"):
        morpho.prepare_liquidator(world, market, liquidator, world.amount("USDC", 10_000_000))


def price_of(stage: Stage, feed: str) -> float:
    """Return a feed's answer in whole units of its quote."""
    from world.actors import feeds

    raw = feeds.price(stage.world, feed)
    return float(raw / 10 ** stage.world.book.feeds[feed].decimals)


def crash(stage: Stage, fraction: float = CRASH) -> str:
    """Submit a fall as a real round; return it in words."""
    from world.actors import feeds

    before = price_of(stage, CRASHED)
    feeds.crash(stage.world, CRASHED, fraction)
    after = price_of(stage, CRASHED)
    return f"{CRASHED} {before:,.2f} → {after:,.2f} ({fraction:+.0%})"


def arbitrage(stage: Stage) -> None:
    """Have traders bring the pools to the feed's price, as they do within a block or two."""
    from world.actors import uniswap

    world, price = stage.world, price_of(stage, CRASHED)
    most = {symbol: world.amount(symbol, whole) for symbol, whole in MOST_TRADED.items()}
    for fee in (500, 3000):
        uniswap.trade_to(world, stage.liquidator, "WETH", "USDC", fee, price, most)


def config_text(stage: Stage) -> str:
    """Return the config that reads the demo's chain, written as any owner would write it."""
    book = stage.world.book
    lines = [
        "version = 1",
        "",
        "[chains.demo]",
        f"chain_id = {stage.chain_id}",
        f'rpc = ["{stage.url}"]',
        'max_block_age = "1d"',
        f'multicall3 = "{book["multicall3"]["address"]}"',
    ]
    roots = [
        *(("aave-v3", n, "pool_addresses_provider", book[m]["pool_addresses_provider"])
          for m, n in AAVE.items()),
        ("morpho-blue", "Morpho", "morpho", book["morpho"]["morpho"]),
        ("erc4626", "wUSDC", "vault", book["metamorpho"]["vault"]),
        ("erc4626", "pvDAI", "vault", book["erc4626"]["pvDAI"]),
        ("uniswap-v3", "Uniswap", "position_manager", book["uniswap-v3"]["position_manager"]),
    ]  # fmt: skip
    for adapter, name, key, root in roots:
        lines += ["", "[[chains.demo.markets]]", f'adapter = "{adapter}"', f'name = "{name}"']
        lines += [f'{key} = "{root}"']
    listed = [t.address for s, t in book.tokens.items() if s in ("USDC", "WETH", "WBTC", "DAI")]
    tokens = ", ".join(f'"{address}"' for address in listed)
    lines += ["", "[[chains.demo.markets]]", 'adapter = "wallet"', f"tokens = [{tokens}]"]
    weth = book.tokens["WETH"]
    priced = {t.address: t.feed for t in book.tokens.values() if t.address in listed and t.feed}
    priced["0x" + "0" * 40] = weth.feed or CRASHED
    for token, feed in priced.items():
        lines += ["", "[[chains.demo.prices]]", f'token = "{token}"', 'quote = "USD"']
        lines += [f'feed = "{book.feeds[feed].proxy}"']
    for name, owner in stage.owners.items():
        lines += ["", f"[wallets.{name}]", f'address = "{owner}"']
    return "\n".join(lines) + "\n"


def prove(stage: Stage, position: Position, seizure: Seizure) -> str | None:
    """Liquidate for real what an assessment says may be, undo it, and say what happened.

    The liquidation is mined with the timestamp of the block that was read, so that not a second
    of interest lies between the prediction and the fact. None on a node that cannot undo.
    """
    from world.actors import aave, morpho
    from world.node import Reverted

    world, node = stage.world, stage.world.node
    symbols = {token.address: symbol for symbol, token in world.book.tokens.items()}
    collateral, debt = symbols[seizure.collateral], symbols[seizure.debt]
    liquidator = stage.liquidator
    if stage.node_kind != ANVIL:
        return None  # there is no undoing there
    with node.rollback():
        before = world.token(collateral).call("balanceOf", liquidator)
        paid_before = world.token(debt).call("balanceOf", liquidator)
        node.set_next_timestamp(position.at.timestamp)
        try:
            if isinstance(position.state, MorphoPosition):
                market = f"{collateral}/{debt}"
                tx = morpho.liquidation_tx(
                    world, market, liquidator, position.owner, seized=seizure.seized
                )
            else:
                page = next(
                    m for m in AAVE if world.book[m]["pool_addresses_provider"] == position.root
                )
                ask = seizure.repaid if seizure.ask is None else seizure.ask
                tx = aave.liquidation_tx(
                    world, page, liquidator, position.owner, collateral, debt, ask
                )
            node.send(tx)
        except Reverted as reverted:
            return f"a real liquidation reverted: {reverted.reason}"
        seized = world.token(collateral).call("balanceOf", liquidator) - before
        paid = paid_before - world.token(debt).call("balanceOf", liquidator)
    if (seized, paid) == (seizure.seized, seizure.repaid):
        return "a real liquidation took exactly that, to the last base unit"
    return f"a real liquidation took {seized} for {paid} base units"
