"""Crashes at each boundary, guards, lost journals and liars, on a real node."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chain.errors import BlockUnknown
from chain.sending import Outcome, Sender
from chain.types import checksum
from executor.journal.journal import Journal
from executor.types import Allowed, Call, Intent, Refused, State
from tests.executor.run.stage import DEPTH, ETHER, FRIEND, GWEI, PlainSigner, Stage

pytestmark = pytest.mark.world
S = State
ROOT = Path(__file__).parents[3]

GUARD = checksum("0x" + "9a" * 20)
GUARD_CODE = (
    "0x36602414601c575f35805415601257"
    + "5f5ffd"
    + "5b42815560015f5fa200"
    + "5b600435545f5260205ff3"
)
"""Called with 4 + 32 bytes it answers the word stored under the id; called with the id alone it
stores the time there and logs the id, or reverts if it had been stored."""


class Died(BaseException):
    """The process ends here."""


@contextmanager
def dying(monkeypatch: pytest.MonkeyPatch, at: int, *, after: bool) -> Iterator[None]:
    """Die at the n-th boundary: a commit, a signature or a sending; before or after it."""
    left = [at]

    def wrap(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0 and not after:
                raise Died
            result = call(*args, **kwargs)
            if left[0] < 0:
                raise Died
            return result

        return wrapped

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "commit", wrap(Journal.commit))
        patch.setattr(PlainSigner, "sign", wrap(PlainSigner.sign))
        patch.setattr(Sender, "broadcast", wrap(Sender.broadcast))
        yield


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_crash__at_each_boundary__one_effect(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    for number in range(1, 8):
        wanted = stage.intent(number)
        had, nonce = stage.received(), stage.nonce()
        for _ in range(2):  # it may die twice at the same place
            try:
                with dying(monkeypatch, number - 1, after=after):
                    stage.runner("me").tick()
                    stage.node.mine()
                    stage.runner("me").tick()
            except Died:
                pass
        stage.settle(stage.runner("me"))
        assert stage.state(wanted) is S.DONE
        assert (stage.received() - had, stage.nonce() - nonce) == (number, 1)


@pytest.fixture
def guarded(stage: Stage) -> Intent:
    stage.node.set_code(GUARD, GUARD_CODE)
    id_ = f"0x{int(stage.wallet, 16):064x}"
    return stage.intent(
        1, id=id_, guard=GUARD, call=Call(GUARD, 0, bytes.fromhex(id_[2:])), gas_limit=80_000
    )


def test_guard__its_event__makes_it_done(stage: Stage, guarded: Intent) -> None:
    stage.settle(stage.runner())
    receipt = stage.journal.receipt(guarded.id)
    assert stage.state(guarded) is S.DONE
    assert receipt is not None
    assert receipt.guard_event


def test_guard__used_by_another__is_done_and_never_sent(stage: Stage, guarded: Intent) -> None:
    stage.node.set_balance(FRIEND, ETHER)
    use = {"from": FRIEND, "to": GUARD, "data": guarded.id, "gas": hex(80_000)}
    stage.node.rpc.request("eth_sendTransaction", use)
    stage.node.mine()
    runner = stage.runner()
    (report,) = runner.tick()
    assert "took place" in report.what
    stage.settle(runner)
    assert stage.state(guarded) is S.DONE
    assert stage.signer.signed == []


def test_journal_lost__mined_effect__is_found_and_not_repeated(stage: Stage) -> None:
    wanted = stage.intent(7)
    backup = _backup(stage)
    stage.settle(stage.runner())
    assert stage.state(wanted) is S.DONE
    _restore(stage, backup)
    assert stage.state(wanted) is S.APPROVED
    stage.settle(stage.runner(), blocks=20)
    assert stage.state(wanted) is S.DONE
    assert stage.received() == 7
    receipt = stage.journal.receipt(wanted.id)
    assert receipt is not None
    (found,) = [s for s in stage.journal.ledger(stage.node.chain_id, stage.wallet, since=0).spends
                if s.intent == wanted.id]  # fmt: skip
    assert (found.wei, found.usd_e6, found.live) == (receipt.cost_wei + 7, None, False), (
        "it counts as spent"
    )


def test_journal_lost__what_may_have_been_ours__counts_as_spent(stage: Stage) -> None:
    backup = _backup(stage)
    lost = stage.intent(7)
    stage.settle(stage.runner())
    cost = stage.journal.ledger(stage.node.chain_id, stage.wallet, since=0).spends[0].wei
    _restore(stage, backup)
    stage.stranger(1)
    stage.node.mine(DEPTH + 1)
    other = stage.intent(9)
    runner = stage.runner()
    for _ in range(2):
        runner.tick()
    assert stage.journal.intent(lost.id) is None
    spends = stage.journal.ledger(stage.node.chain_id, stage.wallet, since=0).spends
    found = {spend.usd_e6: spend.wei for spend in spends if not spend.live}
    assert found.keys() == {None, 0}, "the effect is of unknown worth, a no-op costs gas only"
    assert found[None] == cost
    assert found[0] > 21_000 * GWEI
    stage.settle(runner, blocks=20)
    assert stage.state(other) is S.DONE


def test_journal_lost__mined_and_not_final__counts_before_anything_is_signed(stage: Stage) -> None:
    wanted = stage.intent(7)
    backup = _backup(stage)
    stage.runner().tick()
    stage.node.mine()
    _restore(stage, backup)
    runner = stage.runner()
    runner.tick()
    assert stage.journal.attempts(wanted.id) == (), "nobody knows it yet"
    spends = stage.journal.ledger(stage.node.chain_id, stage.wallet, since=0).spends
    assert [(s.wei > 21_000, s.usd_e6) for s in spends if not s.live] == [(True, None)]
    stage.settle(runner, blocks=20)
    spends = stage.journal.ledger(stage.node.chain_id, stage.wallet, since=0).spends
    assert [s.usd_e6 for s in spends if s.intent == wanted.id] == [None]
    assert len(spends) == 2, "the effect, once, and the no-op"


def test_journal_lost__policy_refuses__not_even_a_noop_is_signed(stage: Stage) -> None:
    stage.intent(7)
    backup = _backup(stage)
    stage.settle(stage.runner())
    _restore(stage, backup)
    stage.intent(9)
    runner = stage.runner()
    before = len(stage.signer.signed)
    stage.policy.answer = lambda _: Refused("the cap is spent", lasting=True)
    for _ in range(3):
        reports = runner.tick()
        stage.node.mine()
    assert len(stage.signer.signed) == before
    assert "the policy refuses: the cap is spent" in [r.what for r in reports]
    stage.policy.answer = lambda _: Allowed(1_000_000)
    stage.settle(runner, blocks=20)
    assert stage.received() == 16


def test_journal_lost__live_payload__is_not_joined_by_a_second(stage: Stage) -> None:
    first = stage.intent(7)
    backup = _backup(stage)
    stage.runner().tick()
    assert stage.state(first) is S.BROADCAST
    _restore(stage, backup)
    stage.settle(stage.runner(), blocks=20)
    assert stage.state(first) is S.DONE
    assert stage.received() == 7


def test_journal_lost__nothing_is_signed_before_it_is_whole(stage: Stage) -> None:
    done = stage.intent(7)
    backup = _backup(stage)
    stage.settle(stage.runner())
    _restore(stage, backup)
    other = stage.intent(9)
    before = len(stage.signer.signed)
    runner = stage.runner()
    for _ in range(2):
        runner.tick()
        stage.node.mine()
    assert all(t.value == 0 for t in stage.signer.signed[before:]), "only no-ops"
    stage.settle(runner, blocks=20)
    assert (stage.state(done), stage.state(other)) == (S.DONE, S.DONE)
    assert stage.received() == 16


def test_journal_lost__node_cannot_tell__nothing_is_signed_until_the_owner_vouches(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage.intent(7)
    stage.settle(stage.runner())
    backup = _backup(stage)
    second = stage.intent(8)
    stage.settle(stage.runner())
    _restore(stage, backup)
    stage.journal.record(second)
    before = len(stage.signer.signed)

    def gone(*_: object) -> None:
        raise BlockUnknown("node", -32000, "missing trie node")

    monkeypatch.setattr(Sender, "spender", gone)
    notes = [r.what for r in stage.runner().tick() if not r.intent]
    assert notes == ["cannot tell what spent nonce 1; nothing is signed until it is known"]
    assert len(stage.signer.signed) == before
    stage.journal.vouch(stage.node.chain_id, stage.wallet)
    stage.settle(stage.runner())
    assert len(stage.signer.signed) == before + 1


def test_journal_lost__whole_file_gone__recorded_again_and_not_repeated(stage: Stage) -> None:
    wanted = stage.intent(7)
    stage.settle(stage.runner())
    stage.journal.close()
    for path in stage.folder.glob("journal.sqlite*"):
        path.unlink()
    stage.reopen()
    stage.journal.record(wanted)
    stage.settle(stage.runner(), blocks=20)
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_journal_lost__while_idle__is_whole_when_something_is_wanted(stage: Stage) -> None:
    backup = _backup(stage)
    stage.settle(stage.runner())
    stage.intent(7)
    stage.settle(stage.runner())
    _restore(stage, backup)
    runner = stage.runner()
    runner.tick()
    runner.tick()
    assert not stage.journal.known(stage.node.chain_id, stage.wallet).whole
    assert stage.journal.intents(stage.node.chain_id, stage.wallet) == ()
    wanted = stage.intent(9)
    stage.settle(runner, blocks=20)
    assert stage.journal.known(stage.node.chain_id, stage.wallet).whole
    assert (stage.state(wanted), stage.received()) == (S.DONE, 16)


def _backup(stage: Stage) -> Path:
    stage.runner().acquire()
    stage.journal.close()
    shutil.copy(stage.folder / "journal.sqlite", stage.folder / "backup")
    stage.reopen()
    return stage.folder / "backup"


def _restore(stage: Stage, backup: Path) -> None:
    stage.journal.close()
    for path in stage.folder.glob("journal.sqlite-*"):
        path.unlink()
    shutil.copy(backup, stage.folder / "journal.sqlite")
    stage.reopen()


def test_reply_lost__after_acceptance__is_no_failure(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = stage.intent(7)
    real = Sender.broadcast

    def silent(self: Sender, raw: bytes, hash_: str, *, public: bool) -> list[Outcome]:
        real(self, raw, hash_, public=public)
        return []

    monkeypatch.setattr(Sender, "broadcast", silent)
    stage.settle(stage.runner())
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_process__killed_and_started_again__one_effect(stage: Stage) -> None:
    wanted = stage.intent(7)
    key = stage.signer._account.key.hex()
    options = {
        "journal": stage.url, "mark": str(stage.folder / "journal.mark"), "urls": [stage.node.url],
        "chain_id": stage.node.chain_id, "final_depth": DEPTH, "holder": "one",
        "until_idle": True,
    }  # fmt: skip
    line = [sys.executable, "-m", "tests.executor.run.process", json.dumps(options)]
    env = os.environ | {"KEY": key}
    with subprocess.Popen(line, env=env, cwd=ROOT, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert json.loads(first.stdout.readline())["state"] == "broadcast"
        first.send_signal(signal.SIGKILL)
    stage.node.mine(1 + DEPTH)
    told = subprocess.run(
        line, env=env, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(told.stdout.splitlines()[-1])["state"] == "done"
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 1)
