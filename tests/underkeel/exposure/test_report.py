"""What people and programs are told where values are missing; the rest the world's tests show."""

from __future__ import annotations

import time
from dataclasses import replace
from io import StringIO
from types import SimpleNamespace
from typing import Any

from rich.console import Console

from chain.calls import Ok, Result, Reverted
from chain.types import Address
from protocols.aave_v3.state import AaveAccount
from protocols.exposure.state import Exit, LinkKind
from protocols.tokens import short
from protocols.types import AllowanceGiven, Leg, Position, Price, Side, Token, Unpriced
from risk.exposure.diff import Change
from risk.exposure.exits import Taking
from risk.exposure.priors import user_facts
from tests.risk.aave_states import account, owed, quote, reserve, supplied
from tests.risk.aave_states import position as aave_position
from tests.risk.exposure.build import PRIORS, contract, key, link, power, stands, survey
from tests.support.fake_chain import AT, address
from underkeel.exposure.assemble import Exposure, assemble
from underkeel.exposure.compare import Difference, Effect, compare
from underkeel.exposure.document import document
from underkeel.exposure.reading import Read, _exposure_at_default, _taken, _with_spenders
from underkeel.exposure.run import Found
from underkeel.exposure.table import report
from underkeel.valuation import Valuation

OWNER, SPENDER = address(8), address(0x5)
ID = f"1:wallet:{address(0)}:{OWNER}"
TOKEN = Token(address(0x70), "TKN", 6)
BARE = Token(address(0x71), "BARE", 6)


def wallet(*legs: Leg, **more: Any) -> Position:
    return Position(ID, "wallet", "", "wallet", address(0), OWNER, "wallet", legs, AT, **more)


def read(ead: float | None, *takings: tuple[Taking, float | None]) -> Read:
    exits = (Exit(TOKEN.address, 100, 40, 60), Exit(TOKEN.address, 100, None))
    direct = stands(ID, link(ID, 1, LinkKind.TOKEN))
    direct = replace(direct, exits=exits, unknown=("part",))
    found = survey(contract(1, power(9)), key(9), unseen=(address(0xFFF),))
    return Read("here", AT, (wallet(),), {ID: ead}, (direct,), found, {ID: takings})


def shown(
    exposure: Exposure, *differences: Difference, failed: tuple[tuple[str, str], ...] = ()
) -> str:
    portfolio: Any = SimpleNamespace(accounts=(OWNER,), chains=(), assessments=(), unreadable=())
    found = Found(portfolio, exposure, differences, failed)
    document(found, time.time())
    console = Console(width=160, file=StringIO())
    console.print(report(found))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def allowance(token: Token, takes: int | None) -> Taking:
    return Taking(AllowanceGiven(token, SPENDER, 100, False), takes)


def test_report__no_price__unknown_and_a_lower_bound() -> None:
    rows = ((allowance(TOKEN, 5), None), (allowance(BARE, None), None))
    exposure = assemble([read(None, *rows)], PRIORS, user_facts())
    text = shown(exposure, failed=(("there", "its RPC is down"),))
    assert "Expected loss within 1 year: unknown, at least 0" in text
    assert "there: its RPC is down" in text
    assert "not all, or unknown" in text
    assert exposure.takeable_usd is None
    assert any("too far away" in u for u in exposure.unknown)
    assert any(u.endswith(": part") for u in exposure.unknown)


def test_report__insured__net_of_what_is_expected_to_be_paid() -> None:
    policy = f'[[cover]]\nname = "x"\ncovers = ["{address(1)}"]\nlimit_usd = 5.0\npays = 1.0'
    exposure = assemble([read(100.0)], PRIORS, user_facts(policy))
    assert "after insurance" in shown(exposure)
    assert exposure.losses.net_usd is not None
    assert exposure.losses.el_usd is not None
    assert exposure.losses.net_usd < exposure.losses.el_usd


def test_takeable__two_spenders_of_one_token__could_take_it_once() -> None:
    rows = ((allowance(TOKEN, 5), 50.0), (allowance(TOKEN, 3), 30.0), (allowance(BARE, 0), None))
    assert assemble([read(100.0, *rows)], PRIORS, user_facts()).takeable_usd == 50.0


def test_report__differences__changes_effects_and_what_cannot_be_told() -> None:
    exposure = assemble([read(100.0)], PRIORS, user_facts())
    change = Change(address(1), "owner", address(2), address(3))
    effects = (
        Effect("p", 10**18, 2 * 10**18, 10**18, 15 * 10**17),
        Effect("q", 1, None, None, None, "lost"),
        Effect("r", 1, None, 5, None),
    )
    quiet = Difference("there", 1, 2, (), ())
    text = shown(exposure, Difference("here", 1, 2, (change,), effects), quiet)
    assert "2.0000 → 1.5000 → 1.0000" in text
    assert "effect unknown: lost" in text
    assert "no debt" in text
    assert "from block 1 to 2: none" in text


def test_exposure_at_default__receipts_elsewhere_and_no_price__not_told_as_less() -> None:
    price = Price(TOKEN.address, "USD", 2 * 10**8, 8, "x", "x", None)
    held = wallet(Leg(TOKEN, 3 * 10**6, Side.ASSET), Leg(BARE, 10**6, Side.ASSET))
    valuation = Valuation.of([price, Unpriced(BARE.address, "x", "none")], [], [], AT)
    received: set[tuple[Address, Address]] = {(OWNER, BARE.address)}
    assert _exposure_at_default(held, valuation, set()) is None
    assert _exposure_at_default(held, valuation, received) == 6.0
    assert _exposure_at_default(replace(held, unknown=("lost",)), valuation, received) is None


def test_taken__unread_balance_or_price__unknown_and_the_spender_counts_whole() -> None:
    price = Price(TOKEN.address, "USD", 2 * 10**8, 8, "x", "x", None)
    given = tuple(AllowanceGiven(t, SPENDER, 10**9, True) for t in (TOKEN, BARE))
    unread = f"BARE ({short(BARE.address)}): lost"
    held = wallet(Leg(TOKEN, 3 * 10**6, Side.ASSET), allowances=given, unknown=(unread,))
    rows = _taken(held, Valuation.of([price], [], [], AT))
    assert [(t.takes, usd) for t, usd in rows] == [(3 * 10**6, 6.0), (None, None)]
    (whole,) = _with_spenders(stands(ID), rows, 60.0).links
    assert (whole.target, whole.share) == (SPENDER, 1.0)
    (part,) = _with_spenders(stands(ID), rows[:1], 60.0).links
    assert part.share == 0.1
    (none,) = _with_spenders(stands(ID), [(allowance(TOKEN, 0), None)], 60.0).links
    assert none.share == 0.0


def differing(old: AaveAccount, new: AaveAccount, told: dict[str, int]) -> Effect:
    then, now = (
        replace(read(1.0), positions=(replace(aave_position(s), at=AT),)) for s in (old, new)
    )

    def answer(call: Any) -> Result:
        raw = told.get(call.target)
        if raw is None:
            return Reverted(b"")
        return Ok(b"".join(x.to_bytes(32, "big") for x in (1, raw, 1, 1, 1)))

    snapshot: Any = SimpleNamespace(read=lambda reads: [answer(one) for one in reads])
    (effect,) = compare(then, now, snapshot).effects
    return effect


def test_compare__oracle_swapped__health_under_the_old_feed_or_why_not() -> None:
    debt = reserve(2, quote(10**8))

    def held(feed: int, raw: int) -> AaveAccount:
        one = reserve(1, quote(raw, address(feed)))
        return account(10, supplied(one, 2 * 10**18), owed(debt, 10**18))

    old, new = held(0xF1, 2 * 10**8), held(0xF2, 10**8)
    kept = differing(old, new, {address(0xF1): 3 * 10**8})
    assert kept.now is not None
    assert kept.under_old_rules == 3 * kept.now
    lost = differing(old, new, {})
    assert (lost.under_old_rules, "does not answer any more" in lost.cause) == (None, True)
    strange = reserve(1, quote(10**8, "mul(x)"))
    opaque = account(10, supplied(strange, 2 * 10**18), owed(debt, 10**18))
    assert differing(opaque, new, {}).under_old_rules is None


def test_compare__asset_not_held_then__rules_not_known() -> None:
    debt, one = reserve(2, quote(10**8)), reserve(1, quote(10**8))
    old = account(10, owed(debt, 10**18))
    new = account(10, supplied(one, 2 * 10**18), owed(debt, 10**18))
    assert "was not held then" in differing(old, new, {}).cause
