"""What happens is told everywhere: webhooks through failures, hooks and signals in any process, streams resumed."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks

from tests.integration.sources import tool
from tests.integration.test_events import opened, until
from tests.receiver import Receiver, receiving
from tests.studio import ROOT, Studio, running_studio, wait_for
from tests.valkey import Valkey

SCHEDULE = "0,0.4,0.4,0.4"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def valkey(owned_processes: set[int]) -> Iterator[Valkey]:
    root = Path(tempfile.mkdtemp(prefix="v", dir="/tmp"))
    server = Valkey(root, owned_processes.add)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def house(valkey: Valkey, owned_processes: set[int]) -> Iterator[Studio]:
    """A studio of its own: its Redis goes away, and it repeats quickly."""
    with running_studio(REDIS_URL=valkey.url, STUDIO_WEBHOOK_SCHEDULE=SCHEDULE, STUDIO_SOAK="0") as running:
        assert running.launcher is not None
        owned_processes.add(running.launcher.pid)
        yield running


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def hook(house: Studio, receiver: Receiver) -> Iterator[dict[str, Any]]:
    asked = {"name": "mine", "url": receiver.url, "plugins": ["calculator"], "events": ["plugin_reloaded"]}
    answer = house.http.post("/api/webhooks", asked)
    assert answer.status == 201, answer.text
    yield answer.json()
    assert house.http.delete(f"/api/webhooks/{answer.json()['id']}").status == 204


def reload(house: Studio) -> int:
    answer = house.http.post("/api/plugins/calculator/reload")
    assert answer.status == 200, answer.text
    generation: int = answer.json()["generation"]
    return generation


def log_of(house: Studio, hook: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = house.http.get(f"/api/webhooks/{hook['id']}/deliveries").json()["results"]
    return rows


def delivered(house: Studio, hook: dict[str, Any], count: int = 1) -> list[dict[str, Any]]:
    wait_for(lambda: [row["status"] for row in log_of(house, hook)] == ["delivered"] * count, PATIENCE, house.log)
    return log_of(house, hook)


def test_a_reload_arrives_signed(house: Studio, hook: dict[str, Any], receiver: Receiver) -> None:
    generation = reload(house)
    wait_for(lambda: receiver.messages, PATIENCE, house.log)
    [message] = receiver.messages
    told = standardwebhooks.Webhook(hook["secret"]).verify(message.body, message.headers)
    assert (told["type"], told["data"]["plugin_id"], told["data"]["node"]) == ("plugin_reloaded", "calculator", "local")
    assert told["data"]["generation"] == generation and told["data"]["id"]
    [row] = delivered(house, hook)
    assert row["id"] == message.headers["webhook-id"]


def test_who_fails_twice_is_told_a_third_time(house: Studio, hook: dict[str, Any], receiver: Receiver) -> None:
    receiver.answer(500, 500, 200)
    reload(house)
    [row] = delivered(house, hook)
    assert [attempt["status"] for attempt in row["attempts"]] == [500, 500, 200]
    assert len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    assert len({message.body for message in receiver.messages}) == 1
    for message in receiver.messages:
        standardwebhooks.Webhook(hook["secret"]).verify(message.body, message.headers)
    assert house.http.get(f"/api/webhooks/{hook['id']}").json()["failures"] == 0


def test_what_happens_while_redis_is_away_is_told_all_the_same(
    house: Studio, hook: dict[str, Any], receiver: Receiver, valkey: Valkey
) -> None:
    valkey.stop(signal.SIGKILL)
    try:
        reload(house)
        assert log_of(house, hook)[0]["status"] == "waiting" and not receiver.messages
    finally:
        valkey.start()
    delivered(house, hook)
    assert len(receiver.messages) == 1


def test_what_the_courier_was_to_send_when_it_died_is_sent_by_the_next(
    house: Studio, hook: dict[str, Any], receiver: Receiver
) -> None:
    courier = house.pids()["courier"]
    os.kill(courier, signal.SIGKILL)
    reload(house)
    delivered(house, hook)
    wait_for(lambda: house.pids()["courier"] != courier, PATIENCE, house.log)


def test_a_receiver_that_is_gone_for_good_is_disabled_and_can_come_back(
    house: Studio, hook: dict[str, Any], receiver: Receiver
) -> None:
    path = f"/api/webhooks/{hook['id']}"
    receiver.answer(500)
    for _ in range(6):
        reload(house)
    wait_for(lambda: not house.http.get(path).json()["enabled"], PATIENCE, house.log)
    off = house.http.get(path).json()
    assert off["failures"] >= 20 and "Nothing was accepted since" in off["disabled_reason"]
    before = len(log_of(house, hook))
    reload(house)
    assert len(log_of(house, hook)) == before

    assert house.http.post(f"{path}/test").json()["attempts"][0]["status"] == 500
    receiver.answer(200)
    assert house.http.post(f"{path}/test").json()["status"] == "delivered"
    assert house.http.patch(path, {"enabled": True}).json()["disabled_reason"] == ""
    generation = reload(house)
    expected = f'"generation":{generation},'.encode()
    wait_for(lambda: any(expected in message.body for message in receiver.messages), PATIENCE, house.log)


def test_a_hanging_receiver_holds_up_neither_executions_nor_other_receivers(
    house: Studio, hook: dict[str, Any], receiver: Receiver
) -> None:
    def hang(handler: Any) -> bool:
        held[0].released.wait(40)
        return True

    held: list[Receiver] = []
    with receiving(before=hang) as stuck:
        held.append(stuck)
        asked = {"name": "stuck", "url": stuck.url, "plugins": ["calculator"], "events": ["plugin_reloaded"]}
        other = house.http.post("/api/webhooks", asked).json()
        for _ in range(8):
            reload(house)
        wait_for(lambda: stuck.messages, PATIENCE, house.log)
        delivered(house, hook, 8)
        question = {"action": "evaluate", "parameters": {"expression": "6*7"}}
        call = {"plugin_id": "calculator", "method": "execute", "kwargs": question, "mode": "async"}
        location = house.http.post("/api/plugins/execute", call).headers["Location"]
        wait_for(lambda: house.http.get(location).json()["status"] == "succeeded", PATIENCE, house.log)
        assert len(stuck.messages) <= 4 and not stuck.released.is_set()
        stuck.released.set()
        assert house.http.delete(f"/api/webhooks/{other['id']}").status == 204


LISTENER = """
import json, os, sys, threading
from django.dispatch import receiver
from plugins_app.manager import plugin_manager
from plugins_app.signals import plugin_event, plugin_loaded

def say(*words):
    print(json.dumps(words), flush=True)

@receiver(plugin_loaded)
def loaded(plugin_id, data, **kwargs):
    say("signal", plugin_id, data["generation"])

@receiver(plugin_event, sender="plugin_unloaded")
def unloaded(plugin_id, **kwargs):
    say("one signal for all", plugin_id)

async def later(plugin_id, data):
    say("async hook", plugin_id, data["event"])

def fails(plugin_id):
    raise RuntimeError("a hook's own fault")

plugin_manager.register_hook("plugin_loaded", fails)
plugin_manager.register_hook("plugin_loaded", lambda plugin_id: say("hook", plugin_id))
plugin_manager.register_hook("plugin_unloaded", later)
say("ready")
sys.stdin.read()
"""


@contextmanager
def listening(house: Studio) -> Iterator[Callable[[], list[Any]]]:
    """A `manage.py shell` in which hooks and receivers wait; what they have said so far."""
    command = [sys.executable, "manage.py", "shell", "-c", LISTENER]
    with tempfile.TemporaryFile("w+") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=house.environ, stdin=subprocess.PIPE, stdout=out)

        def said() -> list[Any]:
            out.flush()
            out.seek(0)
            return [json.loads(line) for line in out if line.startswith("[")]

        try:
            wait_for(lambda: ["ready"] in said(), PATIENCE)
            yield said
        finally:
            process.communicate()
            assert process.returncode == 0


def test_hooks_and_signals_are_heard_in_every_process_once_and_in_order(house: Studio) -> None:
    (house.plugins_dir / "heard").mkdir()
    (house.plugins_dir / "heard" / "plugin.py").write_text(tool("heard"))
    (house.plugins_dir / "heard" / "__init__.py").touch()
    with listening(house) as first, listening(house) as second:
        assert house.http.post("/api/plugins/load", {"plugin_id": "heard"}).status == 200
        assert house.http.post("/api/plugins/heard/unload").status == 200
        assert house.http.post("/api/plugins/load", {"plugin_id": "heard"}).status == 200
        assert house.http.post("/api/plugins/heard/unload").status == 200
        life = [[["hook", "heard"], ["signal", "heard", generation], *_GONE] for generation in (1, 2)]
        expected = [["ready"], *life[0], *life[1]]
        for said in (first, second):
            wait_for(lambda said=said: said() == expected, PATIENCE, lambda said=said: str(said()))


_GONE = [["async hook", "heard", "plugin_unloaded"], ["one signal for all", "heard"]]


def test_a_stream_is_resumed_by_another_web_process(house: Studio) -> None:
    newest = reload(house)
    with opened(house, "/api/plugins/events?plugin=calculator", last_id="0") as stream:
        seen = [event for event in until_generation(stream, newest) if event["name"] == "plugin_reloaded"]
    web = house.pids()["web"]
    os.kill(web, signal.SIGKILL)
    house.manage(
        "shell", "-c", "from plugins_app.services.events import event_record as e; e(event='x:y', plugin_id='x')"
    )
    wait_for(lambda: house.pids()["web"] != web and house._is_healthy(), PATIENCE, house.log)
    with opened(house, f"/api/plugins/events?last_event_id={seen[-1]['id']}") as stream:
        after = until(stream, "x:y")
    assert int(after[0]["id"]) > int(seen[-1]["id"]) and after[-1]["plugin_id"] == "x"


def until_generation(stream: Any, generation: int) -> list[dict[str, Any]]:
    from tests.integration.test_events import events

    seen = []
    for event in events(stream):
        seen.append(event)
        if event.get("generation") == generation and event["name"] == "plugin_reloaded":
            return seen
    raise AssertionError(f"no generation {generation} in {seen}")


LIVELY = """
import asyncio, os
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin

class Lively(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(id="lively", name="Lively", version="1.0.0", author="A", description="d",
                              plugin_type=PluginType.TOOL, config_schema={"level": {"type": "integer", "default": 1}})

    async def initialize(self):
        if self.get_config("level") == 9:
            raise ValueError("nine is too much")
        return True

    async def execute(self, action="wait", parameters=None):
        if action == "die":
            os._exit(3)
        for step in range(4):
            self.context.progress(step / 4, f"step {step}")
            await asyncio.sleep(0.4)
        return "done"
"""


def test_every_event_is_told_with_what_one_needs_to_know(house: Studio) -> None:
    folder = house.plugins_dir / "lively"
    folder.mkdir()
    (folder / "plugin.py").write_text(LIVELY)
    (folder / "__init__.py").touch()
    api = house.http
    with opened(house, "/api/plugins/events?plugin=lively") as stream:
        assert stream.readline().startswith(b":")
        assert api.post("/api/plugins/load", {"plugin_id": "lively"}).status == 200
        assert api.put("/api/plugins/lively/config", {"config": {"level": 2}}).status == 200
        assert api.put("/api/plugins/lively/config", {"config": {"level": 9}}).status == 502
        assert (
            api.post("/api/plugins/execute", {"plugin_id": "lively", "method": "execute", "mode": "async"}).status
            == 202
        )
        seen = until(stream, "execution_finished")
        api.post("/api/plugins/execute", {"plugin_id": "lively", "method": "execute", "args": ["die"]})
        seen += until(stream, "plugin_recovered")
        assert api.post("/api/plugins/lively/unload").status == 200
        seen += until(stream, "plugin_unloaded")
    needed = {
        "plugin_discovered": {"digest"},
        "plugin_loading": {"generation", "digest", "cause"},
        "plugin_loaded": {"generation", "digest"},
        "plugin_config_changed": {"fields"},
        "plugin_reloaded": {"generation", "digest", "old_generation"},
        "plugin_failed": {"generation", "code", "detail"},
        "execution_started": {"execution_id"},
        "execution_progress": {"execution_id", "fraction", "message"},
        "execution_finished": {"execution_id", "status"},
        "plugin_crashed": {"generation", "reason"},
        "plugin_recovered": {"generation", "digest"},
        "plugin_unloaded": {"generation"},
    }
    assert {event["name"] for event in seen} == set(needed)
    for event in seen:
        assert needed[event["name"]] <= set(event) and event["node"] == "local" and event["at"], event
    assert any(event["name"] == "plugin_failed" and "nine is too much" in event["detail"] for event in seen)
    order = [event["name"] for event in seen]
    assert order.index("plugin_discovered") < order.index("plugin_loading") < order.index("plugin_loaded")
