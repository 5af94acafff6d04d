"""What keeps an alert from being told: a silence of somebody's, or another alert that says more."""

from collections.abc import Iterable, Mapping, Sequence

from underkeel.alerts.board import Card
from underkeel.alerts.rules import alike
from underkeel.config.alerts import RANK, InhibitTable
from underkeel.store.alerts import AlertRow
from underkeel.store.silences import Silence


def silenced(card: Card, silences: Sequence[Silence]) -> str:
    """Return the id of the first silence that holds for an alert; empty where none does."""
    if not silences:
        return ""
    given = {**card.labels, "rule": card.rule.id, "alert": card.key, "severity": card.severity}
    for silence in silences:
        if matches(silence.matchers, given):
            return str(silence.id)
    return ""


def matches(matchers: Mapping[str, str], given: Mapping[str, str]) -> bool:
    """Tell whether every label is as asked; a silence of nothing in particular is of nothing."""
    return bool(matchers) and all(
        name in given and alike(given[name], text) for name, text in matchers.items()
    )


def given_of(row: AlertRow) -> dict[str, str]:
    """Return what a silence, or a person, can name a stored alert by."""
    return {**row.labels, "rule": row.rule, "alert": row.key, "severity": row.severity}


class Inhibitors:
    """The alerts that fire and have something to say about others, the worst first.

    One that is inhibited itself inhibits nothing, and neither does one whose rule tells nobody.
    """

    def __init__(self, cards: Iterable[Card]) -> None:
        alight = [card for card in cards if card.state.alight]
        alight.sort(key=lambda card: (-RANK[card.severity], card.rule.id, card.key))
        self._strong: list[Card] = []
        self._alike: dict[tuple[str, tuple[tuple[str, str], ...]], list[Card]] = {}
        for card in alight:
            if not card.rule.notify[card.severity]:
                continue
            self._alike.setdefault(_what(card), []).append(card)
            if card.rule.table.inhibit and not self._by_rule(card):
                self._strong.append(card)

    def of(self, card: Card) -> str:
        """Return the rule that says more than this alert does; empty where none does."""
        if not card.state.alight:
            return ""
        mine = RANK[card.severity]
        for other in self._alike.get(_what(card), ()):
            if other.rule.id != card.rule.id and RANK[other.severity] > mine:
                return other.rule.id
        return self._by_rule(card)

    def _by_rule(self, card: Card) -> str:
        for other in self._strong:
            if other.rule.id == card.rule.id or RANK[other.severity] < RANK[card.severity]:
                continue
            if any(_says_it(other, table, card) for table in other.rule.table.inhibit):
                return other.rule.id
        return ""


def _what(card: Card) -> tuple[str, tuple[tuple[str, str], ...]]:
    return card.rule.metric, tuple(sorted(card.labels.items()))


def _says_it(other: Card, table: InhibitTable, card: Card) -> bool:
    if "*" not in table.alerts and card.rule.id not in table.alerts:
        return False
    if table.unread_only and not card.unread_only:
        return False
    return all(
        name in card.labels and card.labels[name] == other.labels.get(name) for name in table.equal
    )
