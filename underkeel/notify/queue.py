"""The outbox as its worker sees it: claim, settle, recover, give up; one row per attempt.

Every function takes the connection of a transaction of `Store.writing`, which lets one writer in
at a time: what is claimed in one is seen by no other as waiting.

A row's `waited` counts how long delivery has been tried, by what was waited between attempts and
not by any clock: neither a jump of the clock nor a week switched off makes a message old.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    String,
    and_,
    case,
    cast,
    func,
    insert,
    or_,
    select,
    update,
)

from underkeel.notify.types import Message, Outcome, Verdict
from underkeel.notify.wire import LONGEST_WAIT_S
from underkeel.store.tables import deliveries, notifications
from underkeel.store.types import MICRO

WAITING: Final = "waiting"
SENDING: Final = "sending"
DELIVERED: Final = "delivered"
FAILED: Final = "failed"
SERVICE: Final = "run/"
"""How the holders begin that have the service's lock: of those, only one can be alive."""
LOOKED_AT: Final = 1_000
RANKS: Final[Mapping[str, int]] = {"critical": 0, "warning": 1}
"""What is sent first; all else comes after."""
SLACK_S: Final = 120.0
CUT_OFF: Final = "the process ended before the answer was noted"

_n = notifications.c


@dataclass(frozen=True, slots=True)
class Claim:
    """A message that is ours to send, once."""

    seq: int
    receipt: int
    """The row of `deliveries`."""
    attempt: int
    repeated: bool
    """Whether an earlier attempt may have arrived."""
    message: Message


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits for a channel, or is being sent."""

    count: int
    oldest_at: float


def _open(channel: str, now: float) -> Any:
    """Select what is open on a channel, a row each, with what its lane says of it.

    A lane is an alert's messages in order: `ready` says whether its first may be sent now, `rank`
    is of the most urgent in it, 0 the worst.
    """
    lane = case((_n.alert == "", "#" + cast(_n.seq, String)), else_=_n.alert)
    due = or_(_n.retry_at.is_(None), _n.retry_at <= now, _n.retry_at > now + LONGEST_WAIT_S)
    may = case((and_(_n.status == WAITING, due), 1), else_=0)
    urgency = case(RANKS, value=_n.severity, else_=len(RANKS))
    return (
        select(
            _n.seq, _n.alert, _n.status, _n.retry_at, _n.held_until,
            func.row_number().over(partition_by=lane, order_by=_n.seq).label("place"),
            func.first_value(may).over(partition_by=lane, order_by=_n.seq).label("ready"),
            func.min(urgency).over(partition_by=lane).label("rank"),
        )
        .where(_n.channel == channel, _n.status.in_((WAITING, SENDING)))
        .subquery()
    )  # fmt: skip


def due_within(db: Connection, channel: str, now: float) -> float | None:
    """Return the seconds until something of a channel may be sent; None if nothing waits."""
    row = _open(channel, now)
    at = case((row.c.status == WAITING, row.c.retry_at), else_=row.c.held_until)
    first = select(at.label("at")).where(row.c.place == 1).subquery()
    over = or_(first.c.at.is_(None), first.c.at <= now, first.c.at > now + LONGEST_WAIT_S)
    if db.execute(select(first.c.at).where(over).limit(1)).first() is not None:
        return 0.0
    soonest = db.execute(select(func.min(first.c.at))).scalar_one()
    return None if soonest is None else float(soonest) - now


def claim(
    db: Connection, channel: str, *, who: str, now: float, until: float, most: int = 1
) -> list[Claim]:
    """Take what may be sent now, the urgent alerts first; it is recorded as being sent.

    With `most` above 1, all that is due up to so many, returned oldest first; of an alert nothing
    is taken before what came before it.
    """
    row = _open(channel, now)
    query = (
        select(row.c.seq, row.c.alert, row.c.retry_at)
        .where(row.c.ready == 1)
        .order_by(row.c.rank, row.c.seq)
        .limit(LOOKED_AT)
    )
    seqs: list[int] = []
    held: set[str] = set()
    for one in db.execute(query):
        if one.alert in held or not _due(one.retry_at, now):
            if one.alert:
                held.add(one.alert)
            continue
        seqs.append(one.seq)
        if len(seqs) == most:
            break
    return [_claimed(db, seq, who, now, until) for seq in sorted(seqs)]


def _due(retry_at: float | None, now: float) -> bool:
    """A time further off than we ever set was set by a clock that has been put back since."""
    return retry_at is None or retry_at <= now or retry_at > now + LONGEST_WAIT_S


def _claimed(db: Connection, seq: int, who: str, now: float, until: float) -> Claim:
    row = db.execute(
        update(notifications)
        .where(_n.seq == seq)
        .values(status=SENDING, holder=who, held_until=until, attempts=_n.attempts + 1)
        .returning(*notifications.c)
    ).one()
    receipt = db.execute(
        insert(deliveries)
        .values(
            notification=seq, channel=row.channel, attempt=row.attempts, began_at=now,
            outcome="", cause="", repeated=row.maybe,
        )
        .returning(deliveries.c.id)
    ).scalar_one()  # fmt: skip
    return Claim(seq, int(receipt), row.attempts, row.maybe, message_of(row))


def take(db: Connection, id_: str, *, who: str, now: float, until: float) -> Claim:
    """Take one message by its id, which the same transaction has put."""
    seq = db.execute(select(_n.seq).where(_n.id == id_)).scalar_one()
    return _claimed(db, int(seq), who, now, until)


def settle(
    db: Connection,
    claims: Sequence[Claim],
    outcome: Outcome,
    *,
    who: str,
    now: float,
    retry_at: float | None,
    digest: str = "",
) -> int:
    """Note what came of an attempt; returns of how many messages it still was ours to note.

    `retry_at` None for one that was not delivered gives it up.
    """
    delivered = outcome.verdict is Verdict.DELIVERED
    values: dict[str, Any] = {"holder": "", "held_until": None, "cause": outcome.cause}
    if delivered:
        values |= {"status": DELIVERED, "settled_at": now, "cause": "", "retry_at": None}
    elif retry_at is None:
        values |= {"status": FAILED, "settled_at": now, "retry_at": None}
    else:
        values |= {"status": WAITING, "retry_at": retry_at}
    if outcome.verdict is Verdict.UNKNOWN:
        values["maybe"] = True
    ours = and_(_n.seq.in_([c.seq for c in claims]), _n.status == SENDING, _n.holder == who)
    changed = db.execute(update(notifications).where(ours).values(**values)).rowcount
    db.execute(
        update(deliveries)
        .where(deliveries.c.id.in_([c.receipt for c in claims]), deliveries.c.outcome == "")
        .values(
            ended_at=now, outcome=str(outcome.verdict), code=outcome.code, cause=outcome.cause,
            digest=digest or None,
        )
    )  # fmt: skip
    return int(changed)


def recover(db: Connection, channel: str, *, who: str, now: float, longest: float) -> int:
    """Let messages wait again whose sender is gone; each may have arrived. Returns how many.

    With the service's lock, every other sender of the service is gone; others are when their time
    is up, or further off than `longest` seconds and some, which only a clock put back can make it.
    """
    far = now + longest + SLACK_S  # `now` may be older than the claim: a transaction is waited for
    gone: ColumnElement[bool] = or_(_n.held_until <= now, _n.held_until > far)
    if who.startswith(SERVICE):
        gone = or_(gone, _n.holder.like(SERVICE + "%"))
    where = and_(_n.channel == channel, _n.status == SENDING, gone)
    seqs = list(
        db.execute(
            update(notifications)
            .where(where)
            .values(
                status=WAITING, maybe=True, holder="", held_until=None, retry_at=None, cause=CUT_OFF
            )
            .returning(_n.seq)
        ).scalars()
    )
    if seqs:
        db.execute(
            update(deliveries)
            .where(deliveries.c.notification.in_(seqs), deliveries.c.outcome == "")
            .values(ended_at=now, outcome=str(Verdict.UNKNOWN), cause=CUT_OFF)
        )
    return len(seqs)


def age(db: Connection, channel: str, seconds: float, only: Sequence[int] | None = None) -> None:
    """Count time of trying towards giving up: of all that waits for a channel, or of some."""
    where = [_n.channel == channel, _n.status == WAITING]
    if only is not None:
        where.append(_n.seq.in_(only))
    waited = _n.waited + round(seconds * MICRO)
    db.execute(update(notifications).where(*where).values(waited=waited))


def expire(
    db: Connection,
    channel: str,
    after_s: float,
    now: float,
    cause: str,
    only: Sequence[int] | None = None,
) -> list[str]:
    """Give up what was tried for longer, all or some; returns the titles, oldest first."""
    old = [_n.channel == channel, _n.status == WAITING, _n.waited >= round(after_s * MICRO)]
    if only is not None:
        old.append(_n.seq.in_(only))
    titles = [str(t) for t in db.execute(select(_n.title).where(*old).order_by(_n.seq)).scalars()]
    if titles:
        values = {"status": FAILED, "settled_at": now, "retry_at": None, "cause": cause}
        db.execute(update(notifications).where(*old).values(**values))
    return titles


def hurry(db: Connection, channel: str) -> None:
    """Let nothing wait longer: the channel works again."""
    where = (_n.channel == channel, _n.status == WAITING, _n.retry_at.is_not(None))
    db.execute(update(notifications).where(*where).values(retry_at=None))


def strangers(db: Connection, channels: Sequence[str], now: float) -> list[tuple[str, str]]:
    """Give up what waits for channels that are no longer there; returns channel and title."""
    lost = and_(_n.status == WAITING, _n.channel.not_in(list(channels)))
    query = select(_n.channel, _n.title).where(lost).order_by(_n.seq)
    found = [(str(row.channel), str(row.title)) for row in db.execute(query)]
    if found:
        cause = "the channel is no longer in the config"
        values = {"status": FAILED, "settled_at": now, "retry_at": None, "cause": cause}
        db.execute(update(notifications).where(lost).values(**values))
    return found


def backlog(db: Connection) -> dict[str, Backlog]:
    """Return what waits, by channel."""
    query = (
        select(_n.channel, func.count(), func.min(_n.created_at))
        .where(_n.status.in_((WAITING, SENDING)))
        .group_by(_n.channel)
    )
    return {str(c): Backlog(int(n), float(at)) for c, n, at in db.execute(query)}


def counts(db: Connection) -> Mapping[tuple[str, str], int]:
    """Return how many attempts ended how, by channel and outcome, of what is not pruned."""
    query = (
        select(deliveries.c.channel, deliveries.c.outcome, func.count())
        .where(deliveries.c.outcome != "")
        .group_by(deliveries.c.channel, deliveries.c.outcome)
    )
    return {(str(c), str(o)): int(n) for c, o, n in db.execute(query)}


def message_of(row: Row[Any]) -> Message:
    """Return the message of a row of `notifications`."""
    return Message(
        id=row.id, title=row.title, body=row.body, severity=row.severity, state=row.state,
        at=row.created_at, alert=row.alert, rule=row.rule, payload=row.payload,
    )  # fmt: skip
