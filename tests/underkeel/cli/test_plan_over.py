"""A plan at an old block: it says that it is over."""

from tests.executor.plan.test_codec import PLAN
from underkeel.cli.plan import told_over


def test_plan__its_block_is_older_than_it_is_valid__says_so() -> None:
    assert told_over(PLAN, PLAN.expires_at) is None
    said = told_over(PLAN, max(PLAN.expires_at + 1, PLAN.time + 7 * 60))
    assert said == "! this plan is over already: its block is from 7 min ago", said
