"""Ranged log reads: spans, halving, resuming, and logs nobody asked for."""

from typing import Any

import pytest

from chain.errors import Disagreement, LogsIncomplete, Malformed, TimedOut
from chain.logs import Log
from tests.chain.helpers import address, client
from tests.support import faults
from tests.support.fake_node import FakeNode

TOPIC = "0x" + "ab" * 32
WHO = address(0xBEEF)


class LogNode(FakeNode):
    """A node with one log in every tenth block that gives at most so many blocks at once."""

    most = 10**9
    message = "query exceeds max block range 1000"
    extra: dict[str, Any] = {}  # noqa: RUF012  # set by a test, for its node only

    def _result(self, method: str, params: list[Any]) -> Any:
        if method != "eth_getLogs":
            return super()._result(method, params)
        first, last = int(params[0]["fromBlock"], 16), int(params[0]["toBlock"], 16)
        if last - first + 1 > self.most:
            raise LookupError(self.message)
        numbers = [n for n in range(first, last + 1) if n % 10 == 0]
        return [self.log(n) for n in reversed(numbers)]

    def log(self, number: int) -> dict[str, Any]:
        return {
            "address": WHO.lower(),
            "topics": [TOPIC],
            "data": "0x12",
            "blockNumber": hex(number),
            "blockHash": "0x" + "01" * 32,
            "transactionHash": "0x" + "02" * 32,
            "logIndex": "0x0",
            **self.extra,
        }


def _read(node: LogNode, first: int, last: int, topics: Any = (TOPIC,)) -> list[Log]:
    return list(client(node).logs([WHO], topics, first, last))


def test_logs__a_range__comes_in_order_whole() -> None:
    found = _read(LogNode(), 0, 25_000)
    assert [log.block_number for log in found] == list(range(0, 25_001, 10))
    assert found[0].address == WHO
    assert (found[0].topics, found[0].data) == ((TOPIC,), b"\x12")


@pytest.mark.parametrize("most", [1, 7, 1000])
@pytest.mark.parametrize(
    "message", ["query exceeds max block range 1000", "something unheard of", "timed out"]
)
def test_logs__span_refused__is_halved_and_remembered(most: int, message: str) -> None:
    node = LogNode()
    node.most, node.message = most, message
    chain = client(node)
    first = list(chain.logs([WHO], [TOPIC], 5, 65))
    assert [log.block_number for log in first] == [10, 20, 30, 40, 50, 60]
    before = node.posts
    list(chain.logs([WHO], [TOPIC], 5, 5))
    assert node.posts - before == 1


def test_logs__answer_too_large__is_halved() -> None:
    node = LogNode()

    def refuse(request: bytes, answer: bytes) -> faults.Reply:
        return faults.Reply(answer) if len(answer) < 5_000 else faults.Reply(status=413)

    node.script.always(refuse)
    assert [log.block_number for log in _read(node, 0, 500)] == list(range(0, 501, 10))


def test_logs__progress__is_told_and_ends_at_the_last_block() -> None:
    told: list[tuple[int, int]] = []
    node = LogNode()
    list(client(node).logs([WHO], [TOPIC], 0, 25_000, lambda d, t: told.append((d, t))))
    assert told[-1] == (25_000, 25_000)
    assert [d for d, _ in told] == sorted({d for d, _ in told})


def test_logs__failure_half_way__says_where_to_resume() -> None:
    node = LogNode()
    chain = client(node)
    got: list[Log] = []
    reader = chain.logs([WHO], [TOPIC], 0, 50_000)
    got.append(next(reader))
    node.script.always(faults.html)
    with pytest.raises(LogsIncomplete) as caught:
        got.extend(reader)
    node.script.calm()
    got.extend(chain.logs([WHO], [TOPIC], caught.value.done_to + 1, 50_000))
    assert [log.block_number for log in got] == list(range(0, 50_001, 10))


def test_logs__one_block_refused__is_an_error() -> None:
    node = LogNode()
    node.most = 0
    with pytest.raises(LogsIncomplete, match="resume there"):
        _read(node, 10, 10)


@pytest.mark.parametrize(
    "extra",
    [
        {"address": address(1)},
        {"address": "0x12"},
        {"topics": []},
        {"topics": ["0x" + "cd" * 32]},
        {"topics": "0x"},
        {"blockNumber": "0xffff"},
        {"blockNumber": None},
        {"data": "0x1"},
        {"removed": True},
        {"logIndex": "x"},
    ],
)
def test_logs__a_log_that_was_not_asked_for__is_an_error(extra: dict[str, Any]) -> None:
    node = LogNode()
    node.extra = extra
    with pytest.raises(LogsIncomplete) as caught:
        _read(node, 10, 10)
    assert isinstance(caught.value.cause, Malformed)


def test_logs__the_same_log_twice__is_an_error() -> None:
    node = LogNode()
    node.script.always(faults.on("eth_getLogs", lambda logs: logs * 2))
    with pytest.raises(LogsIncomplete, match="twice"):
        _read(node, 10, 10)


def test_logs__no_list__is_an_error() -> None:
    node = LogNode()
    node.script.always(faults.on("eth_getLogs", lambda _: {"logs": []}))
    with pytest.raises(LogsIncomplete, match="no list"):
        _read(node, 10, 10)
    node.script.always(faults.on("eth_getLogs", lambda _: ["0x"]))
    with pytest.raises(LogsIncomplete, match="no object"):
        _read(node, 10, 10)


def test_logs__topics__alternatives_and_gaps_are_matched() -> None:
    assert len(_read(LogNode(), 0, 9, [[TOPIC.upper().replace("X", "x"), "0x" + "00" * 32]])) == 1
    assert len(_read(LogNode(), 0, 9, [None])) == 1
    assert len(list(client(LogNode()).logs([], [], 0, 9))) == 1


def once(change: Any) -> faults.Fault:
    """Change the first answer of each POST to eth_getLogs only."""
    told: list[object] = []

    def apply(request: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        if request["method"] != "eth_getLogs" or told:
            told.clear()
            return answer
        told.append(request)
        return {**answer, "result": change(answer["result"])}

    return faults.edit(apply)


@pytest.mark.parametrize(
    "change",
    [
        lambda logs: [],
        lambda logs: logs[1:],
        lambda logs: [{**logs[0], "data": "0x13"}, *logs[1:]],
    ],
    ids=["emptied", "one missing", "one flipped"],
)
def test_logs__one_of_two_answers_corrupted__is_an_error_never_fewer_logs(change: Any) -> None:
    node = LogNode()
    node.script.always(once(change))
    with pytest.raises(LogsIncomplete, match="two different answers"):
        _read(node, 0, 100)


@pytest.mark.parametrize("liar", [0, 1])
def test_logs__quorum_of_which_one_endpoint_hides_logs__disagree(liar: int) -> None:
    nodes = [LogNode(), LogNode()]
    nodes[liar].script.always(faults.on("eth_getLogs", lambda logs: []))
    with pytest.raises(LogsIncomplete) as caught:
        list(client(*nodes, quorum=2).logs([WHO], [TOPIC], 0, 100))
    assert isinstance(caught.value.cause, Disagreement)


def test_logs__quorum_of_different_limits__agree() -> None:
    nodes = [LogNode(), LogNode()]
    nodes[1].most = 30
    found = list(client(*nodes, quorum=2).logs([WHO], [TOPIC], 0, 1_000))
    assert [log.block_number for log in found] == list(range(0, 1_001, 10))


@pytest.mark.parametrize("fault", [faults.html, faults.status(404), faults.status(429)])
def test_logs__quorum_with_one_endpoint_down__incomplete(fault: faults.Fault) -> None:
    nodes = [LogNode(), LogNode()]
    nodes[1].script.always(fault)
    with pytest.raises(LogsIncomplete):
        list(client(*nodes, quorum=2).logs([WHO], [TOPIC], 0, 100))


def test_logs__quorum_with_a_spare_for_one_that_is_down__agree() -> None:
    nodes = [LogNode(), LogNode(), LogNode()]
    nodes[1].script.always(faults.dropped)
    found = list(client(*nodes, quorum=2).logs([WHO], [TOPIC], 0, 100))
    assert len(found) == 11


def test_logs__endpoint_that_never_answers__is_given_up_after_few_waits() -> None:
    node = LogNode()
    chain = client(node, retries=0)
    chain.head()  # known, so that every POST from here on is for logs
    before = node.posts
    node.script.always(faults.delayed(1e9))
    with pytest.raises(LogsIncomplete) as caught:
        list(chain.logs([WHO], [TOPIC], 0, 1_000_000))
    assert isinstance(caught.value.cause, TimedOut)
    assert node.posts - before <= 4
