"""The real service on the real contracts: a block crosses an edge, and the open page shows it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.conftest import Scene
from tests.e2e.web.conftest import opened
from underkeel.demo.service import serving
from underkeel.demo.stage import crash

pytestmark = pytest.mark.world
PATIENCE_MS = 60_000


def test_run__price_falls_on_chain__open_page_runs_aground_and_says_so(
    chromium: Browser, scene: Scene, tmp_path: Path
) -> None:
    path = scene.config(tmp_path)
    text = path.read_text().replace("version = 1", 'version = 1\n[web]\nbind = "127.0.0.1:0"\n', 1)
    path.write_text(text)
    state = tmp_path / "state"
    environ = {
        "UNDERKEEL_STATE_DIR": str(state),
        "UNDERKEEL_CACHE_DIR": str(tmp_path / "cache"),
    }
    with (
        serving(path, environ, state) as service,
        opened(chromium, service.url.rstrip("/")) as window,
    ):
        page = window.live("/")
        daring = page.locator(".sounding", has_text="Aave 3.0").filter(has_text="daring")
        expect(daring).to_contain_text("safe", timeout=PATIENCE_MS)
        page.evaluate("window.mark = true")
        crash(scene.stage)
        expect(daring).to_contain_text("liquidatable", timeout=PATIENCE_MS)
        expect(daring.locator(".rock")).to_have_count(1)
        expect(page.locator(".toast").first).to_contain_text("liquidated", timeout=PATIENCE_MS)
        expect(page.locator("#bell")).not_to_have_attribute("data-firing", "0")
        assert page.evaluate("window.mark")  # the page was never loaded again
        assert page.title().startswith("(")
        assert window.said == []
        assert window.strangers() == []
