"""Every Python code block of the specification, run as it is written there, against the real system."""

import ast
import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from plugins_app.sdk import BasePlugin, ExportPlugin, MiddlewarePlugin, ProviderPlugin, ToolPlugin
from plugins_app.sdk.config import to_json_schema, validate
from tests.studio import ROOT, Studio

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "spec" / "plugin-system.md").read_text(), re.DOTALL)

#: Runs blocks with `await` at their top level, one namespace for all, in a process that is no part of the studio.
RUNNER = """
import ast, asyncio, json, sys
import django
django.setup()
from backend.plugins.plugin_manager import plugin_manager
blocks = json.load(sys.stdin)
names = {"plugin_manager": plugin_manager, "on_plugin_unloaded": lambda plugin_id: print("Plugin unloaded:", plugin_id)}

async def main():
    for block in blocks:
        made = eval(compile(block, "<spec>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), names)
        if made is not None:
            await made
    for _ in range(100):  # hooks come a moment later
        if heard.count("\\n") >= 3:
            break
        await asyncio.sleep(0.05)

import io
heard = ""
class Tee(io.TextIOBase):
    def write(self, text):
        global heard
        heard += text
        return sys.__stdout__.write(text)
sys.stdout = Tee()
asyncio.run(main())
print("RESULT", json.dumps(names["result"]), names["plugin"].id)
sys.__stdout__.flush()
"""


def block_with(text: str) -> str:
    [found] = [block for block in BLOCKS if text in block]
    return str(found)


def compiled(block: str) -> CodeType:
    return compile(block, "<spec>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_there_is_no_block_that_no_test_here_runs() -> None:
    known = [
        *("MyProviderPlugin(", "MyToolPlugin(", "MyMiddlewarePlugin(", "MyExportPlugin(", "class MyPlugin("),
        *("await plugin_manager.initialize()", "def on_plugin_loaded", '"timeout"'),
    ]
    assert len(BLOCKS) == len(known)
    assert all(any(text in block for text in known) for block in BLOCKS)


@pytest.mark.parametrize(
    ("name", "base", "method"),
    [
        ("MyProviderPlugin", ProviderPlugin, "chat_completion"),
        ("MyToolPlugin", ToolPlugin, "execute"),
        ("MyMiddlewarePlugin", MiddlewarePlugin, "before_request"),
        ("MyExportPlugin", ExportPlugin, "export"),
    ],
)
def test_a_class_of_each_type(name: str, base: type[BasePlugin], method: str) -> None:
    names: dict[str, Any] = {}
    exec(compiled(block_with(f"{name}(")), names)
    plugin = names[name]({"key": "value"})
    assert isinstance(plugin, base) and plugin.get_config("key") == "value"
    assert asyncio.iscoroutinefunction(getattr(plugin, method))


def test_the_whole_plugin_in_process() -> None:
    names: dict[str, Any] = {}
    exec(compiled(block_with("class MyPlugin(")), names)
    plugin = names["MyPlugin"]({"api_key": "k"})
    assert plugin.metadata.id == "my-plugin" and plugin.metadata.problems() == []
    assert asyncio.run(plugin.initialize()) is True
    assert asyncio.run(plugin.shutdown()) is None


def test_the_schema() -> None:
    names: dict[str, Any] = {}
    exec(compiled(block_with('"timeout"')), names)
    schema = to_json_schema(names["config_schema"])
    assert schema["properties"]["timeout"]["maximum"] == 300
    assert [error["pointer"] for error in validate({"timeout": 0}, schema)] == ["/api_key", "/timeout"]


def test_hooks_and_the_manager_use_the_plugin_of_the_spec(studio: Studio, plugin_folder: Callable[..., Path]) -> None:
    method = '\n    async def execute(self, action, parameters):\n        return {"did": action, "with": parameters}\n'
    config = {"enabled": True, "api_key": "your-api-key-here", "custom_setting": "value"}
    plugin_folder("my-plugin", block_with("class MyPlugin(").rstrip() + "\n" + method, config=config)
    blocks = [block_with("def on_plugin_loaded"), block_with("await plugin_manager.initialize()")]
    done = subprocess.run(
        [sys.executable, "-c", RUNNER],
        input=json.dumps(blocks),
        cwd=ROOT,
        env={**studio.environ, "DJANGO_SETTINGS_MODULE": "aichat.settings"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'RESULT {"did": "search", "with": {"query": "AI"}} my-plugin' in done.stdout
    assert "Plugin loaded: my-plugin" in done.stdout and "Plugin unloaded: my-plugin" in done.stdout
