"""Plugins that need each other: several versions, swaps that take others along, and everything that is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.integration.town import Town
from tests.studio import Studio, wait_for

Drop = Callable[..., Path]
FAILS = "raise ValueError('no')"


@pytest.fixture
def town(studio: Studio, plugin_folder: Drop) -> Town:
    return Town(studio, plugin_folder)


def test_an_older_version_is_loaded_where_only_that_one_fits(town: Town) -> None:
    town.put("ground")
    town.put("ground", "2.0.0")
    town.put("house", "1.0.0", "ground>=1,<2")
    assert town.card("house")["dependencies"][0]["version"] == "1.0.0"
    answer = town.load("house")
    assert answer.steps == {"ground": ("load", None, "1.0.0"), "house": ("load", None, "1.0.0")}
    [because] = answer.body["changes"][0]["because"]
    assert because == {"id": "house", "range": ">=1,<2", "version": "1.0.0"}
    assert town.serving("ground", "house") == ["1.0.0", "1.0.0"]


def test_why_a_version_was_chosen_is_kept_with_all_releases_of_the_batch(town: Town, studio: Studio) -> None:
    town.put("ground")
    town.put("ground", "2.0.0")
    town.put("house", "1.0.0", "ground <2")
    town.loaded("house")
    names = (town.name("ground"), town.name("house"))
    code = (
        "import json; from plugins_app.models import PluginRelease as R;"
        f" rows = [R.objects.filter(plugin_id=p).first() for p in {names}];"
        " print(json.dumps([[str(row.batch), row.explanation] for row in rows]))"
    )
    [ground, house] = json.loads(studio.manage("shell", "-c", code).splitlines()[-1])
    assert ground == house and ground[0] != "None"
    asked = {(row["by"], row["id"]): row for row in ground[1]}
    assert asked.keys() == {(None, names[1]), (names[1], names[0])}
    row = asked[names[1], names[0]]
    assert (row["range"], row["chosen"], row["candidates"]) == ("<2", "1.0.0", ["2.0.0", "1.0.0"])


def test_a_swap_takes_along_what_only_fits_to_the_old_version_and_keeps_the_rest(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground<2")
    town.put("garden", "1.0.0", "ground")
    town.put("apart")
    town.loaded("house", "garden", "apart")
    before = town.generations("garden", "apart")

    town.put("house", "2.0.0", "ground>=2")
    town.put("garden", "1.1.0", "ground")
    town.put("ground", "2.0.0")
    assert town.reload("ground").steps == {
        "ground": ("swap", "1.0.0", "2.0.0"),
        "house": ("swap", "1.0.0", "2.0.0"),
        "garden": ("keep", "1.0.0", "1.0.0"),
    }
    assert town.serving("ground", "house", "garden") == ["2.0.0", "2.0.0", "1.0.0"]
    assert town.generations("garden", "apart") == before
    ground, house = (town.card(name)["nodes"][0]["started_at"] for name in ("ground", "house"))
    assert ground < house, "the new house began on the old ground"


def test_a_rollback_takes_along_what_only_fits_to_the_new_version(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground<2")
    town.loaded("house")
    first = town.card("ground")["digest"]
    town.put("house", "2.0.0", "ground>=2")
    town.put("ground", "2.0.0")
    assert town.reload("ground").status == 200
    answer = town.rollback("ground", first)
    assert answer.steps == {"ground": ("swap", "2.0.0", "1.0.0"), "house": ("swap", "2.0.0", "1.0.0")}
    assert town.serving("ground", "house") == ["1.0.0", "1.0.0"]


def test_a_swap_that_a_dependent_cannot_follow_is_refused_and_names_all_of_them(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground<2")
    town.put("garden", "1.0.0", "ground==1.*")
    town.loaded("house", "garden")
    town.put("ground", "2.0.0")
    answer = town.reload("ground")
    assert answer.problem[:2] == (409, "dependency_incompatible")
    assert sorted(answer.body["dependents"]) == ["garden", "house"]
    assert "house 1.0.0 depends on ground <2" in answer.body["detail"]
    assert "goes on serving" in answer.body["detail"]
    assert {(row["by"], row["range"]) for row in answer.body["explanation"]} == {("house", "<2"), ("garden", "==1.*")}
    assert town.serving("ground", "house", "garden") == ["1.0.0"] * 3
    assert town.generations("ground", "house", "garden") == [1, 1, 1]


def test_a_new_dependency_is_loaded_with_the_reload_that_asks_for_it(town: Town) -> None:
    town.put("house")
    town.loaded("house")
    town.put("ground")
    town.put("house", "2.0.0", "ground")
    assert town.reload("house").steps == {"ground": ("load", None, "1.0.0"), "house": ("swap", "1.0.0", "2.0.0")}
    assert town.serving("ground", "house") == ["1.0.0", "2.0.0"]


def test_a_loaded_dependency_is_swapped_where_its_dependents_allow_it(town: Town) -> None:
    town.put("ground")
    town.loaded("ground")
    town.put("ground", "2.0.0")
    town.put("house", "1.0.0", "ground>=2")
    assert town.load("house").steps["ground"] == ("swap", "1.0.0", "2.0.0")

    town.put("shed", "1.0.0", "ground<2")
    refused = town.load("shed")
    assert refused.problem == (409, "dependency_incompatible", ["shed", "ground"])
    assert "house 1.0.0 asks for >=2" in refused.body["detail"]
    assert town.serving("ground", "house", "shed") == ["2.0.0", "1.0.0", None]


def test_optional_ones_are_not_loaded_but_count_once_they_are(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", optional=("ground>=2",))
    town.loaded("house")
    expected = {"id": "ground", "range": ">=2", "optional": True, "satisfied": False, "version": None}
    assert town.card("house")["dependencies"] == [expected]
    refused = town.load("ground")
    assert refused.problem[:2] == (409, "dependency_incompatible")
    assert refused.body["dependents"] == ["house"]

    town.put("ground", "2.0.0")
    town.loaded("ground")
    assert town.card("house")["dependencies"] == [expected | {"satisfied": True, "version": "2.0.0"}]
    assert town.unload("ground").status == 200
    assert town.serving("ground", "house") == [None, "1.0.0"]


def test_a_disabled_one_is_loaded_by_itself_only(town: Town) -> None:
    town.put("ground", config={"enabled": False})
    town.put("house", "1.0.0", "ground")
    assert town.load("house").problem == (409, "dependency_disabled", ["house", "ground"])
    assert town.card("house")["last_error"]["code"] == "dependency_disabled"
    town.loaded("ground", "house")


def test_the_stored_configuration_enables_and_disables(town: Town) -> None:
    town.put("ground", config={"enabled": False})
    town.put("house", "1.0.0", "ground")
    town.configure("ground", enabled=True)
    town.loaded("house")
    town.unload("ground", cascade=True)
    town.configure("ground", enabled=False)
    assert town.load("house").problem[1] == "dependency_disabled"


def test_what_is_missing_further_down_is_told_with_its_path(town: Town) -> None:
    town.put("ground", "1.0.0", "rock>=3")
    town.put("house", "1.0.0", "ground")
    refused = town.load("house")
    assert refused.problem == (409, "dependency_missing", ["house", "ground", "rock"])
    rows = {(row["by"], row["id"]): row for row in refused.body["explanation"]}
    assert rows["ground", "rock"]["range"] == ">=3" and rows["ground", "rock"]["candidates"] == []
    assert town.serving("ground") == [None]


def test_circles_and_self_dependencies_are_told_with_their_path(town: Town) -> None:
    town.put("egg", "1.0.0", "hen")
    town.put("hen", "1.0.0", "egg")
    town.put("ouroboros", "1.0.0", "ouroboros>=1")
    assert town.load("egg").problem == (409, "dependency_cycle", ["egg", "hen", "egg"])
    assert town.load("ouroboros").problem == (409, "dependency_self", ["ouroboros", "ouroboros"])
    assert town.card("ouroboros")["state"] == "blocked"


def test_a_dependency_that_cannot_be_loaded_keeps_its_own_reason(town: Town) -> None:
    town.put("ground", schema={"key": {"type": "string", "required": True}})
    town.put("house", "1.0.0", "ground")
    refused = town.load("house")
    assert refused.problem == (409, "dependency_failed", ["house", "ground"])
    assert (refused.body["cause"], refused.body["dependency"]) == ("config_invalid", "ground")


@pytest.mark.parametrize("needs", ["ground whatever", "Ground>=1", "ground>>1", ""])
def test_nonsense_is_refused_when_the_folder_is_found(studio: Studio, plugin_folder: Drop, needs: str) -> None:
    plugin_folder("odd_needs", tool("odd-needs", dependencies=(needs,)))
    error = studio.http.get("/api/plugins/odd-needs").json()["last_error"]
    assert error["code"] == "metadata_invalid" and repr(needs) in error["detail"]


def test_nonsense_in_a_manifest_is_refused_as_well(studio: Studio, plugin_folder: Drop) -> None:
    about = '[plugin]\nid = "odd-manifest"\nname = "Odd"\nversion = "1.0.0"\ntype = "tool"\n'
    manifest = f'{about}[dependencies]\nground = "newest"\n'
    plugin_folder("odd_manifest", tool("odd-manifest"), files={"plugin.toml": manifest})
    error = studio.http.get("/api/plugins/odd-manifest").json()["last_error"]
    assert error["code"] == "metadata_invalid" and "'ground newest'" in error["detail"]


def test_when_one_fails_to_start_all_of_the_batch_goes_back(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground<2")
    town.loaded("house")
    town.put("ground", "2.0.0")
    town.put("house", "2.0.0", "ground>=2", initialize=FAILS)
    assert town.reload("ground").problem[:2] == (502, "initialize_raised")
    wait_for(lambda: town.serving("ground", "house") == ["1.0.0", "1.0.0"], 20)
    assert [town.card(name)["version"] for name in ("ground", "house")] == ["1.0.0", "1.0.0"]


def test_a_load_of_several_that_fails_loads_none(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground", initialize=FAILS)
    assert town.load("house").problem[:2] == (502, "initialize_raised")
    wait_for(lambda: town.serving("ground") == [None], 20)


def test_what_was_loaded_just_before_is_not_taken_back(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground", initialize=FAILS)
    town.loaded("ground")
    assert town.load("house").problem[:2] == (502, "initialize_raised")
    assert town.serving("ground") == ["1.0.0"]
    assert town.card("ground")["state"] == "active"


def test_an_unload_names_all_dependents_or_takes_them_along(town: Town) -> None:
    town.put("ground")
    town.put("house", "1.0.0", "ground")
    town.put("roof", "1.0.0", "house", "ground")
    town.loaded("roof")
    refused = town.unload("ground")
    assert refused.problem[:2] == (409, "dependents_loaded")
    assert refused.body["dependents"] == ["roof", "house"]
    assert town.unload("ground", cascade=True).status == 200
    assert town.serving("ground", "house", "roof") == [None] * 3
    town.loaded("roof")
    assert town.serving("ground", "house", "roof") == ["1.0.0"] * 3
