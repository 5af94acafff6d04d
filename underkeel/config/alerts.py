"""The `[[alert]]` tables: what is watched, when it fires, and who is told."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import (
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from underkeel.config.builtin import BUILTIN
from underkeel.config.plans import ratio
from underkeel.config.problems import did_you_mean
from underkeel.config.steer import ActionTable
from underkeel.config.table import Table
from underkeel.config.values import DURATION, Duration, Name, Whole, refuse, seconds
from underkeel.observe.metrics import METRICS, Metric

Severity = Literal["info", "warning", "critical"]
SEVERITIES: Final = ("info", "warning", "critical")
"""From the least to the worst."""
RANK: Final[Mapping[str, int]] = {"": 0, "info": 1, "warning": 2, "critical": 3}
ID: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}")
BLOCKS: Final = re.compile(r"([0-9]{1,6})\s*blocks?")
DIRECTIONS: Final = (("fire_below", "clear_above"), ("fire_above", "clear_below"))
LONGEST_S: Final = 366 * 86_400


@dataclass(frozen=True, slots=True)
class Span:
    """How long: in blocks of the alert's own chain, or in seconds."""

    blocks: int = 0
    seconds: int = 0

    def __str__(self) -> str:
        if self.blocks:
            return f"{self.blocks} block{'s' if self.blocks > 1 else ''}"
        return f"{self.seconds}s"


def span(value: object) -> Span:
    """Return what `"2 blocks"`, `"30s"` or `"0"` says."""
    if isinstance(value, Span):
        return value
    text = value.strip() if isinstance(value, str) else value
    if text == "0" or (text == 0 and not isinstance(text, bool)):
        return Span()
    if isinstance(text, str) and (found := BLOCKS.fullmatch(text)):
        return Span(blocks=int(found[1]))
    if isinstance(text, str) and DURATION.fullmatch(text):
        return Span(seconds=seconds(text))
    raise refuse("is neither a time nor a number of blocks", 'write "2 blocks", "30s" or "0"')


def threshold(value: object) -> Decimal:
    """Return a number, or the seconds of a time such as `"1d"`."""
    if isinstance(value, str) and DURATION.fullmatch(value.strip()):
        return Decimal(seconds(value))
    return ratio(value)


def _named(value: object) -> str:
    if isinstance(value, str) and ID.fullmatch(value):
        return value
    raise refuse("is not an id", 'write small letters, digits and dashes, such as "hf-low"')


def _metric(value: object) -> str:
    if isinstance(value, str) and value in METRICS:
        return value
    text = value if isinstance(value, str) else ""
    raise refuse("is not a metric", did_you_mean(text, METRICS))


def _patterns(value: object) -> object:
    return (value,) if isinstance(value, str) else value


SpanText = Annotated[
    Span, BeforeValidator(span), PlainSerializer(str), WithJsonSchema({"type": "string"})
]
Threshold = Annotated[
    Decimal, BeforeValidator(threshold), WithJsonSchema({"type": ["number", "string"]})
]
RuleId = Annotated[str, BeforeValidator(_named), WithJsonSchema({"type": "string"})]
MetricName = Annotated[
    str, BeforeValidator(_metric), WithJsonSchema({"type": "string", "enum": sorted(METRICS)})
]
Patterns = Annotated[tuple[str, ...], BeforeValidator(_patterns)]


class LevelTable(Table):
    """One severity, the value that it begins at, and the value that it ends at."""

    severity: Severity
    fire_below: Threshold | None = None
    clear_above: Threshold | None = Field(
        default=None, description="Where it ends; where it began if none."
    )
    fire_above: Threshold | None = None
    clear_below: Threshold | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "LevelTable":
        if (self.fire_below is None) == (self.fire_above is None):
            raise refuse("needs one of fire_below and fire_above", "write where it begins")
        wrong = "clear_below" if self.below else "clear_above"
        if getattr(self, wrong) is not None:
            right = "clear_above" if self.below else "clear_below"
            raise refuse(f"{wrong} does not go with it", f"write {right}")
        if (self.clear < self.fire) if self.below else (self.clear > self.fire):
            raise refuse(
                f"it would end at {self.clear} and begin at {self.fire}",
                "let it end on the safe side of where it begins",
            )
        return self

    @property
    def below(self) -> bool:
        """Whether small values are the bad ones."""
        return self.fire_below is not None

    @property
    def fire(self) -> Decimal:
        """Beyond it the level begins."""
        found = self.fire_below if self.fire_below is not None else self.fire_above
        assert found is not None  # one of both, by the validator
        return found

    @property
    def clear(self) -> Decimal:
        """Beyond it, on the other side, the level ends."""
        found = self.clear_above if self.below else self.clear_below
        return self.fire if found is None else found


class StaleTable(Table):
    """What it means that a value cannot be read."""

    after: Duration = Field(default=300, description="Unknown for so long, it fires by itself.")
    severity: Severity = "warning"


class RepeatTable(Table):
    """How often it is said again, while nobody acknowledges it."""

    every: Duration = Field(default=3_600, description="Until the first reminder.")
    backoff: Annotated[Whole, Field(ge=1, le=10)] = Field(
        default=2, description="Each wait is so many times the last, up to a day."
    )
    max: Annotated[Whole, Field(ge=0, le=10_000)] | None = Field(
        default=None, description="The most reminders; without end if none."
    )

    @field_validator("every")
    @classmethod
    def _some_time(cls, value: int) -> int:
        if not 10 <= value <= LONGEST_S:
            raise refuse("is not a time between reminders", 'write "10s" or more')
        return value


class EscalateTable(Table):
    """Who else is told, when nobody acknowledges it."""

    after: Duration
    unless: Literal["ack"] = "ack"
    to: tuple[Name, ...] = Field(min_length=1)


class InhibitTable(Table):
    """Which other alerts are not told while this one fires."""

    alerts: tuple[str, ...] = Field(min_length=1, description='Ids of rules; "*" is every other.')
    equal: tuple[str, ...] = Field(
        default=("chain",), description="Labels that both must have alike."
    )
    unread_only: bool = Field(
        default=False, description="Only those that fire because they cannot be read."
    )


class AlertTable(Table):
    """One rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, title="alert")

    id: RuleId = Field(description="Yours, or that of a built-in rule that you change.")
    enabled: bool = True
    expr: MetricName = Field(description="A metric: docs/alerts.md has the list.")
    match: dict[str, Patterns] = Field(
        default_factory=dict,
        description="Label and value, or values; * stands for any text. None: everything.",
    )
    levels: tuple[LevelTable, ...] = Field(min_length=1)
    for_: SpanText = Field(
        default=Span(), alias="for", description='How long first: "2 blocks", "30s", "0".'
    )
    critical_for: SpanText | None = Field(
        default=None, description="The same of level critical, if another."
    )
    keep_firing: SpanText = Field(
        default=Span(), description="How long it goes on when the value is good again."
    )
    on_stale: StaleTable = Field(default_factory=StaleTable)
    group_by: tuple[str, ...] = Field(
        default=("chain", "wallet"), description="Alike in these, they share a message."
    )
    repeat: RepeatTable = Field(default_factory=RepeatTable)
    notify: dict[Severity, tuple[Name, ...]] = Field(
        default_factory=dict, description="Channels by severity; all channels where left out."
    )
    tell_resolved: bool = Field(default=True, description="Whether its end is told too.")
    escalate: EscalateTable | None = None
    inhibit: tuple[InhibitTable, ...] = ()
    action: ActionTable | None = Field(default=None, description="docs/steering.md")
    say: str = Field(default="", max_length=500, description="Your words, put in every message.")

    @property
    def metric(self) -> Metric:
        """Return what it watches."""
        return METRICS[self.expr]

    @model_validator(mode="after")
    def _levels_rise(self) -> "AlertTable":
        if len({level.below for level in self.levels}) > 1:
            raise refuse("its levels go both ways", "let all fire below, or all above")
        worse = sorted(self.levels, key=lambda level: RANK[level.severity])
        if len({level.severity for level in worse}) < len(worse):
            raise refuse("two levels have one severity", "remove one")
        sign = 1 if worse[0].below else -1
        for mild, bad in pairwise(worse):
            if sign * bad.fire > sign * mild.fire or sign * bad.clear > sign * mild.clear:
                what = f"{bad.severity} begins or ends before {mild.severity}"
                raise refuse(what, "let the worse level be further from safety")
        return self

    @model_validator(mode="after")
    def _labels_exist(self) -> "AlertTable":
        known = self.metric.labels
        for key, names in (("match", self.match), ("group_by", self.group_by)):
            given = "group_by" in self.model_fields_set or key == "match"
            for name in names if given else ():
                if name not in known:
                    what = f"{key}: {self.expr} has no label {name!r}"
                    raise refuse(what, did_you_mean(name, known))
        return self

    @model_validator(mode="after")
    def _time_alone(self) -> "AlertTable":
        """Refuse blocks for what has no chain: nothing would count them."""
        spans = (self.for_, self.critical_for, self.keep_firing)
        if "chain" not in self.metric.labels and any(s and s.blocks for s in spans):
            raise refuse(f"{self.expr} is of no chain, so there are no blocks", 'write "30s"')
        return self


def overlaid(value: object) -> object:
    """Return a row with the keys of the built-in rule that it changes beneath its own."""
    if not isinstance(value, Mapping):
        return value
    id_ = value.get("id")
    return {**BUILTIN[id_], **value} if isinstance(id_, str) and id_ in BUILTIN else value


AlertRow = Annotated[AlertTable, BeforeValidator(overlaid)]


def alert_problems(
    alerts: Iterable[AlertTable],
    channels: Iterable[str],
    wallets: Iterable[str],
    chains: Iterable[str],
) -> None:
    """Refuse two rules of one id, and names that are not there."""
    rows = tuple(alerts)
    ids = {*BUILTIN, *(row.id for row in rows)}
    named: tuple[tuple[str, Iterable[str]], ...] = (("wallet", wallets), ("chain", chains))
    seen: set[str] = set()
    for row in rows:
        if row.id in seen:
            raise refuse(f"two alerts have the id {row.id!r}", "rename one")
        seen.add(row.id)
        told = [(f"notify.{severity}", to) for severity, to in row.notify.items()]
        if row.escalate is not None:
            told.append(("escalate.to", row.escalate.to))
        for key, names in told:
            _all_there(row.id, key, names, channels)
        for label, there in named:
            plain = [text for text in row.match.get(label, ()) if _plain(text)]
            _all_there(row.id, f"match.{label}", plain, there)
        for inhibit in row.inhibit:
            _all_there(row.id, "inhibit", [a for a in inhibit.alerts if a != "*"], ids)


def _plain(text: str) -> bool:
    return "*" not in text and not text.startswith("0x")


def _all_there(rule: str, key: str, names: Iterable[str], there: Iterable[str]) -> None:
    known = set(there)
    for name in names:
        if name not in known:
            what = f"alert {rule!r}: {key} names {name!r}, which is not in the config"
            raise refuse(what, did_you_mean(name, known))


def built_in() -> tuple[AlertTable, ...]:
    """Return the rules that are on unless the config says otherwise."""
    return tuple(AlertTable.model_validate(row) for row in BUILTIN.values())
