"""Markets found from logs."""

from protocols.adapter import Log, Market
from protocols.morpho_blue import MorphoBlue
from protocols.morpho_blue.discovery import (
    BORROW,
    BORROWERS,
    DISCOVERY,
    SUPPLY,
    SUPPLY_COLLATERAL,
)
from tests.protocols.morpho_blue.fake import (
    MORPHO,
    OWNER,
    RECIPIENT,
)


def test_discovery__accounts__two_filters_with_the_owner_where_each_event_has_it() -> None:
    market = Market("morpho-blue", "test", MORPHO, {"market_ids": ()})
    supplies, borrows = DISCOVERY.filters(market, [OWNER, RECIPIENT])
    owners = tuple("0x" + a[2:].lower().zfill(64) for a in (OWNER, RECIPIENT))
    assert supplies.address == borrows.address == MORPHO
    assert supplies.topics[1:] == (None, None, owners)
    assert borrows.topics[1:] == (None, owners)
    assert DISCOVERY.filters(market, []) == ()
    assert DISCOVERY.key in MorphoBlue.keys


def test_discovery__logs__ids_once_in_order_and_others_passed_over() -> None:
    first, second = b"\x01" * 32, b"\x02" * 32
    who = bytes(12) + bytes.fromhex(OWNER[2:])
    logs = [
        Log(MORPHO, (SUPPLY, second, who, who), b""),
        Log(MORPHO, (BORROW, first, who, who), b""),
        Log(MORPHO, (SUPPLY_COLLATERAL, second, who, who), b""),
        Log(MORPHO, (b"\x09" * 32, b"\x03" * 32), b""),
        Log(MORPHO, (SUPPLY,), b""),
        Log(MORPHO, (), b""),
    ]
    assert DISCOVERY.found(logs) == ("0x" + second.hex(), "0x" + first.hex())


def test_borrowers__of_some_markets__each_once_by_whose_debt_it_is() -> None:
    ids = ("0x" + "01" * 32, "0x" + "02" * 32)
    market = Market("morpho-borrowers", "test", MORPHO, {"market_ids": ids})
    (wanted,) = BORROWERS.filters(market, [MORPHO])
    assert (wanted.address, wanted.topics) == (MORPHO, ("0x" + BORROW.hex(), ids))
    assert BORROWERS.filters(Market("", "", MORPHO, {"market_ids": ()}), [MORPHO]) == ()
    owner, receiver = (bytes(12) + bytes.fromhex(a[2:]) for a in (OWNER, RECIPIENT))
    logs = [
        Log(MORPHO, (BORROW, b"\x01" * 32, owner, receiver), b""),
        Log(MORPHO, (BORROW, b"\x01" * 32, owner, owner), b""),
        Log(MORPHO, (SUPPLY, b"\x01" * 32, receiver, receiver), b""),
        Log(MORPHO, (BORROW, b"\x01" * 32), b""),
    ]
    assert BORROWERS.found(logs) == (ids[0] + OWNER[2:].lower(),)


def test_topics__of_the_events__as_on_every_chain() -> None:
    # keccak of the events' signatures, as explorers show them for Morpho's logs.
    assert SUPPLY.hex().startswith("edf8870433c83823")
    assert SUPPLY_COLLATERAL.hex().startswith("a3b9472a1399e17e")
    assert BORROW.hex().startswith("570954540bed6b1304a87dfe815a5eda")
