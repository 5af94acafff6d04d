"""Weigh everything that is known of a feed: what speaks against it, and what is not known."""

from collections.abc import Sequence
from typing import Final

from chain.types import BlockRef
from protocols.prices.state import Round, Sequencer, SequencerState, Upkeep
from risk.oracle.rule import JITTER_FRAC, JITTER_S, learn
from risk.oracle.types import FeedGap, FeedTrust, MarketGap, Next, NextKind, UpdateRule, Verdict

NEAR_BOUND: Final = 0.5
"""A floor above this share of the answer hides a fall that has happened before."""
YOUNG_S: Final = 7 * 86_400
"""An aggregator in charge for less is new."""
FEED_CONFLICT: Final = 0.02
"""How far two feeds of one pair may be apart, as for prices."""
MARKET_CONFLICT: Final = 0.01
"""How far a pool may be off besides twice the deviation (its and the other token's feed) and its
fee."""
LEAST_DEPTH_USD: Final = 10_000


def judge(
    upkeep: Upkeep,
    rounds: Sequence[Round],
    at: BlockRef,
    *,
    promised_s: int | None = None,
    market: MarketGap | None = None,
    others: Sequence[FeedGap] = (),
    sequencer: Sequencer | None = None,
    unread: Sequence[str] = (),
) -> FeedTrust:
    """Return what a feed is worth; `rounds` are its newest without gaps, oldest first.

    `unread` says what was asked for and not learned, such as its rounds. Never raises.
    """
    rule = learn(rounds)
    age = None if upkeep.updated_at is None else at.timestamp - upkeep.updated_at
    known = [b for b in (rule.heartbeat_s, promised_s) if b is not None]
    beat = min(known, default=None)
    problems = [
        *_answer(upkeep, age, beat),
        *_keepers(upkeep, rounds, at),
        *_neighbours(rule, market, others),
    ]
    if rule.overdue:
        times = "once" if rule.overdue == 1 else f"{rule.overdue} times"
        problems.append(f"was silent beyond its heartbeat {times} in {rule.updates} updates")
    if sequencer is not None and sequencer.state is not SequencerState.UNKNOWN:
        problems += [sequencer.problem] if sequencer.problem else []
    unknown = [*upkeep.unknown, *unread, *rule.causes]
    if age is None:
        unknown.append("age: it tells no time")
    if market is None:
        unknown.append("market: no deep enough pool was found to compare with")
    missing = age is None or beat is None or upkeep.answer is None
    if sequencer is not None and sequencer.state is SequencerState.UNKNOWN:
        unknown.append(sequencer.problem)
        missing = True
    verdict = Verdict.SOUND
    if problems:
        verdict = Verdict.DOUBTFUL
    elif missing or upkeep.unknown or unread:
        verdict = Verdict.UNKNOWN
    return FeedTrust(
        upkeep=upkeep,
        age_s=age,
        rule=rule,
        promised_s=promised_s,
        market=market,
        others=tuple(others),
        sequencer=sequencer,
        next=foresee(upkeep, age, rule, market, beat),
        verdict=verdict,
        problems=tuple(problems),
        unknown=tuple(dict.fromkeys(unknown)),
    )


def _answer(upkeep: Upkeep, age: int | None, beat: int | None) -> list[str]:
    found: list[str] = []
    answer = upkeep.answer
    if answer is not None and answer <= 0:
        found.append(f"answers {answer}")
    if age is not None and age < 0:
        found.append(f"updated {-age} s after the block it was read at")
    if age is not None and beat is not None and age > beat + _late(beat):
        found.append(f"stale: {age} s old, it speaks at least every {beat} s")
    if answer is not None and answer > 0:
        if upkeep.minimum is not None and upkeep.minimum > 0:
            if answer <= upkeep.minimum:
                found.append("answers the least it may: a lower price would be hidden")
            elif upkeep.minimum > NEAR_BOUND * answer:
                share = upkeep.minimum / answer
                found.append(f"cannot answer below {share:.0%} of its price now")
        if upkeep.maximum is not None and answer >= upkeep.maximum:
            found.append("answers the most it may: a higher price would be hidden")
    return found


def _late(beat: float) -> float:
    return JITTER_FRAC * beat + JITTER_S


def _keepers(upkeep: Upkeep, rounds: Sequence[Round], at: BlockRef) -> list[str]:
    found: list[str] = []
    if upkeep.proposed is not None:
        found.append(f"its owner has proposed another aggregator, {upkeep.proposed}")
    phases = {r.phase for r in rounds}
    if len(phases) > 1:
        first = next(r for r in rounds if r.phase == max(phases))
        age = at.timestamp - first.updated_at
        if age < YOUNG_S:
            found.append(f"its aggregator was replaced about {age // 3_600} h ago")
    return found


def _neighbours(rule: UpdateRule, market: MarketGap | None, others: Sequence[FeedGap]) -> list[str]:
    found: list[str] = []
    if market is not None and market.depth_usd >= LEAST_DEPTH_USD:
        borne = MARKET_CONFLICT + market.fee_frac + 2 * (rule.deviation_frac or 0.01)
        if abs(market.mean_frac) > borne and market.least_elsewhere > borne:
            # a pool alone does not tell which of its two sides is wrong
            other = f", or the price of {market.against} is" if market.against else ""
            found.append(f"{market.source} is {market.mean_frac:+.1%} off{other}")
    found += [
        f"{gap.label or gap.source} is {gap.frac:+.1%} off"
        for gap in others
        if abs(gap.frac) > FEED_CONFLICT
    ]
    return found


def foresee(
    upkeep: Upkeep,
    age: int | None,
    rule: UpdateRule,
    market: MarketGap | None,
    beat: int | None,
) -> Next:
    """Return the update to come, going by the pool's price now and the learned rule."""
    deep = market is not None and market.depth_usd >= LEAST_DEPTH_USD
    answer = upkeep.answer
    spot = None if not deep or market is None or answer is None else market.spot_frac
    price = None if spot is None or answer is None else round(answer * (1 + spot))
    if spot is not None and rule.deviation_frac is not None and abs(spot) >= rule.deviation_frac:
        threshold = f"{rule.deviation_frac:.2%}"
        why = f"the market is {spot:+.2%} off, past its deviation of {threshold}"
        return Next(NextKind.DEVIATION, 0, price, why)
    if age is None or beat is None:
        return Next(NextKind.UNKNOWN, None, price, "its heartbeat or its age is not known")
    if age >= beat:
        return Next(NextKind.OVERDUE, 0, price, f"its heartbeat of {beat} s has passed")
    if rule.deviation_frac is None:
        why = f"its heartbeat of {beat} s; its deviation is not known"
    elif spot is None:
        why = f"its heartbeat of {beat} s, unless the market moves; no pool tells where it is"
    else:
        why = f"its heartbeat of {beat} s; the market is {spot:+.2%} off"
    return Next(NextKind.HEARTBEAT, beat - age, price, why)
