"""Give signed bytes to endpoints, and read what a sender needs to know, as enough endpoints agree.

Where the quorum is two or more, a block, a nonce, a balance or a receipt is only believed if so
many endpoints say the same; a lone liar can delay, and decides nothing. Sending goes to all.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from chain import wire
from chain.client import Client
from chain.endpoint import Endpoint
from chain.errors import (
    BlockUnknown,
    Disagreement,
    EndpointError,
    Malformed,
    RpcError,
    StaleHead,
)
from chain.fees import FeeHistory, fee_history
from chain.replies import Reply, meaning
from chain.types import Address, BlockRef, checksum
from chain.wire import Ask

T = TypeVar("T")
H = TypeVar("H", bound=Hashable)

NONCE_END: Final = 1 << 48
"""No account ever sends so many: who says so lies, and no journal could keep it."""
HISTORY_BLOCKS: Final = 20


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one endpoint said to one payload."""

    endpoint: str
    reply: Reply
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mined:
    """A receipt, as far as a sender needs it."""

    hash: str
    block_hash: str
    block_number: int
    success: bool
    cost_wei: int
    """Gas used times effective price, and the L1 fee where the receipt has one."""
    logs: tuple[tuple[Address, tuple[str, ...]], ...]
    """Address and topics of each."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A transaction in a block."""

    hash: str
    nonce: int
    to: Address | None
    value: int
    data: bytes


class Sender:
    """Sending and its reads on one chain.

    `private` endpoints are only ever sent to. `final_depth` counts blocks below the head as final
    where the chain has no `finalized` tag.
    """

    def __init__(
        self, client: Client, *, private: Sequence[Endpoint] = (), final_depth: int | None = None
    ) -> None:
        self.client = client
        self.chain_id = client.chain_id
        self.private = tuple(private)
        self._depth = final_depth

    # Sending

    def broadcast(self, raw: bytes, hash_: str, *, public: bool) -> list[Outcome]:
        """Send the bytes to every private endpoint and, if `public`, to every other one.

        Never raises for what an endpoint does: no reply is `UNKNOWN`.
        """
        targets = [*self.private, *(self.client.pool.endpoints if public else ())]
        if len(targets) == 1:
            return [_send(targets[0], raw, hash_)]
        with ThreadPoolExecutor(max(len(targets), 1)) as pool:
            return list(pool.map(lambda endpoint: _send(endpoint, raw, hash_), targets))

    # Agreement

    def agreed(self, asks: Sequence[Ask], parse: Callable[[str, list[Any]], H]) -> H:
        """Return what as many endpoints as the quorum wants answer alike.

        `parse` takes an endpoint's label and its answers, `RpcError` in their place. Raises
        `Disagreement` where no answer has the votes, or what the endpoints met.
        """
        quorum = self.client.spec.quorum
        votes: dict[H, list[str]] = {}
        failures: list[EndpointError] = []
        for endpoint in self.client.pool.ranked():
            try:
                value = parse(endpoint.label, endpoint.post(asks))
            except EndpointError as error:
                endpoint.failed(error)
                failures.append(error)
                continue
            endpoint.succeeded()
            votes.setdefault(value, []).append(endpoint.label)
            if len(votes[value]) >= quorum:
                return value
        if len(votes) > 1:
            labels = [label for voters in votes.values() for label in voters]
            raise Disagreement(self._zero(), labels, ", ".join(ask.method for ask in asks))
        raise self.client.pool.failure(failures)

    def _zero(self) -> BlockRef:
        return BlockRef(self.chain_id, 0, "0x" + "0" * 64, "0x" + "0" * 64, 0)

    def _one(self, ask: Ask, parse: Callable[[str, Any], H]) -> H:
        def read(label: str, answers: list[Any]) -> H:
            (answer,) = answers
            if isinstance(answer, EndpointError):
                raise answer
            return parse(label, answer)

        return self.agreed([ask], read)

    # Blocks

    def head(self) -> BlockRef:
        """Return the newest block that as many endpoints as the quorum wants have.

        Raises `StaleHead` if that is older than the chain's settings allow.
        """
        at = self._newest("latest")
        limit = self.client.spec.max_block_age_s
        age = int(self.client.pool.patience.wall()) - at.timestamp
        if limit is not None and age > limit:
            raise StaleHead(self.client.spec.name, at.number, age, limit)
        return at

    def final(self, head: BlockRef) -> BlockRef:
        """Return the newest block that is final, by the nodes' tag or by depth."""
        if self._depth is not None:
            return self.block(max(0, head.number - self._depth))
        return self._newest("finalized")

    def _newest(self, tag: str) -> BlockRef:
        """Return the block at the lowest height among the best endpoints, as many as the quorum."""
        quorum = self.client.spec.quorum
        found: list[BlockRef] = []
        failures: list[EndpointError] = []
        for endpoint in self.client.pool.ranked():
            try:
                answers = endpoint.post([Ask("eth_getBlockByNumber", [tag, False])], verify=True)
                found.append(self._block(endpoint.label, answers))
            except EndpointError as error:
                endpoint.failed(error)
                failures.append(error)
            if quorum == 1 and found:
                return found[0]
        if len(found) < quorum:
            raise self.client.pool.failure(failures)
        heights = sorted((block.number for block in found), reverse=True)
        return self.block(heights[quorum - 1])

    def block(self, number: int) -> BlockRef:
        """Return the block at a height; raises `BlockUnknown` where there is none."""
        return self.agreed([Ask("eth_getBlockByNumber", [hex(number), False])], self._block)

    def _block(self, label: str, answers: list[Any]) -> BlockRef:
        (answer,) = answers
        if isinstance(answer, EndpointError):
            raise answer
        if answer is None:
            raise BlockUnknown(label, -32001, "it has no such block")
        return wire.block(label, self.chain_id, answer)

    # Accounts

    def nonce(self, wallet: Address, at: BlockRef) -> int:
        """Return how many transactions the wallet had sent at a block."""
        return self._one(Ask("eth_getTransactionCount", [wallet, _pin(at)]), _count)

    def balance(self, wallet: Address, at: BlockRef) -> int:
        """Return the wallet's coins at a block, in wei."""
        return self._one(Ask("eth_getBalance", [wallet, _pin(at)]), wire.quantity)

    def word(self, to: Address, data: bytes, at: BlockRef) -> int:
        """Return the one word that a view answers at a block; raises for any other answer."""
        ask = Ask("eth_call", [{"to": to, "data": "0x" + data.hex()}, _pin(at)])
        return self._one(ask, _word)

    def pending(self, wallet: Address) -> int:
        """Return the highest count that includes pending transactions; a hint, never a proof."""
        counts: list[int] = []
        for endpoint in self.client.pool.ranked():
            try:
                (answer,) = endpoint.post([Ask("eth_getTransactionCount", [wallet, "pending"])])
                counts.append(_count(endpoint.label, answer))
            except EndpointError as error:
                endpoint.failed(error)
        return max(counts, default=0)

    # Transactions

    def receipts(self, hashes: Sequence[str], at: BlockRef) -> dict[str, Mined]:
        """Return, of these payloads, the ones mined in the chain of `at`, by hash.

        A receipt counts if its block is the one that the chain has at that height, and is not
        above `at`. One that is missing is missing for as many endpoints as the quorum wants.
        """
        found: dict[str, Mined] = {}
        for hash_ in hashes:
            mined = self._one(Ask("eth_getTransactionReceipt", [hash_]), _receipt_of(hash_))
            if mined is None or mined.block_number > at.number:
                continue
            if self.block(mined.block_number).hash == mined.block_hash:
                found[hash_] = mined
        return found

    def spender(self, wallet: Address, nonce: int, low: int, high: int) -> Spent | None:
        """Return the wallet's transaction at a nonce, looked for in blocks `low` to `high`.

        None if it is not there. Needs the state of old blocks; raises what the nodes answer where
        they have none.
        """

        def count(number: int) -> int:
            ask = Ask("eth_getTransactionCount", [wallet, hex(number)])
            return self._one(ask, _count)

        if count(high) <= nonce:
            return None
        while low < high:
            middle = (low + high) // 2
            if count(middle) > nonce:
                high = middle
            else:
                low = middle + 1
        ask = Ask("eth_getBlockByNumber", [hex(low), True])
        return self._one(ask, lambda label, answer: _find(label, answer, wallet, nonce))

    # Fees

    def fee_history(self, percentiles: Sequence[int], blocks: int = HISTORY_BLOCKS) -> FeeHistory:
        """Return what the last blocks cost, from the best endpoint."""
        params = [hex(blocks), "latest", list(percentiles)]
        answer = self.client.request("eth_feeHistory", params)
        return fee_history(self.client.spec.name, answer)

    def node_tip(self) -> int | None:
        """Return the tip that the best endpoint suggests; None where it does not."""
        try:
            answer = self.client.request("eth_maxPriorityFeePerGas", [])
            return wire.quantity(self.client.spec.name, answer)
        except EndpointError:
            return None

    def genesis(self) -> str:
        """Return the hash of block 0: two chains with one id differ in it."""
        return self.block(0).hash


def _send(endpoint: Endpoint, raw: bytes, hash_: str) -> Outcome:
    """Send to one endpoint, once: the caller sends again at the next block anyway."""
    try:
        endpoint.post([])  # the chain id first, if it was not asked for yet
        (answer,) = endpoint.post([Ask("eth_sendRawTransaction", ["0x" + raw.hex()])])
    except RpcError as error:
        answer = error
    except EndpointError as error:
        endpoint.failed(error)
        return Outcome(endpoint.label, Reply.UNKNOWN, error.message)
    if isinstance(answer, RpcError):
        return Outcome(endpoint.label, meaning(answer.text), answer.text)
    if isinstance(answer, str) and answer.lower() == hash_:
        return Outcome(endpoint.label, Reply.ACCEPTED)
    return Outcome(endpoint.label, Reply.UNKNOWN, "it names another hash")


def _pin(at: BlockRef) -> dict[str, str]:
    return {"blockHash": at.hash}


def _count(label: str, answer: Any) -> int:
    """Return a number of transactions that an account could have sent."""
    found = wire.quantity(label, answer)
    if found >= NONCE_END:
        raise Malformed(label, f"{found} transactions of one account")
    return found


def _word(label: str, answer: Any) -> int:
    raw = wire.data(label, answer)
    if len(raw) != 32:
        raise Malformed(label, f"{len(raw)} bytes where one word belongs")
    return int.from_bytes(raw)


def _receipt_of(hash_: str) -> Callable[[str, Any], Mined | None]:
    def parse(label: str, answer: Any) -> Mined | None:
        if answer is None:
            return None
        if not isinstance(answer, Mapping):
            raise Malformed(label, "a receipt that is no object")
        if wire.hash32(label, answer.get("transactionHash")) != hash_:
            raise Malformed(label, "a receipt of another transaction")
        if answer.get("blockHash") is None:  # pending, as some nodes show it
            return None
        status = wire.quantity(label, answer.get("status"))
        gas = wire.quantity(label, answer.get("gasUsed"))
        cost = gas * wire.quantity(label, answer.get("effectiveGasPrice"))
        if answer.get("l1Fee") is not None:
            cost += wire.quantity(label, answer["l1Fee"])
        return Mined(
            hash_,
            wire.hash32(label, answer.get("blockHash")),
            wire.quantity(label, answer.get("blockNumber")),
            status == 1,
            cost,
            tuple(_log(label, log) for log in wire.items(label, answer.get("logs"))),
        )

    return parse


def _log(label: str, log: Any) -> tuple[Address, tuple[str, ...]]:
    if not isinstance(log, Mapping):
        raise Malformed(label, "a log that is no object")
    address = wire.data(label, log.get("address"))
    topics = tuple(wire.hash32(label, topic) for topic in wire.items(label, log.get("topics")))
    return checksum("0x" + address.hex()), topics


def _find(label: str, answer: Any, wallet: Address, nonce: int) -> Spent | None:
    if not isinstance(answer, Mapping):
        raise Malformed(label, "no block where one belongs")
    for tx in wire.items(label, answer.get("transactions")):
        if not isinstance(tx, Mapping) or str(tx.get("from")).lower() != wallet.lower():
            continue
        if wire.quantity(label, tx.get("nonce")) != nonce:
            continue
        to = tx.get("to")
        return Spent(
            wire.hash32(label, tx.get("hash")),
            nonce,
            checksum(str(to)) if to is not None else None,
            wire.quantity(label, tx.get("value")),
            wire.data(label, tx.get("input")),
        )
    return None
