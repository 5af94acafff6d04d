"""What the guard's checks cost: gas of a rescue with and without them.

    python -m bench.guard [--json]

A position at health 1.10 is deleveraged in one transaction: flash loan from Morpho, repay,
withdraw, swap on Uniswap v3. "bare" runs the very same steps in a contract that checks nothing
(contracts/world/planted/Bare.sol), in the same two forms. Gas is what the receipt says, calldata
and 21,000 included, of each form's second rescue: the first one writes slots that stay.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass

from world.actors import uniswap
from world.anvil import Anvil
from world.node import Tx
from world.world import World, start

from chain.abi import Function
from chain.types import Address
from executor.guard import ALL_NATIVE, NATIVE, UNLIMITED, Step, decode_executed
from tests.support.guard_place import PLACES, Place
from tests.support.guard_stage import EXECUTOR, FORMS, Stage, artifacts, delegate, deploy, stage

RUN = Function("run(address,address,uint256,(address,uint256,bytes)[])()")
APPROVE = Function("approve(address,uint256)(bool)")
SHARE = 20
"""What one of two rescues repays, percent of the debt."""


@dataclass(frozen=True)
class Line:
    """One rescue, with and without the guard."""

    protocol: str
    form: str
    guarded: int
    bare: int
    loss_bps: float
    """Of the position's equity, by its oracle; slippage and fees of the swap."""

    @property
    def overhead(self) -> int:
        return self.guarded - self.bare


def steps(made: Place, account: Address, guard: Address, repaid: int) -> tuple[Step, ...]:
    """Repay, withdraw what the swap will take and a millionth more, swap."""
    quoter = uniswap.quoter(made.world)
    weth, usdc = made.address("WETH"), made.address("USDC")
    taken = quoter.call("quoteExactOutputSingle", (weth, usdc, repaid, 500, 0))[0]
    taken += taken // 10**6
    return (
        made.repay(account, repaid),
        *made.withdraw(account, guard, taken),
        made.swap(guard, repaid, taken),
    )


def guarded(made: Stage, repaid: int) -> tuple[int, int]:
    """Return gas of the second rescue, and its loss."""
    intent = made.intent(repaid, calls=steps(made.place, made.account, made.guard, repaid))
    receipt = made.execute(intent)
    for log in receipt["logs"]:
        topics = tuple(bytes.fromhex(topic[2:]) for topic in log["topics"])
        found = decode_executed(topics, bytes.fromhex(log["data"][2:]))
        if found is not None and log["address"].lower() == made.guard.lower():
            return int(receipt["gasUsed"], 16), found.loss
    raise AssertionError("no event")


def bare(made: Stage, actor: Address, repaid: int) -> int:
    """Run the same steps by a contract that checks nothing; return the gas."""
    calls = []
    for one in steps(made.place, made.account, actor, repaid):
        if one.token != NATIVE:
            calls.append((one.token, 0, APPROVE.encode(one.target, one.amount)))
        value = _redeemed(calls) if one.value == ALL_NATIVE else one.value
        calls.append((one.target, value, one.data))
    data = RUN.encode(made.lenders[0].address, made.place.address("USDC"), repaid, calls)
    tx = Tx(EXECUTOR, actor, "0x" + data.hex(), 0, 5_000_000, "bare")
    return int(made.world.node.send(tx)["gasUsed"], 16)


def _redeemed(calls: list[tuple[Address, int, bytes]]) -> int:
    """What the redeeming step before gives in native coin."""
    return int.from_bytes(calls[-1][2][4:36], "big")


def measured(world: World[Anvil], place: str, form: str) -> Line:
    """Rescue twice each way; the second ones count."""
    with world.node.rollback():
        made = stage(world, place, form)
        made = made.configure(cooldown=0, trigger=UNLIMITED, ceiling=UNLIMITED, floor=10**18)
        equity = made.place.equity(made.account)
        repaid = made.debt * SHARE // 100
        guarded(made, repaid)
        gas, loss = guarded(made, repaid)
    with world.node.rollback():
        made = stage(world, place, form)
        actor = _bare(made)
        bare(made, actor, repaid)
        plain = bare(made, actor, repaid)
    return Line(place, form, gas, plain, loss * 10_000 / equity)


def _bare(made: Stage) -> Address:
    """Put the contract without checks where the guard was, with the same grants."""
    init = bytes.fromhex(artifacts()["Bare"].linked({})[2:])
    implementation = deploy(made.world, init)
    if made.form == "delegate":
        delegate(made.world, made.owner, implementation, target="0x" + "00" * 20)
        return made.account
    code = made.world.node.rpc.request("eth_getCode", implementation, "latest")
    made.world.node.set_code(made.guard, code)
    return made.guard


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    chosen = parser.parse_args()
    with start() as world:
        lines = [measured(world, place, form) for place in PLACES for form in FORMS]
    if chosen.json:
        json.dump([asdict(one) | {"overhead": one.overhead} for one in lines], sys.stdout, indent=1)
        return
    print("| protocol | form | guarded | bare | overhead | of bare | loss bps |")
    print("|---|---|---|---|---|---|---|")
    for one in lines:
        share = 100 * one.overhead / one.bare
        print(
            f"| {one.protocol} | {one.form} | {one.guarded:,} | {one.bare:,} "
            f"| {one.overhead:,} | {share:.0f} % | {one.loss_bps:.1f} |"
        )


if __name__ == "__main__":
    main()
