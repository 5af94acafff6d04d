"""What leaves an account, by the logs of a simulation."""

from dataclasses import dataclass

from chain.types import ZERO_ADDRESS, Address, checksum
from executor.policy.effects import BATCH, SINGLE, TRANSFER, flows, taken
from tests.executor.policy.scene import SAFE, STRANGER, TARGET, USDC, WALLET, WETH

OURS = frozenset({WALLET, SAFE})
PRICED = frozenset({USDC, WETH})
RECEIPT = checksum("0x" + "e0" * 20)


@dataclass(frozen=True)
class Log:
    address: Address
    topics: tuple[bytes, ...]
    data: bytes = b""


def word(address: Address) -> bytes:
    return bytes(12) + bytes.fromhex(address[2:])


def moved(token: Address, source: Address, target: Address, amount: int) -> Log:
    return Log(token, (TRANSFER, word(source), word(target)), amount.to_bytes(32))


def test_flows__flash_loan_and_sale__counts_what_was_sold() -> None:
    logs = [
        moved(USDC, TARGET, WALLET, 900),  # lent
        moved(USDC, WALLET, STRANGER, 900),  # debt repaid
        moved(WETH, STRANGER, WALLET, 5),  # collateral withdrawn
        moved(WETH, WALLET, TARGET, 7),  # sold, with two of our own
        moved(USDC, TARGET, WALLET, 950),
        moved(USDC, WALLET, TARGET, 900),  # paid back
    ]
    found = flows(logs, OURS, PRICED)
    assert found.out == {WETH: 2}
    assert found.touched == {USDC, WETH}
    assert not found.uncountable


def test_flows__between_own_accounts_and_strangers__count_for_nothing() -> None:
    logs = [moved(USDC, WALLET, SAFE, 5), moved(USDC, STRANGER, TARGET, 7)]
    assert flows(logs, OURS, PRICED).out == {}
    assert flows(logs, OURS, PRICED, value=3).out == {ZERO_ADDRESS: 3}


def test_flows__receipts_burnt_and_debt_taken__do_not_count_but_priced_tokens_do() -> None:
    logs = [
        moved(RECEIPT, WALLET, ZERO_ADDRESS, 10),
        moved(RECEIPT, ZERO_ADDRESS, WALLET, 10**30),
        moved(USDC, WALLET, ZERO_ADDRESS, 4),
    ]
    found = flows(logs, OURS, PRICED)
    assert found.out == {USDC: 4}
    assert found.touched == {USDC}
    given = flows([moved(RECEIPT, WALLET, STRANGER, 1)], OURS, PRICED)
    assert given.out == {RECEIPT: 1}  # without a price: the policy refuses


def test_flows__nfts_and_odd_transfers__cannot_be_counted() -> None:
    nft = (TRANSFER, word(WALLET), word(STRANGER), (7).to_bytes(32))
    burnt = (TRANSFER, word(WALLET), word(ZERO_ADDRESS), (7).to_bytes(32))
    got = (TRANSFER, word(STRANGER), word(WALLET), (7).to_bytes(32))
    single = (SINGLE, word(TARGET), word(WALLET), word(STRANGER))
    batch = (BATCH, word(TARGET), word(STRANGER), word(WALLET))
    logs = [Log(TARGET, t) for t in (nft, burnt, got, single, batch)]
    found = flows(logs, OURS, PRICED)
    assert [text.split()[0] for text in found.uncountable] == ["NFT", "an"]
    unindexed = Log(TARGET, (TRANSFER,), bytes(96))
    assert flows([unindexed, Log(TARGET, ())], OURS, PRICED).uncountable


def test_taken__one_account__adds_up_without_netting() -> None:
    logs = [
        moved(USDC, WALLET, TARGET, 5),
        moved(USDC, TARGET, WALLET, 5),
        moved(USDC, WALLET, SAFE, 2),
        moved(WETH, SAFE, TARGET, 9),
    ]
    assert taken(logs, WALLET) == {USDC: 7}
