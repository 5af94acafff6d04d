"""Draw a page: the environment of the templates, and what every page has around it."""

import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from starlette.requests import Request
from starlette.responses import HTMLResponse

from underkeel import __version__
from underkeel.cli import format as fmt
from underkeel.documents.overview import OverviewDocument
from underkeel.web.pages import gauge, words
from underkeel.web.pages.cells import name
from underkeel.web.pages.site import PAGES, Site

HERE: Final = Path(__file__).resolve().parents[1]
STATIC: Final = HERE / "static"
VENDOR: Final = STATIC / "vendor"


def _versions() -> dict[str, str]:
    """Return each file's address, which changes with what is in it: browsers keep it for good."""
    files = (path for path in STATIC.rglob("*") if path.suffix in (".css", ".js", ".svg"))
    return {
        str(path.relative_to(STATIC)): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in files
    }


def _environment() -> Environment:
    found = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters.update(clock=_clock, iso=_iso)
    found.globals.update(
        pages=PAGES,
        version=__version__,
        gauge=gauge,
        short=fmt.short,
        assets=_versions(),
        libraries=(VENDOR / ".complete").is_file(),
    )
    return found


@pass_context
def _clock(context: Context, at: float) -> str:
    """Return a time in the page's zone: what stands where scripts would let an age tick."""
    return words.clock(at, str(context.get("zone", "UTC")))


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


TEMPLATES: Final = _environment()


def page(
    site: Site, request: Request, key: str, template: str, given: dict[str, Any], status: int = 200
) -> HTMLResponse:
    """Return a whole page, or its inside where the browser asks for that alone."""
    inside = request.headers.get("hx-request") == "true"
    frame = {} if given.get("bare") else surround(site.read.overview())
    around = {
        "layout": "inside.html" if inside else "page.html",
        "key": key,
        "csrf": site.guard.csrf(request),
        "token": site.guard.token,
        "zone": site.zone,
        "now": time.time(),
        "began": getattr(request.state, "began", 0.0),
        "here": str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
    }
    text = TEMPLATES.get_template(template).render(around | frame | given)
    return HTMLResponse(
        text, status, headers={"Cache-Control": "no-store", "Vary": "HX-Request, Cookie"}
    )


def _why(paused: str) -> str:
    """Return why it is paused: that it is, the pages say in words of their own."""
    return paused.removeprefix("paused: ")


def surround(document: OverviewDocument) -> dict[str, Any]:
    """Return what is above every page: the mode, the chains, what fires."""
    counts = document.counts
    firing = int(counts.critical) + int(counts.warning) + int(counts.info)
    worst = document.worst
    return {
        "mode": document.mode,
        "halted": None if document.paused is None else name(_why(document.paused), 200),
        "watch": [
            {
                "name": name(chain.name, 24),
                "status": chain.status,
                "icon": words.CHAINS[chain.status][0],
                "word": words.CHAINS[chain.status][1],
                "block": None if chain.block_number is None else f"{int(chain.block_number):,}",
                "at": None if chain.timestamp is None else int(chain.timestamp),
                "stale_after": words.whole(chain.stale_after_s),
                "cause": name(chain.cause or "", 300),
            }
            for chain in document.chains
        ],
        "firing": firing,
        "critical": int(counts.critical),
        "warning": int(counts.warning),
        "doubtful": int(counts.unknown),
        "watching": document.monitor.running,
        "least": None
        if worst is None or worst.health_raw is None
        else fmt.level(int(worst.health_raw), int(worst.health_scale)),
    }
