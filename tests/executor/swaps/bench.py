"""The world's venues, and a swapper on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from world.actors import tokens as purse
from world.anvil import Anvil
from world.contract import ERC20
from world.node import Tx
from world.world import World, actor

from chain.calls import Reads, Unknown
from chain.client import ChainSpec, connect
from chain.types import Address, checksum
from executor.swaps import (
    Approval,
    Limits,
    NoSwap,
    Order,
    Question,
    Route,
    Side,
    Swap,
    Venue,
    best_swap,
)
from executor.swaps.balancer_v2 import BalancerV2
from executor.swaps.quotes import quote
from executor.swaps.types import Terms
from executor.swaps.uniswap_v2 import UniswapV2
from executor.swaps.uniswap_v3 import UniswapV3
from executor.swaps.uniswap_v4 import UniswapV4
from executor.types import Call
from protocols.types import Price, Token
from tests.support import referee

LAX = Limits(slippage_bps=30, max_cost_bps=10_000, max_gain_bps=10_000)
OWNER = checksum(actor("swapper"))
RECIPIENT = checksum(actor("recipient of swaps"))
FAR = 2**40
SIDES = tuple(Side)
T = TypeVar("T")


def venues_of(world: World[Anvil]) -> dict[str, Venue]:
    """Return every venue of the world by a short name; v3 is there with both of its routers."""
    v2, v3, v4, b2 = (
        world.book[name] for name in ("uniswap-v2", "uniswap-v3", "uniswap-v4", "balancer-v2")
    )
    roots = (checksum(v3["factory"]), checksum(v3["quoter"]))
    return {
        "v2": UniswapV2("Uniswap v2", checksum(v2["factory"]), checksum(v2["router"])),
        "v3": UniswapV3("Uniswap v3", *roots, checksum(v3["router"]), router_02=False),
        "v3-02": UniswapV3("Uniswap v3", *roots, checksum(v4["swap_router_02"])),
        "v4": UniswapV4(
            "Uniswap v4",
            checksum(v4["pool_manager"]),
            checksum(v4["quoter"]),
            checksum(v4["universal_router"]),
            checksum(v4["permit2"]),
            checksum(world.book.tokens["WETH"].address),
        ),
        "balancer": BalancerV2(
            "Balancer v2",
            checksum(b2["vault"]),
            tuple(pool["id"] for pool in b2["pools"].values()),
        ),
    }


def venues_once(bench: "Bench") -> list[Venue]:
    """Return each venue once."""
    found = venues_of(bench.world)
    del found["v3"]
    return list(found.values())


@dataclass(frozen=True)
class Bench:
    """A world, and what a test asks of it."""

    world: World[Anvil]

    def token(self, symbol: str) -> Token:
        found = self.world.book.tokens[symbol]
        return Token(checksum(found.address), symbol, found.decimals)

    def price(self, symbol: str) -> Price:
        feed = self.world.book.feeds[str(self.world.book.tokens[symbol].feed)]
        raw = self.world.contract("chainlink/EACAggregatorProxy", feed.proxy).call("latestAnswer")
        return Price(self.token(symbol).address, "USD", raw, feed.decimals, "feed", "feed", None)

    def question(self, pair: tuple[str, str], side: Side, amount: int) -> Question:
        one, other = pair
        prices = self.price(one), self.price(other)
        via = (self.token("WETH").address,)
        return Question(self.token(one), self.token(other), side, amount, OWNER, *prices, via)

    def run(self, program: Reads[T]) -> T:
        """Answer a program by single calls at the head."""
        rpc = self.world.node.rpc
        return referee.run(program, rpc, referee.head(rpc))

    def best(
        self, question: Question, venues: Sequence[Venue], limits: Limits = LAX
    ) -> Swap | NoSwap:
        """Answer a question through the chain room."""
        client = connect(ChainSpec("world", self.world.node.chain_id, (self.world.node.url,)))
        with client:
            at = client.head()
            return client.snapshot(at).run(best_swap(question, venues, limits, at))

    def swap(self, question: Question, venues: Sequence[Venue], limits: Limits = LAX) -> Swap:
        found = self.best(question, venues, limits)
        assert isinstance(found, Swap), found
        return found

    def quote(self, route: Route, side: Side, amount: int) -> int | Unknown:
        return self.run(quote([(route, amount)], side, OWNER))[route, amount]

    def held(self, token: Address, who: Address) -> int:
        held: int = self.world.node.at(token, ERC20).call("balanceOf", who)
        return held

    def send(self, call: Call) -> None:
        self.world.node.send(Tx(OWNER, call.to, "0x" + call.data.hex(), call.value, label="swap"))

    def execute(self, order: Order) -> tuple[int, int]:
        """Give the owner what the order may take, send it; return what was taken and paid."""
        token_in, *_, token_out = order.leg.route.tokens
        symbol = next(s for s, t in self.world.book.tokens.items() if t.address == token_in)
        purse.mint(self.world, symbol, OWNER, order.max_in)
        before = self.held(token_in, OWNER), self.held(token_out, RECIPIENT)
        for call in (*order.approval.grant, order.call):
            self.send(call)
        taken = before[0] - self.held(token_in, OWNER)
        return taken, self.held(token_out, RECIPIENT) - before[1]

    def allowances(self, approval: Approval) -> list[int]:
        """Return what the spender may still take, of the token and through Permit2."""
        token = self.world.node.at(approval.token, ERC20)
        if approval.permit2 is None:
            return [token.call("allowance", OWNER, approval.spender)]
        permit2 = self.world.contract("uniswap-v4/Permit2", approval.permit2)
        through: int = permit2.call("allowance", OWNER, approval.token, approval.spender)[0]
        return [token.call("allowance", OWNER, approval.permit2), through]


def terms(side: Side, given: int, quoted: int) -> Terms:
    """Return terms that allow the very quote and nothing worse."""
    amounts = (given, quoted) if side is Side.EXACT_IN else (quoted, given)
    return Terms(side, *amounts, account=OWNER, recipient=RECIPIENT, deadline=FAR)
