"""What a liquidator takes from an Aave account, release by release, worked out by hand."""

from dataclasses import replace

import pytest

from chain.units import RAY, WAD
from protocols.aave_v3.math import lines
from protocols.aave_v3.state import AaveAccount, Discount, EMode
from risk.liquidation import engine_of
from risk.liquidation.aave_seizure import calls, seize
from risk.liquidation.engine import Seizure, Terms
from tests.risk.aave_states import NOW, account, configuration, owed, quote, reserve, supplied

UNIT = 10**18
HELD = reserve(0, quote(10**8, "a"))
DEBT = reserve(1, quote(10**8, "b"))
PAUSED = 1 << 56 | 1 << 60
RECORDED = (
    (
        4,
        (79_465_463_538, 15_757_936_055_279_120_592),
        (
            1_000_832_314_251_000_349_225_670_380,
            0x1000_0000_0000_0000_0000_0103_E800_0000_0000_0000_0000_03E8_AD06_28D2_1E78_1D4C,
            100_000_000,
        ),
        (
            1_002_928_960_393_607_973_838_541_183,
            0x1000_0000_0000_0000_0000_0203_E800_0000_0000_0000_0000_03E8_8512_2904_206C_1F72,
            766_924_770_480,
        ),
        (9_923_632_773_542_690_192, 79_189_123_186, 342_480_589),
    ),
    (
        7,
        (2_151_657_065_792_217_916, 2_219_403_752),
        (
            1_001_319_030_226_643_542_814_769_637,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8512_2904_206C_1F72,
            99_550_409_785,
        ),
        (
            1_002_729_512_371_779_968_718_146_763,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8506_0000_0000_0000,
            99_990_000,
        ),
        (2_042_879_304, 2_144_235_665_706_514_868, 10_259_500_792_854_137),
    ),
    (
        9,
        (4_919_102_130_587_930_507, 3_699_842_499),
        (
            1_001_308_652_801_332_919_982_559_932,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8512_2904_206C_1F72,
            72_591_112_912,
        ),
        (
            1_002_733_590_451_212_558_713_920_500,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8506_0000_0000_0000,
            99_990_000,
        ),
        (3_405_582_424, 4_902_084_577_240_828_246, 23_454_950_130_338_890),
    ),
    (
        11,
        (488_195_081_532_739_944_448, 28_814_923_097),
        (
            1_000_002_795_556_531_811_954_988_206,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8512_29FE_1B58_1770,
            15_000_000_000,
        ),
        (
            1_002_730_479_826_510_946_054_127_021,
            0x1000_0000_0000_0000_0000_0003_E800_0000_0000_0000_0000_03E8_8506_28D2_1E78_1D4C,
            266_117_535,
        ),
        (25_597_875_153, 484_790_424_591_249_231_617, 3_406_021_718_439_690_151),
    ),
)
"""Of accounts of random crowds on pools of these releases, compiled once from the published
sources: revision; scaled supply and debt; index, configuration and price of the collateral and of
the debt; then what `liquidationCall` moved: debt repaid, collateral to the liquidator, and to the
treasury, where rounding had left a unit less than the fee."""


def seizure(state: AaveAccount) -> Seizure | None:
    engine = engine_of(state)
    assert engine is not None
    return engine.seizure(state)


def terms(state: AaveAccount) -> Terms:
    engine = engine_of(state)
    assert engine is not None
    return engine.terms(state)


def sunk(revision: int, held: int, debt: int) -> AaveAccount:
    """Return an account of one dollar assets, threshold 80 %, bonus 5 %, fee 10 % of the bonus."""
    return account(revision, supplied(HELD, held * UNIT), owed(DEBT, debt * UNIT))


@pytest.mark.parametrize("revision", [1, 4, 6, 7, 8, 9, 10, 11])
def test_seizure__just_below_one__repays_half(revision: int) -> None:
    taken = seizure(sunk(revision, 10_000, 8_100))
    assert taken is not None
    assert (taken.repaid, taken.ask) == (4_050 * UNIT, 4_050 * UNIT)
    # 4050 · 1.05 = 4252.5, of whose bonus of 202.5 the protocol keeps a tenth
    assert (taken.seized, taken.protocol_fee) == (423_225 * UNIT // 100, 2_025 * UNIT // 100)
    assert taken.profit_usd == pytest.approx(182.25)
    judged = terms(sunk(revision, 10_000, 8_100))
    assert (judged.close_factor_frac, judged.expected_loss_usd) == (0.5, 202.5)
    assert judged.penalty_frac == 0.05  # exactly: a document says 0.05


@pytest.mark.parametrize("revision", [1, 6, 7, 11])
def test_seizure__at_ninety_five_hundredths__repays_all(revision: int) -> None:
    whole = sunk(revision, 9_500, 8_000)
    assert engine_of(whole).health(whole) == 95 * WAD // 100  # type: ignore[union-attr]
    taken = seizure(whole)
    assert taken is not None
    assert taken.repaid == 8_000 * UNIT
    assert terms(whole).close_factor_frac == 1.0


def test_seizure__small_position__is_closed_whole_from_3_3_on() -> None:
    for revision, repaid in ((6, 810), (7, 1_620)):
        taken = seizure(sunk(revision, 2_000, 1_620))
        assert taken is not None
        assert taken.repaid == repaid * UNIT


def test_seizure__debt_left_would_be_dust__leaves_a_thousand_dollars() -> None:
    # half of all debt is 2600, which would leave 500 of the larger one
    other = reserve(2, quote(10**8, "c"))
    state = account(
        10, supplied(HELD, 6_450 * UNIT), owed(DEBT, 3_100 * UNIT), owed(other, 2_100 * UNIT)
    )
    taken = seizure(state)
    assert taken is not None
    left = 3_100 * UNIT - taken.repaid
    assert taken.debt == DEBT.asset
    # what is left is worth a thousand dollars, rounded up; of one unit less it would not be
    assert left == 1_000 * UNIT - UNIT // 10**8 + 1


def test_seizure__collateral_left_would_be_dust__leaves_a_thousand_dollars() -> None:
    # of 3000 the whole half of the debt would take 2731; another collateral holds the rest
    other = reserve(2, quote(10**8, "c"), configuration(bonus=10000))
    state = account(
        10, supplied(HELD, 3_000 * UNIT), supplied(other, 3_400 * UNIT), owed(DEBT, 5_200 * UNIT)
    )
    taken = seizure(state)
    assert taken is not None
    assert taken.collateral == HELD.asset
    left = 3_000 * UNIT - taken.seized - taken.protocol_fee
    assert left * 10**8 // UNIT == 1_000 * 10**8


def test_seizure__collateral_too_small_for_the_bonus__takes_all_of_it_for_less() -> None:
    # 100 of collateral repays 100/1.05, up from 3.5 and half up before, once in base units
    for revision, repaid in ((1, 95), (7, 95), (9, 96), (11, 96)):
        held = reserve(0, quote(10**8, "a"), configuration(decimals=0, fee=0))
        debt = reserve(1, quote(10**8, "b"), configuration(decimals=0))
        taken = seizure(account(revision, supplied(held, 100), owed(debt, 500)))
        assert taken is not None
        assert (taken.seized, taken.repaid, taken.protocol_fee) == (100, repaid, 0)
        assert (taken.ask or 0) > repaid


def test_seize__last_unit__is_rounded_as_each_release_does() -> None:
    outcomes = {}
    for revision in (1, 9, 10, 11):
        held = reserve(0, quote(10**8, "a"), configuration(decimals=0, bonus=10550, fee=1500))
        debt = reserve(1, quote(10**8, "b"), configuration(decimals=0))
        state = account(revision, supplied(held, 10**6), owed(debt, 10**6))
        collateral, owing = lines(state, NOW)
        outcomes[revision] = seize(state, owing, collateral, {}, 10)
    # 10 · 1.055 = 10.55: half up to 3.6 gives 11, whose bonus of 1 pays 0.15, rounded to 0;
    # down from 3.7 gives 10, whose bonus of 10 − ⌊9.47⌋ = 1 pays 0.15, rounded up to 1
    assert outcomes == {1: (10, 11, 0), 9: (10, 11, 0), 10: (10, 11, 0), 11: (10, 9, 1)}


@pytest.mark.parametrize("revision", [1, 4, 6, 7, 8])
def test_seizure__discounted_debt__repays_what_its_token_says(revision: int) -> None:
    grown = reserve(1, quote(10**8, "gho"), borrow_index=12 * RAY // 10)
    discount = Discount(3000, 11 * RAY // 10) if revision <= 7 else None
    taken = seizure(
        account(
            revision, supplied(HELD, 1_455 * UNIT), owed(grown, 1_000 * UNIT, discount=discount)
        )
    )
    assert taken is not None
    # of 1200 owed, 30 are forgiven; half of the rest to 3.2, and all that is below 2000 after
    assert taken.repaid == {7: 1_170, 8: 1_200}.get(revision, 585) * UNIT


@pytest.mark.parametrize(("revision", "scaled", "held", "owing", "moved"), RECORDED)
def test_calls__all_of_a_collateral__pays_the_recorded_fee(
    revision: int,
    scaled: tuple[int, int],
    held: tuple[int, int, int],
    owing: tuple[int, int, int],
    moved: tuple[int, int, int],
) -> None:
    index, bitmap, price = held
    collateral = reserve(0, quote(price, "a"), bitmap, liquidity_index=index)
    index, bitmap, price = owing
    debt = reserve(1, quote(price, "b"), bitmap, borrow_index=index)
    state = account(revision, supplied(collateral, scaled[0]), owed(debt, scaled[1]))
    (call,) = calls(state)
    assert (call.repaid, call.seized, call.fee) == moved


def test_calls__repays_less_than_its_token_can_burn__are_not_made() -> None:
    bitmap = configuration(decimals=0, fee=0)
    crumb = supplied(reserve(0, quote(10**8, "a"), bitmap), 1)
    rest = supplied(reserve(1, quote(10**8, "b"), bitmap), 10_000)
    debt = owed(reserve(2, quote(10**8, "c"), bitmap, borrow_index=12 * RAY // 10), 10_000)
    for revision, tokens in ((8, {0, 1}), (9, {1}), (11, {1})):
        state = account(revision, crumb, rest, debt)
        assert {call.collateral.holding.reserve.id for call in calls(state)} == tokens
    # 3.5: the last collateral goes for all of the debt, burned as a deficit
    (only,) = calls(account(11, crumb, debt))
    assert (only.repaid, only.seized) == (1, 1)


def test_seizure__emode_bonus__replaces_the_reserves() -> None:
    emode = EMode(1, 8000, 10100, 0b1)
    state = replace(sunk(10, 10_000, 8_100), emode=emode)
    assert terms(state).penalty_frac == 0.01


def test_seizure__healthy_or_nothing_owed__is_none() -> None:
    assert seizure(sunk(10, 10_000, 100)) is None
    assert seizure(account(10, supplied(HELD, UNIT))) is None


def test_terms__collateral_without_a_bonus__has_no_outcome() -> None:
    bare = reserve(0, quote(10**8, "a"), configuration(bonus=0))
    state = account(10, supplied(bare, 100 * UNIT), owed(DEBT, 90 * UNIT))
    assert terms(state) == Terms()
    assert seizure(state) is None


def test_terms__prices_not_in_dollars__name_no_loss() -> None:
    state = replace(sunk(10, 10_000, 8_100), base_decimals=None)
    taken = seizure(state)
    assert taken is not None
    assert taken.profit_usd is None
    assert terms(state).expected_loss_usd is None


@pytest.mark.parametrize(
    ("revision", "bits", "grace", "allowed", "reason"),
    [
        (1, PAUSED, 0, True, "T1 is paused"),
        (1, 0, 0, True, "T1 is not active"),
        (4, 1 << 56, NOW, True, "T1 has a grace period for 1 s"),
        (4, 1 << 56, NOW + 99, True, "T1 has a grace period for 100 s"),
        (4, 1 << 56, NOW - 1, True, ""),
        (1, 1 << 56, NOW, True, ""),
        (10, 1 << 56, 0, False, "the oracle sentinel does not allow liquidations"),
        (11, 1 << 56, 0, False, ""),
    ],
)
def test_terms__the_only_debt_is_refused__says_why_and_what_it_would_cost(
    revision: int, bits: int, grace: int, allowed: bool, reason: str
) -> None:
    debt = reserve(1, quote(10**8, "b"), configuration(flags=bits), grace_until=grace)
    state = account(
        revision,
        supplied(HELD, 10_000 * UNIT),
        owed(debt, 8_100 * UNIT),
        liquidation_allowed=allowed,
    )
    assert terms(state).blocked_by == ((reason,) if reason else ())
    assert terms(state).expected_loss_usd == pytest.approx(202.5)
    assert (seizure(state) is None) is bool(reason)


def test_terms__another_pair_is_free__blocks_nothing() -> None:
    stuck = reserve(2, quote(10**8, "c"), configuration(flags=PAUSED))
    state = account(
        10, supplied(HELD, 10_000 * UNIT), supplied(stuck, 10 * UNIT), owed(DEBT, 8_110 * UNIT)
    )
    assert terms(state).blocked_by == ()


def test_terms__sentinel_shut_and_deep_under_water__does_not_block() -> None:
    state = replace(sunk(10, 9_000, 8_100), liquidation_allowed=False)
    assert terms(state).blocked_by == ()
    assert terms(replace(sunk(10, 9_900, 8_000), liquidation_allowed=False)).blocked_by
