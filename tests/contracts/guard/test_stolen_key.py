"""A thief with the executor's key and a router that the owner trusts: what can he take?

Random intents, most of them near to what passes, and random bytes. Whatever is carried out must
leave worth, health, other tokens and coin within the bound that docs/guard.md states. Worth is
summed here from balances and the oracle, not taken from the guard.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings, target
from hypothesis import strategies as st
from world.actors import aave
from world.actors.tokens import balance, mint
from world.anvil import Anvil
from world.node import Bound, Reverted, Tx
from world.rpc import RpcError
from world.world import World

from chain.types import Address
from executor.guard import ALL_NATIVE, NATIVE, UNLIMITED, Step, encode_execute, pull, step
from tests.contracts.guard.tools import FAITHLESS, KEEP, TAKE, at, bad_swap, faithless, worth
from tests.support.guard_place import ETHER, REPAY, SUPPLY, WAD, WITHDRAW
from tests.support.guard_stage import EXECUTOR, FORMS, THIEF, Stage, staged

LONGER = int(os.environ.get("UNDERKEEL_SOAK", "1"))
EXAMPLES = 40 * LONGER
WALLET = {"USDC": 3_000 * 10**6, "WETH": ETHER, "LINK": 100 * ETHER}
BPS, WINDOW = 100, 15
"""Loss of one execution in basis points of equity; of a window in thousandths."""
ROUNDING = 20_000
"""Units of Aave's base currency, 1e-8 dollars: a second's interest, and rounding."""


@dataclass(frozen=True, repr=False)
class Robbed:
    """A stage with everything a thief could want."""

    stage: Stage
    router: Bound

    def __repr__(self) -> str:
        return repr(self.stage)


@pytest.fixture(scope="module", params=FORMS)
def robbed(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Robbed]:
    with staged(anvil, "aave-3.0", request.param) as made:
        made, router = faithless(made.configure(floor=105 * WAD // 100, cooldown=0))
        made = made.configure(ceiling=UNLIMITED, trigger=UNLIMITED)
        for symbol, amount in WALLET.items():
            mint(anvil, symbol, made.account, amount)
            if made.form == "module" and symbol != "LINK":
                anvil.node.send(anvil.token(symbol).tx(made.account, "approve", made.guard, amount))
        yield Robbed(made, router)


@dataclass(frozen=True)
class Snap:
    """What the account is worth, in Aave's base currency, and what else it has."""

    worth: int
    equity: int
    health: int
    wallet: dict[str, int]
    native: int
    allowances: int


def snap(robbed: Robbed) -> Snap:
    stage, world = robbed.stage, robbed.stage.world
    pages = world.book["aave-3.0"]["tokens"]
    total = equity = 0
    for symbol in ("USDC", "WETH"):
        price = aave.oracle_price(world, "aave-3.0", symbol)
        unit = world.book.tokens[symbol].unit
        for key, sign in (("a_token", 1), ("variable_debt", -1)):
            token = world.node.at(pages[symbol][key], world.token(symbol).interface)
            value = token.call("balanceOf", stage.account) * price // unit
            equity += sign * value
        total += balance(world, symbol, stage.account) * price // unit
    targets = (robbed.router.address, stage.place.market, THIEF)
    return Snap(
        total + equity,
        equity,
        stage.health(),
        {symbol: balance(world, symbol, stage.account) for symbol in WALLET},
        int(world.node.rpc.request("eth_getBalance", stage.account, "latest"), 16),
        sum(
            world.token(symbol).call("allowance", stage.guard, spender)
            for symbol in WALLET
            for spender in targets
        ),
    )


def check(robbed: Robbed, before: Snap, after: Snap) -> int:
    """Compare with the stated bound; return the loss."""
    stage = robbed.stage
    loss = before.worth - after.worth
    most = min(before.equity * BPS // 10_000, stage.policy.max_window_loss)
    assert loss <= most + ROUNDING
    assert after.health >= stage.policy.floor
    assert after.wallet["LINK"] == before.wallet["LINK"]
    for asset, symbol in zip(stage.assets, ("USDC", "WETH"), strict=True):
        assert before.wallet[symbol] - after.wallet[symbol] <= asset.max_outflow
    assert after.native >= before.native
    # A delegate's step may take away what the owner once granted, and grants nothing.
    assert after.allowances <= before.allowances
    return loss


def carried_out(robbed: Robbed, data: bytes) -> bool:
    """Ask first, because a call is cheaper than a block; then send."""
    tx = Tx(EXECUTOR, robbed.stage.guard, "0x" + data.hex(), 0, 6_000_000, "steal")
    node = robbed.stage.world.node
    try:
        node.rpc.request("eth_call", tx.params(), "latest")
    except RpcError:
        return False
    # One second after what was measured before, however long the search has run.
    node.set_next_timestamp(node.timestamp() + 1)
    try:
        node.send(tx)
    except Reverted:
        # Interest of that second was too much for what was just within a limit.
        return False
    return True


AMOUNTS = st.one_of(
    st.integers(0, 20 * ETHER), st.sampled_from([0, 1, 10**6, ETHER, 2**128, ALL_NATIVE])
)


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    """What a thief chooses: how much to move, how badly to sell, what else to try."""
    return {
        "repaid": draw(st.integers(200, 650)),
        "sold": draw(st.one_of(st.integers(9_990, 10_200), st.integers(9_000, 12_000))),
        "pulled": draw(st.integers(0, 700)),
        "extras": draw(st.lists(st.tuples(st.integers(0, 8), AMOUNTS, st.integers(0, 9)),
                                max_size=3)),
        "flash": draw(st.booleans()),
    }  # fmt: skip


def extra(robbed: Robbed, kind: int, amount: int) -> Step:
    """One of the things a thief would add."""
    stage, router = robbed.stage, at(robbed.router)
    weth, usdc, link = (stage.place.address(name) for name in ("WETH", "USDC", "LINK"))
    pool = stage.place.market
    return (
        step(pool, WITHDRAW.encode(weth, amount, stage.guard)),
        step(pool, WITHDRAW.encode(usdc, amount, stage.account)),
        step(pool, SUPPLY.encode(weth, amount, stage.account, 0), token=weth, amount=amount),
        step(pool, REPAY.encode(usdc, amount, 2, stage.account), token=usdc, amount=amount),
        step(router, TAKE.encode(weth, stage.guard, amount), token=weth, amount=amount),
        step(router, TAKE.encode(usdc, stage.guard, amount), token=usdc, amount=amount),
        step(router, TAKE.encode(link, stage.guard, amount)),
        step(router, KEEP.encode(), value=amount),
        step(router, FAITHLESS.encode(weth, amount, usdc, 0, THIEF), token=weth, amount=amount),
    )[kind]


def stolen(robbed: Robbed, plan: dict[str, Any]) -> tuple[int, tuple[Step, ...]]:
    """Return what to borrow and the steps of a plan."""
    stage = robbed.stage
    repaid = stage.debt * plan["repaid"] // 1000
    sold = worth(stage, repaid) * plan["sold"] // 10_000
    steps: list[Step] = []
    if stage.form == "module" and plan["pulled"]:
        usdc = stage.place.address("USDC")
        steps.append(pull(usdc, stage.account, stage.guard, plan["pulled"] * 10**6))
    if plan["flash"]:
        steps.append(stage.place.repay(stage.account, repaid))
    steps += stage.withdraw(sold)
    steps.append(bad_swap(stage, robbed.router, sold, repaid))
    if not plan["flash"]:
        steps.append(stage.place.repay(stage.account, repaid))
    for kind, amount, place in plan["extras"]:
        steps.insert(min(place, len(steps)), extra(robbed, kind, amount))
    return repaid if plan["flash"] else 0, tuple(steps)


QUIET = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@settings(QUIET)
@given(plan=plans())
def test_stolen_key__any_intent__takes_no_more_than_the_bound(
    robbed: Robbed, plan: dict[str, Any]
) -> None:
    stage = robbed.stage
    flash, steps = stolen(robbed, plan)
    intent = stage.intent(1, calls=steps, flash_amount=flash)
    before = snap(robbed)
    with stage.world.node.rollback():
        if not carried_out(robbed, encode_execute(intent)):
            event("refused")
            return
        event("carried out")
        target(float(check(robbed, before, snap(robbed))))


@settings(QUIET)
@given(plan=plans(), where=st.integers(0, 2**16), bits=st.integers(1, 255), data=st.data())
def test_stolen_key__mutated_bytes__take_no_more_than_the_bound(
    robbed: Robbed, plan: dict[str, Any], where: int, bits: int, data: st.DataObject
) -> None:
    stage = robbed.stage
    flash, steps = stolen(robbed, {**plan, "extras": [], "flash": True})
    whole = bytearray(encode_execute(stage.intent(1, calls=steps, flash_amount=flash)))
    whole[where % len(whole)] ^= bits
    word = data.draw(st.sampled_from([THIEF, at(robbed.router), stage.account, NATIVE]))
    if data.draw(st.booleans()):
        start = 4 + 32 * (where % ((len(whole) - 4) // 32))
        whole[start : start + 32] = bytes(12) + bytes.fromhex(Address(word)[2:])
    before = snap(robbed)
    with stage.world.node.rollback():
        if carried_out(robbed, bytes(whole)):
            check(robbed, before, snap(robbed))


def _greedy(robbed: Robbed, share: int) -> bool:
    """Steal so many millionths of the equity in one execution; say whether it worked."""
    stage = robbed.stage
    lost = snap(robbed).equity * share // 10**6
    dollars = lost // 100  # base currency of 1e-8 to USDC of 1e-6
    repaid = stage.debt // 20
    sold = worth(stage, repaid)
    steps = (
        stage.place.repay(stage.account, repaid),
        *stage.withdraw(sold + worth(stage, dollars)),
        bad_swap(stage, robbed.router, sold + worth(stage, dollars), repaid),
    )
    intent = stage.intent(1, calls=steps, flash_amount=repaid)
    intent = replace(intent, deadline=2**40)
    return carried_out(robbed, encode_execute(intent))


def test_stolen_key__again_and_again__takes_no_more_than_the_window_refills(
    robbed: Robbed,
) -> None:
    stage = robbed.stage
    with stage.world.node.rollback():
        started, began = snap(robbed), stage.world.node.timestamp()
        cap, window = stage.policy.max_window_loss, stage.policy.window
        done = 0
        for _ in range(10):
            # As much as passes, found from above.
            done += any(_greedy(robbed, share) for share in (9_900, 5_000, 2_500, 1_000, 300))
            stage.world.node.travel(3_600)
            lost = started.worth - snap(robbed).worth
            # Interest is the market's, not the thief's: some cents in ten hours.
            grace = started.worth // 10_000
            elapsed = stage.world.node.timestamp() - began
            assert lost <= cap * (window + elapsed) // window + grace
        assert done >= 3
        assert lost > cap


def test_thief__who_keeps_within_the_bound__is_not_noticed(robbed: Robbed) -> None:
    """The bound is tight: what is refused a little above it is carried out a little below."""
    with robbed.stage.world.node.rollback():
        assert not _greedy(robbed, 10_100)
        assert _greedy(robbed, 9_900)
