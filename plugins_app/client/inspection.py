"""Asks a plugin's code for its metadata, or its configuration for another version, each in a process of its own."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from plugins_app.process import launch
from plugins_app.process import spec as messages
from plugins_app.process.spec import Failure, Migrated, Migration, Report, SandboxSpec, Spec

__all__ = ["InspectionResult", "MigrationError", "inspect_plugin", "migrate_config"]

#: Before the schema is known, any text of config.json from this length on may be a secret.
_SHORTEST_SECRET = 8


@dataclass(frozen=True, slots=True)
class InspectionResult:
    """Either the metadata, or the problem: ``{"code", "title", "detail", "hint", "traceback"}``."""

    metadata: dict[str, Any] | None = None
    problem: dict[str, Any] | None = None


def inspect_plugin(
    snapshot: Path,
    folder: str,
    *,
    entry: str | None = None,
    env_dir: Path | None = None,
    config: Mapping[str, Any] | None = None,
    timeout: float = 10.0,
) -> InspectionResult:
    """The metadata of the plugin in `snapshot`, whose folder is called `folder`; at most `timeout` seconds.

    `config` is what its constructor is given, by default the config.json in there.
    """
    with tempfile.TemporaryDirectory(prefix="studio-inspect-") as work_dir:
        given = _folder_config(snapshot) if config is None else dict(config)
        secrets = [text for text in _texts(given) if len(text) >= _SHORTEST_SECRET]
        spec = _spec(snapshot, folder, work_dir, env_dir, entry=entry, config=given, secrets=secrets)
        return _result(_ask("inspect", spec, Report, timeout), timeout)


class MigrationError(Exception):
    """A plugin's own code could not carry its configuration; `traceback` is for operators."""

    def __init__(self, message: str, traceback: str = "") -> None:
        super().__init__(message)
        self.traceback = traceback


def migrate_config(
    snapshot: Path,
    folder: str,
    module: str,
    steps: Sequence[str],
    config: Mapping[str, Any],
    *,
    env_dir: Path | None = None,
    secrets: Sequence[str] = (),
    timeout: float = 5.0,
) -> tuple[dict[str, Any], list[str]]:
    """`config` carried through the functions `steps` of `module`, and the names of those that are not there.

    Raises:
        MigrationError: one of them failed, or it took longer than `timeout` seconds.
    """
    with tempfile.TemporaryDirectory(prefix="studio-migrate-") as work_dir:
        spec = _spec(snapshot, folder, work_dir, env_dir, config=dict(config), secrets=list(secrets))
        answer = _ask("migrate", Migration(spec, module, list(steps)), Migrated | Failure, timeout)
    if answer is None:
        raise MigrationError(f"{', '.join(steps)} did not end within {timeout:g} s, or ended the process")
    if isinstance(answer, Failure):
        raise MigrationError(answer.message, answer.traceback)
    return answer.config, answer.missing


def _spec(snapshot: Path, folder: str, work_dir: str, env_dir: Path | None, **more: Any) -> Spec:
    readable = [*launch.readable_everywhere(), str(snapshot), *([str(env_dir)] if env_dir else [])]
    return Spec(
        plugin_id=folder.replace("_", "-"),
        package=folder.replace("-", "_"),
        code_dir=str(snapshot),
        work_dir=work_dir,
        env_dir=str(env_dir) if env_dir else None,
        sandbox=SandboxSpec(readable=readable, writable=[work_dir], memory_bytes=1024**3),
        **more,
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def _folder_config(snapshot: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        found = json.loads((snapshot / "config.json").read_bytes())
        if isinstance(found, dict):
            return found
    return {}


def _ask(role: str, message: Spec | Migration, answers: Any, timeout: float) -> Any:
    """The process's answer; None when it gave none in time or died."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            process = subprocess.Popen(
                launch.command(role, theirs.fileno()),
                pass_fds=[theirs.fileno()],
                env=launch.clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            ours.settimeout(timeout)
            messages.send(ours, message)
            return messages.receive(ours, answers)
        except EOFError:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(1)  # it is ending: let it write its last words to the log
            return None
        except OSError:
            return None
        finally:
            process.kill()
            process.wait()


def _result(report: Report | None, timeout: float) -> InspectionResult:
    if report is None:
        text = f"reading its metadata was not done within {timeout:g} s, or ended the process"
        return InspectionResult(
            problem=_problem("inspection_timeout", text, "Do no work while the module is imported.")
        )
    if isinstance(report, Failure):
        return InspectionResult(problem=_problem(report.code, report.message, report.hint, report.traceback))
    return InspectionResult(metadata=report.metadata)


_TITLES = {
    "import_failed": "The plugin's code cannot be imported",
    "no_class": "The folder has no plugin class",
    "several_classes": "The folder has several plugin classes",
    "metadata_failed": "The plugin's metadata cannot be read",
    "inspection_timeout": "The plugin's metadata cannot be read",
    "initialize_raised": "The plugin's constructor failed",
}


def _problem(code: str, detail: str, hint: str = "", traceback: str = "") -> dict[str, Any]:
    title = _TITLES.get(code, "The plugin cannot be used")
    return {"code": code, "title": title, "detail": detail, "hint": hint, "traceback": traceback}
