"""web3-ethereum-defi: `read_multicall_chunked` with its defaults (eight processes, 40 calls)."""

from importlib.metadata import version
from typing import Any

from common import Call, Work, run
from eth_defi.event_reader.multicall_batcher import EncodedCall, read_multicall_chunked
from eth_defi.provider.multi_provider import MultiProviderWeb3Factory
from eth_utils import keccak


def read(work: Work) -> list[Any]:
    selectors: dict[str, bytes] = {}

    def encoded(number: int, call: Call) -> EncodedCall:
        target, (name, given, _), argument = call
        if name not in selectors:
            selectors[name] = keccak(text=f"{name}({given})")[:4]
        data = bytes(12) + bytes.fromhex(argument[2:])
        return EncodedCall.from_keccak_signature(
            address=target.lower(), function=name, signature=selectors[name], data=data,
            extra_data={"number": number},
        )  # fmt: skip

    calls = [encoded(number, call) for number, call in enumerate(work.calls())]
    answers: list[Any] = [None] * len(calls)
    results = read_multicall_chunked(
        chain_id=work.chain_id,
        web3factory=MultiProviderWeb3Factory(work.url),
        calls=calls,
        block_identifier=work.block_number,
        timestamped_results=False,
        **work.options,
    )
    for result in results:
        answers[result.call.extra_data["number"]] = bytes(result.result)
    return answers


if __name__ == "__main__":
    run(read, version("web3-ethereum-defi"))
