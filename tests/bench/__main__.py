"""`python -m tests.bench [calls] [studio] [scale] [watch] [gateway]`: run the benches and print their tables."""

from __future__ import annotations

import platform
import sys

import psutil

from tests.bench import calls, scale, studio, watch
from tests.bench.gateway import bench as gateway

BENCHES = {"calls": calls.run, "studio": studio.run, "scale": scale.run, "watch": watch.run, "gateway": gateway.run}


def main() -> None:
    """Run those named, or all."""
    chosen = sys.argv[1:] or list(BENCHES)
    unknown = [name for name in chosen if name not in BENCHES]
    if unknown:
        sys.exit(f"no bench called {', '.join(unknown)}; there are: {', '.join(BENCHES)}")
    print(f"CPython {platform.python_version()}, Linux {platform.release().split('-')[0]}, {psutil.cpu_count()} cores")
    for name in chosen:
        BENCHES[name]()


if __name__ == "__main__":
    main()
