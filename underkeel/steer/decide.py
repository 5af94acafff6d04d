"""What to do next, from what fires and what was proposed so far. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from underkeel.config.alerts import RANK
from underkeel.steer.types import OPEN, Firing, Proposal, Status

HOUR_S: Final = 3_600
MOVED: Final = 0.02
"""A value that moved by this share since a plan was made asks for another plan."""
AHEAD_S: Final = 60
"""What was made this much later than now was made by a clock that was wrong."""


@dataclass(frozen=True, slots=True)
class MakePlan:
    """Plan for an alert."""

    firing: Firing


@dataclass(frozen=True, slots=True)
class Start:
    """Have a proposal carried out."""

    firing: Firing
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Close:
    """End a proposal that nobody carried out."""

    proposal: Proposal
    status: Status
    cause: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave a proposal as it is, and say once why."""

    proposal: Proposal
    cause: str


Step = MakePlan | Start | Close | Hold
Obstacle = Callable[[str], str | None]
"""Says why a wallet may not have plans carried out by itself; None if it may."""


def steps(
    firing: Sequence[Firing],
    proposals: Sequence[Proposal],
    now: float,
    *,
    obstacle: Obstacle,
    paused: str | None,
) -> list[Step]:
    """Return what to do now, the most urgent first.

    `proposals` holds every open one, and all of the last day. For one alert there is one open
    proposal at most, and for one wallet one that is carried out.
    """
    found: list[Step] = []
    alive = {alert.key: alert for alert in firing}
    for one in proposals:
        if one.status is not Status.PROPOSED:
            continue
        if one.alert and one.alert not in alive:
            found.append(Close(one, Status.WITHDRAWN, "the alert is over"))
        elif one.expires_at is not None and now >= one.expires_at:
            found.append(Close(one, Status.EXPIRED, "nobody carried it out in time"))
        elif one.at > now + AHEAD_S:
            found.append(Close(one, Status.EXPIRED, "the clock was set back since it was made"))
        elif one.alert and _overtaken(alive[one.alert], one, proposals, now):
            found.append(Close(one, Status.EXPIRED, "things have moved: it is made anew"))
    closed = {s.proposal.id: s.status for s in found if isinstance(s, Close)}
    after = [replace(p, status=closed.get(p.id, p.status)) for p in proposals]
    desk = _Desk(after, now, obstacle, paused)
    for alert in sorted(firing, key=_urgency):
        step = desk.step(alert)
        if step is not None:
            found.append(step)
    return found


class _Desk:
    """What is open, and who is busy with what."""

    def __init__(
        self, proposals: Sequence[Proposal], now: float, obstacle: Obstacle, paused: str | None
    ) -> None:
        self._proposals = proposals
        self._now = now
        self._obstacle = obstacle
        self._paused = paused
        self._acting = {
            p.wallet for p in proposals if p.status in (Status.EXECUTING, Status.UNKNOWN)
        }
        self._waiting = {
            p.wallet: p.alert
            for p in proposals
            if p.status is Status.PROPOSED and p.mode == "execute"
        }

    def step(self, alert: Firing) -> Step | None:
        own = [p for p in self._proposals if p.alert == alert.key]
        current = next((p for p in own if p.status in OPEN), None)
        if current is None:
            return self._plan(alert, own)
        if current.status is not Status.PROPOSED or current.mode != "execute":
            return None
        if why := self._held(alert, current):
            return Hold(current, why)
        self._acting.add(current.wallet)
        return Start(alert, current)

    def _plan(self, alert: Firing, own: Sequence[Proposal]) -> Step | None:
        if not alert.known or not _due(alert, own, self._now):
            return None
        if alert.action.mode == "execute" and self._may_act(alert.wallet):
            # What is carried out first changes what the next plan is to be about.
            if alert.wallet in self._acting or alert.wallet in self._waiting:
                return None
            self._waiting[alert.wallet] = alert.key
        return MakePlan(alert)

    def _may_act(self, wallet: str) -> bool:
        return self._paused is None and self._obstacle(wallet) is None

    def _held(self, alert: Firing, current: Proposal) -> str | None:
        """Return why a plan is not carried out now."""
        if alert.action.mode != "execute":
            return "it is only proposed: the rule was changed since"
        if why := self._obstacle(current.wallet):
            return why
        if not alert.known:
            return "what the alert is about cannot be read now"
        if self._paused is not None:
            return self._paused
        if current.wallet in self._acting:
            return f"another plan of {current.wallet} is under way, or its outcome is unknown"
        return None


def _overtaken(alert: Firing, waiting: Proposal, proposals: Sequence[Proposal], now: float) -> bool:
    """Tell whether what a plan rests on is not so any more, and another one may be made."""
    if not alert.known or waiting.value is None:
        return False
    if abs(alert.value - waiting.value) <= MOVED * abs(waiting.value):
        return False
    over = replace(waiting, status=Status.EXPIRED)
    own = [over if p is waiting else p for p in proposals if p.alert == alert.key]
    # Half of what the hour allows: who moves a price to and fro shall not use up the rest, and
    # leave the alert without a plan once this one is over.
    if 2 * sum(1 for p in own if p.at > now - HOUR_S) > alert.action.max_per_hour:
        return False
    return _due(alert, own, now)


def _due(alert: Firing, own: Sequence[Proposal], now: float) -> bool:
    """Tell whether the rule's limits let another plan be made."""
    made = [p for p in own if p.at <= now + AHEAD_S]  # else a clock set back would stop planning
    if sum(1 for p in made if p.at > now - HOUR_S) >= alert.action.max_per_hour:
        return False
    # One that nobody carried out has no end that things would have to settle after.
    ends = [p.at if p.status is Status.EXPIRED else min(p.changed_at, now) for p in made]
    return not ends or now >= max(ends) + alert.action.cool_down


def _urgency(alert: Firing) -> tuple[bool, int, float]:
    """Order alerts: what is carried out is not kept waiting by what somebody is to read."""
    return alert.action.mode != "execute", -RANK.get(alert.severity, 0), alert.value


__all__ = ["Close", "Hold", "MakePlan", "Start", "Step", "steps"]
