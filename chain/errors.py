"""What can go wrong between us and a chain.

    ChainError
    ├── SettingsError               a chain's settings cannot work: fix the config
    ├── EndpointError               one endpoint failed; another may do better
    │   ├── Unreachable             no connection, or it broke
    │   ├── TimedOut                no answer in time
    │   ├── Refused                 HTTP 401, 403, 404 or a redirect: key or URL is wrong
    │   ├── RateLimited             HTTP 429, or JSON-RPC words for it
    │   ├── BadStatus               any other HTTP status that is no success
    │   ├── TooLarge                HTTP 413, or an answer over our guard
    │   ├── NotJson                 HTML, a truncated body, anything that does not parse
    │   ├── Malformed               JSON, and no JSON-RPC answer to what was asked
    │   ├── RpcError                the node answered with an error
    │   │   ├── LimitExceeded       range, size, gas or time: ask for less
    │   │   ├── BlockUnknown        it does not have that block, or not in its chain
    │   │   ├── Unsupported         no such method, or not with these parameters
    │   │   └── CallReverted        an eth_call ran and was refused
    │   ├── WrongChain              it serves another chain
    │   ├── StaleHead               its newest block is too old
    │   │   └── Standstill          no block has come for long
    │   └── HeadWentBack            its newest block is older than one we have seen
    ├── AllEndpointsFailed          every endpoint of the chain failed
    ├── Disagreement                endpoints gave different answers for one block
    ├── Reorged                     the block is no longer part of the chain
    ├── LogsIncomplete              a log range could not be read whole
    └── NameNotResolved             an ENS name has no address, or needs what we do not do

An endpoint is named by scheme and host only: paths, queries and user parts hold API keys.
"""

from collections.abc import Sequence

from chain.types import BlockRef


class ChainError(Exception):
    """Base of everything this room raises on purpose."""


class SettingsError(ChainError):
    """A chain's settings cannot work."""


class EndpointError(ChainError):
    """One endpoint failed."""

    def __init__(self, endpoint: str, message: str) -> None:
        super().__init__(f"{endpoint}: {message}")
        self.endpoint = endpoint
        self.message = message


class Unreachable(EndpointError):
    """No connection could be made, or it broke before the answer was whole."""

    def __init__(self, endpoint: str, cause: str) -> None:
        super().__init__(
            endpoint, f"cannot be reached ({cause}); check the URL, the network, and that it runs"
        )
        self.cause = cause


class TimedOut(EndpointError):
    """The endpoint did not answer in time."""

    def __init__(self, endpoint: str, seconds: float) -> None:
        super().__init__(
            endpoint, f"gave no answer within {seconds:g} s; raise timeout or use another RPC"
        )
        self.seconds = seconds


class Refused(EndpointError):
    """The endpoint will not serve us at this URL."""

    def __init__(self, endpoint: str, status: int) -> None:
        super().__init__(endpoint, f"refused with HTTP {status}; check the URL and its API key")
        self.status = status


class RateLimited(EndpointError):
    """The endpoint asks us to slow down."""

    def __init__(self, endpoint: str, retry_after_s: float | None) -> None:
        wait = "" if retry_after_s is None else f", asks for {retry_after_s:g} s of rest"
        super().__init__(endpoint, f"limits our rate{wait}; use a larger plan or a second RPC")
        self.retry_after_s = retry_after_s


class BadStatus(EndpointError):
    """The endpoint answered with an HTTP status that is no success."""

    def __init__(self, endpoint: str, status: int) -> None:
        super().__init__(endpoint, f"answered HTTP {status}; try later or use another RPC")
        self.status = status


class TooLarge(EndpointError):
    """The request or the answer is larger than a side will take."""

    def __init__(self, endpoint: str, what: str) -> None:
        super().__init__(endpoint, f"{what}; ask for less at once")
        self.what = what


class NotJson(EndpointError):
    """The body is no JSON."""

    def __init__(self, endpoint: str, what: str) -> None:
        super().__init__(
            endpoint, f"answered with {what} instead of JSON; is this the URL of a JSON-RPC node?"
        )
        self.what = what


class Malformed(EndpointError):
    """The body is JSON, but no valid JSON-RPC answer to what was asked."""

    def __init__(self, endpoint: str, what: str) -> None:
        super().__init__(endpoint, f"broke JSON-RPC: {what}; use another RPC if it persists")
        self.what = what


class RpcError(EndpointError):
    """The node answered with a JSON-RPC error."""

    def __init__(self, endpoint: str, code: int, text: str, data: bytes | None = None) -> None:
        super().__init__(endpoint, f"answered with error {code}: {text}")
        self.code = code
        self.text = text
        self.data = data
        """What a reverted call returned, where the node tells."""


class LimitExceeded(RpcError):
    """The request is over one of the provider's limits: range, size, gas or time."""


class BlockUnknown(RpcError):
    """The node has no such block, or no state for it, or has it outside its chain."""


class Unsupported(RpcError):
    """The node does not know the method, or not with these parameters."""


class CallReverted(RpcError):
    """An `eth_call` ran, and the contract refused."""


class WrongChain(EndpointError):
    """The endpoint serves another chain than configured."""

    def __init__(self, endpoint: str, expected: int, got: int) -> None:
        super().__init__(
            endpoint,
            f"serves chain {got}, but chain {expected} is configured; fix chain_id or the RPC URL",
        )
        self.expected = expected
        self.got = got


class StaleHead(EndpointError):
    """The endpoint's newest block is older than allowed."""

    def __init__(self, endpoint: str, number: int, age_s: int, limit_s: int) -> None:
        super().__init__(
            endpoint,
            f"its newest block {number} is {age_s} s old, more than the {limit_s} s allowed; "
            "it is out of sync (or raise max_block_age)",
        )
        self.number = number
        self.age_s = age_s
        self.limit_s = limit_s


class Standstill(StaleHead):
    """No block has come for longer than the chain's rhythm explains, however old the newest is."""

    def __init__(self, endpoint: str, number: int, age_s: int, limit_s: int) -> None:
        EndpointError.__init__(
            self,
            endpoint,
            f"no block after {number} for {age_s} s, more than the {limit_s} s that this chain "
            "may take; it is out of sync, or the chain stands still",
        )
        self.number = number
        self.age_s = age_s
        self.limit_s = limit_s


class HeadWentBack(EndpointError):
    """The endpoint's newest block is far below one already seen on this chain."""

    def __init__(self, endpoint: str, number: int, seen: int) -> None:
        super().__init__(
            endpoint, f"its newest block is {number}, but block {seen} was seen; it lags behind"
        )
        self.number = number
        self.seen = seen


class AllEndpointsFailed(ChainError):
    """Every endpoint of a chain failed, each for its own reason."""

    def __init__(self, chain: str, failures: Sequence[EndpointError]) -> None:
        reasons = "; ".join(str(f) for f in failures) or "none is configured"
        super().__init__(f"no RPC of {chain} could be used: {reasons}")
        self.chain = chain
        self.failures = tuple(failures)


class Disagreement(ChainError):
    """Endpoints gave different answers about one block: at least one of them is wrong."""

    def __init__(self, at: BlockRef | None, endpoints: Sequence[str], what: str) -> None:
        where = "" if at is None else f" at block {at}"
        super().__init__(
            f"{' and '.join(endpoints)} disagree on {what}{where}; "
            "at least one is wrong: do not act, find out which and remove it"
        )
        self.at = at
        self.endpoints = tuple(endpoints)
        self.what = what


class Reorged(ChainError):
    """The block that was read from is no longer part of the chain."""

    def __init__(self, at: BlockRef) -> None:
        super().__init__(f"block {at} left the chain while it was read; read again at a new head")
        self.at = at


class LogsIncomplete(ChainError):
    """A log range could be read only in part."""

    def __init__(self, done_to: int, last: int, cause: ChainError) -> None:
        super().__init__(f"logs were read to block {done_to} of {last} only: {cause}; resume there")
        self.done_to = done_to
        self.last = last
        self.cause = cause


class NameNotResolved(ChainError):
    """An ENS name gave no address."""

    def __init__(self, name: str, cause: str) -> None:
        super().__init__(f"{name!r} does not resolve: {cause}")
        self.name = name
        self.cause = cause
