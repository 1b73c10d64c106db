"""Real MCP servers, over stdio and HTTP, become tools; what one of them does wrong is its own affair."""

from __future__ import annotations

import asyncio
import os
import runpy
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import uvicorn

from installed_plugins.mcp_bridge.catalog import Catalog, actions_of
from installed_plugins.mcp_bridge.settings import ServerSettings
from plugins_app.sdk import ConfigError, DeadlineExceeded, PluginError
from plugins_app.sdk.testing import PluginHarness, Progress

FOLDER = Path(__file__).parents[1]
PROBE = Path(__file__).with_name("probe_server.py")
TOKEN = "a-token-for-the-server-only"


def stdio(name: str = "probe", **more: Any) -> dict[str, Any]:
    given = {"name": name, "transport": "stdio", "command": sys.executable, "args": [str(PROBE)]}
    return given | {"env": {"PROBE_TOKEN": TOKEN}} | more


def script(name: str, code: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "transport": "stdio", "command": sys.executable, "args": ["-c", code]} | more


def bridge(*servers: dict[str, Any], **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"servers": list(servers), "reconnect_s": 0.05, "connect_timeout_s": 20} | config)


async def call(plugin: PluginHarness, action: str, timeout: float | None = None, **parameters: Any) -> Any:
    return await plugin.call("execute", action=action, parameters=parameters, timeout=timeout)


async def actions(plugin: PluginHarness) -> dict[str, dict[str, Any]]:
    return {action["name"]: action for action in await plugin.call("get_actions")}


async def eventually(condition: Any) -> None:
    """Wait until an asynchronous condition holds."""
    async with asyncio.timeout(15):
        while not await condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def over_http(kind: str = "streamable-http", headers: dict[str, str] | None = None) -> AsyncIterator[str]:
    """The probe, served over HTTP by the SDK's own application; what comes without `headers` is refused."""
    server = runpy.run_path(str(PROBE), run_name="probe")["server"]
    app = server.streamable_http_app() if kind == "streamable-http" else server.sse_app()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        sent = {name.decode(): value.decode() for name, value in scope.get("headers", ())}
        if scope["type"] == "http" and any(sent.get(name) != value for name, value in (headers or {}).items()):
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await app(scope, receive, send)

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(guarded, log_level="error", timeout_graceful_shutdown=1)
        running = uvicorn.Server(config)
        running.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        task = asyncio.create_task(running.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/{'mcp' if kind == 'streamable-http' else 'sse'}"
        finally:
            running.should_exit = True
            await task


async def test_a_server_over_stdio_becomes_tools_resources_and_prompts() -> None:
    async with bridge(stdio()) as plugin:
        found = await actions(plugin)
        assert found["probe__add"]["parameters"]["properties"].keys() == {"a", "b"}
        assert found["probe__add"]["description"] == "Add two numbers."
        destructive = {name for name, action in found.items() if action["destructive"]}
        assert destructive == {"probe__wipe"}
        assert found["probe__wipe"]["title"] == "probe: Wipe it"

        assert await call(plugin, "probe__add", a=2, b=40) == {"structured": {"result": 42}}
        facts = (await call(plugin, "probe__facts"))["structured"]
        assert (facts["token"], facts["pid"] != os.getpid()) == (TOKEN, True)
        names = (await call(plugin, "probe__names"))["structured"]["result"]
        assert not [name for name in names if name.startswith(("STUDIO", "DJANGO", "PYTEST"))]
        picture = await call(plugin, "probe__picture")
        assert picture["attachments"] == [{"kind": "image", "media_type": "image/png", "data": "iVBORw=="}]

        assert await call(plugin, "probe__count", steps=4) is not None
        assert Progress(0.5, "step 2") in plugin.progress

        with pytest.raises(PluginError, match="probe: "):
            await call(plugin, "probe__broken")
        with pytest.raises(PluginError, match="probe: "):
            await call(plugin, "probe__add", a="no number", b=1)
        with pytest.raises(PluginError, match="no action 'probe__nothing'"):
            await call(plugin, "probe__nothing")

        listed = await call(plugin, "probe__list_resources")
        assert [each["uri"] for each in listed["resources"]] == ["probe://readme"]
        assert [each["uriTemplate"] for each in listed["templates"]] == ["probe://item/{number}"]
        read = await call(plugin, "probe__read_resource", uri="probe://item/7")
        assert read["contents"][0]["text"] == "item 7"
        assert (await call(plugin, "probe__list_prompts"))["prompts"][0]["name"] == "greet"
        prompt = await call(plugin, "probe__get_prompt", name="greet", arguments={"name": "Ada"})
        assert prompt["messages"] == [{"role": "user", "text": "Say hello to Ada."}]

        assert "probe__sprout" not in found
        await call(plugin, "probe__grow")

        async def sprouted() -> bool:
            return "probe__sprout" in await actions(plugin)

        await eventually(sprouted)
        assert await call(plugin, "probe__sprout") == {"structured": {"result": "green"}}

        with pytest.raises(DeadlineExceeded):
            await call(plugin, "probe__hang", name="deadline", timeout=0.2)

        async def cancelled() -> bool:
            return (await call(plugin, "probe__were_cancelled"))["structured"]["result"] == ["deadline"]

        await eventually(cancelled)

        # It ends; the next call finds it again, as a process of its own.
        with pytest.raises(PluginError):
            await call(plugin, "probe__leave")

        async def back() -> bool:
            return bool((await plugin.call("status"))[0]["connected"])

        await eventually(back)
        assert (await call(plugin, "probe__facts"))["structured"]["pid"] != facts["pid"]
        left = psutil.Process((await call(plugin, "probe__spawn"))["structured"]["result"])
    assert not _lives(left)


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_server_over_http_gets_its_headers_and_is_found_again() -> None:
    secret = {"authorization": f"Bearer {TOKEN}"}
    async with over_http(headers=secret) as url:
        good = {"name": "far", "transport": "http", "url": url, "headers": secret, "tools": ["add", "c*"]}
        bad = {"name": "wrong", "transport": "http", "url": url, "headers": {"authorization": "Bearer no"}}
        gone = {"name": "gone", "transport": "http", "url": "http://127.0.0.1:9/mcp"}
        async with bridge(good, bad, gone, connect_timeout_s=5) as plugin:
            assert await call(plugin, "far__add", a=1, b=2) == {"structured": {"result": 3}}
            tools = {name for name in await actions(plugin) if name.startswith("far__") and "_" not in name[5:]}
            assert tools == {"far__add", "far__count"}
            await call(plugin, "far__count", steps=2)
            assert Progress(1.0, "step 2") in plugin.progress
            status = {each["server"]: each for each in await plugin.call("status")}
            assert status["far"]["connected"] is True
            assert status["wrong"]["connected"] is False and status["gone"]["connected"] is False
            assert "401" in status["wrong"]["reason"] and status["gone"]["reason"]
            assert TOKEN not in str(status)
            with pytest.raises(PluginError, match="wrong is not connected"):
                await call(plugin, "wrong__add", a=1, b=2)


async def test_a_server_of_the_older_kind_of_http_is_spoken_to() -> None:
    async with (
        over_http("sse") as url,
        bridge({"name": "old", "transport": "sse", "url": url, "protocol": "legacy"}) as plugin,
    ):
        assert await call(plugin, "old__add", a=1, b=2) == {"structured": {"result": 3}}


async def test_servers_that_fail_say_why() -> None:
    absent = {"name": "absent", "transport": "stdio", "command": "no-such-program"}
    dies = script("dies", "import sys; sys.exit('the key is missing')")
    babbles = script("babbles", "print('hello', flush=True); import time; time.sleep(60)", protocol="legacy")
    async with bridge(absent, dies, babbles, connect_timeout_s=1, reconnect_s=30) as plugin:
        reasons = {each["server"]: each["reason"] for each in await plugin.call("status")}
        assert "no-such-program: No such file" in reasons["absent"]
        assert "the key is missing" in reasons["dies"] and "status 1" in reasons["dies"]
        assert "did not get ready in 1 s" in reasons["babbles"]
        listed = await call(plugin, "servers")
        assert [each["connected"] for each in listed["servers"]] == [False, False, False]
        with pytest.raises(PluginError, match=r"dies is not connected: .*the key is missing"):
            await call(plugin, "dies__anything")


@pytest.mark.allow_leaks("process")  # the test itself kills what would have waited for them
async def test_programs_end_with_the_process_that_wants_them(tmp_path: Path) -> None:
    """The keeper, without the plugin: its parent is killed, as a plugin process may be."""
    pids = tmp_path / "pids"
    sleeps = "import time; time.sleep(60)"
    program = (
        f"import os, subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {sleeps!r}]); "
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{p.pid}}'); p.wait()"
    )
    parent = (
        "import os, subprocess, sys, time; subprocess.Popen([sys.executable, '-I', '-S', "
        f"{str(FOLDER / 'keeper.py')!r}, str(os.getpid()), sys.executable, '-c', {program!r}], "
        "start_new_session=True, stdin=subprocess.PIPE); time.sleep(60)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent)

    async def started() -> bool:
        return pids.is_file() and len(pids.read_text().split()) == 2

    await eventually(started)
    children = [psutil.Process(int(pid)) for pid in pids.read_text().split()]
    assert all(map(_lives, children))
    process.send_signal(signal.SIGKILL)
    await process.wait()

    async def ended() -> bool:
        return not any(map(_lives, children))

    await eventually(ended)


async def test_names_fit_what_models_take_and_differ() -> None:
    def tool(name: str, **hints: bool) -> Any:
        import mcp_types as types

        annotations = types.ToolAnnotations(**hints) if hints else None
        return types.Tool(name=name, input_schema={"type": "object"}, annotations=annotations)

    names = ["a/b", "a.b", "x" * 100, "x" * 101, "list_resources"]
    found = actions_of(ServerSettings("s"), Catalog(tuple(map(tool, names)), has_resources=True))
    assert len(found) == 7
    assert all(len(f"mcp-bridge__{name}") <= 64 and name.replace("_", "").isalnum() for name in found)
    assert [action.target for action in found.values()][:5] == names

    kinds = (tool("silent"), tool("writes", read_only_hint=False), tool("adds", destructive_hint=False))
    catalog = Catalog((*kinds, tool("reads", read_only_hint=True, destructive_hint=True)))

    def asking(approval: str) -> list[str]:
        actions = actions_of(ServerSettings("s", approval=approval), catalog).values()
        return [action.target for action in actions if action.shown["destructive"]]

    assert asking("hinted") == ["writes"]
    assert asking("all-writing") == ["silent", "writes", "adds"]
    assert asking("none") == []


@pytest.mark.parametrize(
    ("servers", "pointer"),
    [
        ([stdio("a"), stdio("a")], "/servers/1/name"),
        ([{"name": "a", "transport": "stdio"}], "/servers/0/command"),
        ([{"name": "a", "transport": "http"}], "/servers/0/url"),
        ([{"name": "Not Fit", "transport": "http"}], "/servers/0/name"),
        ([{"name": "a", "transport": "carrier-pigeon"}], "/servers/0/transport"),
    ],
)
async def test_a_configuration_that_cannot_work_is_refused(servers: list[dict[str, Any]], pointer: str) -> None:
    with pytest.raises(ConfigError) as raised:
        async with bridge(*servers):
            pass
    assert pointer in [error["pointer"] for error in raised.value.errors]


async def test_a_server_that_is_switched_off_is_not_started() -> None:
    async with bridge(stdio(enabled=False)) as plugin:
        assert await plugin.call("status") == []
        assert list(await actions(plugin)) == ["servers"]
