"""A plugin calls what it depends on: without a permission of its own, as the same user, in the time that is left."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.integration.town import Town
from tests.studio import Studio, wait_for

Drop = Callable[..., Path]

CALLS = """
return await self.context.call(f"{action}TOWN", "execute", **(parameters or {}))
"""
CATCHES = """
from plugins_app.sdk import PluginError
try:
    return await self.context.call(f"{action}TOWN", "execute", **(parameters or {}))
except PluginError as error:
    return f"{type(error).__name__}: {error}"
"""
TELLS = """
if action == "wait":
    self.ended = None
    try:
        await asyncio.sleep(600)
    finally:
        self.ended = "cut off"
return getattr(self, "ended", None) if action == "ended" else self.context.user
"""
WAITS_AT_A_GATE = """
while not await self.context.call("groundTOWN", "execute", action="pass"):
    await asyncio.sleep(0.02)
return "through"
"""
IS_A_GATE = """
self.asked = getattr(self, "asked", 0) + (action == "pass")
self.open = getattr(self, "open", False) or action == "open"
return self.asked if action == "count" else self.open
"""


@pytest.fixture
def town(studio: Studio, plugin_folder: Drop) -> Town:
    return Town(studio, plugin_folder)


def test_a_dependency_is_called_as_the_same_user(town: Town, studio: Studio) -> None:
    town.put("ground", execute=TELLS)
    town.put("house", "1.0.0", "ground", execute=CALLS)
    town.loaded("house")
    users = {}
    for client in (studio.http, studio.as_user):
        directly = town.call("ground", client).body["result"]
        assert directly["username"]
        assert town.call("house", client, action="ground").body["result"] == directly
        users[directly["username"]] = directly["is_operator"]
    assert sorted(users.values()) == [False, True]


def test_an_optional_dependency_is_called_once_it_is_there(town: Town) -> None:
    town.put("ground", execute=TELLS)
    town.put("house", "1.0.0", optional=("ground",), execute=CATCHES)
    town.loaded("house")
    assert "ground is not loaded" in town.call("house", action="ground").body["result"]
    town.loaded("ground")
    assert town.call("house", action="ground").body["result"]["username"]


def test_anything_else_still_needs_the_permission(town: Town) -> None:
    town.put("ground", execute=TELLS)
    town.put("other", execute=TELLS)
    town.put("house", "1.0.0", "ground", execute=CATCHES)
    town.loaded("house", "other")
    answer = town.call("house", action="other").body["result"]
    assert answer.startswith("PermissionDenied") and "host:plugins:other is not granted" in answer


def test_what_it_called_is_cut_off_when_its_own_time_is_up(town: Town) -> None:
    town.put("ground", execute=TELLS)
    town.put("house", "1.0.0", "ground", execute=CALLS)
    town.loaded("house")
    late = town.call("house", timeout=1, action="ground", parameters={"action": "wait"})
    assert late.problem[:2] == (504, "deadline_exceeded")
    wait_for(lambda: town.call("ground", action="ended").body["result"] == "cut off", 20)


def test_a_circle_of_calls_is_refused_with_its_path(town: Town) -> None:
    town.put("ground", optional=("house",), execute=CALLS)
    town.put("house", "1.0.0", "ground", execute=CALLS)
    town.loaded("house")
    refused = town.call("house", action="ground", parameters={"action": "house"})
    assert refused.problem[:2] == (409, "call_loop")
    assert "in a circle: house -> ground -> house." in refused.body["detail"]


def test_a_plugin_can_live_with_a_circle_that_was_refused(town: Town) -> None:
    town.put("ground", optional=("house",), execute=CALLS)
    town.put("house", "1.0.0", "ground", execute=CATCHES)
    town.loaded("house")
    answer = town.call("house", action="ground", parameters={"action": "house"})
    assert "house -> ground -> house" in answer.body["result"]


def test_a_call_that_began_before_its_plugin_was_unloaded_may_go_on_asking(town: Town) -> None:
    town.put("ground", execute=IS_A_GATE)
    town.put("house", "1.0.0", "ground", execute=WAITS_AT_A_GATE)
    town.loaded("house")
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(town.call, "house", timeout=60)
        wait_for(lambda: town.call("ground", action="count").body["result"] > 0, 20)
        assert town.unload("house").status == 200
        asked = town.call("ground", action="count").body["result"]
        wait_for(lambda: town.call("ground", action="count").body["result"] > asked, 20)
        town.call("ground", action="open")
        assert waiting.result().body["result"] == "through"
