"""Why a request failed, as a document: nothing of our insides is in it."""

import logging
from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from underkeel.documents.paging import ProblemDocument
from underkeel.store.errors import Locked, StoreError

log = logging.getLogger(__name__)

MEDIA: Final = "application/problem+json"
TITLES: Final[Mapping[int, str]] = {
    400: "The request makes no sense",
    401: "Who are you?",
    403: "That is not allowed",
    404: "There is no such thing",
    405: "That cannot be done here",
    409: "That does not fit what is there",
    413: "The request is too large",
    414: "The address is too long",
    421: "This is not that site",
    422: "The request makes no sense",
    429: "Too many attempts",
    500: "Something here is broken",
    503: "Not now",
}
RETRY_S: Final = "5"


class Refusal(Exception):
    """A request that is not carried out, and what to do about it."""

    def __init__(self, status: int, detail: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return the response."""
    document = ProblemDocument(
        schema="underkeel.problem/1",
        type="about:blank",
        title=TITLES.get(status, "The request failed"),
        status=status,
        detail=detail,
    )
    return JSONResponse(
        document.model_dump(by_alias=True),
        status_code=status,
        headers=dict(headers or {}),
        media_type=MEDIA,
    )


def refused(refusal: Refusal) -> Response:
    """Return the response for a refusal."""
    return problem(refusal.status, refusal.detail, dict(refusal.headers))


def handle(app: FastAPI) -> None:
    """Answer every failure of a route with a problem document."""

    def on_refusal(_request: Request, error: Any) -> Response:
        return refused(error)

    def on_http(_request: Request, error: Any) -> Response:
        detail = "see /api/v1/openapi.json for what there is"
        return problem(error.status_code, detail, error.headers)

    def on_invalid(_request: Request, error: Any) -> Response:
        said = (f"{_place(one['loc'])}: {one['msg']}" for one in error.errors()[:5])
        return problem(422, "; ".join(said))

    def on_store(_request: Request, error: Any) -> Response:
        log.warning("a request was not answered: %s", error)
        detail = "it is busy: try again" if isinstance(error, Locked) else "see the service's log"
        return problem(503, detail, {"Retry-After": RETRY_S})

    app.add_exception_handler(Refusal, on_refusal)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(StoreError, on_store)


def _place(loc: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in loc)
