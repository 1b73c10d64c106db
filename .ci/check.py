"""Every check and test, one after another: `make test`, once the set-up is done.

A stage that fails does not keep the later ones from running. At the end stands a table of what came out and how long it
took; the status is non-zero when any stage failed. `.ci/check.py NAME...` runs only the stages named.
"""

import contextlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv" / "bin"
_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SUMMARY = re.compile(r"passed|failed|error|no issues|Tests  |Found \d|Checked \d|formatted", re.IGNORECASE)


@dataclass(frozen=True)
class Stage:
    """One check: what to run, where, and whether it needs a browser."""

    name: str
    command: Sequence[str]
    directory: Path = ROOT
    needs_browser: bool = False


@dataclass(frozen=True)
class Outcome:
    """What came of a stage."""

    name: str
    result: str
    seconds: float
    summary: str

    @property
    def failed(self) -> bool:
        """A stage that could not run counts as failed where nobody is there to see that it did not."""
        return self.result == "FAILED" or (
            self.result == "NOT RUN" and os.environ.get("CI", "") not in {"", "false", "0"}
        )


#: A file's tests stay together: they share what they have started. Long ones come first, as tests/conftest.py has them.
BY_FILE = ("--dist", "loadfile", "--no-loadscope-reorder")
CORES = min(4, os.cpu_count() or 1)
STAGES = (
    Stage("ruff check", ["ruff", "check", "."]),
    Stage("ruff format", ["ruff", "format", "--check", "."]),
    Stage("mypy", ["mypy", "aichat", "plugins_app", "tests", "manage.py"]),
    Stage("biome, tsc", ["npm", "run", "--silent", "check"], ROOT / "frontend"),
    Stage("vitest", ["npm", "test", "--silent"], ROOT / "frontend"),
    # One more than there are cores: much of what these tests do is wait.
    Stage("pytest", ["python", "-m", "pytest", "-n", str(CORES + 1), *BY_FILE]),
    Stage(
        "browser", ["python", "-m", "pytest", "-m", "e2e", "tests/e2e", "-n", str(CORES), *BY_FILE], needs_browser=True
    ),
)


def main(names: Sequence[str]) -> int:
    """Run the stages and return the exit status."""
    setup = load_setup()
    environ = setup.node_environ()
    environ["PATH"] = os.pathsep.join([str(VENV), environ["PATH"]])
    if sys.stdout.isatty():
        environ.update(FORCE_COLOR="1", PY_COLORS="1", CLICOLOR_FORCE="1")
    outcomes = [run_stage(stage, environ, setup) for stage in STAGES if not names or stage.name in names]
    print_table(outcomes)
    return int(any(outcome.failed for outcome in outcomes))


def run_stage(stage: Stage, environ: dict[str, str], setup: ModuleType) -> Outcome:
    """Run one stage, its output shown as it comes."""
    print(f"\n━━ {stage.name} ━━ {' '.join(stage.command)}", flush=True)
    started = time.monotonic()
    if stage.needs_browser:
        browser = find_browser(environ) or get_browser(environ, setup)
        if browser is None:
            print("\n" + "!" * 100 + "\n!!  NO BROWSER: the browser tests were NOT RUN\n" + "!" * 100, flush=True)
            return Outcome(stage.name, "NOT RUN", time.monotonic() - started, "no browser is there or can be installed")
        environ = {**environ, "STUDIO_CHROMIUM": browser}
    status, summary = stream(stage, environ)
    return Outcome(stage.name, "FAILED" if status else "passed", time.monotonic() - started, summary)


def stream(stage: Stage, environ: Mapping[str, str]) -> tuple[int, str]:
    """Run a stage's command; return its status and the last line that sums it up."""
    program = shutil.which(stage.command[0], path=environ["PATH"]) or stage.command[0]
    summary = ""
    with subprocess.Popen(
        [program, *stage.command[1:]],
        cwd=stage.directory,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            plain = _ESCAPE.sub("", line).strip(" =\n")
            summary = plain if _SUMMARY.search(plain) else summary
    return process.returncode, summary


def find_browser(environ: Mapping[str, str]) -> str | None:
    """Return the Chromium that is there and starts; a stub that only points to a shop does not count."""
    for name in (environ.get("STUDIO_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"):
        path = name and shutil.which(name, path=environ["PATH"])
        if path and starts(path):
            return path
    return playwright_browser(environ)


def get_browser(environ: Mapping[str, str], setup: ModuleType) -> str | None:
    """Install Debian's Chromium where we may, else Playwright's own; return its path, or None when neither comes."""
    print("no browser is there yet; getting one", flush=True)
    if os.geteuid() == 0 and shutil.which("apt-get"):
        with contextlib.suppress(subprocess.CalledProcessError):
            setup.apt_install("chromium")
    if browser := find_browser(environ):
        return browser
    command = [VENV / "playwright", "install", "--only-shell", "chromium"]
    subprocess.run(command, env=dict(environ), check=False, stdin=subprocess.DEVNULL)
    return playwright_browser(environ)


def playwright_browser(environ: Mapping[str, str]) -> str | None:
    """Return the path of Playwright's own Chromium when it is installed and starts."""
    code = "from playwright.sync_api import sync_playwright as s\nwith s() as p: print(p.chromium.executable_path)"
    told = subprocess.run([VENV / "python", "-c", code], capture_output=True, text=True, check=False, env=dict(environ))
    path = told.stdout.strip()
    return path if path and starts(path) else None


def starts(browser: str) -> bool:
    """Tell whether this is a browser that runs here."""
    try:
        return subprocess.run([browser, "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def load_setup() -> ModuleType:
    """Import `setup.py` beside this file; its name is too common to be looked up on the path."""
    spec = importlib.util.spec_from_file_location("studio_setup", Path(__file__).with_name("setup.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def print_table(outcomes: Sequence[Outcome]) -> None:
    """Print what came out of every stage, and how long it took."""
    width = max(len(outcome.name) for outcome in outcomes)
    print(f"\n{'stage':<{width}}  result   time     summary\n{'─' * 100}")
    for outcome in outcomes:
        print(f"{outcome.name:<{width}}  {outcome.result:<7}  {outcome.seconds:6.1f} s {outcome.summary[:90]}")
    total = sum(outcome.seconds for outcome in outcomes)
    print(f"{'─' * 100}\n{'FAILED' if any(o.failed for o in outcomes) else 'all passed'} in {total:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
