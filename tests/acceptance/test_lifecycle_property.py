"""Random lives of plugins, with faults: see `tests/lab`."""

import subprocess
import sys

import pytest

from tests.studio import ROOT


def drive(runs: int, steps: int) -> None:
    """Have the lab drive so many random runs."""
    command = [sys.executable, "-m", "tests.lab", "--runs", str(runs), "--steps", str(steps)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr[-20_000:]
    assert "no invariant broke" in done.stdout


def test_random_lives_keep_every_invariant() -> None:
    drive(runs=8, steps=8)


@pytest.mark.soak
def test_a_thousand_random_lives_keep_every_invariant() -> None:
    drive(runs=1000, steps=8)
