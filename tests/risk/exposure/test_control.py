"""Ways to a change: the shortest, the worst, circles and ends that cannot be followed."""

from protocols.exposure.state import Facts, Governor, Kind, Verb
from risk.exposure.control import AdminKind, control, ends
from tests.risk.exposure.build import contract, key, power, safe, survey
from tests.support.fake_chain import address

A, LOCK, SAFE, KEY, OTHER = 1, 2, 3, 4, 5


def told(*facts: Facts) -> tuple[AdminKind, int | None]:
    found = control(survey(*facts), address(A))
    return found.kind, found.delay_s


def test_control__nobody__none() -> None:
    assert told(contract(A)) == (AdminKind.NONE, None)


def test_control__delays_along_a_way__add_up() -> None:
    lock = contract(LOCK, power(SAFE, Verb.EXECUTE, 100))
    found = told(contract(A, power(LOCK, Verb.UPGRADE, 20)), lock, safe(SAFE, (6, 7), 2))
    assert found == (AdminKind.TIMELOCKED_SAFE, 120)


def test_control__two_ways__shortest_delay_and_worst_end() -> None:
    lock = contract(LOCK, power(SAFE, Verb.EXECUTE, 100))
    found = told(
        contract(A, power(LOCK), power(KEY, Verb.PAUSE)), lock, safe(SAFE, (6, 7), 2), key(KEY)
    )
    assert found == (AdminKind.EOA, 0)


def test_control__fees_only__no_part_of_the_delay() -> None:
    assert told(contract(A, power(KEY, Verb.FEE)), key(KEY)) == (AdminKind.NONE, None)


def test_control__limited_power__stays_limited_behind_an_owner() -> None:
    paused = contract(A, power(OTHER, Verb.PAUSE))
    found = control(survey(paused, contract(OTHER, power(KEY)), key(KEY)), address(A))
    assert [way.verb for way in found.ways] == [Verb.PAUSE]


def test_control__power_limited_at_the_far_end__limits_the_whole_way() -> None:
    acl = contract(OTHER, power(KEY, Verb.PAUSE, evidence="EMERGENCY_ADMIN"))
    found = control(survey(contract(A, power(OTHER)), acl, key(KEY)), address(A))
    assert [way.verb for way in found.ways] == [Verb.PAUSE]


def test_control__circle__unknown_without_a_delay() -> None:
    found = control(survey(contract(A, power(OTHER)), contract(OTHER, power(A))), address(A))
    assert (found.kind, found.delay_s) == (AdminKind.UNKNOWN, None)
    assert found.ways[0].end == f"unknown:{address(A)}"


def test_control__circle_with_a_way_out__the_way_out() -> None:
    found = told(contract(A, power(OTHER)), contract(OTHER, power(A), power(KEY)), key(KEY))
    assert found == (AdminKind.EOA, 0)


def test_control__holder_beyond_what_was_followed__unknown() -> None:
    assert told(contract(A, power(OTHER, delay=50))) == (AdminKind.UNKNOWN, 50)


def test_control__self_destructed_or_unread_holder__unknown() -> None:
    for kind in (Kind.GONE, Kind.UNKNOWN):
        assert told(contract(A, power(OTHER)), Facts(address(OTHER), kind)) == (
            AdminKind.UNKNOWN,
            0,
        )


def test_control__holder_not_found__unknown_of_the_contract_that_has_the_power() -> None:
    found = control(survey(contract(A, power(OTHER)), contract(OTHER, power(None))), address(A))
    assert [way.end for way in found.ways] == [f"unknown:{address(OTHER)}"]


def test_control__admin_contract_without_owner__unknown_unless_it_gave_the_owner_up() -> None:
    assert told(contract(A, power(OTHER)), contract(OTHER)) == (AdminKind.UNKNOWN, 0)
    assert told(contract(A, power(OTHER)), contract(OTHER, renounced=True)) == (
        AdminKind.NONE,
        None,
    )


def test_control__safe_of_one_signature__is_a_key() -> None:
    assert told(contract(A, power(SAFE)), safe(SAFE, (6, 7), 1)) == (AdminKind.EOA, 0)


def test_control__safe_of_foreign_code__unknown() -> None:
    assert (
        told(contract(A, power(SAFE)), safe(SAFE, (6, 7), 2, standard=False))[0]
        is AdminKind.UNKNOWN
    )


def test_control__governor__votes_before_anything() -> None:
    vote = Facts(address(OTHER), Kind.GOVERNOR, governor=Governor(1, 2, "timestamp"), delay_s=3)
    assert told(contract(A, power(OTHER)), vote) == (AdminKind.TIMELOCKED_GOVERNANCE, 3)
    quick = Facts(address(OTHER), Kind.GOVERNOR, governor=Governor(1, 2, "blocknumber"), delay_s=0)
    assert told(contract(A, power(OTHER)), quick) == (AdminKind.GOVERNANCE, 0)


def test_ends__several_contracts__each_holder_at_his_shortest() -> None:
    held = survey(contract(A, power(KEY, delay=9)), contract(OTHER, power(KEY, delay=4)), key(KEY))
    found = ends([control(held, address(A)), control(held, address(OTHER))])
    assert found == {address(KEY): 4}
