"""What a study says of portfolios, given histories or none."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from rich.console import Console

from risk.market.types import Covariance, Gjr, PriceSeries, Residuals
from risk.oracle.types import FeedTrust
from risk.types import Status
from tests.risk import aave_states as aave
from tests.support.fake_chain import AT
from tests.underkeel.distance import scene
from underkeel.cli.joint import Extras, joint_report, rows
from underkeel.distance import study as module
from underkeel.distance.remedies import ways_of
from underkeel.distance.study import Study, judged, measure, volatilities
from underkeel.documents.build import risk_document
from underkeel.documents.study import extended
from underkeel.history.collect import Histories
from underkeel.portfolio import Portfolio

DAY = 86_400


def series(factor: str, seed: int, sigma: float) -> PriceSeries:
    """Return some weeks of hourly prices."""
    n = 45 * 24
    ends = AT.timestamp // 3600 * 3600 - 3600 * np.arange(n)[::-1]
    moves = np.random.default_rng(seed).standard_normal(n) * sigma
    return PriceSeries(factor, "", ends.astype(np.int64), np.exp(np.cumsum(moves)) * 1e3, "file")


def histories(**sigmas: float) -> Histories:
    known = {("c", f): series(f, i, s) for i, (f, s) in enumerate(sigmas.items())}
    return Histories(known, {})


def studied(portfolio: Portfolio, past: Histories | None = None, horizon_s: int = DAY) -> Study:
    measured, unmeasured = measure(portfolio, horizon_s)
    return judged(measured, unmeasured, past or Histories(), (), horizon_s, 2_000)


def told(found: Study, portfolio: Portfolio) -> str:
    screen = Console(width=120, color_system=None)
    with screen.capture() as capture:
        screen.print(joint_report(found, portfolio))
    return " ".join(capture.get().split())


def test_study__histories__betas_are_in_their_sigmas() -> None:
    portfolio = scene.portfolio(scene.held(scene.account(), name="a"))
    found = studied(portfolio, histories(eth=0.008, btc=0.006))
    assert not found.covariance.assumed
    assert "Ledoit-Wolf" in found.covariance.method
    one = found.found["a"]
    assert one.joint is not None
    assert one.joint.certified
    assert one.joint.method == "convex"
    assert one.edge is not None
    assert one.edge.multiple == pytest.approx(1, abs=1e-6)
    assert one.assumed == ()
    assert one.plane is not None
    assert one.plane.beta == pytest.approx(one.joint.beta, rel=0.2)
    twice = studied(portfolio, histories(eth=0.016, btc=0.012)).found["a"]
    assert twice.joint is not None
    assert twice.joint.beta < 0.6 * one.joint.beta
    week = studied(portfolio, histories(eth=0.008, btc=0.006), 7 * DAY).found["a"]
    assert week.joint is not None
    assert week.joint.beta == pytest.approx(one.joint.beta / 7**0.5, rel=0.1)


def test_volatilities__calm_now__rise_to_their_level_over_the_horizon() -> None:
    model = Gjr(1e-6, 0.05, 0.04, 0.92, 5.0)
    residuals = Residuals(
        ("a", "b"),
        3600,
        np.empty(0, np.int64),
        np.zeros((1, 2)),
        np.array([0.001, 0.05]),
        (model, model),
        (),
    )
    # the recursion itself, step by step
    for horizon in (3600, DAY, 30 * DAY):
        found = volatilities(residuals, horizon)
        for name, sigma in (("a", 0.001), ("b", 0.05)):
            variance, total = sigma**2, 0.0
            for _ in range(horizon // 3600):
                total += variance
                variance = model.omega + model.persistence * variance
            expected = (total / (horizon // 3600) * 24) ** 0.5
            assert found[name] == pytest.approx(expected)
    assert volatilities(residuals, 900 * DAY)["a"] == pytest.approx((model.level * 24) ** 0.5, 0.01)


def test_study__no_history__is_assumed_wide_and_said() -> None:
    portfolio = scene.portfolio(scene.held(scene.account(), name="a"))
    past = Histories({}, {("c", "eth"): "its feed keeps no rounds"})
    found = studied(portfolio, past)
    assert "its feed keeps no rounds" in found.found["a"].assumed[1]
    assert found.found["a"].joint is not None
    assert "BTC / USD: it has no history; assumed" in told(found, portfolio)
    half = studied(portfolio, histories(btc=0.001))
    assert set(half.covariance.assumed) == {"c eth"}
    assert half.found["a"].joint is not None


def test_study__two_loans__the_nearer_falls_first_and_the_other_follows() -> None:
    portfolio = scene.portfolio(
        scene.held(scene.account(debt=20_000), name="far"),
        scene.held(scene.account(debt=40_000), name="near"),
    )
    found = studied(portfolio, histories(eth=0.008, btc=0.006))
    near, far = found.wallet.order
    assert (near.name, far.name) == ("near", "far")
    assert near.multiple == pytest.approx(1, abs=1e-9)
    assert far.multiple is not None
    assert far.multiple > 1
    assert near.joint is not None
    assert found.wallet.beta == near.joint.beta
    assert "falls first" in told(found, portfolio)


def test_study__same_feed_on_two_chains__are_two_factors() -> None:
    portfolio = scene.of_chains(
        {
            "c": (scene.held(scene.account(), name="a"),),
            "my d": (scene.held(scene.account(debt=30_000), name="b"),),
        }
    )
    found = studied(portfolio, histories(eth=0.008, btc=0.006))
    assert set(found.labels) == {"c eth", "c btc", "my d eth", "my d btc"}
    assert found.found["a"].assumed == ()
    assert len(found.found["b"].assumed) == 2
    document = extended(risk_document(portfolio, 0.0), found, {}, {})
    assert document.joint is not None
    assert {move.chain for move in document.joint.shock} == {"c", "my d"}


def test_study__unread_parts__are_unmeasured_and_never_far() -> None:
    lost = scene.held(None, name="lost", unknown=("debt: no answer",))
    portfolio = scene.portfolio(lost, scene.held(scene.account(), name="a"))
    assert portfolio.assessments[0].liquidation.status is Status.UNKNOWN
    found = studied(portfolio)
    assert found.unmeasured == {"lost": "debt: no answer"}
    assert "lost" not in {fall.name for fall in found.wallet.order}
    assert "not measured: debt: no answer" in told(found, portfolio)
    document = extended(risk_document(portfolio, 0.0), found, {}, {})
    assert document.joint is not None
    assert [one.id for one in document.joint.unmeasured] == ["lost"]
    said = [str(text) for _, text in rows(Extras(found), portfolio.assessments[0])]
    assert said == ["not measured: debt: no answer"]


def test_study__position_in_doubt__is_measured_and_marked() -> None:
    doubted = scene.held(scene.account(), name="a", verified=False, notes=("numbers differ",))
    portfolio = scene.portfolio(doubted)
    assert portfolio.assessments[0].liquidation.status is Status.UNKNOWN
    assert "in doubt" in told(studied(portfolio), portfolio)
    ways = ways_of(portfolio, Fraction(3))
    said = [f"{text}" for _, text in rows(Extras(ways=ways), portfolio.assessments[0])]
    assert said[0] == "in doubt: numbers differ"


def test_study__liquidatable__is_zero_away_and_certain() -> None:
    portfolio = scene.portfolio(scene.held(scene.loan(eth=2000), name="a"))
    found = studied(portfolio)
    one = found.found["a"]
    assert one.joint is not None
    assert one.joint.beta == 0
    assert one.edge is None
    assert {chance.p for chance in one.chances} == {1.0}
    assert "is liquidatable now" in told(found, portfolio)


def test_study__nothing_owed__says_that_nothing_is_in_reach() -> None:
    portfolio = scene.portfolio(scene.wallet((scene.USDC, 5)))
    found = studied(portfolio)
    assert found.found == {}
    assert "none within reach" in told(found, portfolio)


def test_study__nothing_moves_it__is_none_and_said() -> None:
    still = aave.account(
        10,
        aave.supplied(aave.reserve(0, aave.quote(10**8, "eth", label="ETH / USD")), 10**19),
        aave.owed(aave.reserve(0, aave.quote(10**8, "eth", label="ETH / USD")), 10**18),
    )
    portfolio = scene.portfolio(scene.held(still, name="a"))
    found = studied(portfolio)
    assert found.found["a"].joint is None
    assert found.wallet.beta is None
    document = extended(risk_document(portfolio, 0.0), found, {}, {})
    joint = document.positions[0].liquidation.joint
    assert joint is not None
    assert joint.beta_sigma is None
    assert "none within reach" in told(found, portfolio)
    assert any("no joint move" in str(t) for _, t in rows(Extras(found), portfolio.assessments[0]))


def test_study__own_fault__is_that_positions_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("oops")

    monkeypatch.setattr(module, "margin_of", broken)
    measured, unmeasured = measure(scene.portfolio(scene.held(scene.account(), name="a")), DAY)
    assert measured == {}
    assert unmeasured == {"a": "internal error: RuntimeError: oops"}


def test_study__protocols_arithmetic_fails_on_the_way__is_unmeasured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def reverts(*_: object) -> None:
        raise ArithmeticError("oracle would revert")

    monkeypatch.setattr(module, "on_ray", reverts)
    found = studied(scene.portfolio(scene.held(scene.account(), name="a")))
    assert found.unmeasured == {"a": "oracle would revert"}
    assert found.found == {}


def test_document__feeds_known__coarsest_deviation_and_widest_gap() -> None:
    portfolio = scene.portfolio(scene.held(scene.account(), name="a"))
    found = studied(portfolio, histories(eth=0.008, btc=0.006))
    trusts = {"c eth": trust(50.0, 0.012), "c btc": trust(99.5, -0.02)}
    document = extended(risk_document(portfolio, 0.0), replace(found, trusts=trusts), {}, {})
    oracle = document.positions[0].liquidation.oracle
    assert oracle is not None
    assert (oracle.deviation_bps, oracle.market_gap_bps) == ("100", "-200")
    trusts = {"c eth": trust(50.0, None)}
    document = extended(risk_document(portfolio, 0.0), replace(found, trusts=trusts), {}, {})
    oracle = document.positions[0].liquidation.oracle
    assert oracle is not None
    assert (oracle.deviation_bps, oracle.market_gap_bps) == (None, None)


def trust(deviation: float, gap: float | None) -> FeedTrust:
    """Return a feed with a learned deviation and, perhaps, a pool's opinion."""
    from types import SimpleNamespace

    market = None if gap is None else SimpleNamespace(mean_frac=gap)
    return SimpleNamespace(rule=SimpleNamespace(deviation_bps=deviation), market=market)  # type: ignore[return-value]


def test_study__variances_beyond_all_bounds__are_unmeasured(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wild(past: Covariance, _: Residuals, horizons: Sequence[int]) -> dict[int, Covariance]:
        return dict.fromkeys(horizons, replace(past, daily=np.full_like(past.daily, np.nan)))

    monkeypatch.setattr(module, "_spreads", wild)
    portfolio = scene.portfolio(scene.held(scene.account(), name="a"))
    found = studied(portfolio, histories(eth=0.008, btc=0.006))
    assert not found.found
    assert found.unmeasured == {"a": "its prices vary beyond all bounds"}
    assert "beyond all bounds" in told(found, portfolio)
