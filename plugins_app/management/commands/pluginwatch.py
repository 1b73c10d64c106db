"""`manage.py pluginwatch`: swap plugins as their author saves them. `make run DEV=1` starts it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from watchfiles import Change, watch
from watchfiles.main import FileChange

from plugins_app.services.authoring import Became, Saved, Saves
from plugins_app.services.errors import StudioError
from plugins_app.services.folders import is_ignored

#: Milliseconds: a save is over when nothing has been written for `_STEP`, or after `_DEBOUNCE` at the latest.
_STEP, _DEBOUNCE, _TURN = 10, 50, 100
_RECENT = 10.0  # seconds
_FRAME = re.compile(r'File "[^"]*/[0-9a-f]{64}/(?P<file>[^"]+)", line (?P<line>\d+)(?:, in (?P<name>[^\n]+))?')


class Command(BaseCommand):
    """Watch the plugins folder; on a save, swap what is loaded and say what became of it."""

    help = "Watch the plugins folder and swap each loaded plugin when its files are saved, until SIGTERM or Ctrl-C."
    requires_system_checks = ()  # they import every page of the studio, 20 MiB that this process never needs

    def handle(self, *args: Any, **options: Any) -> None:
        root, stop = Path(settings.STUDIO_PLUGINS), threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it counts changes aloud
        saves = Saves(lambda saved: self.stdout.write(describe(saved)))
        begun = False
        for changes in _changes(root, stop):
            if not begun:  # only now the folder is watched: nothing can fall between
                saves.begin()
                self.stdout.write(f"watching {root}: a plugin that is loaded is swapped when it is saved")
                begun = True
            if names := {Path(path).relative_to(root).parts[0] for _, path in changes}:
                saves.take(sorted(names), _saved_at(path for _, path in changes))


def _changes(root: Path, stop: threading.Event) -> Iterator[set[FileChange]]:
    """What is saved, batch by batch, and nothing at all every now and then."""
    return watch(
        root,
        watch_filter=_counts,
        step=_STEP,
        debounce=_DEBOUNCE,
        rust_timeout=_TURN,
        yield_on_timeout=True,
        stop_event=stop,
        raise_interrupt=False,
    )


def _counts(_: Change, path: str) -> bool:
    """Whether a change can change a plugin."""
    parts = Path(path).relative_to(settings.STUDIO_PLUGINS).parts
    return bool(parts) and not parts[0].startswith((".", "_")) and not any(map(is_ignored, parts))


def _saved_at(paths: Iterable[str]) -> float:
    """When the last of the files was written or moved here, by its own time."""
    now, times = time.time(), []
    for path in paths:
        with contextlib.suppress(OSError):
            times.append(os.lstat(path).st_ctime)
    newest = max(times, default=now)
    return newest if 0 <= now - newest < _RECENT else now


def describe(saved: Saved) -> str:
    """What an author wants to read."""
    name = f"{saved.plugin_id} {saved.version}".rstrip()
    if saved.error is not None:
        return "\n".join([f"{name}: {saved.error.detail}", *(f"    {line}" for line in _about(saved.error))])
    match saved.became:
        case Became.SWAPPED:
            along = f", with {', '.join(saved.along)}" if saved.along else ""
            return f"{name} -> generation {saved.generation} in {saved.seconds * 1000:.0f} ms{along}"
        case Became.STARTING:
            return f"{name} -> generation {saved.generation} is still starting"
        case Became.SERVING_ALREADY:
            return f"{name} is what generation {saved.generation} runs already"
        case Became.GONE:
            goes_on = f"; generation {saved.generation} goes on serving" if saved.generation else ""
            return f"{name}: its folder is gone{goes_on}"
        case _:
            return f"{name}: seen; it is not loaded"


def _about(error: StudioError) -> Iterator[str]:
    """Where in the plugin it happened, what exactly is wrong, and what to do."""
    frames = list(_FRAME.finditer(error.traceback or ""))
    if frames:
        frame = frames[-1]
        yield f"{frame['file']}, line {frame['line']}" + (f", in {frame['name']}" if frame["name"] else "")
    for one in error.errors or []:
        yield f"{one.get('pointer') or '/'}: {one.get('message', '')}"
    if error.hint:
        yield error.hint
