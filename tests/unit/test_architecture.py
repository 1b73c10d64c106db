"""Imports point downwards, as DESIGN section 7 draws it; the SDK promises what its documentation says."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import plugins_app.sdk

ROOT = Path(__file__).resolve().parent.parent.parent

# What each package of `plugins_app` may import of `plugins_app`; what is not named here may import nothing of it.
BELOW = {
    "sdk": set(),
    "wire": set(),
    "process": {"sdk", "wire"},
    "client": {"wire", "process"},  # of process: how a plugin is described and started, never what runs inside it
    "states": set(),
    "host": {"wire", "process", "client", "sdk", "states"},
    "models": {"states"},
    "signals": set(),
    "runtime": {"client"},
    "services": {"states", "models", "signals", "runtime", "host", "client", "process", "sdk", "wire"},
    "selectors": {"states", "models", "services", "runtime", "client", "sdk"},
    "manager": {"states", "models", "signals", "services", "selectors", "runtime", "client", "sdk"},
    "tasks": {"states", "models", "services", "selectors"},
    "api": {"states", "models", "signals", "services", "selectors", "runtime", "client", "sdk"},
    "admin": {"states", "models", "services", "selectors", "sdk"},
    "management": {"models", "services", "selectors", "host", "sdk"},
    "apps": {"signals", "services"},
    "__init__": {"sdk"},  # the spec's own import paths
}
# What the packages that run outside Django may import besides the standard library.
THIRD_PARTIES = {
    "sdk": {"jsonschema", "referencing", "msgspec"},  # jsonschema only when a config is checked; see the test below
    "wire": {"msgspec"},
    "process": {"msgspec", "uvloop"},
    "client": {"msgspec", "uvloop"},
    "host": {"msgspec", "uvloop", "psutil"},
}
# The project's pure helpers, which the plugin system may use; everything else in `aichat` is above it.
WIRING = {"aichat.celery", "aichat.keys", "aichat.environment"}


def module_name(path: Path) -> str:
    """Return the dotted name of the module in a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imports_of(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Yield the dotted names a file imports; not `everywhere`: only those that importing the file imports."""
    package = path.relative_to(ROOT).parent.parts
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if everywhere else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = list(package[: len(package) - node.level + 1]) if node.level else []
            base = [*above, *(node.module or "").split(".")] if node.module else above
            yield from (".".join([*base, alias.name]) for alias in node.names)


@cache
def sources(folder: str) -> tuple[Path, ...]:
    """Return the Python files below a folder, migrations excepted."""
    return tuple(path for path in sorted((ROOT / folder).rglob("*.py")) if "migrations" not in path.parts)


def part_of(name: str) -> str:
    """Return the package of `plugins_app` that a dotted name is in: `plugins_app.sdk.base` is in `sdk`."""
    parts = name.split(".")
    known = len(parts) > 1 and (ROOT / "plugins_app" / parts[1]).exists()
    return parts[1] if known or f"{'.'.join(parts[:2])}" in _modules() else "__init__"


@cache
def _modules() -> frozenset[str]:
    return frozenset(map(module_name, sources("plugins_app")))


def edges() -> set[tuple[str, str, str]]:
    """Return (importing package, imported package, where) for `plugins_app`."""
    found = set()
    for path in sources("plugins_app"):
        own = part_of(module_name(path))
        for name in imports_of(path):
            if name.split(".")[0] == "plugins_app" and part_of(name) != own:
                found.add((own, part_of(name), f"{path.relative_to(ROOT)} imports {name}"))
    return found


def test_imports_within_the_plugin_system_point_downwards() -> None:
    wrong = [where for own, other, where in edges() if other not in BELOW.get(own, set()) | {"__init__"}]
    assert not wrong, "\n".join(sorted(wrong))


def test_no_packages_import_each_other_in_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for own, other, _ in edges():
        if "__init__" not in (own, other):
            graph.setdefault(own, set()).add(other)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"packages import each other: {' -> '.join(error.args[1])}")


@pytest.mark.parametrize("package", sorted(THIRD_PARTIES))
def test_what_runs_outside_django_needs_little_else(package: str) -> None:
    allowed = THIRD_PARTIES[package] | set(sys.stdlib_module_names) | {"plugins_app"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(f"plugins_app/{package}")
        for name in imports_of(path)
        if name.split(".")[0] not in allowed
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", ["sdk", "wire", "process.main", "client", "host"])
def test_importing_it_does_not_bring_in_django(package: str) -> None:
    code = f"import sys, plugins_app.{package}; print(*sorted({{n.split('.')[0] for n in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"django", "celery", "redis", "rest_framework"}
    if package == "sdk":
        heavy |= {"jsonschema", "referencing"}  # a plugin process that checks no config does not pay for it
    assert not heavy & set(done.stdout.split())


def test_nothing_in_the_plugin_system_imports_the_chat() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("plugins_app")
        for name in imports_of(path)
        if name.split(".")[0] == "aichat" and ".".join(name.split(".")[:2]) not in WIRING
    ]
    assert not wrong, "\n".join(wrong)


def test_the_chat_uses_the_plugin_system_by_its_faces_only() -> None:
    allowed = {"services", "selectors", "client", "manager", "runtime", "api", "admin", "sdk", "signals"}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("aichat/chat")
        for name in imports_of(path)
        if name.split(".")[0] == "plugins_app" and part_of(name) not in allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_plugins_import_only_the_sdk() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("installed_plugins")
        for name in imports_of(path)
        if name.split(".")[0] in {"plugins_app", "aichat", "django"} and not name.startswith("plugins_app.sdk")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_sdk_exports_what_its_documentation_lists() -> None:
    assert sorted(plugins_app.sdk.__all__) == [
        "AuthFailed",
        "BasePlugin",
        "Cancelled",
        "ConfigError",
        "Context",
        "DeadlineExceeded",
        "ExportPlugin",
        "Limits",
        "MiddlewarePlugin",
        "NotReady",
        "OldState",
        "PermissionDenied",
        "PluginError",
        "PluginMetadata",
        "PluginType",
        "ProviderPlugin",
        "Refused",
        "Storage",
        "ToolPlugin",
        "UpstreamError",
        "method",
        "retried",
        "retried_stream",
    ]
    assert all(hasattr(plugins_app.sdk, name) for name in plugins_app.sdk.__all__)


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    places = ["/" + "work/", "/" + "root/", "/" + "Users/", "/opt/" + "pypi", "/opt/" + "wheels"]
    wrong = []
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.suffix in {".png", ".gguf", ".woff2", ".ico", ".gz"} or not path.is_file():
            continue
        text = path.read_text(errors="replace")
        wrong += [f"{name}: {place}" for place in places if place in text]
    assert not wrong, "\n".join(wrong)
