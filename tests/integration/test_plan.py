"""`GET /api/plugins/{id}/plan`: what a change would do, told without doing it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.integration.town import Town
from tests.studio import Studio

Drop = Callable[..., Path]


@pytest.fixture
def town(studio: Studio, plugin_folder: Drop) -> Town:
    return Town(studio, plugin_folder)


def test_a_load_is_told_with_all_it_brings_along_and_nothing_happens(town: Town) -> None:
    town.put("ground")
    town.put("ground", "2.0.0")
    town.put("house", "1.0.0", "ground<2")
    plan = town.plan("house")
    assert plan.status == 200, plan.text
    assert (plan.body["action"], plan.body["possible"], plan.body["problem"]) == ("load", True, None)
    assert plan.steps == {"ground": ("load", None, "1.0.0"), "house": ("load", None, "1.0.0")}
    asked = [(row["by"], row["id"], row["chosen"]) for row in plan.body["explanation"]]
    assert asked == [(None, "house", "1.0.0"), ("house", "ground", "1.0.0")]
    assert town.serving("ground", "house") == [None, None]
    assert town.load("house").body["changes"] == plan.body["changes"]


def test_a_reload_is_told_with_whom_it_takes_along(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground<2")
    town.loaded("house")
    town.put("house", "2.0.0", "ground>=2")
    town.put("ground", "2.0.0")
    plan = town.plan("ground", "?action=reload")
    assert plan.steps == {"ground": ("swap", "1.0.0", "2.0.0"), "house": ("swap", "1.0.0", "2.0.0")}
    house = plan.body["changes"][1]
    assert house["because"] == [{"id": "ground", "range": "<2", "version": "2.0.0"}]
    assert town.serving("ground", "house") == ["1.0.0", "1.0.0"]
    assert town.plan("ground").steps["ground"] == ("keep", "1.0.0", "1.0.0")


def test_a_version_can_be_named_by_its_digest(town: Town) -> None:
    town.put("ground")
    digest = town.card("ground")["digest"]
    town.put("ground", "2.0.0")
    town.loaded("ground")
    assert town.plan("ground", f"?digest={digest[:12]}").steps == {"ground": ("swap", "2.0.0", "1.0.0")}
    for unknown in ("0" * 64, digest[:4]):
        plan = town.plan("ground", f"?digest={unknown}")
        assert plan.body["problem"]["code"] == "version_not_found"


def test_an_unload_is_told_with_its_dependents(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground>=1")
    town.loaded("house")
    alone, together = (town.plan("ground", f"?action=unload{more}") for more in ("", "&cascade=true"))
    assert (alone.body["possible"], alone.body["problem"]["code"]) == (False, "dependents_loaded")
    assert (together.body["possible"], together.body["problem"]) == (True, None)
    expected = {"house": ("unload", "1.0.0", None), "ground": ("unload", "1.0.0", None)}
    assert alone.steps == together.steps == expected
    assert list(together.steps) == ["house", "ground"]
    assert together.body["changes"][0]["because"] == [{"id": "ground", "range": ">=1", "version": "1.0.0"}]
    town.put("idle")
    assert town.plan("idle", "?action=unload").body["changes"] == []


def test_what_stands_in_the_way_is_part_of_the_answer(town: Town) -> None:
    town.put("house", "1.0.0", "ground")
    plan = town.plan("house")
    assert (plan.status, plan.body["possible"], plan.body["changes"]) == (200, False, [])
    assert (plan.body["problem"]["code"], plan.body["problem"]["path"]) == ("dependency_missing", ["house", "ground"])
    assert [(row["by"], row["id"]) for row in plan.body["explanation"]] == [("house", "ground")]
    assert town.plan("house", "?action=reload").body["problem"]["code"] == "not_loaded"


def test_what_a_load_would_refuse_besides_is_told_as_well(town: Town) -> None:
    town.put("ground", schema={"key": {"type": "string", "required": True}})
    town.put("house", "1.0.0", "ground")
    assert town.plan("ground").body["problem"]["code"] == "config_invalid"
    plan = town.plan("house")
    assert plan.body["problem"]["code"] == "dependency_failed"
    assert set(plan.steps) == {"ground", "house"}


def test_a_broken_folder_is_told(town: Town, studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("plan_broken", tool("plan-broken").replace("async def", "async dfe"))
    problem = studio.http.get("/api/plugins/plan-broken/plan").json()["problem"]
    assert problem["code"] == "import_failed"


@pytest.mark.parametrize("query", ["?action=explode", "?cascade=perhaps", "?acton=load"])
def test_a_question_that_does_not_fit_is_refused(studio: Studio, query: str) -> None:
    answer = studio.http.get(f"/api/plugins/calculator/plan{query}")
    assert (answer.status, answer.json()["code"]) == (422, "invalid")


def test_plans_are_for_operators(studio: Studio) -> None:
    assert studio.as_user.get("/api/plugins/calculator/plan").json()["code"] == "forbidden"
    assert studio.http.get("/api/plugins/never-heard-of/plan").json()["code"] == "plugin_not_found"
