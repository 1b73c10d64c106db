"""What the environment may say about a studio, read once and checked.

Pure: it imports nothing but the standard library, writes nothing and connects to nothing, so that the settings, the
launcher and the tests can all read the environment in the same way. Whether a port is free or a
directory can be written is for the launcher to find out (`aichat.launcher`): a management command must not need either.
"""

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

__all__ = ["ROOT", "SOCKET_PATH_LIMIT", "Environment", "InvalidEnvironmentError", "read_environment"]

ROOT = Path(__file__).resolve().parent.parent
SOCKET_PATH_LIMIT = 107  # bytes: what the kernel's `sockaddr_un` holds, less the closing NUL

_DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql")
_REDIS_SCHEMES = ("redis", "rediss", "unix", "redis+socket")
_NODE_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
_FERNET_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_HOST_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
# As the Standard Webhooks specification proposes: at once, then over three days. Each counts from the attempt before.
_WEBHOOK_SCHEDULE = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "[::1]")


class InvalidEnvironmentError(ValueError):
    """An environment variable has a value that the studio cannot work with."""

    def __init__(self, variable: str, problem: str, expected: str) -> None:
        """Name the `variable`, what is the matter with it, and what would be right."""
        super().__init__(f"{variable}: {problem}. {expected}")
        self.variable = variable
        self.problem = problem
        self.expected = expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Everything the environment decides, checked, with every path absolute."""

    data: Path
    run: Path
    store: Path
    envs: Path
    packages: Path
    plugins: Path
    host: str
    port: int
    redis_url: str
    embedded_redis: bool
    database_url: str
    node: str
    node_expiry: int
    web_workers: int
    worker_concurrency: int
    soak_seconds: int
    debug: bool
    dev: bool
    allowed_hosts: tuple[str, ...]
    secret_keys: tuple[str, ...]
    webhook_allow: tuple[str, ...]
    webhook_schedule: tuple[float, ...]
    titles: str
    deleted_days: int
    idle_days: int
    attachment_mb: int
    waiting_mb: int
    mcp_destructive: bool

    @property
    def redis_socket(self) -> Path:
        """Where the embedded Redis listens; nobody does when `REDIS_URL` is set."""
        return self.run / "valkey.sock"

    @property
    def redis_py_url(self) -> str:
        """The same server as `celery_broker_url`, as redis-py writes it."""
        url = self.redis_url.replace("redis+socket://", "unix://", 1)
        return url.replace("?virtual_host=", "?db=", 1) if url.startswith("unix://") else url

    @property
    def celery_broker_url(self) -> str:
        """The same server as `redis_py_url`, as Celery writes it."""
        url = self.redis_url.replace("unix://", "redis+socket://", 1)
        return url.replace("?db=", "?virtual_host=", 1) if url.startswith("redis+socket://") else url

    @property
    def first_login_file(self) -> Path:
        """The operator's first password, for those who missed it on the screen."""
        return self.data / "first-login.txt"

    @property
    def secrets_file(self) -> Path:
        """The keys that encrypt what plugins keep secret, unless `STUDIO_SECRET_KEYS` is set."""
        return self.data / "secrets.key"

    def as_environ(self) -> dict[str, str]:
        """Return the variables that make another process read this very environment."""
        variables = {
            "STUDIO_DATA": str(self.data),
            "STUDIO_PLUGINS": str(self.plugins),
            "STUDIO_PACKAGES_DIR": str(self.packages),
            "STUDIO_NODE": self.node,
            "STUDIO_NODE_EXPIRY": str(self.node_expiry),
            "STUDIO_HOST": self.host,
            "STUDIO_ALLOWED_HOSTS": ",".join(self.allowed_hosts),
            "STUDIO_DEBUG": str(int(self.debug)),
            "PORT": str(self.port),
            "DATABASE_URL": self.database_url,
            "WEB_WORKERS": str(self.web_workers),
            "WORKER_CONCURRENCY": str(self.worker_concurrency),
            "STUDIO_SOAK": str(self.soak_seconds),
            "STUDIO_TITLES": self.titles,
            "STUDIO_DELETED_DAYS": str(self.deleted_days),
            "STUDIO_IDLE_DAYS": str(self.idle_days),
            "STUDIO_ATTACHMENT_MB": str(self.attachment_mb),
            "STUDIO_ATTACHMENTS_WAITING_MB": str(self.waiting_mb),
            "DEV": str(int(self.dev)),
            "STUDIO_MCP_DESTRUCTIVE": str(int(self.mcp_destructive)),
        }
        if self.webhook_allow:
            variables["STUDIO_WEBHOOK_ALLOW"] = ",".join(self.webhook_allow)
        variables["STUDIO_WEBHOOK_SCHEDULE"] = ",".join(f"{seconds:g}" for seconds in self.webhook_schedule)
        if not self.embedded_redis:
            variables["REDIS_URL"] = self.redis_url
        return variables


def read_environment(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Environment:
    """Read and check `environ` (the process's own by default); an empty value counts as not set."""
    values = {name: value.strip() for name, value in (os.environ if environ is None else environ).items()}
    given = {name: value for name, value in values.items() if value}
    data = _path(given, "STUDIO_DATA", root / "var")
    redis_url = _redis_url(given)
    if not redis_url:
        _check_socket_path(data)
    return Environment(
        data=data,
        run=data / "run",
        store=data / "store",
        envs=data / "envs",
        packages=_path(given, "STUDIO_PACKAGES_DIR", data / "packages"),
        plugins=_path(given, "STUDIO_PLUGINS", root / "installed_plugins"),
        host=given.get("STUDIO_HOST", "127.0.0.1"),
        port=_number(given, "PORT", default=8000, low=1, high=65535),
        redis_url=redis_url or f"unix://{data / 'run' / 'valkey.sock'}",
        embedded_redis=not redis_url,
        database_url=_database_url(given, data),
        node=_node(given),
        node_expiry=_number(given, "STUDIO_NODE_EXPIRY", default=86_400, low=1, high=999_999_999),
        web_workers=_number(given, "WEB_WORKERS", default=2, low=1, high=256),
        worker_concurrency=_number(given, "WORKER_CONCURRENCY", default=8, low=1, high=256),
        soak_seconds=_number(given, "STUDIO_SOAK", default=30, low=0, high=86_400),
        debug=_flag(given, "STUDIO_DEBUG"),
        dev=_flag(given, "DEV"),
        allowed_hosts=_list(given, "STUDIO_ALLOWED_HOSTS") or _LOCAL_HOSTS,
        secret_keys=_secret_keys(given),
        webhook_allow=_webhook_allow(given),
        webhook_schedule=_webhook_schedule(given),
        titles=_titles(given),
        deleted_days=_number(given, "STUDIO_DELETED_DAYS", default=30, low=0, high=36_500),
        idle_days=_number(given, "STUDIO_IDLE_DAYS", default=0, low=0, high=36_500),
        attachment_mb=_number(given, "STUDIO_ATTACHMENT_MB", default=10, low=1, high=15),
        waiting_mb=_number(given, "STUDIO_ATTACHMENTS_WAITING_MB", default=500, low=15, high=1_000_000),
        mcp_destructive=_flag(given, "STUDIO_MCP_DESTRUCTIVE"),
    )


def _path(given: Mapping[str, str], variable: str, default: Path) -> Path:
    path = Path(given.get(variable, default)).expanduser()
    if path.exists() and not path.is_dir():
        raise InvalidEnvironmentError(variable, f"{path} is not a directory", "Name a directory, or where to make one")
    return Path(os.path.abspath(path))


def _check_socket_path(data: Path) -> None:
    socket = data / "run" / "valkey.sock"
    length = len(os.fsencode(socket))
    if length > SOCKET_PATH_LIMIT:
        longest = SOCKET_PATH_LIMIT - (length - len(os.fsencode(data)))
        problem = f"{data} is too long: {socket} has {length} bytes, and a Unix socket's path holds {SOCKET_PATH_LIMIT}"
        raise InvalidEnvironmentError("STUDIO_DATA", problem, f"Choose a directory of at most {longest} bytes")


def _number(given: Mapping[str, str], variable: str, *, default: int, low: int, high: int) -> int:
    text = given.get(variable, str(default))
    expected = f"It must be a whole number from {low} to {high}"
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise InvalidEnvironmentError(variable, f"{text!r} is not a number", expected)
    if not low <= int(text) <= high:
        raise InvalidEnvironmentError(variable, f"{text} is out of range", expected)
    return int(text)


def _flag(given: Mapping[str, str], variable: str) -> bool:
    text = given.get(variable, "0").lower()
    if text not in _TRUE | _FALSE:
        raise InvalidEnvironmentError(variable, f"{text!r} is neither yes nor no", "Write 1 or 0")
    return text in _TRUE


def _list(given: Mapping[str, str], variable: str) -> tuple[str, ...]:
    return tuple(part for part in re.split(r"[,\s]+", given.get(variable, "")) if part)


def _secret_keys(given: Mapping[str, str]) -> tuple[str, ...]:
    keys = _list(given, "STUDIO_SECRET_KEYS")
    for number, key in enumerate(keys, 1):
        if not _FERNET_KEY.fullmatch(key):  # the key itself is never repeated
            expected = (
                "Make one with: python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())'"
            )
            raise InvalidEnvironmentError(
                "STUDIO_SECRET_KEYS", f"key {number} is not 32 bytes in URL-safe Base64", expected
            )
    return keys


def _webhook_allow(given: Mapping[str, str]) -> tuple[str, ...]:
    entries = _list(given, "STUDIO_WEBHOOK_ALLOW")
    for entry in entries:
        if not (_is_network(entry) or _HOST_NAME.fullmatch(entry)):
            expected = "Write host names, addresses and networks such as 10.1.0.0/16, with commas between"
            raise InvalidEnvironmentError("STUDIO_WEBHOOK_ALLOW", f"{entry!r} is none of them", expected)
    return entries


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _webhook_schedule(given: Mapping[str, str]) -> tuple[float, ...]:
    entries = _list(given, "STUDIO_WEBHOOK_SCHEDULE")
    for entry in entries:
        if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,3})?", entry):
            expected = "Write the seconds before each attempt with commas between, such as 0,5,300"
            raise InvalidEnvironmentError("STUDIO_WEBHOOK_SCHEDULE", f"{entry!r} is not a number of seconds", expected)
    return tuple(float(entry) for entry in entries) or _WEBHOOK_SCHEDULE


def _titles(given: Mapping[str, str]) -> str:
    maker = given.get("STUDIO_TITLES", "model")
    if maker not in ("model", "words"):
        expected = "Write `model` to have the model make titles, or `words` for the first words that were said"
        raise InvalidEnvironmentError("STUDIO_TITLES", f"{maker!r} is neither", expected)
    return maker


def _node(given: Mapping[str, str]) -> str:
    name = given.get("STUDIO_NODE", "local")
    if not _NODE_NAME.fullmatch(name):
        expected = "Use letters, digits, '.', '_' and '-' only, 63 at most, and a letter or digit at both ends"
        raise InvalidEnvironmentError("STUDIO_NODE", f"{name!r} cannot be the name of a machine", expected)
    return name


def _redis_url(given: Mapping[str, str]) -> str:
    url = given.get("REDIS_URL", "")
    expected = (
        "Write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to.sock, or leave it out for the embedded one"
    )
    return url and _checked_url("REDIS_URL", url, _REDIS_SCHEMES, expected)


def _database_url(given: Mapping[str, str], data: Path) -> str:
    url = given.get("DATABASE_URL", f"sqlite:///{data / 'studio.sqlite3'}")
    expected = "Write postgres://user:password@host:5432/name or sqlite:////absolute/path, or leave it out"
    return _checked_url("DATABASE_URL", url, _DATABASE_SCHEMES, expected)


def _checked_url(variable: str, url: str, schemes: tuple[str, ...], expected: str) -> str:
    """Return `url` if it can be one; its text is never repeated in an error, because it may hold a password."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 -- reading it is what checks it
    except ValueError:
        raise InvalidEnvironmentError(variable, "it is not a URL", expected) from None
    if parts.scheme not in schemes:
        scheme = f"the scheme {parts.scheme!r} is not known" if parts.scheme else "it is not a URL"
        raise InvalidEnvironmentError(variable, scheme, expected)
    if not (parts.hostname or parts.path.strip("/")):
        raise InvalidEnvironmentError(variable, "it names neither a host nor a path", expected)
    return url
