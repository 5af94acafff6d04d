"""The documentation names what exists, and all that exists is documented."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from protocols.registry import ADAPTERS

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?://|#|mailto:)([^)#\s]+)")
SECTIONS = ("Reads", "Scales", "Rounds", "Proven", "Limits")


def console_lines(page: Path) -> Iterator[str]:
    for block in re.findall(r"```console\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                yield line[2:].split("  #")[0].strip()


@pytest.mark.parametrize("written", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links__every_page__lead_to_files(written: Path) -> None:
    targets = LINK.findall(written.read_text(encoding="utf-8"))
    assert [t for t in targets if not (written.parent / t).exists()] == []


@pytest.mark.parametrize("adapter", [a.name for a in ADAPTERS])
def test_adapter_page__every_adapter__has_its_sections(adapter: str) -> None:
    text = (ROOT / f"docs/adapters/{adapter}.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    missing = [s for s in SECTIONS if not any(h.startswith(s) for h in headings)]
    assert not missing, f"{adapter}.md lacks {missing}, has {headings}"


def test_readme__every_adapter__is_in_the_table() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [a.name for a in ADAPTERS if f"| `{a.name}` |" not in readme] == []


def test_make_commands__in_the_docs__are_targets() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    used = {
        line.split()[-1] if "ARGS" not in line else line.split()[1]
        for page in PAGES
        for line in console_lines(page)
        if line.startswith("make ")
    }
    assert used
    assert used <= targets


def test_decisions__every_record__is_numbered_once() -> None:
    numbers = [p.name[:4] for p in sorted((ROOT / "docs/adr").glob("0*.md"))]
    assert numbers == [f"{i:04}" for i in range(1, len(numbers) + 1)]
