"""Scenarios over a portfolio: who moves, what is lost, what is left out and said."""

from pathlib import Path

import pytest

from protocols.types import Leg, Side
from tests.underkeel.stress.build import (
    ETH_FEED,
    LINK_FEED,
    ODD,
    USDC_FEED,
    VAULT,
    loan,
    portfolio,
    wallet,
)
from underkeel.errors import UsageError
from underkeel.stress.failures import failures
from underkeel.stress.grid import grid
from underkeel.stress.library import Library, Scenario, library
from underkeel.stress.run import Book, Play, Result, named, straight

BOOK = Book.of(portfolio())
ALL = library()


def play(scenario: Scenario, book: Book = BOOK, how: Play | None = None) -> Result:
    own = Library(groups=ALL.groups, scenarios={"mine": scenario})
    return named(book, own, "mine", how or Play())


def moved(result: Result) -> dict[str, tuple[float, str]]:
    return {m.known.name: (round(m.change_frac, 12), m.why) for m in result.moved}


def test_book__receipts_of_a_position__are_not_counted_again() -> None:
    result = play(Scenario())
    assert result.before_usd == pytest.approx(5_000 + 2_000 + 2_200)
    assert result.loss_usd == 0


def test_named__what_moves__by_name_group_other_or_not_at_all() -> None:
    result = play(Scenario.model_validate({"moves": {"ETH": -0.05, "USD": -0.02}, "other": -0.3}))
    assert moved(result) == {
        ETH_FEED: (-0.05, "ETH"),
        USDC_FEED: (-0.02, "USD"),
        LINK_FEED: (-0.3, "other"),
        f"ratio({VAULT})": (0.0, "a ratio, and not named"),
    }
    assert [m.known.shown for m in result.moved if m.assumed] == ["LINK / USD"]
    # the loan, the link and the staked ether, whose worth goes through its ratio
    assert result.loss_usd == pytest.approx(1_000 - 300 + 600 + 110)


def test_named__group_without_a_move_and_no_other__stays() -> None:
    result = play(Scenario.model_validate({"moves": {"BTC": -0.5}}))
    assert {why for _, why in moved(result).values()} == {
        "ETH does not move", "USD does not move", "not named", "a ratio, and not named"
    }  # fmt: skip
    assert result.loss_usd == 0


def test_named__discount__lowers_worth_and_no_oracle_sees_it() -> None:
    result = play(Scenario.model_validate({"discount": {"svETH": -0.5, "WETH": -0.5}}))
    assert result.liquidated == 0
    # the loan's equity cannot fall below nothing: its lenders lose the rest
    assert result.loss_usd == pytest.approx(5_000 + 1_100)
    assert result.bad_debt_usd == pytest.approx(5_000)


def test_named__every_point_of_a_path__is_passed() -> None:
    there_and_back = Scenario.model_validate({"moves": {"ETH": [-0.3, 0.0]}})
    result = play(there_and_back)
    assert result.liquidated == 1
    assert result.penalty_usd > 0
    assert moved(result)[ETH_FEED] == (0.0, "ETH")


def test_named__gas__keeps_liquidators_away_where_it_is_known() -> None:
    crash = Scenario.model_validate({"moves": {"ETH": -0.1}, "gas": 20})
    assert play(crash).liquidated == 1
    assert play(crash, how=Play(gas_usd=1.0)).liquidated == 1
    assert play(crash, how=Play(gas_usd=50.0)).liquidated == 0


def test_named__unpriced_and_unread__in_no_sum_and_listed() -> None:
    odd = wallet(Leg(ODD, 5, Side.ASSET))
    book = Book.of(portfolio(loan(), odd, down=True))
    result = play(Scenario.model_validate({"moves": {"ETH": -0.05}}), book)
    assert result.loss_usd == pytest.approx(1_000)
    assert [cause.split(":")[0] for cause in result.unknown] == ["other", "main", "1"]
    assert "ODD has no price" in result.unknown[-1]


def test_named__nothing_known__says_so_rather_than_zero() -> None:
    book = Book.of(portfolio(wallet(Leg(ODD, 5, Side.ASSET))))
    assert play(Scenario(), book).blank
    assert not play(Scenario()).blank


def test_failures__protocol_and_oracles__the_worse_lie_is_told() -> None:
    found = {r.name: r for r in failures(BOOK, Play())}
    assert list(found) == ["protocol-aave-v3", "oracle-ETH / USD", "oracle-USDC / USD"]
    assert found["protocol-aave-v3"].loss_usd == pytest.approx(5_000)
    eth = found["oracle-ETH / USD"]
    assert eth.title == "The oracle ETH / USD says half"
    assert eth.liquidated == 1
    assert eth.moved[0].change_frac == -0.5


def test_grid__rows_and_columns__are_the_losses_of_their_moves() -> None:
    found = grid(BOOK, ALL, ("ETH", "LINK"), Play(), (-0.1, 0.0, 0.1))
    assert found.loss_usd[1] == pytest.approx((200.0, 0.0, -200.0))
    assert found.worst == (0, 0)
    assert found.liquidated == ((1, 1, 1), (0, 0, 0), (0, 0, 0))
    assert found.loss_usd[2][1] == pytest.approx(-2_000 - 220)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("ETHH", "USDC"), "no position hangs on a price called 'ETHH'; did you mean 'ETH'"),
        (("ETH", "WETH"), "ETH and WETH move the same price"),
    ],
)
def test_grid__bad_names__refused(names: tuple[str, str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        grid(BOOK, ALL, names, Play())


def test_straight__other_chains_factors__do_not_move_this_one() -> None:
    (path,) = straight(BOOK, {("other", ETH_FEED): 0.5}, 1).values()
    assert path[0].oracle == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[scenarios.a]\nmoves = { ETH = -1 }", "greater than -1"),
        ("[scenarios.a]\nmoves = { ETH = nan }", "scenarios.a.moves.ETH"),
        ("[scenarios.a]\nmovs = 1", "scenarios.a.movs"),
        (
            "[scenarios.a]\nmoves = { ETH = [-0.1, -0.2], BTC = [-0.1, -0.2, -0.3] }",
            "has 2 numbers",
        ),
        ("= 1", "is not TOML"),
        ("a = " + 3_000 * "[", "is not TOML"),
        ("a = 1" + 5_000 * "0", "is not TOML"),
    ],
)
def test_library__bad_file__says_where(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        library(path)


def test_library__control_characters__are_shown_and_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[scenarios."a\\u001b[2J"]\ntitle = "x\\u0007"\nsource = "y\\u202e"')
    found = library(path)
    (name,) = set(found.scenarios) - set(ALL.scenarios)
    assert name == "a\\x1b[2J"
    assert found.scenario(name).title == "x\\x07"
    assert found.scenario(name).source == "y\\u202e"


def test_library__users_file__adds_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[scenarios.may-2021]\nmoves = { ETH = -0.9 }\n[scenarios.new]\nother = -0.1")
    found = library(path)
    assert found.scenario("may-2021").moves == {"ETH": [-0.9]}
    assert "new" in found.scenarios
    assert len(found.scenarios) == len(ALL.scenarios) + 1
    with pytest.raises(UsageError, match="cannot be read"):
        library(tmp_path / "none.toml")
    with pytest.raises(UsageError, match="did you mean 'march-2020'"):
        ALL.scenario("march2020")


def test_shipped__every_scenario__has_a_title_and_says_where_its_numbers_are_from() -> None:
    wanted = {"march-2020", "may-2021", "may-2022", "june-2022", "march-2023", "august-2024"}
    assert wanted | {"october-2025"} <= set(ALL.scenarios)
    assert all(s.title and s.source for s in ALL.scenarios.values())
