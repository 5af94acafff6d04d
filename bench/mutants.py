"""Whether the tests of the guard notice when one of its checks is taken away.

    python -m bench.mutants [--only NAME ...]

Each mutant is the guard for Aave v3 with one change of its source, in a copy of this checkout; its
tests must fail. A minute or two each, most of it solc.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from world.install import node_modules

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path("contracts") / "src" / "guard"
PARTS = ("bench", "chain", "contracts", "executor", "protocols", "risk", "tests", "underkeel")
TESTS = ("test_hostile", "test_strangers", "test_policy", "test_delegation", "test_stolen_key")


@dataclass(frozen=True)
class Mutant:
    """One check less: this text of this source is replaced."""

    name: str
    source: str
    text: str
    instead: str = ""
    """Where empty, the text is `if (…) revert …;`, and it never reverts."""

    @property
    def change(self) -> str:
        if self.instead:
            return self.instead
        condition, revert = self.text.removeprefix("if (").split(") revert ")
        return f"if (false && ({condition})) revert {revert}"


MUTANTS = (
    Mutant("loss", "Guard.sol", "if (loss > most) revert LossTooHigh(loss, most);"),
    Mutant("window", "Guard.sol", "if (loss > rest) revert WindowLossTooHigh(loss, rest);"),
    Mutant("window-forgets", "Guard.sol", "spend(s.loss, loss, cap, rest);",
           "spend(s.loss, 0, cap, rest);"),
    Mutant("debt", "Guard.sol", "if (m.debt > before.debt) revert DebtUp(before.debt, m.debt);"),
    Mutant("floor", "Guard.sol", "if (m.health < intent.minHealthFactorAfter) {", "if (false) {"),
    Mutant("outflow", "Guard.sol",
           "if (outflow > rest) revert OutflowTooHigh(a.token, outflow, rest);"),
    Mutant("native", "Guard.sol", "if (!native && m.native < before.native) {", "if (false) {"),
    Mutant("replay", "Guard.sol", "if (s.usedAt[intent.id] != 0) revert AlreadyUsed(intent.id);"),
    Mutant("block", "Guard.sol", "if (s.lastBlock == block.number) revert OncePerBlock();"),
    Mutant("executor", "Guard.sol",
           "if (msg.sender != s.policy.executor) revert NotExecutor(msg.sender);"),
    Mutant("lock", "Guard.sol", "if (Transient.get(Transient.LOCK) != 0) revert Reentered();"),
    Mutant("loose-loss", "Guard.sol",
           'if (intent.maxLossBps > p.maxLossBps) revert LooserThanPolicy("maxLossBps");'),
    Mutant("lender", "Flash.sol", "if (lender == 0 || msg.sender != address(uint160(lender))) {",
           "if (lender == 1) {"),
    Mutant("digest", "Flash.sol",
           "if (uint256(keccak256(data)) != Transient.get(Transient.DIGEST)) {", "if (false) {"),
    Mutant("revoke", "Steps.sol", "else Tokens.revoke(c.token, c.target);", "else {}"),
    Mutant("watched", "Steps.sol",
           "if (c.token != address(0) && _indexOf(s, c.token) == type(uint256).max) {",
           "if (false) {"),
    Mutant("rules", "Steps.sol",
           "if (rule & ALLOWED == 0) revert CallNotAllowed(target, selector);"),
    Mutant("pins", "Steps.sol", "if (s.rules[key] == 0) revert CallNotAllowed(target, selector);"),
    Mutant("pull", "Steps.sol", "Words.isAddress(data, 1, address(this))", "true"),
    Mutant("withdraw", "Aave.sol", "return Words.isEither(data, 2, account, address(this));",
           "return true;"),
    Mutant("supply", "Aave.sol",
           "if (selector == IAavePool.supply.selector) return Words.isAddress(data, 2, account);",
           "if (selector == IAavePool.supply.selector) return true;"),
    Mutant("reserve", "Aave.sol", "== asset) return a.position;", "== asset) return true;"),
    Mutant("oracle", "Prices.sol",
           "if (moved > before / TOLERANCE) revert OracleMoved(before, price);"),
    Mutant("owner", "Setup.sol", "if (msg.sender != _account()) revert NotOwner(msg.sender);"),
    Mutant("epoch", "Setup.sol", "uint64 epoch = ++s.epoch;", "uint64 epoch = s.epoch;"),
    Mutant("powers", "Setup.sol", "return _givesPower(r.selector);", "return false;"),
    Mutant("twice", "Setup.sol",
           'if (_indexOf(s, a.source) != type(uint256).max) revert BadPolicy("assets");'),
)  # fmt: skip


def survives(mutant: Mutant, folder: Path) -> bool:
    """Build the mutant in a copy of the checkout; say whether its tests pass all the same."""
    for part in PARTS:
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "node_modules")
        )
    shutil.copy2(ROOT / "pyproject.toml", folder)
    source = folder / SOURCES / mutant.source
    source.write_text(source.read_text().replace(mutant.text, mutant.change))
    script, data = folder / "contracts" / "build_guard.mjs", folder / "executor" / "guard" / "data"
    subprocess.run(["node", str(script), str(node_modules()), str(data), "Aave"], check=True)
    tests = [f"tests/contracts/guard/{one}.py" for one in TESTS]
    # The copy's packages, not the installed ones.
    places = os.pathsep.join((str(folder), str(folder / "contracts")))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *tests],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode not in (0, 1):
        raise RuntimeError(ran.stdout[-2000:] + ran.stderr[-2000:])
    print(f"{mutant.name}: {ran.stdout.strip().splitlines()[-1]}", file=sys.stderr)
    return ran.returncode == 0


def main() -> None:
    """Print who survives; fail if anybody does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", default=[one.name for one in MUTANTS])
    chosen = parser.parse_args().only
    left = []
    for mutant in MUTANTS:
        if mutant.name in chosen:
            with tempfile.TemporaryDirectory(prefix="underkeel-mutant-") as folder:
                if survives(mutant, Path(folder)):
                    left.append(mutant.name)
    print(f"{len(chosen) - len(left)} of {len(chosen)} mutants noticed; alive: {left or 'none'}")
    sys.exit(bool(left))


if __name__ == "__main__":
    main()
