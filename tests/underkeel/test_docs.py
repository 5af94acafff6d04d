"""The pages on commands, config and documents say what there is, and all there is."""

import re
from pathlib import Path

import pytest

from underkeel.cli.main import app
from underkeel.config.channels import ChannelTable, HeartbeatTable
from underkeel.config.load import load
from underkeel.config.markets import adapters
from underkeel.config.mcp import McpTable
from underkeel.config.model import ChainTable, HistoryTable, PriceTable, Settings, WalletTable
from underkeel.config.monitor import MonitorTable
from underkeel.config.signing import PolicyTable, SignerTable
from underkeel.config.storage import StorageTable
from underkeel.documents.page import page
from underkeel.errors import Exit

DOCS = Path(__file__).parents[2] / "docs"
PAGES = (*sorted(DOCS.rglob("*.md")), DOCS.parent / "README.md")


def section(text: str, title: str) -> str:
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_schema_page__is_what_the_models_say() -> None:
    told = (DOCS / "schema.md").read_text(encoding="utf-8")
    assert told == page(), "run: python -m underkeel.documents.page > docs/schema.md"


def test_cli_page__every_command_and_option_and_exit_code__is_there() -> None:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (\w+)$", text, re.MULTILINE)
    commands = [c.name or c.callback.__name__ for c in app.registered_commands if c.callback]
    groups = {group.name or "": group.typer_instance for group in app.registered_groups}
    assert sorted(headings) == sorted([*commands, *groups])
    for name, group in groups.items():
        for sub in group.registered_commands if group else ():
            assert f"`{sub.name}" in text or f"{name} {sub.name}" in text
    for option in ("--config", "--json", "--no-input", "--quiet", "--no-color", "--version"):
        assert f"| `{option}" in text
    assert re.findall(r"^\| (\d) \|", text, re.MULTILINE) == [str(int(code)) for code in Exit]


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("Top level", Settings),
        ("`[chains.NAME]`", ChainTable),
        ("`[[chains.NAME.prices]]`", PriceTable),
        ("`[wallets.NAME]`", WalletTable),
        ("`[wallets.NAME.signer]`", SignerTable),
        ("`[policy.NAME]`", PolicyTable),
        ("`[storage]`", StorageTable),
        ("`[channels.NAME]`", ChannelTable),
        ("`[heartbeat]`", HeartbeatTable),
        ("`[history]`", HistoryTable),
        ("`[mcp]`", McpTable),
        ("`[monitor]`", MonitorTable),
    ],
)
def test_config_page__every_key__has_its_row(title: str, model: type) -> None:
    text = section((DOCS / "config.md").read_text(encoding="utf-8"), title)
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert rows == list(model.model_fields)  # type: ignore[attr-defined]


def test_config_page__every_adapter__has_its_keys() -> None:
    text = section((DOCS / "config.md").read_text(encoding="utf-8"), "`[[chains.NAME.markets]]`")
    for name, adapter in adapters().items():
        (row,) = re.findall(rf"^\| `{name}` \|(.*)$", text, re.MULTILINE)
        for key in [*([adapter.root_key] if adapter.root_key else []), *adapter.keys]:
            assert f"`{key}" in row


@pytest.mark.parametrize("written", PAGES, ids=lambda p: p.name)
def test_any_page__config_shown__is_sound(written: Path, tmp_path: Path) -> None:
    for shown in re.findall(
        r"^```toml\n(.*?)^```", written.read_text(encoding="utf-8"), re.M | re.S
    ):
        text = shown.replace("0x…", "0x" + "1" * 40)
        if "version" not in text:
            head = 'version = 1\n[chains.ethereum]\nchain_id = 1\nrpc = ["https://a.example"]\n'
            text = head + text
        path = tmp_path / "underkeel.toml"
        path.write_text(text)
        load(path, {"ETH_RPC_A": "https://a.example", "ETH_RPC_B": "https://b.example"})


def test_config_page__first_example__is_a_sound_config(tmp_path: Path) -> None:
    text = (DOCS / "config.md").read_text(encoding="utf-8")
    example = text.split("```toml\n", 1)[1].split("```", 1)[0]
    path = tmp_path / "underkeel.toml"
    path.write_text(example)
    config = load(path, {"ETH_RPC_A": "https://a.example", "ETH_RPC_B": "https://b.example"})
    assert config.settings.chains["ethereum"].quorum == 2
