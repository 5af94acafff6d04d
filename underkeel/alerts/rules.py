"""The rules of a config, made ready: by metric, with what they match found once per series."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Final

import orjson

from chain.types import checksum
from underkeel.config.alerts import RANK, SEVERITIES, AlertTable, Span, built_in
from underkeel.config.model import Settings
from underkeel.observe.types import Labels

ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
MOST_REMEMBERED: Final = 50_000
"""Series whose rules are remembered: positions come and go."""


@dataclass(frozen=True, slots=True)
class Level:
    """One severity of a rule."""

    severity: str
    fire: Decimal
    clear: Decimal
    span: Span


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule; its levels from the mildest to the worst."""

    id: str
    metric: str
    below: bool
    levels: tuple[Level, ...]
    keep: Span
    stale_after: int
    stale_severity: str
    match: tuple[tuple[str, tuple[str, ...]], ...]
    notify: Mapping[str, tuple[str, ...]]
    """Channels, of every severity."""
    table: AlertTable
    """What it was made of: grouping, repeating, escalation, inhibition, action."""

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether a series is the rule's."""
        return all(
            name in labels and any(alike(labels[name], text) for text in patterns)
            for name, patterns in self.match
        )


def alike(label: str, pattern: str) -> bool:
    """Tell whether a label is as written: to the letter, or with `*` for any text."""
    return label == pattern or fnmatchcase(label, pattern)


@dataclass(frozen=True, slots=True)
class Match:
    """A rule and a series of its metric."""

    rule: Rule
    key: str
    labels: Labels


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules that are on."""

    by_id: Mapping[str, Rule]
    by_metric: Mapping[str, tuple[Rule, ...]]
    channels: tuple[str, ...] = ()
    page: str = ""
    """Where the dashboard is; empty: nowhere."""
    chains: frozenset[str] = frozenset()
    _known: dict[tuple[str, Labels], tuple[Match, ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def of(self, metric: str, labels: Labels) -> tuple[Match, ...]:
        """Return the rules that watch a series; asked for again at no cost."""
        found = self._known.get((metric, labels))
        if found is None:
            given = dict(labels)
            found = tuple(
                Match(rule, key_of(rule.id, labels), labels)
                for rule in self.by_metric.get(metric, ())
                if rule.matches(given)
            )
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[metric, labels] = found
        return found


def key_of(rule: str, labels: Labels) -> str:
    """Return the id of an alert: the same as long as its rule and labels are."""
    return hashlib.sha256(orjson.dumps([rule, labels])).hexdigest()[:32]


def rules_of(settings: Settings) -> Rules:
    """Return the config's rules, and the built-in ones that it does not change."""
    own = {row.id: row for row in settings.alert}
    rows = [*own.values(), *(row for row in built_in() if row.id not in own)]
    names = {wallet.address: name for name, wallet in settings.wallets.items()}
    channels = tuple(settings.channels)
    made = [_made(row, channels, names) for row in rows if row.enabled]
    metrics = {rule.metric for rule in made}
    return Rules(
        by_id={rule.id: rule for rule in made},
        by_metric={m: tuple(rule for rule in made if rule.metric == m) for m in metrics},
        channels=channels,
        page=_page(settings),
        chains=frozenset(settings.chains),
    )


def _page(settings: Settings) -> str:
    web = settings.web
    if web is None:
        return ""
    return f"https://{web.hosts[0]}" if web.hosts else f"http://{web.bind}"


def _made(row: AlertTable, channels: tuple[str, ...], names: Mapping[str, str]) -> Rule:
    levels = tuple(
        Level(
            level.severity,
            level.fire,
            level.clear,
            row.critical_for
            if level.severity == "critical" and row.critical_for is not None
            else row.for_,
        )
        for level in sorted(row.levels, key=lambda level: RANK[level.severity])
    )
    match = tuple(
        (label, tuple(names.get(plain := _address(text), plain) for text in patterns))
        for label, patterns in sorted(row.match.items())
    )
    return Rule(
        id=row.id,
        metric=row.expr,
        below=row.levels[0].below,
        levels=levels,
        keep=row.keep_firing,
        stale_after=row.on_stale.after,
        stale_severity=row.on_stale.severity,
        match=match,
        notify={one: _channels(row, one, channels) for one in SEVERITIES},
        table=row,
    )


def _address(text: str) -> str:
    """Return an address as labels have it; what is none as it is."""
    return checksum(text) if ADDRESS.fullmatch(text) else text


def _channels(row: AlertTable, severity: str, channels: tuple[str, ...]) -> tuple[str, ...]:
    """Return who is told: where a severity is left out, who is told of the next worse one.

    Failing that, of the next milder one; a rule without `notify` tells every channel.
    """
    if not row.notify:
        return channels
    rank = RANK[severity]
    order = sorted(row.notify, key=lambda one: (RANK[one] < rank, abs(RANK[one] - rank)))
    return row.notify[order[0]]
