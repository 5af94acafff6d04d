"""The same world in an in-process EVM, for machines without anvil.

eth-tester 0.14 on py-evm starts from the dump as its genesis, or, where no anvil could make a dump,
has the world deployed on it anew (about half a minute). A JSON-RPC server on loopback puts it
behind a URL. What it cannot do it refuses with an error: impersonation, automine, reorgs, tracing,
any override but that of the called code. History before the dump is gone; `latest`, `safe` and
`finalized` are the same block; the chain id is eth-tester's fixed one.
"""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Literal, Self

from eth.db.atomic import AtomicDB
from eth.db.backends.memory import MemoryDB
from eth.exceptions import Revert
from eth_tester import EthereumTester
from eth_tester.backends.pyevm import PyEVMBackend
from eth_tester.backends.pyevm.main import (
    generate_genesis_state_for_keys,
    get_default_genesis_params,
    setup_tester_chain,
)
from eth_utils.address import to_canonical_address
from web3 import EthereumTesterProvider, Web3

from world.actors.feeds import refresh_feeds
from world.anvil import GAS_LIMIT, MNEMONIC, Anvil
from world.book import read_book
from world.builder import GENESIS, Built, build, deploy_on
from world.install import NoAnvil
from world.loopback import Fault, Loopback
from world.node import Node
from world.rpc import Rpc
from world.world import World

KEYS = 10
HD_PATH = "m/44'/60'/0'/0"
ZERO_ADDRESS = bytes(20)
EXECUTION_REVERTED = 3
SERVER_ERROR = -32000
UNKNOWN_BLOCK = -32001
INVALID_PARAMS = -32602
TAGS = ("latest", "safe", "finalized", "pending")
# Where in its parameters a method names its block.
BLOCK_PARAMETER = {
    "eth_getBalance": 1,
    "eth_getCode": 1,
    "eth_getTransactionCount": 1,
    "eth_getStorageAt": 2,
    "eth_estimateGas": 1,
}


class WorldBackend(PyEVMBackend):  # type: ignore[misc]  # eth-tester is untyped
    """py-evm from a given genesis, or with nothing but the ten accounts of the mnemonic."""

    def __init__(self, accounts: Mapping[bytes, Mapping[str, Any]] | None, timestamp: int) -> None:
        parameters = get_default_genesis_params({"gas_limit": GAS_LIMIT, "timestamp": timestamp})
        # eth-tester would derive a key for each account of a genesis; derive ten, then start
        # over from the whole of it.
        self.account_keys, chain = setup_tester_chain(
            parameters, None, KEYS, None, MNEMONIC, HD_PATH
        )
        if accounts is None:
            accounts = generate_genesis_state_for_keys(self.account_keys)
        self._store: dict[bytes, bytes] = {}
        clocked = _clocked(type(chain))
        self.chain = clocked.from_genesis(self._database(), parameters, accounts)

    def take_snapshot(self) -> dict[bytes, bytes]:
        """Keep the whole database: eth-tester's own way back re-executes a block and may fail."""
        return dict(self._store)

    def revert_to_snapshot(self, snapshot: dict[bytes, bytes]) -> None:
        self._store = dict(snapshot)
        wall = self.chain.wall
        self.chain = type(self.chain)(self._database())
        self.chain.wall = wall

    def _database(self) -> AtomicDB:
        return AtomicDB(MemoryDB(self._store))

    def edit(self, change: Callable[[Any], None]) -> None:
        """Change the state by hand, and mine a block so that it is seen."""
        vm = self.chain.get_vm()
        change(vm.state)
        vm.state.lock_changes()
        root = vm.state.make_state_root()
        vm.state.persist()
        self.chain.header = self.chain.header.copy(state_root=root)
        self.mine_blocks()


def _clocked(chain: Any) -> Any:
    """py-evm stamps blocks with the wall clock; let it do so only when told."""

    class Clocked(chain):  # type: ignore[misc]  # eth-tester is untyped
        wall = False

        def create_header_from_parent(self, parent: Any, **fields: Any) -> Any:
            if not self.wall:
                fields.setdefault("timestamp", parent.timestamp + 1)
            return super().create_header_from_parent(parent, **fields)

    return Clocked


def genesis(dump: str | bytes) -> dict[bytes, dict[str, Any]]:
    """Read the accounts of a world's dump as py-evm wants them."""
    accounts = json.loads(dump)["accounts"]
    return {
        to_canonical_address(address): {
            "balance": int(account["balance"], 16),
            "nonce": account["nonce"],
            "code": bytes.fromhex(account["code"][2:]),
            "storage": {
                int(slot, 16): int(value, 16) for slot, value in account["storage"].items()
            },
        }
        for address, account in accounts.items()
    }


class InProcess(Node):
    """The in-process node behind its URL; a context manager that ends the server."""

    def __init__(self, accounts: Mapping[bytes, Mapping[str, Any]] | None, timestamp: int) -> None:
        self._backend = WorldBackend(accounts, timestamp)
        self._tester = EthereumTester(self._backend)
        self._provider = EthereumTesterProvider(self._tester)
        # Without web3's own middlewares results keep the shape of JSON-RPC.
        plain = Web3(self._provider)
        plain.middleware_onion.clear()
        self._forward = self._provider.request_func(plain, plain.middleware_onion)
        self._lock = threading.Lock()
        self._delay = 0
        self._server = Loopback(self._answer)

    @property
    def url(self) -> str:
        return self._server.url

    @property
    def chain_id(self) -> int:
        return int(self.rpc.request("eth_chainId"), 16)

    def web3(self) -> Web3:
        """A Web3 on the same chain, without the server between."""
        return Web3(self._provider)

    def start(self) -> Self:
        self._server.start()
        super().__init__(Rpc(self.url))
        return self

    def stop(self) -> None:
        self.rpc.close()
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def join_wall_clock(self) -> None:
        """Bring the head to now, and let each block have the time at which it is mined."""
        self.travel(int(time.time()) - self.timestamp())
        self._backend.chain.wall = True

    def _answer(self, method: str, params: list[Any]) -> Any:
        """Answer one request; py-evm is not safe for threads, so one at a time."""
        own: dict[str, Callable[..., Any]] = {
            "eth_call": self._call,
            "evm_increaseTime": self._increase_time,
            "evm_mine": self._mine,
            "evm_snapshot": self._snapshot,
            "evm_revert": self._revert,
            "anvil_setBalance": self._set_balance,
            "anvil_setCode": self._set_code,
            "anvil_setStorageAt": self._set_storage,
        }
        with self._lock:
            if method in own:
                return own[method](*params)
            place = BLOCK_PARAMETER.get(method)
            if place is not None and len(params) > place:
                number = self._header(params[place]).block_number
                params = [*params[:place], number, *params[place + 1 :]]
            return self._forwarded(method, params)

    def _forwarded(self, method: str, params: list[Any]) -> Any:
        try:
            response = self._forward(method, params)
        except Exception as error:  # any failure of the EVM is an answer
            raise Fault(INVALID_PARAMS, f"{type(error).__name__}: {error}") from error
        if "error" in response:
            fault: Any = response["error"]
            raise Fault(int(fault["code"]), str(fault["message"]))
        return response["result"]

    def _header(self, block: Any) -> Any:
        """Resolve a tag, a number or an EIP-1898 object to a header of the canonical chain."""
        if isinstance(block, dict):
            block = block.get("blockHash", block.get("blockNumber"))
        chain = self._backend.chain
        head = chain.get_canonical_head()
        if block in TAGS:
            return head
        number = 0 if block == "earliest" else None
        if isinstance(block, str) and len(block) == 66:
            for candidate in range(head.block_number, -1, -1):
                header = chain.get_canonical_block_header_by_number(candidate)
                if header.hash.hex() == block[2:].lower():
                    return header
        elif number is None:
            number = int(block, 16) if isinstance(block, str) else int(block)
        if number is None or number > head.block_number:
            raise Fault(UNKNOWN_BLOCK, f"header not found: {block}")
        return chain.get_canonical_block_header_by_number(number)

    def _call(self, tx: dict[str, str], block: Any = "latest", overrides: Any = None) -> str:
        """Run code in the block's own context; code may be overridden at the called address."""
        vm = self._backend.chain.get_vm(at_header=self._header(block))
        data = bytes.fromhex(tx.get("data", tx.get("input", "0x"))[2:])
        to = to_canonical_address(tx["to"]) if tx.get("to") else None
        code = vm.state.get_code(to) if to else data
        for address, change in (overrides or {}).items():
            if to_canonical_address(address) != to or set(change) != {"code"}:
                raise Fault(INVALID_PARAMS, "only the called address's code can be overridden")
            code = bytes.fromhex(change["code"][2:])
        sender = to_canonical_address(tx["from"]) if "from" in tx else ZERO_ADDRESS
        done = vm.execute_bytecode(
            origin=sender,
            gas_price=0,
            gas=int(tx.get("gas", hex(GAS_LIMIT)), 16),
            to=to or ZERO_ADDRESS,
            sender=sender,
            value=int(tx.get("value", "0x0"), 16),
            data=data if to else b"",
            code=code,
            code_address=to,
        )
        output = "0x" + bytes(done.output).hex()
        if done.is_error and isinstance(done.error, Revert):
            raise Fault(EXECUTION_REVERTED, f"execution reverted: {done.error}", output)
        if done.is_error:
            # As nodes do: the code did not say so itself; it may have run out of gas.
            raise Fault(SERVER_ERROR, f"{type(done.error).__name__}: {done.error}")
        return output

    def _increase_time(self, seconds: Any) -> int:
        self._delay += int(seconds, 16) if isinstance(seconds, str) else seconds
        return self._delay

    def _mine(self) -> str:
        head = self._backend.chain.get_canonical_head().timestamp
        if self._delay > 1:
            # eth-tester stamps the block it mines a second before the time travelled to.
            self._backend.time_travel(head + self._delay + 1)
        else:
            self._tester.mine_blocks(1)
        self._delay = 0
        return "0x0"

    def _set_balance(self, address: str, wei: str) -> None:
        at, balance = to_canonical_address(address), int(wei, 16)
        self._backend.edit(lambda state: state.set_balance(at, balance))

    def _set_code(self, address: str, code: str) -> None:
        at, runtime = to_canonical_address(address), bytes.fromhex(code[2:])
        self._backend.edit(lambda state: state.set_code(at, runtime))

    def _set_storage(self, address: str, slot: str, value: str) -> bool:
        at = to_canonical_address(address)
        self._backend.edit(lambda state: state.set_storage(at, int(slot, 16), int(value, 16)))
        return True

    def _snapshot(self) -> str:
        taken: int = self._tester.take_snapshot()
        return hex(taken)

    def _revert(self, snapshot: str) -> bool:
        self._tester.revert_to_snapshot(int(snapshot, 16))
        return True


@contextmanager
def start_tester(
    *, clock: Literal["world", "wall"] = "world", built: Built | None = None
) -> Iterator[World[InProcess]]:
    """Run the built world in process.

    On the world's clock each block is a second after the last; on the wall clock the head is now
    and every feed has just been answered.
    """
    if built is None:
        with suppress(NoAnvil):
            built = build()
    began = read_book(built.folder).timestamp if built else GENESIS
    with InProcess(genesis(built.state.read_text()) if built else None, began) as node:
        world = World(node, read_book(built.folder) if built else deploy_on(node))
        if clock == "wall":
            node.join_wall_clock()
            refresh_feeds(world)
        yield world


@contextmanager
def copied(world: World[Anvil]) -> Iterator[World[InProcess]]:
    """Run the state that anvil's head has, in process: its accounts, balances, code and storage.

    Its head has the same timestamp, but another number and hash, and the chain another id.
    """
    packed = world.node.rpc.request("anvil_dumpState")
    dump = gzip.decompress(bytes.fromhex(packed[2:]))
    with InProcess(genesis(dump), world.node.timestamp()) as node:
        yield World(node, world.book)
