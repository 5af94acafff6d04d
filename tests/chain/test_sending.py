"""What endpoints say about transactions, and when they are believed."""

import re
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from chain.client import ChainSpec, connect
from chain.endpoint import Endpoint
from chain.errors import (
    AllEndpointsFailed,
    ChainError,
    Disagreement,
    Malformed,
    StaleHead,
    TimedOut,
)
from chain.fees import DATA_FEES, FeeHistory, fee_history
from chain.networks import FeeKind, all_networks
from chain.pool import Patience
from chain.replies import WORDS, Reply, best, meaning
from chain.sending import Outcome, Sender
from chain.transport import Response
from chain.types import Address

WALLET = Address("0x" + "11" * 20)
HASH = "0x" + "ab" * 32
Answer = Callable[[list[Any]], Any]


class Scripted:
    """An endpoint in memory: by method, a value or a function of the parameters."""

    def __init__(self, label: str, **answers: Any) -> None:
        self.label = label
        self.answers = {"eth_chainId": "0x1", **answers}
        self.asked: list[str] = []

    def post(self, body: bytes, timeout_s: float) -> Response:
        asks = orjson.loads(body)
        batch = isinstance(asks, list)
        told = [self._answer(ask) for ask in (asks if batch else [asks])]
        return Response(200, {}, orjson.dumps(told if batch else told[0]))

    def _answer(self, ask: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(ask["method"])
        value = self.answers.get(ask["method"])
        if callable(value):
            value = value(ask["params"])
        if isinstance(value, Exception):
            raise value
        kind = "error" if isinstance(value, dict) and "code" in value else "result"
        return {"jsonrpc": "2.0", "id": ask["id"], kind: value}

    def redact(self, text: str) -> str:
        return text

    def close(self) -> None:
        pass


def sender(*nodes: Scripted, quorum: int = 1, **options: Any) -> Sender:
    spec = ChainSpec("test", 1, (), quorum=quorum, max_block_age_s=options.pop("age", None))
    patience = Patience(retries=0, sleep=lambda _: None, wall=lambda: 1_000.0)
    return Sender(connect(spec, transports=nodes, patience=patience), **options)


def block(number: int, salt: str = "0", **fields: Any) -> dict[str, Any]:
    return {
        "number": hex(number), "hash": f"0x{salt}{number:063x}", "parentHash": "0x" + "0" * 64,
        "timestamp": hex(number), **fields,
    }  # fmt: skip


def blocks(newest: int, salt: str = "0") -> Answer:
    def answer(params: list[Any]) -> Any:
        if params[0] in ("latest", "finalized"):
            return block(newest if params[0] == "latest" else newest - 2, salt)
        number = int(params[0], 16)
        return block(number, salt) if number <= newest else None

    return answer


# Replies


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("already known", Reply.KNOWN),
        ("AlreadyKnown", Reply.KNOWN),
        ("transaction already imported", Reply.KNOWN),
        ("Known transaction", Reply.KNOWN),
        ("unknown transaction type", Reply.REFUSED),
        ("nonce too low: next nonce 5, tx nonce 4", Reply.NONCE_TOO_LOW),
        ("OldNonce, Current nonce: 5, nonce of rejected tx: 4", Reply.NONCE_TOO_LOW),
        ("Nonce too low", Reply.NONCE_TOO_LOW),
        ("nonce too low: address 0x11, tx: 4 state: 5", Reply.NONCE_TOO_LOW),
        ("replacement transaction underpriced", Reply.UNDERPRICED),
        ("ReplacementNotAllowed", Reply.UNDERPRICED),
        ("could not replace existing tx", Reply.UNDERPRICED),
        ("transaction underpriced: tip needed 1, tip permitted 0", Reply.FEE_TOO_LOW),
        ("FeeTooLowToCompete", Reply.FEE_TOO_LOW),
        ("Gas price below configured minimum gas price", Reply.FEE_TOO_LOW),
        ("max fee per gas less than block base fee: address 0x11", Reply.FEE_TOO_LOW),
        ("insufficient funds for gas * price + value: balance 0", Reply.INSUFFICIENT),
        ("InsufficientFunds, Account balance: 0", Reply.INSUFFICIENT),
        ("Upfront cost exceeds account balance", Reply.INSUFFICIENT),
        ("in-flight transaction limit reached for delegated accounts", Reply.NOT_YET),
        ("nonce too high", Reply.NOT_YET),
        ("tx fee (1.20 ether) exceeds the configured cap (1.00 ether)", Reply.REFUSED),
        ("intrinsic gas too low: gas 20000, minimum needed 21000", Reply.REFUSED),
        ("the moon is in the wrong phase", Reply.UNKNOWN),
        ("", Reply.UNKNOWN),
    ],
)
def test_meaning__words_of_the_clients__are_told_apart(text: str, reply: Reply) -> None:
    assert meaning(text) is reply


def test_words__each_row__is_reached_by_its_own_words() -> None:
    assert [w for w, reply, _ in WORDS if meaning(w) is not reply] == []
    assert [w for w, _, _ in WORDS if w != w.lower()] == []


def test_best__several_endpoints__the_most_telling_counts() -> None:
    assert best([Reply.UNKNOWN, Reply.ACCEPTED, Reply.REFUSED]) is Reply.ACCEPTED
    assert best([Reply.REFUSED, Reply.UNKNOWN]) is Reply.UNKNOWN
    assert best([]) is Reply.UNKNOWN


# Sending


def test_broadcast__every_endpoint__is_told_and_none_raises() -> None:
    nodes = [
        Scripted("good", eth_sendRawTransaction=HASH),
        Scripted("known", eth_sendRawTransaction={"code": -32000, "message": "already known"}),
        Scripted("silent", eth_sendRawTransaction=TimedOut("silent", 1)),
        Scripted("liar", eth_sendRawTransaction="0x" + "00" * 32),
        Scripted("odd", eth_sendRawTransaction={"code": -1, "message": "hm"}),
        Scripted("elsewhere", eth_chainId="0x2", eth_sendRawTransaction=HASH),
    ]
    told = sender(*nodes).broadcast(b"\x02", HASH, public=True)
    assert [o.reply for o in told] == [
        Reply.ACCEPTED, Reply.KNOWN, Reply.UNKNOWN, Reply.UNKNOWN, Reply.UNKNOWN, Reply.UNKNOWN,
    ]  # fmt: skip
    assert "eth_sendRawTransaction" not in nodes[-1].asked, "another chain is not shown the bytes"


def test_broadcast__privately__no_public_endpoint_sees_it() -> None:
    public = Scripted("public", eth_sendRawTransaction=HASH)
    private = Scripted("private", eth_sendRawTransaction=HASH)
    made = sender(public, private=[Endpoint(private, 1)])
    assert made.broadcast(b"\x02", HASH, public=False) == [Outcome("private", Reply.ACCEPTED)]
    assert public.asked == []
    assert len(made.broadcast(b"\x02", HASH, public=True)) == 2


# Agreement


def nonces(value: int) -> dict[str, Any]:
    return {"eth_getTransactionCount": hex(value), "eth_getBlockByNumber": blocks(10)}


def test_agreed__one_of_three_lies__the_others_are_believed() -> None:
    made = sender(
        Scripted("liar", **nonces(9)), Scripted("a", **nonces(4)), Scripted("b", **nonces(4)),
        quorum=2,
    )  # fmt: skip
    assert made.nonce(WALLET, made.head()) == 4


@pytest.mark.parametrize("lie", [1 << 48, (1 << 64) - 1, (1 << 256) - 1])
def test_nonce__no_account_has_sent_so_many__is_no_answer(lie: int) -> None:
    """Signing or recording it would raise, with perhaps something in flight."""
    made = sender(Scripted("liar", **nonces(lie)))
    with pytest.raises(ChainError):
        made.nonce(WALLET, made.head())
    assert made.pending(WALLET) == 0


def test_agreed__one_of_two_lies__nothing_is_believed() -> None:
    made = sender(Scripted("liar", **nonces(9)), Scripted("a", **nonces(4)), quorum=2)
    with pytest.raises(Disagreement):
        made.nonce(WALLET, made.head())


def test_agreed__one_of_two_away__nothing_is_believed() -> None:
    away = Scripted("away", eth_getTransactionCount=TimedOut("away", 1),
                    eth_getBlockByNumber=blocks(10))  # fmt: skip
    made = sender(away, Scripted("a", **nonces(4)), quorum=2)
    with pytest.raises(AllEndpointsFailed):
        made.nonce(WALLET, made.head())


def test_head__one_ahead__the_block_that_enough_have() -> None:
    a, b, c = (Scripted(str(n), eth_getBlockByNumber=blocks(n)) for n in (12, 10, 7))
    assert sender(a, b, c).head().number == 12
    assert sender(a, b, c, quorum=2).head().number == 10
    assert sender(a, b, c, quorum=3).head().number == 7


def test_head__two_chains__disagree() -> None:
    a = Scripted("a", eth_getBlockByNumber=blocks(10))
    b = Scripted("b", eth_getBlockByNumber=blocks(10, "f"))
    with pytest.raises(Disagreement):
        sender(a, b, quorum=2).head()


def test_head__old__is_stale() -> None:
    node = Scripted("a", eth_getBlockByNumber=blocks(10))
    with pytest.raises(StaleHead):
        sender(node, age=60).head()


def test_final__by_tag_or_by_depth() -> None:
    node = Scripted("a", eth_getBlockByNumber=blocks(10))
    made = sender(node)
    assert made.final(made.head()).number == 8
    made = sender(node, final_depth=4)
    assert made.final(made.head()).number == 6
    made = sender(node, final_depth=99)
    assert made.final(made.head()).number == 0


# Receipts


def receipt(number: int, salt: str = "0", **fields: Any) -> dict[str, Any]:
    return {
        "transactionHash": HASH, "blockHash": f"0x{salt}{number:063x}", "blockNumber": hex(number),
        "status": "0x1", "gasUsed": "0x5208", "effectiveGasPrice": "0x7",
        "logs": [{"address": "0x" + "22" * 20, "topics": [HASH]}], **fields,
    }  # fmt: skip


def of(told: Any, newest: int = 10) -> Sender:
    return sender(
        Scripted("a", eth_getTransactionReceipt=told, eth_getBlockByNumber=blocks(newest))
    )


def test_receipts__canonical__are_believed() -> None:
    made = of(receipt(9, l1Fee="0x5"))
    (mined,) = made.receipts([HASH], made.head()).values()
    assert (mined.block_number, mined.success, mined.cost_wei) == (9, True, 21_000 * 7 + 5)
    assert mined.logs == ((Address("0x" + "22" * 20), (HASH,)),)


@pytest.mark.parametrize(
    "told",
    [None, receipt(9, "f"), receipt(11), receipt(9, blockHash=None)],
    ids=["none", "other fork", "above the head", "pending"],
)
def test_receipts__not_in_this_chain__do_not_count(told: Any) -> None:
    made = of(told, newest=10)
    assert made.receipts([HASH], made.head()) == {}


@pytest.mark.parametrize(
    "told",
    [receipt(9, transactionHash="0x" + "00" * 32), receipt(9, status=None), [], receipt(9, logs=1)],
    ids=["another's", "no status", "a list", "odd logs"],
)
def test_receipts__malformed__raise(told: Any) -> None:
    made = of(told)
    with pytest.raises(Malformed):
        made.receipts([HASH], made.head())


def test_receipts__forged_by_one_of_two__decides_nothing() -> None:
    honest = Scripted("a", eth_getTransactionReceipt=None, eth_getBlockByNumber=blocks(10))
    forger = Scripted("b", eth_getTransactionReceipt=receipt(9), eth_getBlockByNumber=blocks(10))
    made = sender(honest, forger, quorum=2)
    with pytest.raises(Disagreement):
        made.receipts([HASH], made.head())


# Who spent a nonce


def test_spender__between_two_blocks__is_found() -> None:
    def count(params: list[Any]) -> str:
        return hex(5 if int(params[1], 16) >= 7 else 4)

    tx = {
        "hash": HASH, "from": WALLET.upper().replace("0X", "0x"), "nonce": "0x4",
        "to": "0x" + "22" * 20, "value": "0x1", "input": "0x0102",
    }  # fmt: skip
    others = [{**tx, "from": "0x" + "33" * 20}, {**tx, "nonce": "0x3"}]

    def found(params: list[Any]) -> Any:
        return block(int(params[0], 16), transactions=[*others, tx])

    node = Scripted("a", eth_getTransactionCount=count, eth_getBlockByNumber=found)
    spent = sender(node).spender(WALLET, 4, 0, 10)
    assert spent is not None
    assert (spent.hash, spent.value, spent.data) == (HASH, 1, b"\x01\x02")
    assert sender(node).spender(WALLET, 5, 0, 10) is None


def test_word__not_one_word__is_no_answer() -> None:
    node = Scripted("a", eth_call="0x", eth_getBlockByNumber=blocks(10))
    made = sender(node)
    with pytest.raises(ChainError):
        made.word(WALLET, b"", made.head())


def test_pending__a_hint__never_raises() -> None:
    good = Scripted("a", eth_getTransactionCount="0x7")
    away = Scripted("b", eth_getTransactionCount=TimedOut("b", 1))
    assert sender(away, good).pending(WALLET) == 7
    assert sender(away).pending(WALLET) == 0


def test_node_tip__none_given__is_none() -> None:
    assert sender(Scripted("a", eth_maxPriorityFeePerGas="0x3")).node_tip() == 3
    refusing = {"code": -32601, "message": "method not found"}
    assert sender(Scripted("a", eth_maxPriorityFeePerGas=refusing)).node_tip() is None


# Fee history


def test_fee_history__as_geth_tells_it__is_read() -> None:
    told = {
        "oldestBlock": "0x10", "baseFeePerGas": ["0x1", "0x2", "0x3"],
        "gasUsedRatio": [0.5, 1], "reward": [["0x1", "0x2", "0x3"], ["0x0", "0x0", "0x0"]],
    }  # fmt: skip
    assert fee_history("a", told) == FeeHistory((1, 2, 3), (0.5, 1.0), ((1, 2, 3), (0, 0, 0)))


@pytest.mark.parametrize("reward", [None, [], [["0x1"]]], ids=["absent", "empty", "short"])
def test_fee_history__rewards_missing__are_left_out(reward: Any) -> None:
    told = {"baseFeePerGas": ["0x1", "0x2"] * 2, "gasUsedRatio": [0.5] * 3, "reward": reward}
    assert fee_history("a", told).rewards == ()


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"baseFeePerGas": 7},
        {"baseFeePerGas": ["7"], "gasUsedRatio": []},
        {"baseFeePerGas": ["0x1"] * 5, "gasUsedRatio": [0.5]},
        {"baseFeePerGas": ["0x1"], "gasUsedRatio": [float("inf")]},
        {"baseFeePerGas": ["0x1"], "gasUsedRatio": [True]},
        {"baseFeePerGas": ["0x1"], "gasUsedRatio": ["0.5"]},
    ],
    ids=range(8),
)
def test_fee_history__malformed__raises(told: Any) -> None:
    with pytest.raises(Malformed):
        fee_history("a", told)


def test_fee_history__nothing_at_all__is_empty() -> None:
    assert fee_history("a", {}) == FeeHistory((), (), ())


def test_data_fees__every_kind_of_network__has_a_row() -> None:
    assert set(DATA_FEES) == set(FeeKind)
    assert {n.fees for n in all_networks()} <= set(DATA_FEES)
    for row in DATA_FEES.values():
        assert row.oracle is None or re.fullmatch(r"0x[0-9a-fA-F]{40}", row.oracle)
