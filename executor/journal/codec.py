"""Intents as text: JSON whose numbers are decimal strings, so that nothing is rounded anywhere."""

from dataclasses import asdict
from typing import Any, Final

import orjson

from chain.types import Address
from executor.types import Call, Condition, Intent, State, Trigger

_INTS: Final = (
    "chain_id", "gas_limit", "deadline", "fee_cap_abs", "value_wei", "other_cost_wei", "step",
)  # fmt: skip
_TEXTS: Final = ("id", "account", "wallet", "guard", "plan", "after", "filler")


def body(intent: Intent) -> str:
    """Return the part of an intent that never changes, in one canonical form."""
    fixed: dict[str, Any] = {name: getattr(intent, name) for name in _TEXTS}
    fixed |= {name: _text(getattr(intent, name)) for name in _INTS}
    fixed["call"] = {
        "to": intent.call.to, "value": str(intent.call.value), "data": intent.call.data.hex(),
    }  # fmt: skip
    fixed["conditions"] = [_texts(asdict(c)) for c in intent.conditions]
    fixed["trigger"] = _texts(asdict(intent.trigger)) if intent.trigger else None
    fixed["authorizations"] = [raw.hex() for raw in intent.authorizations]
    fixed["after_state"] = intent.after_state.value
    return orjson.dumps(fixed, option=orjson.OPT_SORT_KEYS).decode()


def intent(
    text: str, state: str, nonce: int | None, version: int, reason: str, fee_cap_abs: int
) -> Intent:
    """Return the intent of a row; the fee cap is the row's, which its owner may have changed."""
    fixed = orjson.loads(text)
    call, trigger = fixed["call"], fixed["trigger"]
    numbers = {name: _number(fixed[name]) for name in _INTS}
    return Intent(
        **{name: fixed[name] for name in _TEXTS},
        **(numbers | {"fee_cap_abs": fee_cap_abs}),
        call=Call(Address(call["to"]), int(call["value"]), bytes.fromhex(call["data"])),
        conditions=tuple(
            Condition(c["name"], c["subject"], _number(c["at_least"]), _number(c["at_most"]))
            for c in fixed["conditions"]
        ),
        trigger=None
        if trigger is None
        else Trigger(
            trigger["metric"], trigger["subject"],
            *(int(trigger[key]) for key in ("threshold", "observed", "block")),
        ),
        authorizations=tuple(bytes.fromhex(raw) for raw in fixed["authorizations"]),
        after_state=State(fixed["after_state"]),
        state=State(state),
        nonce=nonce,
        version=version,
        reason=reason,
    )  # fmt: skip


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    return {k: _text(v) if isinstance(v, int) else v for k, v in values.items()}


def _text(value: int | None) -> str | None:
    return None if value is None else str(value)


def _number(text: str | None) -> Any:
    return None if text is None else int(text)
