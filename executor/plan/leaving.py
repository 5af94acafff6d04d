"""Leave: a vault, a liquidity position, one market for another; and take allowances back."""

from chain.calls import Unknown
from chain.types import Address
from executor.plan.candidate import Candidate, No, allowing, amount_text
from executor.plan.health import Proposals
from executor.plan.lab import Draft, Lab
from executor.plan.lending import pool_of, verbs_of
from executor.plan.types import Action
from executor.types import Condition
from protocols.aave_v3 import actions as aave
from protocols.adapter import Market
from protocols.effects import Effect
from protocols.erc4626 import actions as vaults
from protocols.erc4626.state import VaultHolding
from protocols.morpho_blue import actions as morpho
from protocols.morpho_blue.state import MorphoPosition
from protocols.types import Leg, Position, Side, Token
from protocols.uniswap_v3 import actions as uniswap
from protocols.uniswap_v3.state import UniswapV3State
from protocols.wallet import actions as wallet


def exit_vault(lab: Lab, position: Position) -> Proposals:
    """Redeem all that the vault pays now; what it cannot pay stays, and is said."""
    action, state = Action.EXIT_VAULT, position.state
    if not isinstance(state, VaultHolding):
        return [No(action, f"{position.market} is no ERC-4626 vault")]
    why = _not_own(lab, position)
    if why is not None:
        return [No(action, why)]
    shares = state.redeemable_shares
    if state.redeemable is None or not shares:
        return [No(action, "what the vault pays now is not known, or is nothing")]
    notes: tuple[str, ...] = ()
    if shares < state.shares:
        paid, whole = amount_text(shares, state.share), amount_text(state.shares, state.share)
        notes = (f"the vault pays {paid} of {whole} now",)
    what = f"redeem {amount_text(shares, state.share)} for {state.asset.symbol}"
    effect = vaults.redeem(state.vault, shares, position.owner, position.owner)
    left = state.shares - shares
    conditions = () if left else (Condition("position_gone", position.id),)
    return [Candidate(action, what, (Draft(what, effect, lab.wallet),), conditions, notes=notes)]


def close_lp(lab: Lab, position: Position) -> Proposals:
    """Take out all liquidity and fees, and burn the NFT, in one transaction."""
    action, state = Action.CLOSE_LP, position.state
    if not isinstance(state, UniswapV3State):
        return [No(action, f"{position.market} is no Uniswap v3 position")]
    why = _not_own(lab, position)
    if why is not None:
        return [No(action, why)]
    amounts = [leg for leg in position.legs if leg.side is Side.ASSET]
    keep = 10_000 - lab.limits.slippage_bps
    least = (amounts[0].amount * keep // 10_000, amounts[1].amount * keep // 10_000)
    effect = uniswap.close(
        position.root, state.token_id, state.liquidity, least, position.owner, lab.time
    )
    pair = "/".join(leg.token.symbol for leg in amounts)
    what = f"close {pair} #{state.token_id} and collect its fees"
    draft = Draft(what, effect, lab.wallet, deadline=lab.time)
    return [Candidate(action, what, (draft,), (Condition("position_gone", position.id),))]


def sweep_allowances(lab: Lab, position: Position) -> Proposals:
    """Take every allowance of a wallet back, one transaction each."""
    action = Action.SWEEP_ALLOWANCES
    why = _not_own(lab, position)
    if why is not None:
        return [No(action, why)]
    given = [a for a in position.allowances if a.amount]
    if not given:
        return [No(action, "nothing is allowed to anybody")]
    drafts = tuple(
        Draft(
            f"take back what {a.spender} may take of {a.token.symbol}",
            wallet.approve(a.token.address, a.spender, 0),
            lab.wallet,
        )
        for a in given
    )
    what = f"take {len(given)} allowances back"
    return [Candidate(action, what, drafts, (Condition("allowances", position.id, at_most=0),))]


def move(lab: Lab, position: Position, leg: Leg, to: Market) -> Proposals:
    """Take what is supplied out of one market and supply it in another."""
    action, token = Action.MOVE, leg.token
    why = _not_own(lab, position)
    if why is not None:
        return [No(action, why)]
    out = _out(lab, position, leg)
    if isinstance(out, str):
        return [No(action, out)]
    effect, amount = out
    into = _into(lab, to, token, amount)
    if isinstance(into, str):
        return [No(action, into)]
    give, spender = into
    take = Draft(f"withdraw {amount_text(amount, token)}", effect, lab.wallet)
    put = Draft(f"supply {amount_text(amount, token)} in {to.name}", give, lab.wallet)
    giving = allowing(lab, token, spender, amount, [put], after=False)
    if isinstance(giving, str):
        return [No(action, giving)]
    what = f"move {amount_text(amount, token)} from {position.market} to {to.name}"
    return [Candidate(action, what, (take, *giving), ())]


def _out(lab: Lab, position: Position, leg: Leg) -> tuple[Effect, int] | str:
    """Return how a supply leaves its market, and how much surely leaves."""
    state = position.state
    if isinstance(state, VaultHolding):
        if not state.redeemable or state.redeemable_shares < state.shares:
            return "the vault does not pay everything now"
        # the share price may grow until then: what it pays now is what is supplied again
        return (
            vaults.redeem(state.vault, state.shares, position.owner, position.owner),
            state.redeemable,
        )
    if isinstance(state, MorphoPosition) and leg.name == "supply":
        if state.withdrawable < state.supplied:
            return "the market does not pay everything now"
        return (
            morpho.withdraw(
                position.root, state.params, position.owner, position.owner,
                shares=state.supply_shares,
            ),
            state.supplied,
        )  # fmt: skip
    verbs = verbs_of(lab, position)
    if isinstance(verbs, str):
        return verbs
    return verbs.withdraw(leg.token, leg.amount, whole=True), leg.amount


def _into(lab: Lab, to: Market, token: Token, amount: int) -> tuple[Effect, Address] | str:
    """Return how a token enters a market, and who takes it."""
    if to.adapter == "erc4626":
        return vaults.deposit(to.root, amount, lab.account), to.root
    if to.adapter == "aave-v3":
        pool = pool_of(lab, to.root)
        if isinstance(pool, Unknown):
            return pool.reason
        return aave.supply(pool, token.address, amount, lab.account), pool
    return f"nothing is known about supplying in {to.adapter}"


def _not_own(lab: Lab, position: Position) -> str | None:
    if position.owner != lab.wallet:
        return "only the owner can do that, and another wallet signs"
    return None


__all__ = ["close_lp", "exit_vault", "move", "sweep_allowances"]
