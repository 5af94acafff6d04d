"""What is wrong with a file of priors or facts is said, and never taken for something else."""

from collections.abc import Callable

import pytest

from risk.exposure.priors import BadFile, priors, user_facts

CONTRACT = "[[contract]]\naddress = '0x1'\n"
COVER = "[[cover]]\nname = 'a'\nlimit_usd = 1\npays = 1\n"


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (priors, "horizon_years = inf"),
        (priors, "horizon_years = nan"),
        (priors, "horizon_years = -1"),
        (priors, "horizon_years = true"),
        (priors, "horizon_years = 1" + 400 * "0"),
        (priors, "horizon_years = 1" + 5_000 * "0"),
        (priors, "[base]\nchain = inf"),
        (priors, "[lgd]\nchain = 1.1"),
        (priors, "[multiplier.age]\nsteps = 5"),
        (priors, "[multiplier.age]\nsteps = [5]"),
        (priors, "[multiplier.age]\nsteps = [[1, 2, 3]]"),
        (priors, "[multiplier.age]\nsteps = [[1, 'x']]"),
        (priors, "[multiplier]\nage = 5"),
        (priors, "a = " + 3_000 * "["),
        (user_facts, "contract = 5"),
        (user_facts, "contract = ['x']"),
        (user_facts, "[contract]\naddress = '0x1'"),
        (user_facts, CONTRACT + "verified = 'no'"),
        (user_facts, CONTRACT + "verified = 1"),
        (user_facts, CONTRACT + "bridge = 5"),
        (user_facts, CONTRACT + "audits = 'many'"),
        (user_facts, CONTRACT + "survived = -1"),
        (user_facts, CONTRACT + "changed = 5"),
        (user_facts, "cover = 5"),
        (user_facts, COVER),
        (user_facts, COVER + "covers = '0xabc'"),
        (user_facts, COVER + "covers = 5"),
    ],
)
def test_read__what_makes_no_sense__is_a_bad_file(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(BadFile):
        read(text)


def test_user_facts__what_makes_sense__is_kept() -> None:
    found = user_facts(CONTRACT + "verified = false\n" + COVER + "covers = ['0xABC']")
    assert found.of("0x1", None).verified is False
    assert found.of("0x1", None).audits is None
    assert found.cover[0].covers == ("0xabc",)
