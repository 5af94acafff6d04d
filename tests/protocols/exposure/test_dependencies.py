"""What a position stands on where answers are missing; what is there, the world's tests show."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from eth_abi.abi import encode

from chain.calls import Ok, Read, Result, Reverted, Unknown
from chain.types import Address
from protocols.aave_v3 import contracts as c
from protocols.aave_v3.state import EMode
from protocols.erc4626.state import MetaMorpho, QueueMarket, VaultHolding
from protocols.exposure import aave
from protocols.exposure.dependencies import Values, dependencies
from protocols.exposure.state import Dependencies, LinkKind
from protocols.morpho import ID_TO_MARKET_PARAMS, MarketParams
from protocols.types import Leg, Position, Price, Side, Token
from tests.risk.aave_states import account, asset, configuration, quote, reserve, supplied
from tests.risk.morpho_states import position as morpho_state
from tests.support.fake_chain import AT, address

ROOT, OWNER, POOL, ORACLE, ACL, CONFIGURATOR, ATOKEN = (address(n) for n in range(1, 8))
TOKEN, OTHER = Token(address(0x70), "TKN", 18), Token(address(0x71), "OTH", 6)
FEED = address(0xFEED)


def priced(token: Token, source: str) -> Price:
    return Price(token.address, "USD", 10**8, 8, source, source, None)


def position(protocol: str, *legs: Leg, kind: str = "lending") -> Position:
    return Position(f"1:{protocol}:{ROOT}:{OWNER}", protocol, "", "m", ROOT, OWNER, kind, legs, AT)


def run(
    position: Position,
    answers: dict[Read, Result] | None = None,
    values: tuple[int | None, ...] = (),
) -> Dependencies:
    worths = values or tuple(1 for _ in position.legs)
    known = Values(tuple(None if v is None else Fraction(v) for v in worths))
    program = dependencies(position, known)
    told = answers or {}
    try:
        batch = next(program)
        while True:
            batch = program.send([told.get(read, Unknown("lost")) for read in batch])
    except StopIteration as stop:
        found: Dependencies = stop.value
        return found


def links(found: Dependencies, kind: LinkKind) -> dict[str, float]:
    return {link.target: link.share for link in found.links if link.kind is kind}


def test_dependencies__tokens__owned_by_their_part_and_debts_not_at_all() -> None:
    legs = (Leg(TOKEN, 1, Side.COLLATERAL), Leg(OTHER, 1, Side.ASSET), Leg(OTHER, 1, Side.DEBT))
    found = run(position("wallet", *legs), values=(30, 10, 25))
    assert links(found, LinkKind.TOKEN) == {TOKEN.address: 0.75, OTHER.address: 0.25}


def test_dependencies__part_that_has_no_price__counts_whole() -> None:
    legs = (Leg(TOKEN, 1, Side.ASSET), Leg(OTHER, 1, Side.ASSET))
    found = run(position("wallet", *legs), values=(30, None))
    assert set(links(found, LinkKind.TOKEN).values()) == {1.0}
    nothing = run(position("wallet", *legs), values=(0, 0))
    assert set(links(nothing, LinkKind.TOKEN).values()) == {1.0}


def test_dependencies__pool_of_two_tokens__stands_on_each_wholly() -> None:
    legs = (Leg(TOKEN, 1, Side.ASSET), Leg(OTHER, 1, Side.ASSET))
    found = run(position("uniswap-v3", *legs, kind="liquidity"))
    assert links(found, LinkKind.TOKEN) == {TOKEN.address: 1.0, OTHER.address: 1.0}


def test_dependencies__price_source__its_leaves_or_what_it_says() -> None:
    a, b, d = address(0xA), address(0xB), address(0xD)
    for source, kind, target in (
        (f"mul(feed({FEED}), ratio({a}))", LinkKind.FEED, FEED),
        (f"mul(feed({FEED}), ratio({a}))", LinkKind.WRAPPER, a),
        (f"twap({b}, 1800)", LinkKind.ORACLE, b),
        (f"oracle({d})", LinkKind.ORACLE, d),
        ("fallback oracle of X", LinkKind.ORACLE, "fallback oracle of X"),
    ):
        found = run(position("wallet", Leg(TOKEN, 1, Side.ASSET, priced(TOKEN, source))))
        assert target in links(found, kind)


def test_dependencies__adapter_nobody_described__unknown() -> None:
    assert run(position("new-protocol")).unknown == ("what new-protocol stands on is not known",)


def test_dependencies__states_that_were_not_read__root_alone_and_unknown() -> None:
    for protocol in ("morpho-blue", "erc4626"):
        broken = replace(position(protocol), unknown=("interest: lost",))
        found = run(broken)
        assert links(found, LinkKind.PROTOCOL) == {ROOT: 1.0}
        assert found.unknown == ("interest: lost",)


def test_dependencies__morpho_supplier__exits_by_the_markets_liquidity() -> None:
    state = replace(morpho_state(), supply_shares=10**20, collateral=5)
    found = run(replace(position("morpho-blue"), state=state))
    supplied, collateral = found.exits
    assert supplied.available == min(state.supplied, state.withdrawable)
    assert (collateral.claim, collateral.available) == (5, 5)
    assert dict(found.parameters)["lltv"] == str(state.params.lltv)
    assert links(found, LinkKind.MARKET) == {state.params.collateral_token: 1.0}
    legs = (Leg(TOKEN, 1, Side.COLLATERAL), Leg(OTHER, 1, Side.ASSET, None, "supply"))
    both = run(replace(position("morpho-blue", *legs), state=state), values=(30, 10))
    assert links(both, LinkKind.MARKET) == {state.params.collateral_token: 0.25}


MORPHO = address(0x30)
MARKETS = [MarketParams(OTHER.address, TOKEN.address, ORACLE, POOL, lltv) for lltv in (5, 6, 7)]


def queued(params: MarketParams, supplied: int) -> QueueMarket:
    token, amount = params.collateral_token, supplied
    return QueueMarket("0x" + params.id().hex(), token, 0, amount, amount, amount, 9, None, 0)


def vault(claim: int | None, *queue: QueueMarket) -> Position:
    real, zero = sum(market.supplied for market in queue), address(0)
    who = (OWNER, OWNER, zero)
    meta = MetaMorpho("1.1", MORPHO, queue, real, real, 0, 0, zero, 0, *who, 1, None, None)
    state = VaultHolding(ROOT, TOKEN, OTHER, 10, claim, claim, 1, 1, claim, 10, 1, real, 10, 0,
                         meta if queue else None)  # fmt: skip
    return replace(position("erc4626", kind="vault"), state=state)


def test_vault__markets_of_one_oracle__their_parts_add_up_and_a_lost_one_is_said() -> None:
    answers: dict[Read, Result] = {
        ID_TO_MARKET_PARAMS.at(MORPHO, params.id()): Ok(
            encode(ID_TO_MARKET_PARAMS.outputs, params.words())
        )
        for params in MARKETS[:2]
    }
    parts = zip(MARKETS, (30, 50, 20), strict=True)
    found = run(vault(10, *(queued(params, part) for params, part in parts)), answers)
    assert links(found, LinkKind.MARKET) == {TOKEN.address: 1.0}
    assert links(found, LinkKind.ORACLE) == {ORACLE: 0.8}
    assert any("idToMarketParams: lost" in text for text in found.unknown)
    assert dict(found.parameters)["timelock"] == "1"


def test_vault__that_does_not_tell_its_worth__exit_unknown_and_not_zero() -> None:
    for found in (run(vault(None)), run(vault(None, queued(MARKETS[0], 1)))):
        assert found.exits == ()
        assert any("what can leave" in text for text in found.unknown)


def word(value: Address | int) -> Ok:
    return Ok(encode(["address" if isinstance(value, str) else "uint256"], [value]))


def parts() -> dict[Read, Result]:
    named = (POOL, ORACLE, ACL, CONFIGURATOR)
    return {f.at(ROOT): word(a) for f, a in zip(aave.PARTS, named, strict=True)}


def reserve_data() -> Result:
    zero = address(0)
    row = (0, 0, 0, 0, 0, 0, 0, 0, ATOKEN, zero, zero, zero, 0, 0, 0)
    return Ok(encode(c.GET_RESERVE_DATA.outputs, row))


SUPPLIED = Leg(TOKEN, 100, Side.COLLATERAL, None, "supply")


def test_aave__provider_that_does_not_answer__unknown_and_no_exit_claimed() -> None:
    found = run(position("aave-v3", SUPPLIED))
    assert len(found.unknown) == 4
    assert found.exits == ()
    assert found.parameters == ()


def test_aave__reserve_or_cash_not_read__exit_not_known() -> None:
    answers = parts()
    found = run(position("aave-v3", SUPPLIED), answers)
    assert [e.available for e in found.exits] == [None]
    assert found.unknown == ("TKN: its reserve could not be read",)
    answers[c.GET_RESERVE_DATA.at(POOL, TOKEN.address)] = reserve_data()
    assert [e.available for e in run(position("aave-v3", SUPPLIED), answers).exits] == [None]
    answers[aave.BALANCE_OF.at(TOKEN.address, ATOKEN)] = word(40)
    (told,) = run(position("aave-v3", SUPPLIED), answers).exits
    assert (told.available, told.lent) == (40, None)
    answers[aave.TOTAL_SUPPLY.at(ATOKEN)] = word(1000)
    (told,) = run(position("aave-v3", SUPPLIED), answers).exits
    assert (told.available, told.lent) == (40, 960)


def test_aave__acl_manager__rules_the_configurator_and_the_oracle() -> None:
    found = run(position("aave-v3"), parts())
    assert {(p.of, p.holder) for p in found.powers} == {(CONFIGURATOR, ACL), (ORACLE, ACL)}
    silent = parts() | {aave.ACL_MANAGER.at(ROOT): Reverted(b"")}
    assert run(position("aave-v3"), silent).powers == ()


def test_aave__paused_reserve__nothing_leaves_and_the_parameters_say_so() -> None:
    answers = parts() | {
        c.GET_RESERVE_DATA.at(POOL, asset(0xA1)): reserve_data(),
        aave.BALANCE_OF.at(asset(0xA1), ATOKEN): word(1000),
    }
    leg = Leg(Token(asset(0xA1), "T1", 18), 100, Side.COLLATERAL, None, "supply")
    for flags, available, paused in ((1 << 56, 100, "False"), (1 << 56 | 1 << 60, 0, "True")):
        one = reserve(1, quote(10**8), configuration(flags=flags))
        emode = EMode(1, 9000, 10100, 2)
        state = account(10, supplied(one, 100), emode=emode)
        found = run(replace(position("aave-v3", leg), state=state), answers)
        assert [e.available for e in found.exits] == [available]
        told = dict(found.parameters)
        assert told["T1 paused"] == paused
        assert told["e-mode 1 liquidation threshold"] == "9000"
