"""Draw the pictures of the pages in docs/img from the demo: `python -m tests.e2e.web.screenshots`.

The demo's chain, service and fall are run as `make demo` does, without a terminal; then the price
wanders a while, so that there is something to see.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.e2e.web.conftest import ARGS, CHROMIUM, DESK, PATIENCE_MS
from underkeel.demo.live import Live, open_live, play
from underkeel.demo.stage import open_stage
from underkeel.demo.story import tell
from underkeel.demo.timeline import Timeline

FOLDER = Path(__file__).parents[3] / "docs" / "img"
SHOTS = (
    ("overview-light", "/", "light"),
    ("overview-dark", "/", "dark"),
    ("positions-light", "/positions", "light"),
    ("risk-light", "/risk", "light"),
    ("exposure-dark", "/exposure", "dark"),
    ("rebalance-light", "/rebalance", "light"),
    ("transactions-dark", "/transactions", "dark"),
    ("alerts-dark", "/alerts", "dark"),
)
SETTLE_MS = 2_500


@contextmanager
def played(drifts: int) -> Iterator[Live]:
    """Play the demo to its end, let the price wander, and leave it up."""
    with tempfile.TemporaryDirectory() as name, open_stage(None) as stage:
        folder = Path(name)
        story = tell(stage, folder, print)
        with open_live(stage, folder, Timeline(lambda _: None), 0, lambda _: None) as live:
            play(live, story.bottom)
            for _ in range(drifts):
                live.drift()
                time.sleep(1)
            live.await_read()
            yield live


def shoot(page: Page, url: str, name: str) -> Path:
    """Take one picture of what one sees first."""
    page.set_default_timeout(10 * PATIENCE_MS)
    page.goto(url)
    page.wait_for_selector("#stream[data-open]", state="attached")
    page.wait_for_timeout(SETTLE_MS)
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path)
    return path


def main() -> None:
    """Take them all."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--drifts", type=int, default=90, help="moves of the price before")
    drifts = asked.parse_args().drifts
    with played(drifts) as live, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(ARGS))
        size = {"width": DESK[0], "height": DESK[1]}
        for name, path, theme in SHOTS:
            context = browser.new_context(viewport=size, color_scheme=theme)  # type: ignore[arg-type]
            taken = shoot(context.new_page(), live.service.url.rstrip("/") + path, name)
            sys.stdout.write(f"{taken.name} {taken.stat().st_size:,} bytes\n")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
