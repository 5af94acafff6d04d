"""web3.py: contract calls one by one (`naive`), all at once (`gather`), or in JSON-RPC batches."""

import asyncio
from importlib.metadata import version
from typing import Any

from common import Call, Work, run
from web3 import AsyncHTTPProvider, AsyncWeb3, HTTPProvider, Web3

BATCH = 500


def _abi(call: Call) -> list[dict[str, Any]]:
    name, given, told = call[1]
    outputs = [_parameter(told)] if told.startswith("(") else [
        {"name": "", "type": kind} for kind in told.split(",")
    ]  # fmt: skip
    inputs = [{"name": "", "type": given}]
    return [{"type": "function", "stateMutability": "view", "name": name, "inputs": inputs,
             "outputs": outputs}]  # fmt: skip


def _parameter(kind: str) -> dict[str, Any]:
    if not kind.startswith("("):
        return {"name": "", "type": kind}
    parts, depth, last = [], 0, 1
    for at, letter in enumerate(kind):
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if (letter == "," and depth == 1) or depth == 0:
            parts.append(kind[last:at])
            last = at + 1
    return {"name": "", "type": "tuple", "components": [_named(p, i) for i, p in enumerate(parts)]}


def _named(kind: str, number: int) -> dict[str, Any]:
    return {**_parameter(kind), "name": f"f{number}"}


sync: dict[str, Any] = {}


def _functions(w3: Any, work: Work) -> list[Any]:
    found: dict[tuple[str, str], Any] = {}
    functions = []
    for call in work.calls():
        key = (call[0], call[1][0])
        if key not in found:
            found[key] = w3.eth.contract(call[0], abi=_abi(call)).functions[call[1][0]]
        functions.append(found[key](call[2]))
    return functions


def naive(work: Work) -> list[Any]:
    w3 = sync.setdefault(work.url, Web3(HTTPProvider(work.url)))
    return [f.call(block_identifier=work.block_number) for f in _functions(w3, work)]


def batch(work: Work) -> list[Any]:
    w3 = sync.setdefault(work.url, Web3(HTTPProvider(work.url)))
    functions = _functions(w3, work)
    answers: list[Any] = []
    for start in range(0, len(functions), BATCH):
        with w3.batch_requests() as requests:
            for function in functions[start : start + BATCH]:
                requests.add(function)
            answers += requests.execute()
    return answers


def gather(work: Work) -> list[Any]:
    async def all_of_them() -> list[Any]:
        w3 = AsyncWeb3(AsyncHTTPProvider(work.url))
        calls = [f.call(block_identifier=work.block_number) for f in _functions(w3, work)]
        answers = await asyncio.gather(*calls)
        await w3.provider.disconnect()
        return list(answers)

    return asyncio.run(all_of_them())


def read(work: Work) -> list[Any]:
    return {"naive": naive, "batch": batch, "gather": gather}[work.options["how"]](work)


if __name__ == "__main__":
    run(read, version("web3"))
