"""Several machines with one database: whose folder counts, and who may say that one is gone."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from plugins_app.models import NodeStatus, Plugin, PluginEnvironment, PluginInstance
from plugins_app.selectors.nodes import node_cards
from plugins_app.services import nodes
from plugins_app.services.discovery import plugin_refresh, plugins_discover
from plugins_app.services.errors import StudioError

pytestmark = pytest.mark.django_db(transaction=True)
MANIFEST = """
[plugin]
id = "shared"
name = "Shared"
version = "{version}"
author = "Ada"
description = "d"
type = "tool"
"""


class Nodes:
    """Machines, each with its own plugins folder; `on` is whose process this is."""

    def __init__(self, root: Path, settings: Any) -> None:
        self.root, self.settings = root, settings

    def on(self, node: str) -> None:
        for name in ("plugins", "store", "run"):
            (self.root / node / name).mkdir(parents=True, exist_ok=True)
        self.settings.STUDIO_NODE = node
        self.settings.STUDIO_PLUGINS = self.root / node / "plugins"
        self.settings.STUDIO_STORE = self.root / node / "store"
        self.settings.STUDIO_RUN = self.root / node / "run"

    def drop(self, node: str, version: str) -> Path:
        self.on(node)
        folder = self.root / node / "plugins" / "shared"
        folder.mkdir(exist_ok=True)
        (folder / "plugin.toml").write_text(MANIFEST.format(version=version))
        (folder / "plugin.py").write_text("")
        return folder

    def heard_of(self, node: str, seconds_ago: float = 0) -> None:
        at = timezone.now() - timedelta(seconds=seconds_ago)
        values = {"pid": 1, "started_at": at, "heartbeat_at": at}
        NodeStatus.objects.update_or_create(node=node, defaults=values)


@pytest.fixture
def machines(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch, transactional_db: None) -> Iterator[Nodes]:
    monkeypatch.setattr("plugins_app.services.hints.hint", lambda channel, payload: None)
    machines = Nodes(tmp_path, settings)
    for node in ("a", "b"):
        machines.on(node)
        machines.heard_of(node)
    yield machines
    connection.close()


def shared() -> tuple[str, str, bool]:
    """Whose the plugin is, in which version, and whether it is missing."""
    row = Plugin.objects.select_related("version").get(id="shared")
    return row.node, row.metadata["version"], row.missing


def test_who_finds_a_folder_first_is_asked_about_it(machines: Nodes) -> None:
    machines.drop("a", "1.0.0")
    assert plugins_discover().changed == ["shared"]
    machines.on("b")
    report = plugins_discover()
    assert (report.changed, shared()) == ([], ("a", "1.0.0", False))  # b has no such folder, and says nothing
    machines.drop("b", "2.0.0")
    assert (plugins_discover().changed, shared()) == ([], ("a", "1.0.0", False))
    machines.on("a")
    assert plugins_discover().changed == []


@pytest.mark.parametrize(
    "look", [lambda: plugins_discover(force=True), lambda: plugin_refresh(plugin_id="shared", force=True)]
)
def test_who_is_asked_for_it_takes_it(machines: Nodes, look: Callable[[], Any]) -> None:
    machines.drop("a", "1.0.0")
    plugins_discover()
    machines.drop("b", "2.0.0")
    look()
    assert shared() == ("b", "2.0.0", False)
    machines.on("a")
    assert (plugins_discover().changed, shared()) == ([], ("b", "2.0.0", False))


def test_reloading_where_there_is_no_folder_keeps_the_newest_version(machines: Nodes) -> None:
    machines.drop("a", "1.0.0")
    plugins_discover()
    machines.on("b")
    plugin = plugin_refresh(plugin_id="shared", force=True)
    assert plugin is not None and plugin.metadata["version"] == "1.0.0"
    assert shared() == ("a", "1.0.0", False)


def test_only_its_own_node_can_say_that_a_folder_is_gone(machines: Nodes) -> None:
    folder = machines.drop("a", "1.0.0")
    plugins_discover()
    (folder / "plugin.toml").unlink()
    (folder / "plugin.py").unlink()
    folder.rmdir()
    machines.on("b")
    plugins_discover()
    assert shared() == ("a", "1.0.0", False)
    machines.on("a")
    plugins_discover()
    assert shared() == ("a", "1.0.0", True)
    machines.drop("b", "2.0.0")  # the owner has lost it: another one's counts
    plugins_discover()
    assert shared() == ("b", "2.0.0", False)


@pytest.mark.parametrize("heard", [60, None, -60])
def test_a_node_that_is_away_or_gone_is_followed_by_another(machines: Nodes, heard: float | None) -> None:
    machines.drop("a", "1.0.0")
    plugins_discover()
    machines.drop("b", "2.0.0")
    if heard is None:
        NodeStatus.objects.filter(node="a").delete()
    else:
        machines.heard_of("a", heard)
    plugins_discover()
    assert shared() == ("b", "2.0.0", False)


def test_at_the_start_nobody_takes_anything_from_anybody(machines: Nodes) -> None:
    NodeStatus.objects.all().delete()
    machines.drop("a", "1.0.0")
    plugins_discover()
    machines.drop("b", "2.0.0")
    plugins_discover()
    assert shared() == ("a", "1.0.0", False)


def test_a_plugin_of_nobody_is_taken_by_whoever_has_it(machines: Nodes) -> None:
    machines.drop("a", "1.0.0")
    plugins_discover()
    Plugin.objects.update(node="")
    machines.drop("b", "2.0.0")
    plugins_discover()
    assert shared() == ("b", "2.0.0", False)


def test_a_removed_plugin_does_not_come_back_through_another_node(machines: Nodes) -> None:
    machines.drop("a", "1.0.0")
    plugins_discover()
    Plugin.objects.update(missing=True, removed_at=timezone.now())
    machines.drop("b", "2.0.0")
    plugins_discover()
    plugin_refresh(plugin_id="shared", force=True)
    assert shared()[2] is True
    plugins_discover(force=True)
    assert shared() == ("b", "2.0.0", False)


def seen_on(node: str) -> None:
    plugin, _ = Plugin.objects.get_or_create(id="seen")
    PluginInstance.objects.create(plugin=plugin, node=node, state="active")
    PluginEnvironment.objects.create(key="k", node=node)


def left(node: str) -> list[int]:
    kinds: list[Any] = [NodeStatus, PluginInstance, PluginEnvironment]
    return [kind.objects.filter(node=node).count() for kind in kinds]


def test_a_node_that_never_comes_back_is_forgotten(machines: Nodes, settings: Any) -> None:
    settings.STUDIO_NODE_EXPIRY = 100
    seen_on("a")
    seen_on("b")
    machines.heard_of("a", 101)
    machines.heard_of("b", 99)
    machines.on("c")
    assert nodes.nodes_expire(wait=lambda seconds: None) == ["a"]
    assert (left("a"), left("b")) == ([0, 0, 0], [1, 1, 1])


@pytest.mark.parametrize("hours", [-3, 3])
def test_a_moved_clock_makes_no_node_forgotten(machines: Nodes, settings: Any, hours: int) -> None:
    settings.STUDIO_NODE_EXPIRY = 3600
    seen_on("a")
    machines.heard_of("a", hours * 3600 + 10)
    machines.on("c")
    assert nodes.nodes_expire(wait=lambda seconds: machines.heard_of("a")) == []
    assert left("a") == [1, 1, 1]


def test_a_node_does_not_forget_itself(machines: Nodes, settings: Any) -> None:
    settings.STUDIO_NODE_EXPIRY = 1
    machines.heard_of("a", 100)
    machines.heard_of("b", 100)
    machines.on("a")
    assert nodes.nodes_expire(wait=lambda seconds: None) == ["b"]


def test_only_a_node_that_is_away_can_be_forgotten_by_hand(machines: Nodes) -> None:
    seen_on("a")
    with pytest.raises(StudioError, match="The node a is there"):
        nodes.node_forget(node="a")
    machines.heard_of("a", 60)
    nodes.node_forget(node="a")
    assert left("a") == [0, 0, 0]
    with pytest.raises(StudioError, match="There is no node a"):
        nodes.node_forget(node="a")


def test_nodes_are_shown_with_what_they_run(machines: Nodes) -> None:
    seen_on("a")
    machines.heard_of("b", 60)
    machines.on("a")
    first, second = node_cards()
    assert (first["node"], first["state"], first["this"], first["plugins"]) == ("a", "ready", True, {"active": 1})
    assert (second["node"], second["state"], second["this"], second["plugins"]) == ("b", "away", False, {})
    assert first["expires_at"] is None and second["expires_at"] > timezone.now()


def test_a_name_that_another_machine_reports_under_is_refused(machines: Nodes, settings: Any, tmp_path: Path) -> None:
    machines.on("a")
    settings.STUDIO_DATA = tmp_path / "a"
    nodes.node_check_name()  # its own row is from before places were noted
    NodeStatus.objects.filter(node="a").update(place=nodes.node_place())
    nodes.node_check_name()
    settings.STUDIO_DATA = tmp_path / "b"
    with pytest.raises(StudioError, match="another studio with this database calls itself 'a'"):
        nodes.node_check_name()
    machines.heard_of("a", 60)  # it is away: its place may have been taken over
    nodes.node_check_name()
