"""Plans as JSON, the same bytes every time, and back.

Integers are decimal text, bytes are 0x and hex, keys are sorted, there is no blank: two plans have
one hash only if they are equal. A file is believed only if it has the hash that it says.
"""

import hashlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import orjson
from eth_utils.address import is_checksum_address

from chain.types import Address
from executor.plan.types import Plan

MAX_BYTES: Final = 4_000_000
HASH_PREFIX: Final = b"underkeel.plan/1\n"
ID: Final = re.compile(r"0x[0-9a-f]{64}")
WORD: Final = 1 << 256
SECONDS: Final = 1 << 48
GAS_LEAST: Final = 21_000
GAS_MOST: Final = 1 << 40


class PlanUnreadable(ValueError):
    """A file is no plan, or not the one that its hash names."""


def to_data(value: Any) -> Any:
    """Return a value of a plan as what JSON knows."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, tuple):
        return [to_data(item) for item in value]
    assert is_dataclass(value), f"a plan holds no {type(value).__name__}"
    return {f.name: to_data(getattr(value, f.name)) for f in fields(value)}


def canonical(plan: Plan) -> bytes:
    """Return the plan as JSON in its one form."""
    return orjson.dumps(to_data(plan), option=orjson.OPT_SORT_KEYS)


def plan_hash(plan: Plan) -> str:
    """Return 0x and the SHA-256 over the plan."""
    return "0x" + hashlib.sha256(HASH_PREFIX + canonical(plan)).hexdigest()


def from_data(data: Any, wanted_hash: str | None = None) -> Plan:
    """Return the plan that was written; raises `PlanUnreadable`."""
    plan = _value(Plan, data, "plan")
    assert isinstance(plan, Plan)
    if wanted_hash is not None and plan.hash != wanted_hash:
        raise PlanUnreadable(
            f"the plan's hash is {plan.hash}, and the file says {wanted_hash}: it was changed; "
            "make the plan anew"
        )
    if odd := next(_odd(plan), None):
        raise PlanUnreadable(f"{odd}: no plan of ours says that")
    return plan


def _odd(plan: Plan) -> Iterator[str]:
    """Yield numbers and ids that no transaction could have: a hash that fits proves nothing."""
    times = (plan.time, plan.expires_at, plan.block.timestamp)
    if not all(0 <= time < SECONDS for time in times):
        yield "a time is out of range"
    if min(plan.cost.gas_used, plan.cost.gas_price, plan.other_cost_wei, plan.value_wei or 0) < 0:
        yield "a cost is below zero"
    if len({step.id for step in plan.steps}) != len(plan.steps):
        yield "two steps have one id"
    for i, step in enumerate(plan.steps):
        if not ID.fullmatch(step.id):
            yield f"plan.steps[{i}].id is no id"
        if not 0 <= step.call.value < WORD:
            yield f"plan.steps[{i}].call.value is out of range"
        if not (0 <= step.gas_used < GAS_MOST and GAS_LEAST <= step.gas_limit < GAS_MOST):
            yield f"the gas of plan.steps[{i}] is out of range"
        if step.deadline is not None and not 0 <= step.deadline < SECONDS:
            yield f"plan.steps[{i}].deadline is out of range"


def load(raw: bytes) -> Plan:
    """Return the plan of a file that `underkeel plan --out` wrote; raises `PlanUnreadable`."""
    if len(raw) > MAX_BYTES:
        raise PlanUnreadable("is larger than 4 MB; is it the right file?")
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise PlanUnreadable(f"is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("schema") != "underkeel.plan/1":
        raise PlanUnreadable("is no underkeel.plan/1; write one with `underkeel plan --out`")
    if document.get("plan") is None:
        raise PlanUnreadable("holds no plan: there was nothing to do, or nothing could be done")
    named = document.get("hash")
    if not isinstance(named, str):
        raise PlanUnreadable("has no hash")
    return from_data(document["plan"], named)


@cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _value(kind: Any, data: Any, where: str) -> Any:
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        choices = [k for k in get_args(kind) if k is not type(None)]
        return None if data is None else _value(choices[0], data, where)
    if origin is tuple:
        if not isinstance(data, list):
            raise PlanUnreadable(f"{where} is no list")
        inner = get_args(kind)[0]
        return tuple(_value(inner, item, f"{where}[{i}]") for i, item in enumerate(data))
    if is_dataclass(kind):
        assert isinstance(kind, type)
        return _record(kind, data, where)
    if kind is bool:
        if isinstance(data, bool):
            return data
    elif isinstance(data, str):
        return _text(kind, data, where)
    raise PlanUnreadable(f"{where} is of the wrong kind")


def _record(kind: type, data: Any, where: str) -> Any:
    hints = _hints(kind)
    if not isinstance(data, dict) or data.keys() != hints.keys():
        odd = sorted(set(data) ^ set(hints)) if isinstance(data, dict) else []
        raise PlanUnreadable(f"{where} has other parts than it should: {', '.join(odd)}")
    return kind(**{name: _value(hints[name], data[name], f"{where}.{name}") for name in hints})


def _text(kind: Any, data: str, where: str) -> Any:
    try:
        if kind is int:
            number = int(data)
            if str(number) == data and abs(number) < WORD:
                return number
        elif kind is bytes:
            if data.startswith("0x") and data == data.lower():
                return bytes.fromhex(data[2:])
        elif kind is Address:
            if is_checksum_address(data):
                return Address(data)
        elif isinstance(kind, type) and issubclass(kind, Enum):
            return kind(data)
        else:
            return data
    except ValueError:
        pass
    raise PlanUnreadable(f"{where} is not what belongs there: {data[:60]!r}")
