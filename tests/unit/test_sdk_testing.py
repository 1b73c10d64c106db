"""The harness holds a plugin to the rules of the real runtime."""

from __future__ import annotations

import asyncio
import textwrap
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import (
    ConfigError,
    DeadlineExceeded,
    Limits,
    NotReady,
    OldState,
    PermissionDenied,
    PluginError,
    PluginMetadata,
    PluginType,
    ProviderPlugin,
    ToolPlugin,
    method,
)
from plugins_app.sdk.testing import CallRefused, Event, LoadFailed, PluginHarness, Progress

ASKED = {"host": ["storage", "counters", "events", "models", "plugins:calculator"]}


def metadata(**changes: Any) -> PluginMetadata:
    fields: dict[str, Any] = {
        "id": "worker",
        "name": "Worker",
        "version": "1.0.0",
        "author": "Ada",
        "description": "",
        "plugin_type": PluginType.TOOL,
        "permissions": ASKED,
        "config_schema": {"size": {"type": "integer", "default": 3, "min": 1}, "name": {"type": "string"}},
    }
    return PluginMetadata(**fields | changes)


class Worker(ToolPlugin):
    """Does one of everything."""

    metadata = metadata()
    stopped = False

    async def shutdown(self) -> None:
        self.stopped = True

    async def execute(self, action: str, parameters: dict[str, Any]) -> Any:
        return await getattr(self, f"do_{action}")(**parameters)

    async def do_store(self, value: Any) -> list[Any]:
        await self.context.storage.set("a/1", value)
        found = [await self.context.storage.get("a/1"), await self.context.storage.list("a/")]
        return [*found, await self.context.storage.delete("a/1"), await self.context.storage.get("a/1", "gone")]

    async def do_report(self) -> str:
        self.context.progress(0.5, "half way")
        await self.context.progress(1, "done")
        await self.context.emit("worked", {"by": (self.context.user or {}).get("username")})
        return "reported"

    async def do_add(self, amount: Any) -> float:
        return await self.context.storage.add("sum", amount)

    async def do_count(self, amount: float = 1) -> Any:
        return await self.context.counters.add("asked", amount, window_s=60)

    async def do_ask(self) -> list[Any]:
        answer = await self.context.chat("some/model", [{"role": "user", "content": "hi"}], temperature=0)
        result = await self.context.call("calculator", "execute", action="evaluate", parameters={})
        return [answer["choices"][0]["message"]["content"], result]

    async def do_ask_another(self) -> Any:
        return await self.context.call("stranger", "execute")

    async def do_return(self, what: str) -> Any:
        return {"set": {1}, "tuple": (1, 2), "object": object()}[what]

    @method()
    def where(self) -> int:
        return threading.get_ident()

    @method()
    async def wait(self) -> None:
        await asyncio.Event().wait()

    @method()
    async def steps(self, count: int) -> AsyncIterator[Any]:
        for number in range(count):
            yield {"fraction": number / count, "message": f"step {number}"}
        yield "result"

    def undeclared(self) -> None: ...


async def test_config_gets_defaults_and_is_validated() -> None:
    async with PluginHarness(Worker, {"name": "ada"}) as harness:
        assert dict(harness.plugin.config) == {"size": 3, "name": "ada"}
        assert harness.plugin.get_config("missing", 7) == 7
    with pytest.raises(ConfigError) as caught:
        await PluginHarness(Worker, {"size": 0}).__aenter__()
    assert [error["pointer"] for error in caught.value.errors] == ["/size"]


async def test_shutdown_runs_on_leaving() -> None:
    async with PluginHarness(Worker) as harness:
        plugin = harness.plugin
        assert isinstance(plugin, Worker)
        assert not plugin.stopped
    assert plugin.stopped


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("_secret", "method_private"),
        ("initialize", "method_lifecycle"),
        ("undeclared", "method_undeclared"),
        ("config", "method_undeclared"),
        ("missing", "method_not_found"),
        ("execute", "arguments_invalid"),
    ],
)
async def test_only_declared_methods_with_fitting_arguments_can_be_called(name: str, reason: str) -> None:
    async with PluginHarness(Worker) as harness:
        with pytest.raises(CallRefused) as caught:
            await harness.call(name)
    assert caught.value.reason == reason


async def test_a_sync_method_runs_in_a_thread() -> None:
    async with PluginHarness(Worker) as harness:
        assert await harness.call("where") != threading.get_ident()


async def test_results_are_what_the_wire_would_bring() -> None:
    async with PluginHarness(Worker) as harness:
        assert await harness.call("execute", action="return", parameters={"what": "tuple"}) == [1, 2]
        assert await harness.call("execute", "return", {"what": "set"}) == [1]
        with pytest.raises(PluginError, match="type object cannot be sent"):
            await harness.call("execute", "return", {"what": "object"})


async def test_items_of_a_tools_generator_are_progress_and_the_last_is_the_result() -> None:
    async with PluginHarness(Worker) as harness:
        assert await harness.call("steps", 2) == "result"
        assert [(each.fraction, each.message) for each in harness.progress] == [(0.0, "step 0"), (0.5, "step 1")]


async def test_streams_bring_items_as_they_come_and_leaving_early_cancels_them() -> None:
    ended = asyncio.Event()

    class Endless(ProviderPlugin):
        metadata = metadata(plugin_type=PluginType.PROVIDER)

        async def stream_completion(
            self, messages: list[dict[str, Any]], model: str, **kwargs: Any
        ) -> AsyncIterator[dict[str, Any]]:
            try:
                while True:
                    yield {"choices": []}
            finally:
                ended.set()

        @method()
        def letters(self) -> Iterator[str]:
            yield from "abc"

    async with PluginHarness(Endless) as harness:
        async with aclosing(harness.stream("stream_completion", messages=[], model="m")) as chunks:
            async for chunk in chunks:
                assert chunk == {"choices": []}
                break
        await asyncio.wait_for(ended.wait(), 5)
        assert [letter async for letter in harness.stream("letters")] == ["a", "b", "c"]
        assert await harness.call("letters") == ["a", "b", "c"]


async def test_a_stream_that_raises_ends_with_the_plugins_error() -> None:
    class Breaking(ToolPlugin):
        metadata = metadata()

        @method()
        async def items(self) -> AsyncIterator[int]:
            yield 1
            raise PluginError("broke")

    async with PluginHarness(Breaking) as harness:
        seen = []
        with pytest.raises(PluginError, match="broke"):
            async for item in harness.stream("items"):
                seen.append(item)
    assert seen == [1]


async def test_calls_have_a_time_limit() -> None:
    async with PluginHarness(Worker) as harness:
        with pytest.raises(DeadlineExceeded, match=r"wait was not done after 0\.01 s"):
            await harness.call("wait", timeout=0.01)


async def test_storage_is_kept_in_memory_up_to_the_quota() -> None:
    async with PluginHarness(Worker, storage_quota=20) as harness:
        assert await harness.call("execute", "store", {"value": [1]}) == [[1], ["a/1"], True, "gone"]
        with pytest.raises(PluginError, match="quota of 20"):
            await harness.call("execute", "store", {"value": "x" * 20})


async def test_numbers_are_added_to_what_is_stored() -> None:
    async with PluginHarness(Worker) as harness:
        sums = [await harness.call("execute", action="add", parameters={"amount": amount}) for amount in (2, 0.5)]
        assert sums == [2, 2.5] and harness.storage == {"sum": 2.5}
        with pytest.raises(PluginError, match="must be numbers"):
            await harness.call("execute", action="add", parameters={"amount": "1"})


class Reader(ToolPlugin):
    metadata = metadata(permissions={"host": ["conversations:read"]})

    async def execute(self, action: str, parameters: dict[str, Any] | None = None) -> Any:
        if action == "get":
            return await self.context.conversations.get("c1")
        return await self.context.conversations.search(action, limit=2)


async def test_conversations_are_those_of_the_user_who_calls() -> None:
    said = {"id": "m1", "role": "user", "content": "About green tea.", "created_at": "2026-01-01T00:00:00+00:00"}
    conversations = [{"id": "c1", "title": "Tea", "messages": [said]}]
    ann = {"id": 1, "username": "ann"}
    async with PluginHarness(Reader, conversations=conversations, user=ann) as harness:
        titled, found = await harness.call("execute", action="tea")
        assert (titled["message_id"], titled["excerpt"]) == (None, "Tea")
        assert (found["conversation_id"], found["message_id"], found["excerpt"]) == ("c1", "m1", "About green tea.")
        assert await harness.call("execute", action="coffee") == []
        assert (await harness.call("execute", action="get"))["messages"] == [said]
    for circumstances in ({"user": ann, "permissions": []}, {"conversations": conversations}):
        async with PluginHarness(Reader, **circumstances) as harness:
            with pytest.raises(PermissionDenied):
                await harness.call("execute", action="tea")
    async with PluginHarness(Reader, user=ann) as harness:
        with pytest.raises(PluginError, match="no such conversation"):
            await harness.call("execute", action="get")


async def test_counters_begin_anew_with_each_window_and_may_be_away() -> None:
    async with PluginHarness(Worker) as harness:

        async def count(amount: float = 1) -> Any:
            return await harness.call("execute", action="count", parameters={"amount": amount})

        first = await count()
        assert first["total"] == 1 and 0 < first["resets_in"] <= 60
        harness.advance(first["resets_in"])
        assert [(await count(amount))["total"] for amount in (2, 0)] == [2, 2]
        assert harness.counters == {("asked", 60): 2}
        harness.lose_counters()
        with pytest.raises(NotReady):
            await count()
        harness.lose_counters(away=False)
        assert (await count())["total"] == 3


async def test_events_progress_and_the_user_are_there_to_look_at() -> None:
    async with PluginHarness(Worker, user={"id": 1, "username": "ada"}) as harness:
        assert await harness.call("execute", "report", {}) == "reported"
        assert harness.progress == [Progress(0.5, "half way"), Progress(1, "done")]
        assert harness.events == [Event("worked", {"by": "ada"})]


async def test_models_and_other_plugins_answer_from_the_script() -> None:
    asked: list[dict[str, Any]] = []

    def calculator(**call: Any) -> int:
        asked.append(call)
        return 42

    async with PluginHarness(Worker, chat=["hello", "again"], calls=calculator) as harness:
        assert await harness.call("execute", "ask", {}) == ["hello", 42]
        assert await harness.call("execute", "ask", {}) == ["again", 42]
        with pytest.raises(AssertionError, match="only 2 answers"):
            await harness.call("execute", "ask", {})
    assert asked[0] == {"plugin_id": "calculator", "method": "execute", "action": "evaluate", "parameters": {}}
    assert harness.host_calls[0].payload["kwargs"] == {"temperature": 0}


async def test_host_calls_need_the_permission() -> None:
    async with PluginHarness(Worker, permissions=[]) as harness:
        with pytest.raises(PermissionDenied, match="host:storage"):
            await harness.call("execute", "store", {"value": 1})
    async with PluginHarness(Worker) as harness:
        with pytest.raises(PermissionDenied, match="host:plugins:stranger"):
            await harness.call("execute", "ask_another", {})


async def test_what_a_plugin_depends_on_it_may_call() -> None:
    class Depends(Worker):
        metadata = metadata(dependencies=["strange_r>=1", "stranger >=1"])

    class MightDepend(Worker):
        metadata = metadata(optional_dependencies=["stranger^1.2"])

    for plugin in (Depends, MightDepend):
        async with PluginHarness(plugin, calls=[7]) as harness:
            assert await harness.call("execute", "ask_another", {}) == 7


async def test_host_calls_work_only_while_a_call_is_answered() -> None:
    async with PluginHarness(Worker) as harness:
        with pytest.raises(PluginError, match="only possible while a call"):
            await harness.plugin.context.storage.get("a")


async def test_a_plugin_that_does_not_get_ready_says_which_way() -> None:
    class Refusing(ToolPlugin):
        metadata = metadata()

        async def initialize(self) -> bool:
            return False

    class Hanging(ToolPlugin):
        metadata = metadata(limits={"init_timeout_s": 0.01})

        async def initialize(self) -> bool:
            await asyncio.Event().wait()
            return True

    class Picky(ToolPlugin):
        metadata = metadata()

        async def validate_config(self) -> bool:
            return False

    for plugin, reason in [
        (Refusing, "initialize_returned_false"),
        (Hanging, "initialize_timeout"),
        (Picky, "config_invalid"),
    ]:
        with pytest.raises(LoadFailed) as caught:
            await PluginHarness(plugin).__aenter__()
        assert caught.value.reason == reason


async def test_cancelling_tells_a_sync_method_that_looks() -> None:
    started = threading.Event()

    class Patient(ToolPlugin):
        metadata = metadata()

        @method()
        def until_cancelled(self) -> str:
            started.set()
            while not self.context.cancelled:
                time.sleep(0.001)
            return "stopped"

    async with PluginHarness(Patient) as harness:
        call = asyncio.create_task(harness.call("until_cancelled"))
        assert await asyncio.to_thread(started.wait, 5)
        harness.cancel()
        assert await call == "stopped"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "word_count"
    home.mkdir()
    (home / "__init__.py").write_text("")
    (home / "counting.py").write_text("def count(text):\n    return len(text.split())\n")
    (home / "config.json").write_text('{"enabled": true, "extra": 1}')
    (home / "plugin.py").write_text(
        textwrap.dedent(
            """
            from plugins_app.sdk import ToolPlugin
            from .counting import count

            class WordCount(ToolPlugin):
                def execute(self, action, parameters):
                    return count(parameters["text"]) + self.get_config("extra")
            """
        )
    )
    (home / "plugin.toml").write_text(
        '[plugin]\nid = "word-count"\nname = "Words"\nversion = "1.0.0"\ntype = "tool"\n[limits]\nconcurrency = 2\n'
    )
    return home


async def test_a_folder_is_read_as_the_studio_reads_it(folder: Path) -> None:
    async with PluginHarness(folder) as harness:
        assert harness.metadata.id == "word-count"
        assert harness.limits == Limits(concurrency=2)
        assert type(harness.plugin).__module__ == "installed_plugins.word_count.plugin"
        assert await harness.call("execute", action="count", parameters={"text": "one two"}) == 3


async def test_a_folder_is_imported_afresh_each_time(folder: Path) -> None:
    async with PluginHarness(folder) as harness:
        first = type(harness.plugin)
    (folder / "counting.py").write_text("def count(text):\n    return -1  # another length\n")
    async with PluginHarness(folder) as harness:
        assert type(harness.plugin) is not first
        assert await harness.call("execute", action="count", parameters={"text": "one two"}) == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("class Lost: pass", "no_class"),
        ("from plugins_app.sdk import ToolPlugin as T\nclass A(T): pass\nclass B(T): pass", "several_classes"),
    ],
)
async def test_a_folder_must_have_one_plugin_class(folder: Path, code: str, reason: str) -> None:
    (folder / "plugin.py").write_text(code)
    with pytest.raises(LoadFailed) as caught:
        await PluginHarness(folder).__aenter__()
    assert caught.value.reason == reason


async def test_a_class_beside_a_manifest_gets_it() -> None:
    from installed_plugins.calculator.plugin import Calculator

    async with PluginHarness(Calculator) as harness:
        assert harness.metadata.id == "calculator"
        assert harness.plugin.config["significant_digits"] == 15
    with pytest.raises(NotImplementedError):
        _ = Calculator().metadata


async def test_a_generation_before_leaves_its_state() -> None:
    class Counter(Worker):
        async def initialize(self) -> bool:
            self.count = 0
            return True

        def migrate_state(self, old: OldState) -> None:
            self.count = old["count"] + old.count

    async with PluginHarness(Counter, old={"count": 3}) as harness:
        assert harness.plugin.count == 6  # type: ignore[attr-defined]
