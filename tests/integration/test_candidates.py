"""Which versions there are to choose from, and which plugins take part in a change."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from plugins_app.models import Plugin, PluginRelease, PluginVersion
from plugins_app.services.candidates import offers_around, offers_of, target_candidate
from plugins_app.services.changes import all_plugins
from plugins_app.services.planning import decide
from plugins_app.services.resolution import Offer
from plugins_app.services.snapshots import snapshot_path

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(settings: Settings, tmp_path: Path) -> None:
    settings.STUDIO_STORE = tmp_path


def found(plugin_id: str, *needs: str, loaded: bool = False, stored: bool = True, **facts: object) -> PluginVersion:
    """A version that is in the plugin's folder now, and loaded if asked for."""
    plugin, _ = Plugin.objects.get_or_create(id=plugin_id, defaults={"folder": plugin_id})
    metadata = {"id": plugin_id, "version": "1.0.0", "dependencies": list(needs), **facts}
    number = plugin.versions.count() + 1
    version = PluginVersion.objects.create(
        plugin=plugin, digest=f"{plugin_id}{number}".ljust(64, "0"), metadata=metadata
    )
    if stored:
        snapshot_path(plugin_id, version.digest).mkdir(parents=True)
    plugin.version = version
    if loaded:
        plugin.generation += 1
        plugin.desired = PluginRelease.objects.create(plugin=plugin, generation=plugin.generation, version=version)
    plugin.save()
    return version


def offer(plugin_id: str) -> Offer:
    return offers_of([plugin_id], all_plugins())[plugin_id]


def numbers(plugin_id: str) -> list[str]:
    return [each.version for each in offer(plugin_id).candidates]


def test_what_runs_comes_first_then_the_folder_then_the_highest() -> None:
    for number in ("3.0.0", "1.10.0", "1.9.0"):
        found("base", version=number)
    found("base", version="1.2.0", loaded=True)
    found("base", version="1.1.0")
    assert numbers("base") == ["1.2.0", "1.1.0", "3.0.0", "1.10.0", "1.9.0"]


def test_of_one_number_the_newest_counts_and_what_runs_is_never_lost() -> None:
    running = found("base", version="1.0.0", loaded=True)
    found("base", version="2.0.0")
    newest = found("base", version="2.0.0")
    again = found("base", version="1.0.0")
    digests = [each.digest for each in offer("base").candidates]
    assert digests == [running.digest, again.digest, newest.digest]


def test_what_is_neither_in_the_store_nor_shared_is_no_candidate() -> None:
    found("base", version="1.0.0", stored=False)
    PluginVersion.objects.filter(id=found("base", version="1.1.0", stored=False).id).update(shared=True)
    found("base", version="2.0.0")
    assert numbers("base") == ["2.0.0", "1.1.0"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"problem": {"code": "import_failed", "detail": "no"}}, "import_failed"),
        ({"config": {"enabled": False}}, "dependency_disabled"),
        ({"config": {"enabled": "no"}}, None),
    ],
)
def test_what_stands_in_the_way_of_loading_it_for_others(change: dict[str, object], code: str | None) -> None:
    found("base")
    Plugin.objects.filter(id="base").update(**change)
    reason = offer("base").reason
    assert (reason.code if reason else None) == code
    assert bool(offer("base").usable) == (code is None)


def test_config_json_disables_and_what_is_stored_decides() -> None:
    PluginVersion.objects.filter(id=found("base").id).update(default_config={"enabled": False})
    assert offer("base").reason is not None
    Plugin.objects.update(config={"enabled": True})
    assert offer("base").reason is None


def test_a_folder_that_is_gone_is_no_candidate_unless_it_is_loaded() -> None:
    found("gone")
    found("kept", loaded=True)
    Plugin.objects.update(missing=True)
    assert (numbers("gone"), numbers("kept")) == ([], ["1.0.0"])


def test_only_what_is_connected_takes_part() -> None:
    target = found("target", "below")
    found("below", "deeper")
    found("deeper")
    found("above", "target", loaded=True)
    found("top", "above", loaded=True)
    found("idle", "target")
    found("apart", "elsewhere", loaded=True)
    found("elsewhere", loaded=True)
    plugins = all_plugins()
    assert set(offers_around(target_candidate(plugins["target"], target), plugins)) == {
        *("target", "below", "deeper", "above", "top")
    }


def test_what_another_plugin_lacks_already_stands_in_nobodys_way() -> None:
    found("broken", "target", "lost>=1", loaded=True)
    target = found("target")
    plugins = all_plugins()
    plan = decide(plugins["target"], target, plugins, changes=True)
    assert [(step.plugin.id, step.action) for step in plan.steps] == [("target", "load")]
