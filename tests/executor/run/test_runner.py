"""The runner on a real node: each intent takes effect once, whatever the chain does."""

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from world.anvil import Anvil

from executor.run.ports import Judgement
from executor.run.runner import Busy
from executor.types import Allowed, Intent, Kind, Refused, State
from tests.executor.run.stage import ETHER, FRIEND, GWEI, Stage

pytestmark = pytest.mark.world
S = State
PUBLIC = frozenset({"public"})


def test_tick__nothing_goes_wrong__done_after_finality(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    assert stage.state(wanted) is S.BROADCAST
    (sent,) = stage.journal.attempts(wanted.id)
    assert (sent.nonce, sent.reply, sent.channels) == (0, "accepted", PUBLIC)
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.MINED
    stage.node.mine(2)
    runner.tick()
    assert stage.state(wanted) is S.MINED, "not final yet"
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.DONE
    assert stage.received() == 7
    receipt = stage.journal.receipt(wanted.id)
    assert receipt is not None
    spent = 10 * ETHER - int(stage.node.rpc.request("eth_getBalance", stage.wallet, "latest"), 16)
    assert spent == receipt.cost_wei + 7
    assert [s.wei for s in stage.journal.ledger(stage.node.chain_id, stage.wallet,
                                                since=0).spends] == [spent]  # fmt: skip


def test_tick__two_intents__one_in_flight_and_both_done(stage: Stage) -> None:
    first, second = stage.intent(1), stage.intent(2)
    runner = stage.runner()
    runner.tick()
    assert {stage.state(first), stage.state(second)} == {S.BROADCAST, S.APPROVED}
    stage.settle(runner)
    assert {stage.state(first), stage.state(second)} == {S.DONE}
    assert (stage.received(), stage.nonce()) == (3, 2)


def test_tick__following_step__waits_for_the_first_to_be_final(stage: Stage) -> None:
    first = stage.intent(2)
    second = stage.intent(1, after=first.id)
    runner = stage.runner()
    runner.tick()
    stage.node.mine()
    runner.tick()
    assert (stage.state(first), stage.state(second)) == (S.MINED, S.APPROVED)
    stage.node.mine(3)
    runner.tick()
    runner.tick()
    assert (stage.state(first), stage.state(second)) == (S.DONE, S.BROADCAST)
    stage.settle(runner)


def test_tick__base_fee_rises__is_replaced_and_done_once(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    for _ in range(5):
        stage.node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(20 * GWEI))
        stage.node.mine()
        runner.tick()
    attempts = stage.journal.attempts(wanted.id)
    assert len(attempts) > 1
    for old, new in pairwise(attempts):
        assert 10 * new.cap >= 11 * old.cap
        assert 10 * new.tip >= 11 * old.tip
        assert new.nonce == old.nonce
    assert all(a.cap <= wanted.fee_cap_abs for a in attempts)
    stage.settle(runner)
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 1)


def test_tick__fees_above_the_limit__same_bytes_until_they_fall(stage: Stage) -> None:
    wanted = stage.intent(7, fee_cap_abs=3 * GWEI)
    runner = stage.runner()
    runner.tick()
    for _ in range(6):
        stage.node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(50 * GWEI))
        stage.drop()
        stage.node.mine()
        runner.tick()
        assert stage.state(wanted) is S.BROADCAST
    attempts = stage.journal.attempts(wanted.id)
    assert all(a.cap <= 3 * GWEI for a in attempts)
    assert attempts[-1].last_block == int(stage.node.rpc.request("eth_blockNumber"), 16)
    stage.node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    stage.settle(runner)
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_tick__accepted_and_dropped__is_sent_again(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.drop()
    stage.node.mine()
    runner.tick()
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.MINED


def test_tick__reorganised_after_the_receipt__follows_the_chain(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.MINED
    stage.node.reorg(1)
    stage.drop()
    assert stage.received() == 0
    runner.tick()
    assert stage.state(wanted) is S.BROADCAST
    assert stage.journal.receipt(wanted.id) is None
    stage.settle(runner)
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 1)


def test_tick__stranger_takes_the_nonce__same_id_at_a_new_one_after_finality(
    stage: Stage,
) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.drop()
    stage.stranger(0)
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.BROADCAST, "the stranger's block is not final"
    stage.node.mine(3)
    runner.tick()
    assert len(stage.journal.attempts(wanted.id)) == 2
    stage.settle(runner)
    attempts = stage.journal.attempts(wanted.id)
    assert [a.nonce for a in attempts] == [0, 1]
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_tick__stranger_reorganised_out__gap_is_filled(stage: Stage) -> None:
    stage.stranger(0)
    stage.node.mine()
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    assert stage.journal.attempts(wanted.id)[0].nonce == 1
    stage.drop()
    stage.node.reorg(1)
    stage.drop()
    runner.tick()
    fillers = [i for i in stage.journal.intents(stage.node.chain_id, stage.wallet) if i.filler]
    assert [(i.nonce, i.state) for i in fillers] == [(0, S.BROADCAST)]
    stage.settle(runner)
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.DONE, 7, 2)


def test_tick__cancelled_in_flight__noop_wins_and_is_final_first(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.journal.wish(wanted.id, "cancel")
    stage.node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    runner.tick()
    assert stage.state(wanted) is S.CANCELLING
    assert [a.kind for a in stage.journal.attempts(wanted.id)] == [Kind.EFFECT, Kind.NOOP]
    stage.node.mine()
    runner.tick()
    assert stage.state(wanted) is S.CANCELLING, "its no-op is not final"
    stage.settle(runner)
    assert (stage.state(wanted), stage.received(), stage.nonce()) == (S.CANCELLED, 0, 1)


def test_tick__noop_dearer_than_what_is_reserved__is_asked_of_the_policy(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    reserved = stage.signer.signed[0].most_wei
    stage.policy.answer = lambda _: Refused("the cap is spent")
    stage.journal.wish(wanted.id, "cancel")
    reports = runner.tick()
    assert (stage.state(wanted), len(stage.signer.signed)) == (S.CANCELLING, 1)
    assert reports[-1].what == "the policy refuses: the cap is spent"
    market, least = [asked[1] for asked in stage.policy.asked[-2:]]
    assert market.most_wei >= least.most_wei > reserved
    stage.policy.answer = lambda _: Allowed(1_000_000)
    runner.tick()
    assert [a.kind for a in stage.journal.attempts(wanted.id)] == [Kind.EFFECT, Kind.NOOP]


def test_tick__noop_within_what_is_reserved__is_not_asked(stage: Stage) -> None:
    wanted = stage.intent(7, gas_limit=100_000)
    runner = stage.runner()
    runner.tick()
    stage.policy.answer = lambda _: Refused("the cap is spent")
    stage.journal.wish(wanted.id, "cancel")
    runner.tick()
    assert [a.kind for a in stage.journal.attempts(wanted.id)] == [Kind.EFFECT, Kind.NOOP]


def test_tick__cancelled_too_late__effect_counts(stage: Stage) -> None:
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    stage.node.mine()
    stage.journal.wish(wanted.id, "cancel")
    stage.settle(runner)
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_tick__deadline_passes_in_flight__is_cancelled(stage: Stage) -> None:
    wanted = stage.intent(7, fee_cap_abs=3 * GWEI)
    runner = stage.runner()
    runner.tick()
    stage.drop()
    stage.node.travel(20_000)
    stage.settle(runner)
    assert (stage.state(wanted), stage.received()) == (S.CANCELLED, 0)


def test_tick__speed_up__replaces_at_the_next_block(stage: Stage) -> None:
    stage.settings = replace(stage.settings, bump_blocks=100)
    wanted = stage.intent(7, fee_cap_abs=2 * GWEI)
    runner = stage.runner()
    runner.tick()
    stage.drop()
    stage.journal.wish(wanted.id, "speed_up", fee_cap=50 * GWEI)
    stage.node.mine()
    runner.tick()
    old, new = stage.journal.attempts(wanted.id)
    assert 10 * new.cap >= 11 * old.cap
    stage.settle(runner)


def test_tick__reverts_on_chain__is_told_and_not_tried_again(stage: Stage) -> None:
    code = "0x60006000fd"
    stage.node.set_code(FRIEND, code)
    wanted = stage.intent(7, gas_limit=60_000)
    stage.settle(stage.runner())
    stage.node.set_code(FRIEND, "0x")
    assert (stage.state(wanted), stage.nonce()) == (S.REVERTED, 1)


def test_tick__policy_refuses__nothing_is_signed_and_no_place_is_taken(stage: Stage) -> None:
    first, second = stage.intent(1), stage.intent(2)

    def answer(intent: Intent) -> Allowed | Refused:
        return Refused("over the cap") if intent.id == first.id else Allowed()

    stage.policy.answer = answer
    runner = stage.runner()
    reports = {r.intent: r for r in runner.tick()}
    assert "over the cap" in reports[first.id].what
    assert (stage.state(first), stage.state(second)) == (S.APPROVED, S.BROADCAST)
    stage.policy.answer = lambda _: Refused("never", lasting=True)
    stage.node.mine()
    runner.tick()
    assert stage.state(first) is S.HELD
    assert stage.state(second) is S.MINED
    stage.policy.answer = lambda _: Allowed()
    stage.journal.wish(first.id, "release")
    stage.settle(runner)
    assert stage.received() == 3


def test_tick__paused__nothing_new_is_signed(stage: Stage) -> None:
    flying = stage.intent(1)
    runner = stage.runner()
    runner.tick()
    waiting = stage.intent(2)
    stage.paused = True
    for _ in range(6):
        stage.node.mine()
        runner.tick()
    assert (stage.state(flying), stage.state(waiting)) == (S.DONE, S.APPROVED)
    assert len(stage.signer.signed) == 1


class Judge:
    """Says what the test says."""

    def __init__(self, answer: Judgement) -> None:
        self.answer = answer

    def judge(self, intent: Intent, at: object) -> Judgement:
        return self.answer


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Judgement(trigger=None), S.APPROVED),
        (Judgement(trigger=False), S.CANCELLED),
        (Judgement(value_wei=1), S.APPROVED),
        (Judgement(value_wei=ETHER), S.BROADCAST),
        (Judgement(value_wei=ETHER, other_cost_wei=ETHER), S.APPROVED),
    ],
    ids=["unknown", "gone", "worthless", "worth it", "too dear"],
)
def test_tick__trigger_and_value__are_asked_before_signing(
    stage: Stage, answer: Judgement, state: State
) -> None:
    wanted = stage.intent(7)
    stage.runner(judge=Judge(answer)).tick()
    assert stage.state(wanted) is state
    assert bool(stage.signer.signed) == (state is S.BROADCAST)


def test_tick__two_runners__one_acts(stage: Stage) -> None:
    wanted = stage.intent(7)
    first, second = stage.runner("one"), stage.runner("two")
    first.tick()
    with pytest.raises(Busy):
        second.tick()
    first.close()
    second.tick()
    stage.settle(second)
    assert (stage.state(wanted), stage.received(), len(stage.signer.signed)) == (S.DONE, 7, 1)


def test_tick__node_away__changes_nothing(stage: Stage) -> None:
    wanted = stage.intent(7)
    stage.urls = ("http://127.0.0.1:9",)
    (report,) = stage.runner().tick()
    assert report.what.startswith("waiting: ")
    assert stage.state(wanted) is S.APPROVED


def test_tick__private_endpoint__first_alone_then_the_same_bytes_publicly(
    stage: Stage,
) -> None:
    stage.private = ("http://127.0.0.1:9",)  # says nothing at all
    wanted = stage.intent(7)
    runner = stage.runner()
    runner.tick()
    (first,) = stage.journal.attempts(wanted.id)
    assert (first.channels, first.reply) == (frozenset({"private"}), "unknown")
    stage.node.mine()
    runner.tick()
    (again,) = stage.journal.attempts(wanted.id)
    assert again.channels == {"private", "public"}
    assert again.raw == first.raw
    stage.settle(runner)
    assert (stage.state(wanted), stage.received()) == (S.DONE, 7)


def test_tick__planned__waits_for_its_owner(stage: Stage) -> None:
    wanted = stage.intent(7, state=S.PLANNED)
    runner = stage.runner()
    runner.tick()
    assert stage.state(wanted) is S.PLANNED
    stage.journal.wish(wanted.id, "approve")
    stage.settle(runner)
    assert stage.state(wanted) is S.DONE


def test_tick__journal_on_postgres__all_is_the_same(
    node: Anvil, tmp_path: Path, postgres: str
) -> None:
    node.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
    stage = Stage(node, tmp_path, postgres)
    try:
        first, second = stage.intent(1), stage.intent(2)
        runner = stage.runner()
        runner.tick()
        stage.journal.wish(first.id, "cancel")
        stage.settle(runner)
        assert (stage.state(first), stage.state(second)) == (S.CANCELLED, S.DONE)
        assert (stage.received(), stage.nonce()) == (2, 2)
    finally:
        stage.close()
        stage.drop()
