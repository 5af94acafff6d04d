"""A Safe's plan becomes one proposal that the real Safe's owners can execute; nothing is sent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from eth_account import Account
from world.actors import aave
from world.actors import safe as actor_safe
from world.anvil import MNEMONIC, Anvil
from world.node import Tx
from world.recipes.safe import OWNERS
from world.world import World, actor

from tests.e2e.conftest import Ran
from underkeel.demo.stage import Stage, config_text

pytestmark = pytest.mark.world


def key(index: int) -> tuple[str, str]:
    """Return address and key of one of the node's own accounts."""
    Account.enable_unaudited_hdwallet_features()
    found = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return found.address, bytes(found.key).hex()


def test_execute__for_a_safe__prints_a_proposal_that_two_owners_execute(
    world: World[Anvil],
    run: Callable[..., Ran],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bound = actor_safe.safe(world)
    aave.supply(world, "aave-3.6", bound.address, "WETH", 10)
    aave.borrow(world, "aave-3.6", bound.address, "USDC", 18_000)
    owners = [key(index) for index in range(OWNERS.start, OWNERS.stop)]
    stranger = key(9)
    text = config_text(Stage(world, "anvil")).split("[wallets.daring]")[0]
    text = text.replace('max_block_age = "1d"', "discover = false")
    text = text.replace("version = 1", 'version = 1\nmode = "live"')
    text += f'[wallets.treasury]\naddress = "{bound.address}"\nkind = "safe"\n'
    for name, (address, raw) in {"a": owners[0], "b": owners[1], "x": stranger}.items():
        monkeypatch.setenv(f"KEY_{name}", raw)
        signer = f'{{ kind = "env", name = "KEY_{name}", insist = true }}'
        text += f'[wallets.{name}]\naddress = "{address}"\nsigner = {signer}\n'
    (tmp_path / "underkeel.toml").write_text(text)
    plan = tmp_path / "plan.json"
    made = run("plan", "repay", "--wallet", "treasury", "--target-health", "1.7", "--out", plan)
    assert made.code == 3, made.out + made.err

    dry = run("execute", plan, "--json")
    assert dry.code == 0, dry.out + dry.err
    assert dry.doc["proposal"] is None
    assert "owners sign" in run("execute", plan).out
    assert run("execute", plan, "--execute").code == 2  # no owner named
    assert run("execute", plan, "--execute", "--owner", "x").code == 2  # no owner of the Safe
    signed = [run("execute", plan, "--execute", "--owner", name, "--json").doc for name in "ab"]
    assert {doc["hash"] for doc in signed} == {dry.doc["hash"]}
    assert "signature" in run("execute", plan, "--execute", "--owner", "a").out
    bodies = sorted((doc["proposal"] for doc in signed), key=lambda body: int(body["sender"], 16))
    body = bodies[0]
    zero = "0x" + "0" * 40
    params = (
        *(body["to"], int(body["value"]), bytes.fromhex(body["data"][2:]), body["operation"]),
        *(0, 0, 0, zero, zero),
    )
    assert (
        bound.call("getTransactionHash", *params, bound.call("nonce")).hex()
        == (dry.doc["hash"][2:])
    )
    sender = actor("anybody")
    world.node.fund([sender])
    both = b"".join(bytes.fromhex(one["signature"][2:]) for one in bodies)
    data = bound.interface["execTransaction"].encode(*params, both)
    world.node.send(Tx(sender, bound.address, data, gas=5_000_000))
    health = aave.pool(world, "aave-3.6").call("getUserAccountData", bound.address)[5]
    assert health >= 17 * 10**17
