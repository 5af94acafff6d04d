"""The login form's other side: a token becomes a session."""

from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from underkeel.web.auth import Keys
from underkeel.web.gate import Caller, Gate, cookie
from underkeel.web.problems import Refusal


def routes(keys: Keys, gate: Gate) -> APIRouter:
    """Return the routes; the gate has checked the form's CSRF token already."""
    router = APIRouter(include_in_schema=False)

    @router.post("/login")
    async def login(request: Request) -> Response:
        """Begin a session for who knows the token; its id is a new one."""
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        given, there = (form.get(name, [""])[0] for name in ("token", "next"))
        there, caller = local(there), caller_of(request)
        try:
            right = gate.check_token(given, caller.address)
        except Refusal:
            return _back("limited", there)
        if not right:
            return _back("failed", there)
        session = keys.begin(signed_in=True)
        headers = {"Set-Cookie": cookie(keys, session, caller.secure)}
        return RedirectResponse(there, 303, headers)

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        """Forget the session in this browser."""
        session = keys.begin(signed_in=False)
        headers = {"Set-Cookie": cookie(keys, session, caller_of(request).secure)}
        return RedirectResponse("/login", 303, headers)

    return router


def caller_of(request: Request) -> Caller:
    """Return who asks, as the gate found."""
    found = request.state.caller
    assert isinstance(found, Caller)
    return found


def local(there: str) -> str:
    """Return where to go after a login: only to a page of ours."""
    fine = there.startswith("/") and there.isprintable() and "\\" not in there
    return there if fine and not there.startswith("//") else "/"


def _back(why: str, there: str) -> Response:
    return RedirectResponse(f"/login?{why}=1&next={quote(there, safe='')}", 303)
