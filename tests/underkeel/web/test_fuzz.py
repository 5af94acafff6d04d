"""The API asked for everything that its own description allows, and for what it does not.

Each operation is asked a few times with what fits its description, and as often with what does
not; `make soak` (UNDERKEEL_SOAK=N) asks N times as often, and differently each time.
"""

import contextlib
import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from hypothesis.strategies import SearchStrategy
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.underkeel.web.scene import TOKEN, scene

SOAK = int(os.environ.get("UNDERKEEL_SOAK", "1"))
EXAMPLES = 2 * SOAK
SHOWN = {"Authorization": f"Bearer {TOKEN}"}
WEB = 'token = "env:WEB_TOKEN"\nhosts = ["testserver"]'
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
OPERATIONS = 23


def test_operations__anything__is_answered_as_described(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    made = scene(tmp_path_factory.mktemp("fuzz"), WEB)
    made.environ["WEB_TOKEN"] = TOKEN
    app = made.app()
    app.state.web.hub.most = 0  # the stream would never end
    schema = schemathesis.openapi.from_asgi("/api/v1/openapi.json", app, headers=SHOWN)
    asked = 0
    for result in schema.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        asked += 1
        ask(operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
        with contextlib.suppress(Unsatisfiable):  # nothing of it can be wrong
            ask(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    assert asked == OPERATIONS
    made.store.close()


def ask(strategy: SearchStrategy[Any]) -> None:
    """Ask as the strategy says, and compare each answer with the description."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=SOAK == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def one(case: Any) -> None:
        response = case.call(headers=SHOWN)
        assert response.status_code != 500, response.text
        case.validate_response(response, checks=CHECKS)

    one()
