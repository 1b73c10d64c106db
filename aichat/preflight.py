"""What must be true before the studio starts, found out by trying it rather than by a traceback in a log later."""

import fcntl
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from aichat.environment import Environment, InvalidEnvironmentError

__all__ = ["check", "only_studio", "remember_processes", "remove_drafts", "stop_stragglers"]

_CONNECT_SECONDS = 5
_STOP_SECONDS = 10.0


def check(environment: Environment) -> None:
    """Make the directories and refuse what cannot work, with the variable's name and what would be right."""
    _prepare_directories(environment)
    _check_plugins(environment)
    _check_redis(environment)
    _check_database(environment)


def check_port(environment: Environment) -> None:
    """Refuse a port that somebody else listens on, or that we may not listen on."""
    family = socket.AF_INET6 if ":" in environment.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((environment.host, environment.port))
        except PermissionError:
            raise InvalidEnvironmentError(
                "PORT", f"{environment.port} is for root only", "Choose one from 1024"
            ) from None
        except socket.gaierror:
            problem = f"{environment.host!r} is not an address of this machine"
            raise InvalidEnvironmentError("STUDIO_HOST", problem, "Write 127.0.0.1, or 0.0.0.0 for all") from None
        except OSError as error:
            problem = f"{environment.host}:{environment.port} cannot be listened on ({error.strerror})"
            raise InvalidEnvironmentError("PORT", problem, "Stop what uses it, or choose another: PORT=8001") from None


@contextmanager
def only_studio(environment: Environment) -> Iterator[None]:
    """Hold the data directory; the kernel lets go of it when this process ends, however it ends."""
    path = environment.run / "studio.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            problem = f"another studio (pid {holder}) is running on {environment.data}"
            raise InvalidEnvironmentError("STUDIO_DATA", problem, "Stop it, or name another directory") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def remember_processes(environment: Environment, pids: dict[str, int]) -> None:
    """Note what runs, with the time it was started, so that the next launcher can tell it from a recycled number."""
    seen = {}
    for name, pid in pids.items():
        with suppress(psutil.NoSuchProcess):
            seen[name] = [pid, _identity(pid)]
    draft = environment.run / "processes.json.new"
    draft.write_text(json.dumps(seen))
    draft.replace(environment.run / "processes.json")


def stop_stragglers(environment: Environment) -> list[str]:
    """Stop what a launcher that was killed left behind, and return the names; only exactly what it had noted."""
    left = dict(_stragglers(environment))
    for process in left.values():
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, stubborn = psutil.wait_procs(left.values(), timeout=_STOP_SECONDS)
    for process in stubborn:
        process.kill()
    psutil.wait_procs(stubborn, timeout=_STOP_SECONDS)
    return list(left)


def _stragglers(environment: Environment) -> Iterator[tuple[str, psutil.Process]]:
    try:
        noted = json.loads((environment.run / "processes.json").read_text())
    except (FileNotFoundError, ValueError):
        return
    for name, (pid, created) in noted.items():
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if _identity(pid) == created:
                yield name, process


def remove_drafts(environment: Environment) -> None:
    """Remove what was half-made when an earlier studio was killed. Only while nobody else works in the directory."""
    patterns = {
        environment.store: ("*/.draft-*", "*/.spoilt-*"),
        environment.envs: (".draft-*",),
        environment.data / "trash": (".draft-*",),
        environment.data: (".*.key.*", ".node.id.*"),
        environment.run: ("*.new", "plugins/*/.current.sock.*", "plugins/*/*.tmp"),
    }
    for root, names in patterns.items():
        for name in names:
            for path in root.glob(name):
                _remove(path)


def _remove(path: Path) -> None:
    """Remove a file or a directory, read-only or not."""
    if path.is_dir() and not path.is_symlink():
        for directory, _, _ in os.walk(path):
            os.chmod(directory, 0o700)
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _identity(pid: int) -> str:
    """What tells a process from any other with its number: this boot, and the clock tick of it that it began in.

    Not its time of day: that changes when the clock is moved.
    """
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError as error:
        raise psutil.NoSuchProcess(pid) from error
    return f"{boot}:{fields[19]}"


def _prepare_directories(environment: Environment) -> None:
    private = (environment.data, environment.run)
    try:
        for directory in (*private, environment.store, environment.envs, environment.data / "static"):
            directory.mkdir(parents=True, exist_ok=True)
        for directory in private:
            directory.chmod(0o700)
        with tempfile.TemporaryFile(dir=environment.run):
            pass
    except OSError as error:
        problem = f"{error.filename or environment.data} cannot be written ({error.strerror})"
        raise InvalidEnvironmentError("STUDIO_DATA", problem, "Name a directory that you may write to") from None


def _check_plugins(environment: Environment) -> None:
    if not os.access(environment.plugins, os.R_OK | os.X_OK):
        problem = f"{environment.plugins} is not there or cannot be read"
        raise InvalidEnvironmentError("STUDIO_PLUGINS", problem, "Name the directory that holds the plugin folders")


def _check_redis(environment: Environment) -> None:
    if environment.embedded_redis:
        return
    import redis  # only here: it is slow to import, and most studios use their own

    client = redis.Redis.from_url(environment.redis_py_url, socket_connect_timeout=_CONNECT_SECONDS)
    try:
        client.ping()
    except (redis.RedisError, OSError) as error:
        expected = "Start that server or correct the address; leave REDIS_URL out for the embedded one"
        raise InvalidEnvironmentError("REDIS_URL", f"no Redis answers there ({error})", expected) from None
    finally:
        client.close()


def _check_database(environment: Environment) -> None:
    parts = urlsplit(environment.database_url)
    if parts.scheme == "sqlite":
        _check_sqlite(Path(parts.path.removeprefix("/")))
    else:
        _check_postgres(environment.database_url)


def _check_sqlite(path: Path) -> None:
    directory = path.parent
    if not os.access(path if path.exists() else directory, os.W_OK):
        expected = "Write sqlite:////absolute/path to a file in a directory that you may write to"
        raise InvalidEnvironmentError("DATABASE_URL", f"{path} cannot be written", expected)


def _check_postgres(url: str) -> None:
    import psycopg  # only here: it is slow to import, and most studios use SQLite

    try:
        psycopg.connect(url, connect_timeout=_CONNECT_SECONDS).close()
    except psycopg.Error as error:
        expected = "Start that server or correct the address; leave DATABASE_URL out for SQLite"
        problem = f"no database answers there ({str(error).strip()})"
        raise InvalidEnvironmentError("DATABASE_URL", problem, expected) from None
