"""Pictures: drawn without a display, the same each time, with numbers and words in them."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.underkeel.stress.build import loan, portfolio
from underkeel import plots
from underkeel.errors import AppError, UsageError
from underkeel.plots.style import percent, short
from underkeel.stress.grid import grid
from underkeel.stress.library import library
from underkeel.stress.run import Book, Play

needed = pytest.mark.skipif(find_spec("matplotlib") is None, reason="matplotlib is not installed")
BOOK = Book.of(portfolio())


def words(path: Path) -> str:
    return " ".join(ElementTree.parse(path).getroot().itertext())


@needed
def test_grid__svg__has_numbers_words_and_is_reproducible(tmp_path: Path) -> None:
    from underkeel.plots.grid import draw_grid

    found = grid(BOOK, library(), ("ETH", "USDC"), Play(2), (-0.3, 0.0, 0.2))
    for name in ("a.svg", "b.svg"):
        draw_grid(found, tmp_path / name)
    text = words(tmp_path / "a.svg")
    assert "Loss in USD if ETH and USDC move" in text
    assert "◆" in text
    assert "Worst:" in text
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
    draw_grid(found, tmp_path / "c.png")
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.svg", "b.svg", "c.png"]


@needed
def test_ladder__svg__every_rung_by_name_move_and_price(tmp_path: Path) -> None:
    from underkeel.plots.ladder import draw_ladder, rungs

    held = portfolio(loan(), loan(17_000), loan(3_000)).assessments
    draw_ladder(held, tmp_path / "a.svg")
    text = words(tmp_path / "a.svg")
    assert "ETH / USD" in text
    assert "liquidatable now" in text
    assert "Liquidatable now: 1" in text
    draw_ladder(held[2:], tmp_path / "b.svg")
    assert "Nearest:" in words(tmp_path / "b.svg")
    found, unknown = rungs(held)
    assert found[0].status.value == "liquidatable"
    assert unknown == []
    draw_ladder((), tmp_path / "none.svg")
    assert "Nothing here can be liquidated" in words(tmp_path / "none.svg")


@needed
def test_ladder__many_far_and_unsure__what_is_not_drawn_is_counted(tmp_path: Path) -> None:
    from underkeel.plots.ladder import MOST_ROWS, draw_ladder

    held = portfolio(*(loan(15_000 - 300 * i) for i in range(MOST_ROWS // 2 + 3))).assessments
    draw_ladder(held, tmp_path / "a.svg")
    text = words(tmp_path / "a.svg")
    assert "6 farther not drawn." in text
    doubtful = replace(loan(), notes=("odd",), verified=False)
    draw_ladder(portfolio(loan(3_000), doubtful).assessments, tmp_path / "b.svg")
    text = words(tmp_path / "b.svg")
    assert "→ at" in text, "the dollar would have to rise beyond what is drawn"
    assert "Unknown: m · 0x" in text
    assert "not sure" in text


@needed
def test_save__folder_gone__says_so(tmp_path: Path) -> None:
    from underkeel.plots.ladder import draw_ladder

    with pytest.raises(AppError, match="cannot write"):
        draw_ladder((), tmp_path / "gone" / "a.svg")


def test_target__wrong_kind_folder_or_no_matplotlib__refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=r"ends in \.png or \.svg"):
        plots.check_target(tmp_path / "a.jpg")
    with pytest.raises(UsageError, match="there is no folder"):
        plots.check_target(tmp_path / "none" / "a.png")
    monkeypatch.setattr(plots, "find_spec", lambda _name: None)
    with pytest.raises(UsageError, match=r"pip install 'underkeel\[plots\]'"):
        plots.check_target(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("value", "told"),
    [(0.2, "0"), (5.0, "5"), (999.6, "1k"), (-12_345.0, "−12.3k"), (2.5e6, "2.5M"), (3e9, "3B")],
)
def test_short__three_digits_and_a_letter(value: float, told: str) -> None:
    assert short(value) == told


def test_percent__true_minus_and_no_signed_zero() -> None:
    assert [percent(x) for x in (-0.151, 0.2, -0.001)] == ["−15%", "+20%", "0%"]
