"""`python -m tests.lab --runs N [--steps N] [--seed N]`: ends with 0 when no invariant broke."""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.studio import Lab


def main() -> int:
    """Drive the runs and say what they were."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--seed", type=int, default=None)
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="lab", dir="/tmp"))  # short: sockets live below it
    root.chmod(0o711)  # PostgreSQL runs as somebody else when we are root
    lab = Lab(root)
    try:
        lab.start()
        return _run(lab, given)
    finally:
        lab.stop()
        shutil.rmtree(root, ignore_errors=True)


def _run(lab: Lab, given: argparse.Namespace) -> int:
    from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
    from hypothesis.stateful import run_state_machine_as_test

    from tests.lab.machine import machine

    how = settings(
        max_examples=given.runs,
        stateful_step_count=given.steps,
        deadline=None,
        database=None,
        phases=(Phase.generate,),  # a real system is too slow to shrink on; the steps of a failure are printed
        suppress_health_check=list(HealthCheck),
        verbosity=Verbosity.verbose,
        print_blob=False,
    )
    began, tested = time.monotonic(), machine(lab)
    if given.seed is not None:
        tested = seed(given.seed)(tested)
    steps = lab.root / "steps.log"
    try:
        with steps.open("w") as log, contextlib.redirect_stdout(log):
            run_state_machine_as_test(tested, settings=how)
    except BaseException:
        print(f"in run {lab.runs}", file=sys.stderr)
        print((lab.root / "host.log").read_text()[-5000:], steps.read_text()[-3000:], sep="\n", file=sys.stderr)
        raise
    print(f"{lab.runs} runs of up to {given.steps} steps in {time.monotonic() - began:.0f} s: no invariant broke")
    print("faults:", ", ".join(f"{count} {kind}" for kind, count in sorted(lab.faults.items())))
    print("what happened:", ", ".join(f"{count} {event}" for event, count in lab.happened()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
