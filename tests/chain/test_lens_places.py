"""Code at other contracts' addresses: by override or not at all, and not tried for ever."""

from typing import Any

import pytest

from chain import lens as lenses
from chain.bulk import Chunks, Lens, NoLens
from chain.endpoint import Path
from tests.chain.helpers import address, client
from tests.chain.test_lens import HEAD, accounts, covered, made
from tests.support import faults

PLACES = (address(0xAA), address(0xBB))


def asked(count: int) -> Lens:
    return Lens("lending_lens", "test", HEAD, accounts(count), places=PLACES)


def test_places__by_override__hold_a_stub_that_delegates_to_the_program() -> None:
    node = made()
    sent: list[Any] = []
    chain = client(node)
    endpoint = chain.pool.endpoints[0]
    honest = endpoint.post

    def post(asks: Any, **kwargs: Any) -> Any:
        sent.extend(asks)
        return honest(asks, **kwargs)

    endpoint.post = post  # type: ignore[method-assign]
    snapshot = chain.snapshot(chain.head())
    assert len(covered(snapshot.lens(asked(5)))) == 5
    (overrides,) = [ask.params[2] for ask in sent if ask.method == "eth_call"]
    assert set(overrides) == {*PLACES, lenses.ADDRESS}
    stubs = {overrides[place]["code"] for place in PLACES}
    assert stubs == {lenses.STUB}
    assert lenses.ADDRESS[2:].lower() in lenses.STUB
    assert overrides[lenses.ADDRESS]["code"] == lenses.code("lending_lens")[0]


@pytest.mark.parametrize("path", [Path.INITCODE, Path.MULTICALL3, Path.SINGLE])
def test_places__any_other_path__is_none(path: Path) -> None:
    chain = client(made(), path=path)
    assert isinstance(chain.snapshot(chain.head()).lens(asked(5)), NoLens)


def test_places__refused_by_a_node_that_bears_overrides__is_given_up_soon() -> None:
    node = made(most=0)
    chain = client(node)
    chain.pool.endpoints[0].limits.path_proven = True
    found = chain.snapshot(chain.head()).lens(asked(1000))
    assert isinstance(found, NoLens) or not found.chunks
    assert len(node.runs) <= 2 * lenses.PATIENCE + 8


def test_places__a_passing_refusal__is_overcome() -> None:
    node = made()
    chain = client(node)
    at = chain.head()
    node.script.then(faults.failing("eth_call", -32000, "out of gas"))
    found = chain.snapshot(at).lens(asked(100))
    assert isinstance(found, Chunks)
    assert len(covered(found)) == 100
