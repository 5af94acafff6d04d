"""dank_mids: many coroutines of `eth.call`, which it gathers into multicalls and batches."""

import asyncio
from importlib.metadata import version
from typing import Any

from common import Work, run
from dank_mids.helpers import setup_dank_w3_from_sync
from eth_abi import decode
from eth_utils import keccak
from web3 import HTTPProvider, Web3

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
clients: dict[str, Any] = {}


def read(work: Work) -> list[Any]:
    async def all_of_them() -> list[Any]:
        if work.url not in clients:
            clients[work.url] = setup_dank_w3_from_sync(Web3(HTTPProvider(work.url)))
        eth = clients[work.url].eth
        selectors: dict[str, str] = {}
        sent, types = [], []
        for target, (name, given, told), argument in work.calls():
            if name not in selectors:
                selectors[name] = keccak(text=f"{name}({given})")[:4].hex()
            data = "0x" + selectors[name].removeprefix("0x") + argument[2:].lower().zfill(64)
            sent.append(eth.call({"to": target, "data": data}, work.block_number))
            types.append([told] if told.startswith("(") else told.split(","))
        raw = await asyncio.gather(*sent)
        return [decode(kinds, bytes(data)) for kinds, data in zip(types, raw, strict=True)]

    return loop.run_until_complete(all_of_them())


if __name__ == "__main__":
    run(read, version("dank-mids"))
