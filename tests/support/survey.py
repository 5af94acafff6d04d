"""Run a survey against a node, logs included, as the application does."""

from __future__ import annotations

from collections.abc import Sequence

from world.anvil import Anvil
from world.world import World

from chain.client import ChainSpec, Client, connect
from chain.endpoint import Path
from chain.types import Address
from protocols.adapter import Log
from protocols.exposure.roles import GRANTED, GRANTS, grant_of
from protocols.exposure.state import Dependencies, Link, LinkKind, Survey
from protocols.exposure.survey import roles_unread, survey


def seeds(addresses: Sequence[Address]) -> list[Dependencies]:
    """Return one position that stands on all of these."""
    links = tuple(Link("planted", a, LinkKind.SPENDER, "planted") for a in addresses)
    return [Dependencies("planted", links)]


def surveyed(
    world: World[Anvil],
    addresses: Sequence[Address],
    number: int | None = None,
    path: Path | None = None,
) -> Survey:
    """Return what is found from some addresses on, at the head or at a block."""
    spec = ChainSpec("world", world.node.chain_id, (world.node.url,))
    with connect(spec, path=path) as client:
        return _at(client, addresses, number)


def _at(client: Client, addresses: Sequence[Address], number: int | None) -> Survey:
    at = client.head() if number is None else client.block(number)
    snapshot = client.snapshot(at)
    first = snapshot.run(survey(seeds(addresses)))
    grants = {}
    for address in roles_unread(first):
        logs = client.logs([address], ["0x" + GRANTED.hex()], 0, at.number)
        texts = GRANTS.found(
            Log(x.address, tuple(bytes.fromhex(t[2:]) for t in x.topics), x.data) for x in logs
        )
        grants[address] = [grant_of(t) for t in texts]
    return snapshot.run(survey(seeds(addresses), grants, first.facts))
