"""Failures of what positions share, as scenarios: whose loss, how often, and what is not known."""

from dataclasses import replace

import pytest

from protocols.exposure.state import LinkKind
from risk.exposure.priors import user_facts
from tests.risk.exposure.build import PRIORS, contract, key, link, power, stands, survey
from tests.support.fake_chain import AT, address
from tests.underkeel.stress.build import OWNER, loan, portfolio, wallet
from underkeel.exposure.assemble import Exposure, assemble
from underkeel.exposure.reading import Read
from underkeel.stress.nodes import node_failures
from underkeel.stress.run import Book

LOAN, WALLET = loan(), wallet()
BOOK = Book.of(portfolio(LOAN, WALLET))
EQUITY = {LOAN.id: 5_000.0, WALLET.id: 4_200.0}


def exposure(unknown: tuple[str, ...] = ()) -> Exposure:
    """Return a loan and a wallet on one oracle, by several ways, and under one key."""
    first = stands(
        LOAN.id, link(LOAN.id, 1), link(LOAN.id, 3, LinkKind.ORACLE), link(1, 3, LinkKind.ORACLE)
    )
    second = stands(
        WALLET.id,
        link(WALLET.id, 2, LinkKind.TOKEN),
        link(WALLET.id, 3, LinkKind.ORACLE, 0.5),
        link(2, 3, LinkKind.ORACLE, 0.25),
        link(WALLET.id, 7, LinkKind.BRIDGE, 0.25),
    )
    found = survey(contract(1, power(9)), contract(2, power(9)), contract(3), contract(7), key(9))
    read = Read(
        "main", AT, (LOAN, WALLET), EQUITY, (replace(first, unknown=unknown), second), found, {}
    )
    return assemble([read], PRIORS, user_facts())


def test_node_failures__shared_oracle_key_and_bridge__each_counted_once() -> None:
    found = {r.name: r for r in node_failures(BOOK, exposure(), ())}
    oracle = next(r for name, r in found.items() if name.startswith("fails: oracle"))
    lgd = PRIORS.lgd[LinkKind.ORACLE.value]
    assert oracle.loss_usd == pytest.approx(lgd * (5_000 + 0.5 * 4_200))
    assert oracle.nodes == (f"main/{address(3)}",)
    assert [f.loss_usd for f in oracle.fates] == pytest.approx([lgd * 5_000, lgd * 2_100])
    admin = next(r for name, r in found.items() if name.startswith("fails: admin"))
    assert {f"main/{address(9)}"} <= set(admin.nodes)
    bridge = next(r for name, r in found.items() if name.startswith("fails: bridge"))
    assert [bool(f.loss_usd) for f in bridge.fates] == [False, True]
    # what only one of them stands on is no scenario of its own, unless it is a bridge
    assert not any(address(1) in n for r in found.values() for n in r.nodes)
    losses = [r.loss_usd for r in node_failures(BOOK, exposure(), ())]
    assert losses == sorted(losses, reverse=True)


def test_node_failures__are_the_exposures_worst__position_by_position() -> None:
    judged = exposure()
    worst = {w.key: w.loss_usd for w in judged.losses.worst}
    for result in node_failures(BOOK, judged, ()):
        for node in result.nodes:
            key_ = judged.chains[0].graph.nodes[node.removeprefix("main/")].key
            qualified = key_ if key_.startswith(("code:", "key:")) else f"main/{key_}"
            assert result.loss_usd == pytest.approx(worst[qualified])


def test_node_failures__nameless_code__is_told_by_what_stands_on_it() -> None:
    found = [r.title for r in node_failures(BOOK, exposure(), ())]
    assert any("of svETH" in title or "of m" in title or "of wallet" in title for title in found)
    assert not any(title.endswith(" of ") for title in found)


def test_node_failures__part_unread_or_chain_failed__listed_beside_the_sum() -> None:
    (first, *_) = node_failures(BOOK, exposure(("its feed: lost",)), ())
    assert first.unknown == (f"{LOAN.id}: what it stands on: its feed: lost",)
    (first, *_) = node_failures(BOOK, exposure(), (("main", "no answer"),))
    assert all("was not read: no answer" in cause for cause in first.unknown)
    assert OWNER in LOAN.id
