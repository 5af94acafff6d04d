"""Write docs/schema.md from the models: `python -m underkeel.documents.page > docs/schema.md`."""

import sys
from typing import Any, Final

from pydantic import BaseModel

from underkeel.documents.registry import DOCUMENTS

HEAD: Final = """\
# JSON documents

Every report is one JSON document with `--json`. Its `schema` names the document and its
version; within a version nothing is renamed or removed. This page is written from the models in
`underkeel/documents/`; `underkeel config schema underkeel.risk/1` prints the JSON schema.

Rules that hold everywhere:

- **Every integer is a decimal string** (`"30000000000000000000"`), also chain ids, block numbers
  and seconds, so that no reader loses digits. Fractions and dollars are numbers.
- `_raw`: base units of a token, or an oracle's own integer; the decimals are beside it.
  `_frac`: a fraction (`-0.15` is −15 %). `_s`: seconds. `_usd`: dollars, negative for a debt.
- `null` means not known or not applicable; it never stands for zero. What could not be read is in
  `unknown` (chains, markets, accounts) or in a position's own `unknown` (parts), with the cause.
- A field that was not computed is absent, not null: `greeks` is there where everything has a
  price, `shock` only with `--shock`, `joint` and `prob` only with `--full` or `--horizon`,
  `remedies` only with `--target-health`.
- `init` and `config check` print small documents of their own, `underkeel.init/1` (`config`) and
  `underkeel.config/1` (`ok`, `problems`, `config`); `config show` and `schema` are JSON anyway.
- An error is a line on stderr and an exit code, and no document.
- Addresses carry their EIP-55 checksum; times are UTC.
- `status` is `unknown` instead of `safe` whenever anything needed was unreadable, stale or
  unverified; `liquidatable` is said in spite of doubts, with the doubts in `causes`.
"""


def page() -> str:
    """Return the whole page."""
    parts = [HEAD]
    seen: dict[str, type[BaseModel]] = {}
    for name, model in DOCUMENTS.items():
        parts.append(_section(f"## `{name}`", model, seen))
    done: set[str] = set()
    while rest := [name for name in seen if name not in done]:
        for name in rest:
            done.add(name)
            parts.append(_section(f"### {name}", seen[name], seen))
    return "\n".join(parts)


def _section(title: str, model: type[BaseModel], seen: dict[str, type[BaseModel]]) -> str:
    lines = [title, "", (model.__doc__ or "").strip(), "", "| Field | Type | |", "|---|---|---|"]
    for name, field in model.model_fields.items():
        _collect(field.annotation, seen)
        kind = _kind(field.annotation, [*field.metadata])
        lines.append(f"| `{field.alias or name}` | {kind} | {field.description or ''} |")
    return "\n".join(lines) + "\n"


def _collect(annotation: Any, seen: dict[str, type[BaseModel]]) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation not in DOCUMENTS.values():
            seen.setdefault(annotation.__name__, annotation)
        return
    for inner in getattr(annotation, "__args__", ()):
        _collect(inner, seen)


def _kind(annotation: Any, metadata: list[Any]) -> str:
    """Return a type in words."""
    origin: Any = getattr(annotation, "__origin__", None)
    args: Any = getattr(annotation, "__args__", ())
    if getattr(annotation, "__metadata__", None):
        return _kind(annotation.__origin__, list(annotation.__metadata__))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if annotation in NAMES:
            return f"`{NAMES[annotation]}`"
        return f"[{annotation.__name__}](#{annotation.__name__.lower()})"
    if origin is list:
        return f"list of {_kind(args[0], [])}"
    if str(origin) == "typing.Literal":
        return ", ".join(f"`{value}`" for value in args)
    if origin is dict:
        return "object"
    if args:
        return " or ".join(_kind(a, []) for a in args)
    if annotation is type(None):
        return "null"
    if annotation is str:
        return TEXTS.get(next((m.pattern for m in metadata if hasattr(m, "pattern")), ""), "text")
    return {"float": "number", "bool": "true or false"}.get(annotation.__name__, "any")


NAMES: Final[dict[type[BaseModel], str]] = {model: name for name, model in DOCUMENTS.items()}
TEXTS: Final = {
    r"^-?[0-9]+$": "integer, as text",
    r"^0x[0-9a-fA-F]{40}$": "address",
    r"^0x[0-9a-f]{64}$": "32 bytes, hex",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$": "UTC time",
    r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$": "UTC time with milliseconds",
}

if __name__ == "__main__":
    sys.stdout.write(page())
