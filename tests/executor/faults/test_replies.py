"""Faults 5, 6, 14 and 15: endpoints that answer wrongly, late, twice or not at all."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from chain.transactions import tx_hash
from executor.types import State
from tests.executor.faults.place import Place
from tests.executor.run.stage import DEPTH
from tests.support import faults
from tests.support.faults import Fault, Reply
from tests.support.proxy import Proxy

pytestmark = pytest.mark.world
S = State


def sends(request: bytes) -> bool:
    return b"eth_sendRawTransaction" in request


class Swallowing(Proxy):
    """Says that a transaction was accepted, and keeps it for itself."""

    swallows = True

    def ask(self, request: bytes) -> bytes:
        if not (self.swallows and sends(request)):
            return super().ask(request)
        asked = json.loads(request)
        said = [
            {"jsonrpc": "2.0", "id": one["id"],
             "result": tx_hash(bytes.fromhex(one["params"][0][2:]))}
            for one in (asked if isinstance(asked, list) else [asked])
        ]  # fmt: skip
        return json.dumps(said if isinstance(asked, list) else said[0]).encode()


class Twice(Proxy):
    """Gives the node each request twice."""

    def ask(self, request: bytes) -> bytes:
        super().ask(request)
        return super().ask(request)


@pytest.fixture
def proxies(place: Place) -> Iterator[list[Proxy]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Proxy(place.node.url)) for _ in range(3)]


def words(message: str, code: int = -32000) -> Fault:
    """Answer a sending with a node's words although the transaction was accepted."""
    return faults.failing("eth_sendRawTransaction", code, message)


AFTER_ACCEPTANCE: dict[str, Fault] = {
    "times-out": faults.dropped,
    "cut": faults.cut,
    "half": faults.truncated,
    "a-web-page": faults.html,
    "http-503": faults.status(503),
    "http-429": faults.status(429),
    "twice": faults.duplicated,
    "geth-already-known": words("already known"),
    "geth-nonce-too-low": words("nonce too low: next nonce 1, tx nonce 0"),
    "geth-underpriced": words("replacement transaction underpriced"),
    "geth-pool-full": words("txpool is full"),
    "geth-in-flight": words("in-flight transaction limit reached for delegated accounts"),
    "nethermind-known": words("AlreadyKnown", -32010),
    "nethermind-old": words("OldNonce, Current nonce: 1, nonce of rejected tx: 0", -32010),
    "nethermind-replacement": words("ReplacementNotAllowed", -32010),
    "besu-known": words("Known transaction"),
    "besu-nonce": words("Nonce too low", -32001),
    "besu-underpriced": words("Replacement transaction underpriced"),
    "erigon-known": words("existing tx with same hash"),
    "erigon-replace": words("could not replace existing tx"),
    "erigon-full": words("pending sub-pool is full"),
    "reth-known": words("already known"),
    "reth-fee": words("max fee per gas less than block base fee"),
    "arbitrum-nonce": words("nonce too low: address 0x00, tx: 0 state: 1"),
    "arbitrum-queue": words("queue full"),
    "no-words": words(""),
    "unheard-of": words("the flux capacitor is not charged", -39999),
}


@pytest.mark.parametrize("kind", AFTER_ACCEPTANCE)
def test_fault_5__accepted_and_answered_otherwise__same_state(
    place: Place, proxies: list[Proxy], kind: str
) -> None:
    """Invariant: whatever is said of a sending, the chain decides; nothing is signed twice."""
    proxies[0].script.always(AFTER_ACCEPTANCE[kind], when=sends)
    wanted = place.intent(7)
    running = place.start(urls=(proxies[0].url,))
    running.tick()
    assert place.state(wanted) is S.BROADCAST
    place.node.mine()
    running.tick()
    assert place.state(wanted) is S.MINED
    place.node.mine(DEPTH)
    running.tick()
    assert place.state(wanted) is S.DONE
    assert (place.received(), place.nonce(), len(place.signed())) == (7, 1, 1)


def test_fault_5__refused_in_truth__waits_and_lands(place: Place, proxies: list[Proxy]) -> None:
    """Invariant: the same words where nothing was accepted end in the same state, later."""
    wanted = place.intent(7)
    running = place.start(urls=(proxies[0].url,), bump_blocks=100)
    running.tick()
    for kind in AFTER_ACCEPTANCE:
        proxies[0].script.always(AFTER_ACCEPTANCE[kind], when=sends)
        place.drop()
        place.node.mine()
        running.tick()
        place.drop()
        assert place.state(wanted) is S.BROADCAST, kind
    proxies[0].script.calm()
    place.end(running)
    assert (place.state(wanted), place.effects(wanted)) == (S.DONE, 1)
    assert len({line.nonce for line in place.signed()}) == 1


def test_fault_5__each_request_arrives_twice__one_effect(place: Place) -> None:
    """Invariant: a network that doubles what is sent changes nothing."""
    with Twice(place.node.url) as proxy:
        wanted = place.intent(7)
        running = place.start(urls=(proxy.url,))
        running.tick()
        place.end(running)
    assert (place.state(wanted), place.effects(wanted), place.nonce()) == (S.DONE, 1, 1)


def test_fault_6__accepted_and_dropped__sent_again_within_two_blocks(place: Place) -> None:
    """Invariant: success is what is in a block; until then the bytes are sent again."""
    with Swallowing(place.node.url) as proxy:
        wanted = place.intent(7)
        running = place.start(urls=(proxy.url,))
        running.tick()
        assert place.journal.attempts(wanted.id)[0].reply == "accepted"
        place.node.mine()
        assert place.nonce() == 0
        proxy.swallows = False
        for _ in range(2):
            running.tick()
            place.node.mine()
        assert place.nonce() == 1
        place.end(running)
    assert (place.state(wanted), place.received(), len(place.signed())) == (S.DONE, 7, 1)


def forged(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """Answer as a node that lies about head, receipts and nonces."""
    method = request["method"]
    result: Any = answer.get("result")
    if method == "eth_getBlockByNumber" and request["params"][0] == "latest":
        return {**answer, "result": {**result, "number": "0x2", "hash": "0x" + "ab" * 32}}
    if method == "eth_getTransactionReceipt":
        lie = {"transactionHash": request["params"][0], "blockHash": "0x" + "00" * 32,
               "blockNumber": "0x1", "status": "0x0", "gasUsed": "0x1",
               "effectiveGasPrice": "0x1", "logs": []}  # fmt: skip
        return {**answer, "result": lie}
    if method == "eth_getTransactionCount":
        return {**answer, "result": hex(int(result, 16) + 2)}
    return answer


def history(place: Place, urls: tuple[str, ...], number: int) -> list[tuple[str | None, int]]:
    """Run one intent to its end; return its state and what was signed after each pass."""
    wanted = place.intent(number)
    before = len(place.signed())
    place.base_fee()
    running = place.start(urls=urls, quorum=2)
    seen: list[tuple[str | None, int]] = []
    for block in range(9):
        running.tick()
        seen.append((place.state(wanted), len(place.signed()) - before))
        if block == 0:
            place.drop()
        if block == 4:
            place.node.reorg(1)
            place.drop()
        place.node.mine()
    running.kill()
    assert place.state(wanted) is S.DONE
    assert place.effects(wanted) == 1
    return seen


def test_fault_14__one_of_three_lies__no_decision_changes(
    place: Place, proxies: list[Proxy]
) -> None:
    """Invariant: with a quorum of two, all goes as without the liar."""
    urls = tuple(proxy.url for proxy in proxies)
    honest = history(place, urls, 7)
    proxies[0].script.always(faults.edit(forged))
    assert history(place, urls, 8) == honest


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "keeps it"])
def test_fault_15__private_relay_does_nothing__the_same_bytes_go_public(
    place: Place, silent: bool
) -> None:
    """Invariant: one hash, private first and public after a block; one effect."""
    with Swallowing(place.node.url) as relay:
        if silent:
            relay.script.always(lambda _request, _answer: Reply(drop=True), when=sends)
        wanted = place.intent(7)
        running = place.start(private=(relay.url,))
        running.tick()
        (first,) = place.journal.attempts(wanted.id)
        assert first.channels == {"private"}
        place.node.mine()
        assert place.nonce() == 0
        running.tick()
        (again,) = place.journal.attempts(wanted.id)
        assert again.channels == {"private", "public"}
        assert again.hash == first.hash
        place.end(running)
    assert (place.effects(wanted), len(place.signed())) == (1, 1)
