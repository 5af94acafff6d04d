"""The application: pages, JSON, stream and metrics over the store. It asks no node, holds no key.

app = create_app(config, store, alone=True)
server = serve(app, config)
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.staticfiles import StaticFiles

from underkeel import __version__
from underkeel.alerts.rules import rules_of
from underkeel.config.load import Config
from underkeel.config.web import WebTable
from underkeel.documents.paging import HealthDocument, ProblemDocument
from underkeel.monitor.metrics import collector
from underkeel.store.errors import StoreError
from underkeel.store.store import Store
from underkeel.web import api
from underkeel.web.acts import Acts
from underkeel.web.auth import keys_of
from underkeel.web.data import Data
from underkeel.web.gate import Gate
from underkeel.web.login import routes as login_routes
from underkeel.web.problems import handle
from underkeel.web.stream import Hub

STATIC: Final = Path(__file__).parent / "static"
ABOUT: Final = (
    "Documents as `--json` prints them: integers are decimal text, null is unknown and never "
    "zero. Nothing here signs."
)


def _nobody() -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Web:
    """What belongs to an application; `app.state.web`."""

    data: Data
    acts: Acts
    hub: Hub
    gate: Gate


def create_app(
    config: Config,
    store: Store,
    *,
    alone: bool = True,
    registry: CollectorRegistry | None = None,
    dead: Callable[[], Sequence[str]] = _nobody,
    clock: Callable[[], float] = time.time,
    environ: Mapping[str, str] | None = None,
) -> FastAPI:
    """Return the application over a store.

    `alone`: another process has to watch; `dead` names threads that should run and do not;
    `registry` is what `/metrics` tells, by default what is in the store. Raises `ConfigError` for
    a token that cannot be read.
    """
    environ = os.environ if environ is None else environ
    table = config.settings.web or WebTable()
    keys = keys_of(config, environ, clock)
    data = Data(store, config, clock, alone=alone, dead=dead, environ=environ)
    acts = Acts(store, data.switch, rules_of(config.settings))
    hub = Hub(store, table.max_streams)
    app = _Described(
        title="Underkeel",
        version=__version__,
        description=ABOUT,
        docs_url=None,  # it would load others' scripts from elsewhere
        redoc_url=None,
        openapi_url=f"{api.ROOT}/openapi.json",
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    handle(app)
    app.include_router(api.routes(data, acts, hub, keys))
    if registry is None:
        registry = CollectorRegistry()
        registry.register(collector(store, clock))
    _health(app, data, registry)
    gate = Gate(app, keys, table)
    app.include_router(login_routes(keys, gate))
    app.state.web = Web(data, acts, hub, gate)
    _pages(app, config)
    app.add_middleware(_Gated, web=app.state.web)
    return app


class _Gated:
    """Puts the gate around what Starlette builds around the routes."""

    def __init__(self, app: Any, web: Web) -> None:
        web.gate.app = app
        self._gate = web.gate

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self._gate(scope, receive, send)


def _health(app: FastAPI, data: Data, registry: CollectorRegistry) -> None:
    @app.get(
        "/healthz",
        response_model=HealthDocument,
        response_model_exclude_unset=True,
        tags=["health"],
    )
    async def healthz() -> HealthDocument:
        """The process is alive."""
        return HealthDocument(schema="underkeel.health/1", ok=True)

    @app.get(
        "/readyz",
        response_model=HealthDocument,
        response_model_exclude_unset=True,
        responses={503: {"model": HealthDocument}},
        tags=["health"],
    )
    def readyz(request: Request) -> Response:
        """What is served may be relied on: everything is fresh, somebody watches and writes."""
        given: dict[str, Any] = {}
        try:
            checks = data.checks()
            ready = all(check.ok for check in checks)
            if request.state.caller.known:
                given["checks"] = checks
        except StoreError:
            ready = False
        document = HealthDocument(schema="underkeel.health/1", ok=ready, **given)
        body = document.model_dump(by_alias=True, exclude_unset=True)
        return JSONResponse(body, 200 if ready else 503)

    @app.get("/metrics", response_class=Response, tags=["health"],
             responses={200: {"content": {"text/plain": {}}}})  # fmt: skip
    def metrics() -> Response:
        """What Prometheus asks for."""
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _pages(app: FastAPI, config: Config) -> None:
    from underkeel.web.pages.routes import routes
    from underkeel.web.pages.site import Site

    web: Web = app.state.web
    site = Site(web.data, web.acts, Guard(web), config.settings.timezone)
    app.include_router(routes(site), include_in_schema=False)
    app.mount("/static", StaticFiles(directory=STATIC, check_dir=False), name="static")


@dataclass(frozen=True, slots=True)
class Guard:
    """What pages need to know of who asks."""

    web: Web

    def csrf(self, request: Request) -> str:
        """Return what a form must bring back."""
        return self.web.gate.keys.csrf(request.state.caller.session)

    def may_write(self, request: Request, form: Mapping[str, Any]) -> bool:
        """Return True: the gate let nothing else through."""
        return True

    @property
    def token(self) -> bool:
        """Whether a token is asked for."""
        return self.web.gate.keys.token is not None


class _Described(FastAPI):
    """Describes itself when it is asked to: that takes longer than all the rest of a start."""

    def openapi(self) -> dict[str, Any]:
        """Return the description, with the problem document and how to show the token."""
        if self.openapi_schema is None:
            made = super().openapi()
            schemas = made["components"]["schemas"]
            schemas["ProblemDocument"] = ProblemDocument.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            made["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            made["security"] = [{"token": []}, {}]
        assert self.openapi_schema is not None
        return self.openapi_schema
