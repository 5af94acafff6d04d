"""Endpoints that lie, in front of a real node: where two must agree, nothing comes of it."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from executor.types import State
from tests.executor.run.stage import Stage
from tests.support.faults import Fault, Reply, dropped
from tests.support.proxy import Proxy

pytestmark = pytest.mark.world
S = State

Lie = Callable[[dict[str, Any], Any], Any]
"""(request, true result) → what is told."""


def telling(lie: Lie) -> Fault:
    """Return a fault that changes results and leaves the rest as it is."""

    def fault(request: bytes, answer: bytes) -> Reply:
        asks, told = json.loads(request), json.loads(answer)
        pairs = zip(asks, told, strict=True) if isinstance(asks, list) else [(asks, told)]
        for ask, reply in pairs:
            if "result" in reply:
                reply["result"] = lie(ask, reply["result"])
        return Reply(json.dumps(told).encode())

    return fault


def forged_receipt(ask: dict[str, Any], true: Any) -> Any:
    """Say of every transaction that it failed in the first block."""
    if ask["method"] != "eth_getTransactionReceipt":
        return true
    return {
        "transactionHash": ask["params"][0], "blockHash": "0x" + "00" * 32, "blockNumber": "0x1",
        "status": "0x0", "gasUsed": "0x1", "effectiveGasPrice": "0x1", "logs": [],
    }  # fmt: skip


def hidden_receipt(ask: dict[str, Any], true: Any) -> Any:
    """Know nothing of any receipt."""
    return None if ask["method"] == "eth_getTransactionReceipt" else true


def high_nonce(ask: dict[str, Any], true: Any) -> Any:
    """Say that nonces were spent that were not."""
    return hex(int(true, 16) + 3) if ask["method"] == "eth_getTransactionCount" else true


def other_fork(ask: dict[str, Any], true: Any) -> Any:
    """Tell of blocks that nobody else has."""
    if ask["method"] != "eth_getBlockByNumber" or true is None:
        return true
    return true | {"hash": "0x" + true["hash"][:1:-1]}


def stale_head(ask: dict[str, Any], true: Any) -> Any:
    """Stand still at the first block."""
    if ask["method"] == "eth_getBlockByNumber" and ask["params"][0] == "latest":
        return true | {"number": "0x1"}
    return true


def future_head(ask: dict[str, Any], true: Any) -> Any:
    """Claim a far future head."""
    if ask["method"] == "eth_getBlockByNumber" and ask["params"][0] == "latest":
        return true | {"number": "0xfffff"}
    return true


LIES = (forged_receipt, hidden_receipt, high_nonce, other_fork, stale_head, future_head)


@pytest.fixture
def proxies(stage: Stage) -> Iterator[list[Proxy]]:
    with ExitStack() as stack:
        made = [stack.enter_context(Proxy(stage.node.url)) for _ in range(3)]
        yield made


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_tick__one_of_three_lies__all_is_as_if_it_did_not(
    stage: Stage, proxies: list[Proxy], lie: Lie
) -> None:
    proxies[0].script.always(telling(lie))
    stage.urls, stage.quorum = tuple(p.url for p in proxies), 2
    wanted = stage.intent(7)
    stage.settle(stage.runner())
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 1)


@pytest.mark.parametrize("lie", LIES, ids=lambda lie: lie.__name__)
def test_tick__one_of_two_lies__nothing_false_is_recorded(
    stage: Stage, proxies: list[Proxy], lie: Lie
) -> None:
    wanted = stage.intent(7)
    stage.runner().tick()
    stage.urls, stage.quorum = tuple(p.url for p in proxies[:2]), 2
    proxies[0].script.always(telling(lie))
    runner = stage.runner()
    for _ in range(3):
        runner.tick()
        assert stage.state(wanted) is S.BROADCAST
    stage.node.mine(6)
    runner.tick()
    assert stage.state(wanted) in (S.BROADCAST, S.MINED, S.DONE), "late, and never false"
    stage.urls = (stage.node.url,)
    stage.quorum = 1
    stage.settle(stage.runner())
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 1)


def test_tick__one_of_three_is_silent__others_do(stage: Stage, proxies: list[Proxy]) -> None:
    proxies[0].script.always(dropped)
    stage.urls, stage.quorum = tuple(p.url for p in proxies), 2
    wanted = stage.intent(7)
    stage.settle(stage.runner())
    assert stage.state(wanted) is S.DONE


def pruned(stage: Stage) -> Fault:
    """Return a node that keeps the state of its newest block only."""

    def fault(request: bytes, answer: bytes) -> Reply:
        asks, told = json.loads(request), json.loads(answer)
        newest = stage.node.block()["hash"]
        pairs = zip(asks, told, strict=True) if isinstance(asks, list) else [(asks, told)]
        for ask, reply in pairs:
            block = ask["params"][-1] if ask["method"] == "eth_getTransactionCount" else None
            if block not in (None, "latest", "pending") and block != {"blockHash": newest}:
                reply.pop("result", None)
                reply["error"] = {"code": -32000, "message": "missing trie node"}
        return Reply(json.dumps(told).encode())

    return fault


def test_tick__node_without_old_state__strangers_nonce_is_final_a_little_later(
    stage: Stage, proxies: list[Proxy]
) -> None:
    proxies[0].script.always(pruned(stage))
    stage.urls = (proxies[0].url,)
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.drop()
    stage.stranger(0)
    stage.settle(runner, blocks=24)
    assert [a.nonce for a in stage.journal.attempts(wanted.id)] == [0, 1]
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 2)
