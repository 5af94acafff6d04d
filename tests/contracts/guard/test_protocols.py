"""What the guards of Morpho and Compound let steps do, and what the owner may not mix up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from world.actors import compound, morpho
from world.actors.tokens import mint
from world.anvil import Anvil
from world.world import World

from chain.abi import Function
from chain.types import Address
from executor.guard import NATIVE, Asset, GuardError, Protocol, Step, pull, step
from tests.contracts.guard.tools import TAKE, at, configuration, faithless, said
from tests.support.guard_place import (
    ETHER,
    MARKET,
    MORPHO_REPAY,
    MORPHO_SUPPLY,
    MORPHO_WITHDRAW,
    REDEEM,
    REPAY_BORROW,
    WAD,
)
from tests.support.guard_stage import FORMS, THIEF, Stage, staged

MORPHO_BORROW = Function(f"borrow({MARKET},uint256,uint256,address,address)(uint256,uint256)")
MORPHO_TAKE = Function(f"withdraw({MARKET},uint256,uint256,address,address)(uint256,uint256)")
AUTHORIZE = Function("setAuthorization(address,bool)()")
BORROW = Function("borrow(uint256)(uint256)")
TRANSFER = Function("transfer(address,uint256)(bool)")
ENTER = Function("exitMarket(address)(uint256)")


def _staged(place: str) -> Callable[..., Iterator[Stage]]:
    @pytest.fixture(scope="module", params=FORMS)
    def made(request: pytest.FixtureRequest, anvil: World[Anvil]) -> Iterator[Stage]:
        with staged(anvil, place, request.param) as stage:
            yield stage

    return made


_on_morpho, _on_compound = _staged("morpho"), _staged("compound-v2")


@pytest.fixture
def on_morpho(_on_morpho: Stage) -> Iterator[Stage]:
    with _on_morpho.world.node.rollback():
        yield _on_morpho


@pytest.fixture
def on_compound(_on_compound: Stage) -> Iterator[Stage]:
    with _on_compound.world.node.rollback():
        yield _on_compound


def other(stage: Stage) -> object:
    return morpho.params(stage.world, "WBTC/USDC")


MORPHO_STEPS: dict[str, Callable[[Stage], bytes]] = {
    "to-a-thief": lambda s: MORPHO_WITHDRAW.encode(s.place.params, 1, s.account, THIEF),
    "of-another": lambda s: MORPHO_WITHDRAW.encode(s.place.params, 1, THIEF, s.guard),
    "other-market": lambda s: MORPHO_WITHDRAW.encode(other(s), 1, s.account, s.guard),
    "supplied-for-a-thief": lambda s: MORPHO_SUPPLY.encode(s.place.params, 1, THIEF, b""),
    "debt-of-a-thief": lambda s: MORPHO_REPAY.encode(s.place.params, 1, 0, THIEF, b""),
    "borrowed": lambda s: MORPHO_BORROW.encode(s.place.params, 1, 0, s.account, s.guard),
    "loan-token-out": lambda s: MORPHO_TAKE.encode(s.place.params, 1, 0, s.account, s.guard),
    "power-given": lambda _: AUTHORIZE.encode(THIEF, True),
    "cut": lambda s: MORPHO_WITHDRAW.encode(s.place.params, 1, s.account, s.guard)[:-32],
    "nothing": lambda _: b"",
}


@pytest.mark.parametrize("name", MORPHO_STEPS)
def test_step__of_morpho_not_for_the_account__is_refused(on_morpho: Stage, name: str) -> None:
    calls = (step(on_morpho.place.market, MORPHO_STEPS[name](on_morpho)),)
    refused = on_morpho.refusal(on_morpho.intent(calls=calls))
    assert refused is not None
    assert refused.name == "CallNotAllowed"


def test_step__of_morpho_with_a_callback__finds_nobody_at_home(on_morpho: Stage) -> None:
    usdc = on_morpho.place.address("USDC")
    repaid = on_morpho.debt * 46 // 100
    data = MORPHO_REPAY.encode(on_morpho.place.params, repaid, 0, on_morpho.account, b"call me")
    calls = (step(on_morpho.place.market, data, token=usdc, amount=repaid),)
    refused = on_morpho.refusal(on_morpho.intent(repaid, calls=calls))
    assert refused is not None
    assert refused.name == "StepFailed"


def test_borrowing__on_morpho_where_the_policy_lets__may_not_raise_debt(on_morpho: Stage) -> None:
    easy = on_morpho.configure(may_borrow=True, floor=WAD)
    data = MORPHO_BORROW.encode(easy.place.params, 10**6, 0, easy.account, easy.account)
    intent = easy.intent(calls=(step(easy.place.market, data),), flash_amount=0)
    refused = easy.refusal(intent)
    assert refused is not None
    assert refused.name == "DebtUp"


@pytest.mark.parametrize(
    "asset",
    [
        lambda s: Asset(s.place.address("WBTC"), s.place.market, True, 0),
        lambda s: Asset(s.place.address("WETH"), s.place.market, False, 0),
        lambda s: Asset(s.place.address("WETH"), NATIVE, True, 0),
    ],
    ids=["not-of-the-market", "no-position", "no-market"],
)
def test_asset__that_morphos_market_does_not_know__is_refused(
    on_morpho: Stage, asset: Callable[[Stage], Asset]
) -> None:
    given = replace(on_morpho, assets=(asset(on_morpho),))
    refused = said(on_morpho, on_morpho.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("market",))


def test_token__watched_without_a_price__has_a_cap_of_its_own(on_morpho: Stage) -> None:
    """LINK has no price in a WETH/USDC market: what leaves is bounded by amount."""
    link = on_morpho.place.address("LINK")
    mint(on_morpho.world, "LINK", on_morpho.account, 10 * ETHER)
    capped = on_morpho.configure(assets=(*on_morpho.assets, Asset(link, NATIVE, False, ETHER)))
    capped = with_thief(capped)
    repaid = capped.debt * 46 // 100
    for amount, name in ((ETHER, None), (ETHER + 1, "OutflowTooHigh")):
        stolen = steal(capped, link, amount)
        refused = capped.refusal(capped.intent(repaid, calls=(*stolen, *capped.steps(repaid))))
        assert (refused.name if refused else None) == name


def with_thief(stage: Stage) -> Stage:
    made, router = faithless(stage)
    return replace(made, extra={"router": router})


def steal(stage: Stage, token: Address, amount: int) -> tuple[Step, ...]:
    router = at(stage.extra["router"])
    taken = step(router, TAKE.encode(token, stage.guard, amount), token=token, amount=amount)
    if stage.form == "delegate":
        return (taken,)
    bound = stage.world.token("LINK")
    stage.world.node.send(bound.tx(stage.account, "approve", stage.guard, amount))
    return pull(token, stage.account, stage.guard, amount), taken


def c_token(stage: Stage, name: str) -> Address:
    return Address(compound.ctoken(stage.world, name).address)


COMPOUND_STEPS: dict[str, Callable[[Stage], tuple[Address, bytes]]] = {
    "borrowed": lambda s: (c_token(s, "cUSDC"), BORROW.encode(1)),
    "debt-of-a-thief": lambda s: (c_token(s, "cUSDC"), REPAY_BORROW.encode(THIEF, 1)),
    "transferred": lambda s: (c_token(s, "cETH"), TRANSFER.encode(THIEF, 1)),
    "other-market": lambda s: (c_token(s, "cDAI"), REDEEM.encode(1)),
    "comptroller": lambda s: (s.place.market, ENTER.encode(c_token(s, "cETH"))),
    "pulled-away": lambda s: (
        c_token(s, "cETH"),
        pull(c_token(s, "cETH"), s.account, THIEF, 1).data,
    ),
}


@pytest.mark.parametrize("name", COMPOUND_STEPS)
def test_step__of_compound_not_for_the_account__is_refused(on_compound: Stage, name: str) -> None:
    target, data = COMPOUND_STEPS[name](on_compound)
    refused = on_compound.refusal(on_compound.intent(calls=(step(target, data),)))
    assert refused is not None
    assert refused.name == "CallNotAllowed"


def test_step__that_compound_answers_with_an_error_code__fails(on_compound: Stage) -> None:
    """Compound says no by a number, in a call that succeeds."""
    much = step(c_token(on_compound, "cETH"), REDEEM.encode(10**6 * ETHER))
    refused = on_compound.refusal(on_compound.intent(calls=(much,), flash_amount=0))
    assert refused is not None
    assert (refused.name, refused.args[0]) == ("StepFailed", 0)


@pytest.mark.parametrize(
    "asset",
    [
        lambda s: Asset(s.place.address("USDC"), c_token(s, "cDAI"), True, 0),
        lambda s: Asset(NATIVE, c_token(s, "cUSDC"), True, 0),
        lambda s: Asset(s.place.address("WETH"), c_token(s, "cETH"), True, 0),
    ],
    ids=["other-token", "coin-of-a-token", "token-of-the-coin"],
)
def test_asset__that_is_not_what_the_ctoken_holds__is_refused(
    on_compound: Stage, asset: Callable[[Stage], Asset]
) -> None:
    given = replace(on_compound, assets=(asset(on_compound),))
    refused = said(on_compound, on_compound.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("market",))


def test_market_id__of_morpho__is_wanted_by_morpho_alone(on_morpho: Stage) -> None:
    given = replace(on_morpho, policy=replace(on_morpho.policy, market_id=bytes(32)))
    refused = said(on_morpho, on_morpho.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("marketId",))
    given = replace(on_morpho, policy=replace(on_morpho.policy, protocol=Protocol.AAVE_V3))
    refused = said(on_morpho, on_morpho.account, configuration(given))
    assert refused == GuardError("BadPolicy", ("protocol",))
