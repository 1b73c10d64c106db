"""What `manage.py demo` does, over the studio's HTTP API as any client would."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx

from plugins_app.services.access import api_key_lent

__all__ = ["Demo", "DemoError", "demo_key"]

_PLUGINS = ("local-llama", "calculator", "pdf-export")
_MODEL = "local-llama/smollm2-135m-instruct"
_TOOL = {"type": "function", "function": {"name": "calculator__evaluate"}}
_LOAD_SECONDS, _ANSWER_SECONDS, _POLL_SECONDS = 900.0, 300.0, 0.5
_UNDER_WAY = ("installing", "loading")


class DemoError(Exception):
    """The demo cannot go on; the message says why and what to do."""


def demo_key() -> AbstractContextManager[str]:
    """A key for this run only. It acts as the operator, so that the conversation is among their chats afterwards."""
    return api_key_lent(name=f"demo-{os.getpid()}-{int(time.time())}")


class Demo:
    """One run against the studio at `url`."""

    def __init__(self, url: str, key: str, say: Callable[..., None]) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)
        self._say = say

    def run(self, question: str, target: Path) -> None:
        """Load what is needed, ask, and write the PDF to `target`."""
        with self._http:
            for plugin in _PLUGINS:
                self._load(plugin)
            conversation = self._ask(question)
            self._export(conversation, target)

    def _load(self, plugin: str) -> None:
        started = time.monotonic()
        state = self._plugin(plugin)["state"]
        if state != "active":
            answer = self._http.post("/api/plugins/load", json={"plugin_id": plugin}, timeout=_LOAD_SECONDS)
            if answer.status_code not in (200, 202):
                raise DemoError(f"{plugin} cannot be loaded: {_reason(answer)}")
        while (state := self._plugin(plugin)["state"]) in _UNDER_WAY:
            self._progress(plugin, f"{state}, {time.monotonic() - started:.0f} s", end="\r")
            if time.monotonic() - started > _LOAD_SECONDS:
                raise DemoError(f"{plugin} was not loaded within {_LOAD_SECONDS:.0f} s")
            time.sleep(_POLL_SECONDS)
        if state != "active":
            raise DemoError(f"{plugin} is {state}: {(self._plugin(plugin)['last_error'] or {}).get('detail', '')}")
        self._progress(plugin, f"loaded, {time.monotonic() - started:.0f} s")

    def _plugin(self, plugin: str) -> dict[str, Any]:
        answer = self._http.get(f"/api/plugins/{plugin}")
        if answer.status_code == 401:
            raise DemoError("the studio at this port is another one: set PORT and STUDIO_DATA as it has them")
        if answer.status_code != 200:
            raise DemoError(f"{plugin} is not there: {_reason(answer)}")
        found: dict[str, Any] = answer.json()
        return found

    def _progress(self, plugin: str, text: str, end: str = "\n") -> None:
        self._say(f"  {plugin:<12} {text:<30}", end=end)

    def _ask(self, question: str) -> str:
        """Ask, show what comes, and return the conversation's id."""
        body = {
            "model": _MODEL,
            "message": question,
            "tools": ["calculator"],
            "tool_choice": _TOOL,
            "temperature": 0,
            "max_tokens": 60,
        }
        self._say(f"\nYou    {question}")
        conversation = ""
        with self._http.stream("POST", "/api/chat", json=body, timeout=_ANSWER_SECONDS) as answer:
            if answer.status_code != 200:
                answer.read()
                raise DemoError(f"the question was refused: {_reason(answer)}")
            for name, data in _events(answer.iter_lines()):
                conversation = data.get("conversation_id") or conversation
                self._show(name, data)
        return conversation

    def _show(self, name: str, data: dict[str, Any]) -> None:
        if name == "delta":
            self._say(data["content"], end="")
        elif name == "tool.call":
            self._say(f"Model  calls {data['plugin_id']}.{data['action']} {json.dumps(data['arguments'])}")
        elif name == "tool.result":
            result = data.get("error", {}).get("detail") or data.get("result")
            self._say(f"Tool   {json.dumps(result)}\nModel  ", end="")
        elif name == "message.end":
            usage = data.get("usage") or {}
            self._say(f"\n       ({usage.get('completion_tokens', 0)} tokens, {data['duration_ms'] / 1000:.1f} s)")
        elif name == "error":
            raise DemoError(f"the answer failed: {data.get('detail') or data.get('title')}")

    def _export(self, conversation: str, target: Path) -> None:
        parameters = {"format": "pdf-export"}
        answer = self._http.get(f"/api/conversations/{conversation}/export", params=parameters, timeout=_ANSWER_SECONDS)
        if answer.status_code != 200:
            raise DemoError(f"there is no PDF: {_reason(answer)}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(answer.content)
        self._say(f"\nPDF    {target} ({len(answer.content) // 1024} KiB)")


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The server-sent events of an answer: name and data."""
    name = ""
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield name, json.loads(value)


def _reason(answer: httpx.Response) -> str:
    """What a problem document says, with what to do about it."""
    try:
        problem = answer.json()
    except ValueError:
        return f"status {answer.status_code}"
    words = [problem.get("detail") or problem.get("title"), problem.get("hint")]
    return " ".join(word for word in words if word) or f"status {answer.status_code}"
