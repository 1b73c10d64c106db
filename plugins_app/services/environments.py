"""Python environments of plugins: locked with hashes, built by `uv` aside, renamed into place, shared by key."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import secrets
import subprocess
import sys
import sysconfig
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from plugins_app.models import PluginEnvironment

from .snapshots import remove_tree

__all__ = ["environment_install", "environment_key", "environment_path", "environment_request", "environments_resume"]

Status = PluginEnvironment.Status
_STEP_TIMEOUT = 900.0
_BEAT = 5.0
_LEASE = timedelta(seconds=60)  # many beats: a row untouched for so long belongs to a worker that died
_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)
_PASSED_ON_PREFIXES = ("UV_", "PIP_")


def environment_key(metadata: Mapping[str, Any]) -> str | None:
    """Names the environment by what goes into it: requirements, Python and machine. None: nothing is needed."""
    wanted = _requirements(metadata)
    if not any(wanted.values()):
        return None
    python = [sysconfig.get_python_version(), sys.implementation.cache_tag]
    machine = [*python, sysconfig.get_platform(), platform.libc_ver()]
    return hashlib.sha256(json.dumps([wanted, machine], sort_keys=True).encode()).hexdigest()[:40]


def _requirements(metadata: Mapping[str, Any]) -> dict[str, list[str]]:
    keys = ("requirements", "requirements_no_deps")
    return {key: sorted(str(item) for item in metadata.get(key) or []) for key in keys}


def environment_path(key: str) -> Path:
    """Where the environment is, once it is ready."""
    return Path(settings.STUDIO_ENVS) / key


def environment_request(*, metadata: Mapping[str, Any]) -> str | None:
    """Ask for the environment this plugin needs; returns its key when it has to be built first. In a transaction."""
    key = environment_key(metadata)
    if key is None:
        return None
    row, _ = PluginEnvironment.objects.get_or_create(
        key=key, node=settings.STUDIO_NODE, defaults={"requirements": _requirements(metadata)}
    )
    if row.status == Status.READY and environment_path(key).is_dir():
        return None
    if row.status in (Status.READY, Status.FAILED):
        PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE).update(
            status=Status.PENDING, error="", message="", fraction=None
        )
    return key


def environment_install(*, key: str) -> bool:
    """Build one environment; harmless when another worker does or has done it. True when it is ready."""
    if not _claim(key):
        return PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE, status=Status.READY).exists()
    final = environment_path(key)
    draft = final.with_name(f".draft-{key[:12]}-{secrets.token_hex(4)}")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if not final.is_dir():
            _build(key, draft)
            draft.rename(final)
    except (OSError, subprocess.SubprocessError) as error:
        _finish(key, Status.FAILED, error=_short(error))
        return False
    finally:
        remove_tree(draft)
    _finish(key, Status.READY, size=_size(final))
    return True


def _claim(key: str) -> bool:
    """Take the row if nobody has it, or if the worker that had it has not touched it for many beats."""
    rows = PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE)
    free = rows.filter(status=Status.PENDING) | rows.filter(
        status=Status.INSTALLING, updated_at__lt=timezone.now() - _LEASE
    )
    return bool(free.update(status=Status.INSTALLING, message="starting", fraction=0.0, updated_at=timezone.now()))


def _build(key: str, draft: Path) -> None:
    wanted = PluginEnvironment.objects.get(key=key, node=settings.STUDIO_NODE).requirements
    work = draft.with_name(f"{draft.name}-work")
    work.mkdir()
    draft.mkdir()
    try:
        if wanted.get("requirements"):
            _progress(key, 0.1, "choosing versions")
            lock = _lock(key, work, "locked", wanted["requirements"], [])
            _progress(key, 0.4, "installing packages")
            _install(key, draft, lock, [])
        if wanted.get("requirements_no_deps"):
            _progress(key, 0.6, "choosing versions")
            lock = _lock(key, work, "alone", wanted["requirements_no_deps"], ["--no-deps"])
            _progress(key, 0.8, "installing packages")
            _install(key, draft, lock, ["--no-deps"])
    finally:
        remove_tree(work)


def _lock(key: str, work: Path, name: str, requirements: list[str], options: list[str]) -> Path:
    source, lock = work / f"{name}.in", work / f"{name}.txt"
    source.write_text("\n".join(requirements) + "\n")
    python = ["--python", sys.executable]
    _uv(key, "pip", "compile", "--quiet", "--generate-hashes", *options, *python, str(source), "-o", str(lock))
    return lock


def _install(key: str, target: Path, lock: Path, options: list[str]) -> None:
    python = ["--python", sys.executable, "--link-mode", _link_mode(target)]
    _uv(
        key,
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        *options,
        *python,
        "--target",
        str(target),
        "-r",
        str(lock),
    )


def _link_mode(target: Path) -> str:
    """Hard links save room, but only within one file system."""
    cache = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache")
    try:
        return "hardlink" if cache.stat().st_dev == target.stat().st_dev else "copy"
    except OSError:
        return "copy"


def _uv(key: str, *arguments: str) -> None:
    """Run uv, and keep the row warm while it works."""
    beside = Path(sys.executable).with_name("uv")
    command = [str(beside) if beside.exists() else "uv", *arguments]
    deadline = time.monotonic() + _STEP_TIMEOUT
    with subprocess.Popen(
        command, env=_environ(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            while (words := _said(process)) is None:
                _touch(key)
                if time.monotonic() > deadline:
                    raise subprocess.TimeoutExpired(command, _STEP_TIMEOUT)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=words)


def _said(process: subprocess.Popen[str]) -> str | None:
    try:
        return process.communicate(timeout=_BEAT)[1]
    except subprocess.TimeoutExpired:
        return None


def _touch(key: str) -> None:
    PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE, status=Status.INSTALLING).update(
        updated_at=timezone.now()
    )


def _environ() -> dict[str, str]:
    """Nothing of the studio's own environment but what finding packages needs."""
    # Like pip, take the machine's certificates: behind a proxy of one's own, uv's built-in ones are not enough.
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
    return {"UV_SYSTEM_CERTS": "1"} | passed_on


def _short(error: Exception) -> str:
    """uv's own last words, without addresses and paths that are nobody's business."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it took longer than {_STEP_TIMEOUT:.0f} s"
    text = str(error.stderr or error) if isinstance(error, subprocess.CalledProcessError) else str(error)
    told = re.sub(r"[\w+]+://\S+", "…", text)
    lines = [line.strip(" ×╰─▶├│") for line in told.splitlines() if line.strip()]
    return " ".join(lines)[:1000] or "uv gave no reason"


def _progress(key: str, fraction: float, message: str) -> None:
    rows = PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE, status=Status.INSTALLING)
    rows.update(fraction=fraction, message=message, updated_at=timezone.now())


@transaction.atomic
def _finish(key: str, status: str, error: str = "", size: int | None = None) -> None:
    PluginEnvironment.objects.filter(key=key, node=settings.STUDIO_NODE).update(
        status=status,
        error=error,
        size_bytes=size,
        fraction=1.0 if status == Status.READY else None,
        message="ready" if status == Status.READY else "failed",
        updated_at=timezone.now(),
    )


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())


def environments_resume() -> list[str]:
    """The environments that somebody waits for and nobody builds: a message was lost, or a worker died."""
    abandoned = PluginEnvironment.objects.filter(
        node=settings.STUDIO_NODE, status=Status.INSTALLING, updated_at__lt=timezone.now() - _LEASE
    )
    pending = PluginEnvironment.objects.filter(node=settings.STUDIO_NODE, status=Status.PENDING)
    return list((abandoned | pending).values_list("key", flat=True))
