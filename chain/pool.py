"""Several endpoints as one: order, retries, back-off, failover.

Waiting is exponential with full jitter; clock, sleep and random are given, so that tests do not
wait. Retrying is safe because everything sent through here is a read, or a signed transaction
that the chain itself takes once only.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from chain.endpoint import Endpoint
from chain.errors import (
    AllEndpointsFailed,
    BlockUnknown,
    CallReverted,
    EndpointError,
    LimitExceeded,
    RateLimited,
    Refused,
    StaleHead,
    Unsupported,
    WrongChain,
)

T = TypeVar("T")

BASE_S: Final = 0.25
CAP_S: Final = 8.0
REST_S: Final = 20.0
"""The longest rest an endpoint may ask for and still be waited for."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How often to try again, and what time is."""

    retries: int = 3
    """Further sweeps over the endpoints after the first."""
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random
    wall: Callable[[], float] = time.time

    def back_off(self, sweep: int, rest_s: float = 0.0) -> None:
        """Wait before sweep `sweep` (1, 2, …), at least as long as was asked for."""
        jitter = self.random() * min(CAP_S, BASE_S * 2.0**sweep)
        self.sleep(max(jitter, rest_s))


class Pool:
    """The endpoints of one chain."""

    def __init__(self, chain: str, endpoints: Sequence[Endpoint], patience: Patience) -> None:
        self.chain = chain
        self.endpoints = tuple(endpoints)
        self.patience = patience

    def ranked(self) -> list[Endpoint]:
        """Return the endpoints, the one to try first first: health, then the order given."""
        if len(self.endpoints) == 1:
            return [*self.endpoints]
        order = {id(e): i for i, e in enumerate(self.endpoints)}
        return sorted(self.endpoints, key=lambda e: (e.rest_s > 0, round(e.penalty), order[id(e)]))

    def first(self, attempt: Callable[[Endpoint], T]) -> T:
        """Return what `attempt` gives on the first endpoint where it does not fail.

        A failure that is `final` is not tried again there, but elsewhere. Raises the one failure
        where there is one endpoint, and `AllEndpointsFailed` where there are several.
        """
        failures: dict[int, EndpointError] = {}
        for sweep in range(self.patience.retries + 1):
            live = [e for e in self.ranked() if not final(failures.get(id(e)))]
            live = [e for e in live if e.rest_s <= REST_S]
            if not live:
                break
            if sweep:
                self.patience.back_off(sweep, min(e.rest_s for e in live))
            for endpoint in live:
                if endpoint.rest_s > 0 and endpoint is not live[0]:
                    continue
                try:
                    result = attempt(endpoint)
                except EndpointError as error:
                    failures[id(endpoint)] = error
                    endpoint.failed(error)
                else:
                    endpoint.succeeded()
                    return result
        if not failures:  # all are still resting from before
            failures = {id(e): RateLimited(e.label, e.rest_s) for e in self.endpoints}
        raise self.failure([failures[id(e)] for e in self.endpoints if id(e) in failures])

    def failure(self, failures: Sequence[EndpointError]) -> EndpointError | AllEndpointsFailed:
        """Return the error that says why nothing worked."""
        if len(self.endpoints) == 1 and failures:
            return failures[0]
        return AllEndpointsFailed(self.chain, failures)


def final(error: EndpointError | None) -> bool:
    """Whether asking the same endpoint again within seconds would change nothing."""
    lasting = WrongChain | Refused | StaleHead | BlockUnknown | Unsupported | LimitExceeded
    return isinstance(error, lasting | CallReverted)
