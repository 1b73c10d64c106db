"""Plugins as an author would drop them, for the acceptance tests."""

from __future__ import annotations

__all__ = ["ledger_manifest", "ledger_plugin", "spec_tool"]


def spec_tool(plugin_id: str, *, version: str = "1.0.0", initialize: str = "return True", head: str = "") -> str:
    """A tool written as the specification writes one; its `initialize` and module head can be broken at will."""
    return f'''
import asyncio
import os
import time

from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin
{head}


class MyPlugin(ToolPlugin):
    asleep = False

    @property
    def metadata(self) -> PluginMetadata:
        return PluginMetadata(
            id="{plugin_id}",
            name="My Custom Plugin",
            version="{version}",
            author="Your Name",
            description="Plugin description",
            plugin_type=PluginType.TOOL,
            dependencies=[],
            config_schema={{
                "api_key": {{"type": "string", "required": True, "description": "API key"}},
                "timeout": {{"type": "integer", "required": False, "default": 30, "min": 1, "max": 300}},
            }},
            tags=["tool", "utility"],
        )

    async def initialize(self) -> bool:
        {initialize}

    async def shutdown(self):
        pass

    async def execute(self, action, parameters):
        if action == "config":
            return dict(self.config)
        if action == "pid":
            return os.getpid()
        if action == "sleep":
            self.asleep = True
            await asyncio.sleep(parameters["seconds"])
            return "{version}"
        if action == "is-asleep":
            return self.asleep
        if action == "spin":
            while True:
                pass
        if action == "block":
            time.sleep(parameters["seconds"])
        if action == "raise":
            raise ValueError("the upstream said no")
        if action == "count":
            for step in range(parameters["steps"]):
                self.context.progress((step + 1) / parameters["steps"], f"step {{step + 1}}")
                await asyncio.sleep(0.01)
            return parameters["steps"]
        return {{"action": action, "parameters": parameters, "version": "{version}"}}
'''


def ledger_manifest(ledger: str) -> str:
    """A manifest whose plugin may write to one directory outside."""
    return f"""
[plugin]
id = "ledger"
name = "Ledger"
version = "1.0.0"
author = "Ada"
description = "Writes down every call it answers"
type = "provider"

[permissions]
files = ["{ledger}:rw"]
"""


def ledger_plugin(version: int, ledger: str) -> str:
    """A provider that notes the id of each call it starts, and marks everything it says with its version."""
    return f'''
import asyncio
import os

from plugins_app.sdk import ProviderPlugin, method

VERSION = {version}


class Ledger(ProviderPlugin):
    def get_available_models(self):
        return [{{"id": "pages", "name": "Pages", "description": "", "context_window": 1000, "max_tokens": 1000}}]

    def _note(self, call):
        line = os.open("{ledger}/calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(line, (str(call) + "\\n").encode())
        os.close(line)

    @method()
    async def answer(self, call):
        self._note(call)
        first = VERSION
        await asyncio.sleep(0.005)
        return {{"call": call, "first": first, "last": VERSION}}

    async def stream_completion(self, messages, model, **kwargs):
        self._note(messages[-1]["content"])
        for _ in range(30):
            yield {{"choices": [{{"index": 0, "delta": {{"content": f"<{{VERSION}}>"}}, "finish_reason": None}}]}}
            await asyncio.sleep(0.01)
        yield {{"choices": [{{"index": 0, "delta": {{}}, "finish_reason": "stop"}}]}}
'''
