"""Compose: nothing open to the world, no secret in sight, every version named."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy.engine import make_url

from tests.ship.tools import SHIP, program
from underkeel.config.load import load
from underkeel.store.place import place_of

SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((SHIP / "compose.yaml").read_text())[
    "services"
]
WHOLE: dict[str, Any] = yaml.safe_load((SHIP / "compose.yaml").read_text())
OURS = "underkeel"


@pytest.mark.parametrize("name", SERVICES)
def test_service__any__is_held_tight(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in one
    assert "network_mode" not in one
    assert "mem_limit" in one
    assert one["restart"] == "unless-stopped"
    assert all(port.startswith("127.0.0.1:") for port in one.get("ports", ()))
    assert "/var/run/docker.sock" not in str(one)


@pytest.mark.parametrize("name", SERVICES)
def test_service__any__is_of_one_version(name: str) -> None:
    tag = SERVICES[name]["image"].partition(":")[2]
    assert re.match(r"v?\d+\.\d+", tag), tag


@pytest.mark.parametrize("name", [name for name in SERVICES if name != OURS])
def test_service__of_others__says_how_it_is(name: str) -> None:
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_service__ours__says_how_it_is_in_its_image() -> None:
    assert "HEALTHCHECK" in (SHIP / "Dockerfile").read_text()


def test_postgres__reached_by_nobody_from_outside() -> None:
    assert "ports" not in SERVICES["postgres"]
    assert SERVICES["postgres"]["networks"] == ["inside"]
    assert WHOLE["networks"]["inside"]["internal"] is True


def test_secrets__every_one__is_a_file_and_no_environment() -> None:
    named = {secret for one in SERVICES.values() for secret in one.get("secrets", ())}
    assert named == set(WHOLE["secrets"])
    assert all(one["file"].startswith("./secrets/") for one in WHOLE["secrets"].values())
    for one in SERVICES.values():
        for key, value in one.get("environment", {}).items():
            hidden = any(word in key for word in ("PASSWORD", "TOKEN", "SECRET", "KEY"))
            assert not hidden or str(value).startswith("/run/secrets/"), key
    assert "/secrets/" in (SHIP / ".gitignore").read_text().splitlines()


def test_mounts__every_one__is_there() -> None:
    for one in SERVICES.values():
        for mount in one.get("volumes", ()):
            source = mount.split(":")[0]
            if source.startswith("."):
                assert (SHIP / source).exists(), source
            else:
                assert source in WHOLE["volumes"]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Run the script that makes secrets, beside a copy of it."""
    program("openssl")
    script = tmp_path / "secrets.sh"
    script.write_text((SHIP / "secrets.sh").read_text())
    for _ in range(2):  # a second run changes nothing
        before = {p.name: p.read_text() for p in (tmp_path / "secrets").glob("*")}
        said = subprocess.run(["sh", str(script)], capture_output=True, text=True, timeout=60)
        assert said.returncode == 0, said.stderr
        assert "ETH_RPC" in said.stderr
        for name, text in before.items():
            assert (tmp_path / "secrets" / name).read_text() == text
    return tmp_path / "secrets"


def test_secrets__made__are_all_that_compose_wants(made: Path) -> None:
    assert {path.name for path in made.iterdir()} == set(WHOLE["secrets"])
    assert made.stat().st_mode & 0o777 == 0o700
    assert re.fullmatch(r"[0-9a-f]{64}\n", (made / "web-token").read_text())
    values = [path.read_text() for path in made.iterdir()]
    assert len(set(values)) == len(values)


def test_config__with_these_secrets__is_good(made: Path, tmp_path: Path) -> None:
    (made / "ETH_RPC").chmod(0o600)
    (made / "ETH_RPC").write_text("https://node.example.org/key\n")
    environ = {"UNDERKEEL_SECRETS_DIR": str(made), "UNDERKEEL_STATE_DIR": str(tmp_path)}
    found = load(SHIP / "config" / "underkeel.toml", environ)
    assert found.settings.mode == "dry-run"
    assert found.endpoints["ethereum"].rpc == ("https://node.example.org/key",)
    url = make_url(place_of(found, environ=environ).url)
    assert (url.host, url.port, url.database) == ("postgres", 5432, "underkeel")
    assert url.password == (made / "postgres-password").read_text().strip()
    environment = SERVICES["postgres"]["environment"]
    assert (environment["POSTGRES_USER"], environment["POSTGRES_DB"]) == (
        url.username,
        url.database,
    )
