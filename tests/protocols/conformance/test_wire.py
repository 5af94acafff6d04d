"""The same demands when the wire lies: every adapter behind a hostile proxy."""

from collections.abc import Callable

import pytest

from chain.calls import ReadFailed
from chain.client import ChainSpec, connect
from chain.endpoint import Path
from chain.errors import ChainError
from tests.protocols.conformance.judge import Outcome, false_claims
from tests.protocols.conformance.staging import Staged
from tests.support import faults
from tests.support.proxy import Proxy

SEEDS = range(24)
"""Each a different change of one place in every answer."""

FAULTS: dict[str, faults.Fault] = {
    "html": faults.html,
    "dropped": faults.dropped,
    "cut": faults.cut,
    "truncated": faults.truncated,
    "server error": faults.status(503),
    "empty list": faults.fixed(b"[]"),
    "null": faults.fixed(b"null"),
    "no result": faults.on("eth_call", lambda _: None),
    "empty result": faults.on("eth_call", lambda _: "0x"),
    "short result": faults.on("eth_call", lambda result: result[: len(result) // 2]),
    "zero results": faults.on("eth_call", lambda result: "0x" + "0" * (len(result) - 2)),
    "node error": faults.failing("eth_call", -32000, "missing trie node"),
}


def read_behind(staged: Staged, proxy: Proxy, path: Path | None = None) -> Outcome:
    """Read through the proxy; what the client refuses to answer at all claims nothing."""
    world = staged.world
    spec = ChainSpec(
        name="world",
        chain_id=world.node.chain_id,
        urls=(proxy.url,),
        multicall3=world.book["multicall3"]["address"],
        retries=0,
        timeout_s=5.0,
    )
    try:
        with connect(spec, path=path) as client:
            return client.snapshot(staged.at).run(staged.program())
    except (ReadFailed, ChainError) as failure:
        return ReadFailed(str(failure))


def judge(staged: Staged, what: str, outcome: Outcome) -> None:
    """Require that nothing false was said."""
    claims = false_claims(staged.truth, outcome)
    assert not claims, f"{what}: {claims}"


@pytest.fixture
def proxied(staged: Staged) -> Callable[[faults.Fault], Outcome]:
    """Return a reader behind a proxy with one standing fault."""

    def read(fault: faults.Fault) -> Outcome:
        with Proxy(staged.world.node.url) as proxy:
            proxy.script.always(fault)
            return read_behind(staged, proxy)

    return read


def test_read__through_an_honest_proxy__is_the_truth(
    staged: Staged, proxied: Callable[[faults.Fault], Outcome]
) -> None:
    assert proxied(faults.honest) == staged.truth


@pytest.mark.parametrize("fault", FAULTS)
def test_read__wire_fails__is_unknown_or_true(
    staged: Staged, proxied: Callable[[faults.Fault], Outcome], fault: str
) -> None:
    judge(staged, fault, proxied(FAULTS[fault]))


def test_read__wire_changes_an_answer__is_unknown_or_true(
    staged: Staged, proxied: Callable[[faults.Fault], Outcome]
) -> None:
    for seed in SEEDS:
        judge(staged, f"seed {seed}", proxied(faults.mutated(seed)))
