"""Run the measurements: `python -m tests.bench [NAME...]`, all of them when none is named."""

import importlib
import pkgutil
import sys
import time
from collections.abc import Sequence

import tests.bench


def main(names: Sequence[str]) -> int:
    """Run each module's `main()`, one after another: together they would measure each other."""
    known = [module.name for module in pkgutil.iter_modules(tests.bench.__path__) if module.name.startswith("bench_")]
    wanted = [f"bench_{name.removeprefix('bench_')}" for name in names] or known
    if unknown := sorted(set(wanted) - set(known)):
        print(f"There is no {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in wanted:
        print(f"\n━━ {name.removeprefix('bench_')} ━━", flush=True)
        started = time.monotonic()
        importlib.import_module(f"tests.bench.{name}").main()
        print(f"({time.monotonic() - started:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
