"""The routes of the pages, and of the plain forms on them."""

import time
from collections.abc import Callable, Mapping
from glob import escape
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from underkeel.web.pages import words
from underkeel.web.pages.cells import name
from underkeel.web.pages.render import page
from underkeel.web.pages.site import Site
from underkeel.web.pages.views import (
    alerts,
    approvals,
    exposure,
    history,
    overview,
    positions,
    rebalance,
    risk,
    system,
    transactions,
)
from underkeel.web.problems import Refusal

CALM: Final = 200
"""Rules with nothing to say that are listed."""
LISTED: Final = 300
"""Alerts that one page lists, the worst first: a flood of them must not stop the page."""
DAY: Final = 86_400
TEXTS: Final = 500
"""Characters of a form's field."""

WRONG: Final = {
    "limited": "Too many wrong tokens came from here: wait a little.",
    "failed": "That is not the token.",
}

View = Callable[[Site, Request], dict[str, Any]]


def routes(site: Site) -> APIRouter:
    """Return the routes of all pages."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    for key, path, template, view in VIEWS:
        router.add_api_route(path, _get(site, key, template, view), methods=["GET"])
    router.add_api_route("/positions/{id:path}", _one_position(site), methods=["GET"])
    router.add_api_route("/alerts/{id}", _one_alert(site), methods=["GET"])
    router.add_api_route("/login", _login(site), methods=["GET"])
    router.add_api_route("/pause", _get(site, "pause", "pause.html", _nothing), methods=["GET"])
    for path, act in FORMS.items():
        router.add_api_route(path, _post(site, act), methods=["POST"])
    return router


def _login(site: Site) -> Callable[[Request], Response]:
    def get(request: Request) -> Response:
        said = [text for key, text in WRONG.items() if query(request, key)]
        given = {"bare": True, "after": back(query(request, "next") or "/"), "wrong": said[:1]}
        return page(site, request, "", "login.html", given, status=401 if said else 200)

    return get


def missing(site: Site, request: Request, what: str) -> Response:
    """Return the page that says that something is not there."""
    return page(site, request, "", "missing.html", {"what": what, "live": False}, status=404)


def _get(site: Site, key: str, template: str, view: View) -> Callable[[Request], Response]:
    def get(request: Request) -> Response:
        request.state.began = time.time()
        return page(site, request, key, template, view(site, request))

    return get


def _nothing(site: Site, request: Request) -> dict[str, Any]:
    return {}


def _overview(site: Site, request: Request) -> dict[str, Any]:
    return overview.view(site.read.overview(), site.zone)


def _positions(site: Site, request: Request) -> dict[str, Any]:
    return positions.view(site.read.risk(), site.zone, query(request, "q"))


def _risk(site: Site, request: Request) -> dict[str, Any]:
    return risk.view(site.read.ladder(), site.zone)


def _exposure(site: Site, request: Request) -> dict[str, Any]:
    return exposure.view(site.read.exposure(), _names(site), site.zone)


def _rebalance(site: Site, request: Request) -> dict[str, Any]:
    return rebalance.view(site.read.plans(), site.zone)


def _transactions(site: Site, request: Request) -> dict[str, Any]:
    return transactions.view(site.read.txs(), site.zone)


def _alerts(site: Site, request: Request) -> dict[str, Any]:
    read = site.read
    calm = read.alerts(state="ok", limit=CALM)
    found = read.alerts(limit=LISTED)
    return alerts.view(found, calm, read.silences(), _events(site, request), site.zone)


def _approvals(site: Site, request: Request) -> dict[str, Any]:
    return approvals.view(site.read.approvals(), site.zone)


def _history(site: Site, request: Request) -> dict[str, Any]:
    wanted = {key: query(request, key) for key in ("metric", "span", "position")}
    wanted = {key: value for key, value in wanted.items() if value}
    wanted.setdefault("metric", "health_factor")
    if wanted.get("span") not in {span for span, _ in history.SPANS}:
        wanted["span"] = "1d"
    names = _names(site)
    filters = {key: value for key, value in wanted.items() if key != "span"}
    measured = site.read.history(filters, since=time.time() - history.SECONDS[wanted["span"]])
    return history.view(measured, _events(site, request), wanted, names, site.zone)


def _system(site: Site, request: Request) -> dict[str, Any]:
    return system.view(site.read.system(), site.zone)


def _names(site: Site) -> dict[str, str]:
    """Return what positions are called outside their own table."""
    return {
        p.id: f"{name(p.market)} {words.part(p.id)}".strip()
        + f", {words.whose(p.owner, p.owner_name)}"
        for p in site.read.risk().positions
    }


def _events(site: Site, request: Request) -> Any:
    before = query(request, "before")
    some = before.isascii() and before.isdecimal() and len(before) < 19
    return site.read.events({}, int(before) if some else None)


def _one_position(site: Site) -> Callable[[Request, str], Response]:
    def get(request: Request, id: str) -> Response:
        found = next((p for p in site.read.risk().positions if p.id == id), None)
        if found is None:
            return missing(site, request, f"position {name(id, 120)}")
        wanted = {"metric": "health_factor", "position": id}
        measured = site.read.history(wanted, since=time.time() - DAY)
        given = positions.one(found, measured, site.zone)
        return page(site, request, "positions", "position.html", given)

    return get


def _one_alert(site: Site) -> Callable[[Request, str], Response]:
    def get(request: Request, id: str) -> Response:
        found = next((a for a in site.read.alerts().alerts if a.id == id), None)
        if found is None:
            return missing(site, request, f"alert {name(id, 120)}")
        events = [e for e in site.read.events({"alert": id}, None).events if e.alert == id]
        given = {
            "alert": alerts.one(found, site.zone),
            "durations": alerts.SILENCES,
            "timeline": alerts.timeline(events, site.zone),
        }
        return page(site, request, "alerts", "alert.html", given)

    return get


def query(request: Request, key: str) -> str:
    """Return a part of the query, no longer than what anybody types."""
    return request.query_params.get(key, "").replace("\0", "")[:TEXTS]


VIEWS: Final[tuple[tuple[str, str, str, View], ...]] = (
    ("overview", "/", "overview.html", _overview),
    ("positions", "/positions", "positions.html", _positions),
    ("risk", "/risk", "risk.html", _risk),
    ("exposure", "/exposure", "exposure.html", _exposure),
    ("rebalance", "/rebalance", "rebalance.html", _rebalance),
    ("transactions", "/transactions", "transactions.html", _transactions),
    ("alerts", "/alerts", "alerts.html", _alerts),
    ("approvals", "/approvals", "approvals.html", _approvals),
    ("history", "/history", "history.html", _history),
    ("system", "/system", "system.html", _system),
)


def _ack(site: Site, form: Mapping[str, str]) -> str:
    return site.acts.ack(form.get("alert", ""))


def _silence(site: Site, form: Mapping[str, str]) -> str:
    given = form.get("seconds", "")
    known = {seconds for _, seconds in alerts.SILENCES}
    seconds = int(given) if given.isascii() and given.isdecimal() and len(given) < 10 else 0
    if seconds not in known:
        raise Refusal(422, "choose for how long")
    found = next((a for a in site.read.alerts().alerts if a.id == form.get("alert", "")), None)
    if found is None:
        raise Refusal(404, "that alert is not there any more")
    # A market that calls itself * must not silence all the others.
    match = {label: escape(value) for label, value in found.labels.items()} | {"rule": found.rule}
    return site.acts.silence(match, seconds, form.get("reason", ""))


def _unsilence(site: Site, form: Mapping[str, str]) -> str:
    return site.acts.unsilence(form.get("silence", ""))


def _pause(site: Site, form: Mapping[str, str]) -> str:
    return site.acts.pause(form.get("reason", ""))


FORMS: Final[dict[str, Callable[[Site, Mapping[str, str]], str]]] = {
    "/alerts/ack": _ack,
    "/alerts/silence": _silence,
    "/alerts/unsilence": _unsilence,
    "/pause": _pause,
}


def _post(site: Site, act: Callable[[Site, Mapping[str, str]], str]) -> Callable[[Request], Any]:
    async def post(request: Request) -> Response:
        async with request.form(max_files=0, max_fields=40) as given:
            form = {k: v[:TEXTS] for k, v in given.items() if isinstance(v, str)}
        if not site.guard.may_write(request, form):
            why = {"why": "this is not from a page of ours: load it again", "live": False}
            return page(site, request, "", "refused.html", why, status=403)
        try:
            await run_in_threadpool(act, site, form)
        except Refusal as refusal:
            why = {"why": refusal.detail, "live": False}
            return page(site, request, "", "refused.html", why, status=refusal.status)
        return RedirectResponse(back(form.get("back", "/")), status_code=303)

    return post


def back(path: str) -> str:
    """Return where to go after a form: a path of ours, and nothing else."""
    parts = urlsplit(path)
    ours = path.startswith("/") and not path.startswith(("//", "/\\"))
    return path if ours and not parts.scheme and not parts.netloc and "\\" not in path else "/"
