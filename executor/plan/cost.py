"""What a plan costs: gas by simulation, data on rollups, swaps against the oracle, loan fees.

Source: `chain.fees` for who charges what; Arbitrum's `NodeInterface.gasEstimateL1Component`.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from chain.abi import Function
from chain.calls import Ok, ReadFailed
from chain.errors import ChainError
from chain.fees import DATA_FEES, GET_L1_FEE, Charged, fee_history
from chain.networks import FeeKind
from chain.types import ZERO_ADDRESS, Address
from executor.fees import PERCENTILES, market
from executor.plan.candidate import Candidate
from executor.plan.lab import Draft, Lab
from executor.plan.types import Cost
from executor.plan.view import total, usd_text
from protocols.types import Token

NODE_INTERFACE: Final = Address("0x00000000000000000000000000000000000000C8")
L1_COMPONENT: Final = Function("gasEstimateL1Component(address,bool,bytes)(uint64,uint256,uint256)")
ENVELOPE: Final = b"\xff" * 120
"""About what a signed transaction is around its data; signatures do not compress."""
BLOCKS: Final = 20


def gas_price(lab: Lab) -> int | str:
    """Return base fee and tip that a transaction of the next blocks pays, in wei per gas.

    Text says why that is not known.
    """
    try:
        asked = [hex(BLOCKS), hex(lab.at.number), list(PERCENTILES)]
        told = lab.client.request("eth_feeHistory", asked)
        found = market(fee_history(lab.client.spec.name, told))
    except ChainError as error:
        return str(error)
    return "eth_feeHistory tells no tips" if found is None else found.base_fee + found.tip


def data_fee(lab: Lab, drafts: Sequence[Draft], price: int) -> int | str:
    """Return what posting the data costs on the chain underneath, in wei; 0 where nothing does."""
    network = lab.client.network
    rule = DATA_FEES[FeeKind.EIP1559 if network is None else network.fees]
    if rule.charged is Charged.IN_GAS:
        return _arbitrum(lab, drafts, price)
    if rule.charged is not Charged.BESIDE or rule.oracle is None:
        return 0
    texts = [draft.effect.data + ENVELOPE for draft in drafts]
    results = lab.client.snapshot(lab.at).read([GET_L1_FEE.at(rule.oracle, t) for t in texts])
    try:
        fees: list[int] = [GET_L1_FEE.decode(result) for result in results]
    except ReadFailed as failure:
        return failure.cause
    return sum(fees)


def _arbitrum(lab: Lab, drafts: Sequence[Draft], price: int) -> int | str:
    """Ask the node itself: its interface is no contract, and no contract can call it."""
    fee = 0
    for draft in drafts:
        data = L1_COMPONENT.encode(draft.effect.to, False, draft.effect.data)
        try:
            told = lab.client.request(
                "eth_call", [{"to": NODE_INTERFACE, "data": "0x" + data.hex()}, hex(lab.at.number)]
            )
            gas, _, _ = L1_COMPONENT.decode(Ok(bytes.fromhex(str(told)[2:])))
        except (ChainError, ReadFailed, ValueError) as error:
            return str(error)
        fee += gas * price
    return fee


def cost_of(
    lab: Lab, candidate: Candidate, gas_used: int, price: int | str
) -> tuple[Cost, tuple[str, ...]]:
    """Return what a candidate costs, and what of it is not known."""
    unknown: list[str] = []
    if isinstance(price, str):
        unknown.append(f"gas price: {price}")
    per_gas = 0 if isinstance(price, str) else price
    data = data_fee(lab, candidate.drafts, per_gas)
    if isinstance(data, str):
        unknown.append(f"fee for data: {data}")
    l1_fee = 0 if isinstance(data, str) else data
    fee = gas_used * per_gas + l1_fee
    native = Token(ZERO_ADDRESS, "native", 18)
    fee_usd = None if unknown else lab.usd(native, fee)
    parts = [fee_usd, *(_decimal(swap.cost_usd) for swap in candidate.swaps)]
    if candidate.loan_token is not None:
        parts.append(lab.usd(candidate.loan_token, candidate.loan_fee))
    whole = total(parts)
    cost = Cost(
        gas_used=gas_used,
        gas_price=per_gas,
        l1_fee_wei=l1_fee,
        fee_wei=fee,
        fee_usd=None if fee_usd is None else usd_text(fee_usd),
        swaps=candidate.swaps,
        loan_fee=candidate.loan_fee,
        total_usd=None if whole is None else usd_text(whole),
    )
    return cost, tuple(unknown)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)
