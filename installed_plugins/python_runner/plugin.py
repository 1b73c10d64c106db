"""A tool that runs Python."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import Any

from plugins_app.sdk import PluginError, ToolPlugin

from .running import Limits, run

_LONGEST_CODE = 200_000
_FILE_NAME = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]{0,99}")
_MOST_FILES = 20
_RUN: dict[str, Any] = {
    "name": "run",
    "title": "Run Python",
    "description": "Run Python 3 with the standard library, without a network, in a directory of its own that is gone "
    "afterwards. Answers what was printed, the value of the last expression, and the files that were made. Nothing is "
    "left for the next run.",
    "parameters": {
        "type": "object",
        "properties": {
            "code": {"type": "string", "description": "Python source", "maxLength": _LONGEST_CODE},
            "files": {
                "type": "object",
                "description": 'Files to find in the directory: name to text, or to {"base64": ...}',
                "additionalProperties": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                "maxProperties": _MOST_FILES,
            },
            "timeout_s": {"type": "number", "exclusiveMinimum": 0, "description": "Less than the usual time limit"},
        },
        "required": ["code"],
        "additionalProperties": False,
    },
}


class PythonRunner(ToolPlugin):
    """Each run is a process that has given up everything but its own directory."""

    async def initialize(self) -> bool:
        """Settings are frozen for the life of the plugin."""
        megabyte, kilobyte = 2**20, 2**10
        self._limits = Limits(
            seconds=self.get_config("timeout_s", 20),
            memory=self.get_config("memory_mb", 256) * megabyte,
            output=self.get_config("output_kb", 64) * kilobyte,
            files=self.get_config("files_mb", 10) * megabyte,
            returned=self.get_config("returned_kb", 1024) * kilobyte,
            unsandboxed=self.get_config("allow_unsandboxed", False),
        )
        self._turn = asyncio.Semaphore(self.get_config("concurrency", 4))
        return True

    def get_actions(self) -> list[dict[str, Any]]:
        """What can be asked for."""
        return [_RUN | {"destructive": self.get_config("ask_first", False)}]

    async def execute(self, action: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Run the code."""
        if action != "run":
            raise PluginError(f"unknown action {action!r}: there is only run")
        code, files = parameters.get("code"), _files(parameters.get("files"), self._limits.files)
        if not isinstance(code, str) or not code.strip() or len(code) > _LONGEST_CODE:
            raise PluginError(f"'code' must be given, in at most {_LONGEST_CODE} characters")
        limits = self._limits_for(parameters.get("timeout_s"))
        async with self._turn:
            return await run(code, files, limits)

    def _limits_for(self, seconds: Any) -> Limits:
        if seconds is None:
            return self._limits
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
            raise PluginError("'timeout_s' must be a number of seconds")
        own = self._limits
        shorter = min(float(seconds), own.seconds)
        return Limits(shorter, own.memory, own.output, own.files, own.returned, own.unsandboxed)


def _files(given: Any, limit: int) -> dict[str, bytes]:
    """The files to begin with, checked."""
    if given is None:
        return {}
    if not isinstance(given, dict) or len(given) > _MOST_FILES:
        raise PluginError(f"'files' must be an object of at most {_MOST_FILES} names")
    found = {name: _content(name, value) for name, value in given.items()}
    if sum(map(len, found.values())) > limit:
        raise PluginError(f"'files' come to more than {limit // 2**20} MB")
    return found


def _content(name: str, value: Any) -> bytes:
    if not isinstance(name, str) or not _FILE_NAME.fullmatch(name):
        raise PluginError(f"{name!r} cannot be the name of a file here: letters and no slashes")
    if isinstance(value, str):
        return value.encode()
    try:
        return base64.b64decode(value["base64"], validate=True)
    except (binascii.Error, KeyError, TypeError, ValueError) as error:
        raise PluginError(f'the file {name!r} must be text, or {{"base64": ...}}') from error
