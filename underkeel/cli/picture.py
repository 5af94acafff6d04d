"""Draw the demo as the README's picture: `python -m underkeel.cli.picture docs/img/risk.svg`."""

import io
import re
import sys
import tempfile
from pathlib import Path
from typing import Final

from rich.console import Console, Group
from rich.text import Text

from underkeel.cli.demo_tables import changes_table
from underkeel.cli.tables import risk_report
from underkeel.demo.stage import open_stage
from underkeel.demo.story import Story, tell

WIDTH: Final = 104
"""Columns: what lets a price stand on one line."""


def draw(story: Story, target: Path) -> None:
    """Write the risk table before the crash, and what the crash did, as SVG."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    title = Text(f"The crash: {story.shock}", style="bold")
    console.print(Group(risk_report(story.before, "UTC"), Text(""), title, changes_table(story)))
    target.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="underkeel demo", unique_id="underkeel")
    # what the picture would load from elsewhere: fonts that a monospace stands in for
    own = re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->\s*", "", svg, flags=re.DOTALL)
    target.write_text(own, encoding="utf-8")


def main(target: Path) -> None:
    """Run the demo once and draw it."""
    with tempfile.TemporaryDirectory() as folder, open_stage(None) as stage:
        draw(tell(stage, Path(folder), lambda _what: None), target)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
