"""Changes that nobody waits for to the end: 202, and what beat makes of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client

from plugins_app.models import Plugin, PluginInstance, PluginRelease, PluginVersion
from plugins_app.services import releases
from plugins_app.services.access import api_key_create
from plugins_app.services.errors import StudioError
from plugins_app.services.folders import check_folder
from plugins_app.services.snapshots import remove_tree
from tests.integration.sources import tool

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def client(
    transactional_db: None, redis_server: str, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Client]:
    """An operator, one plugin, and no plugin host anywhere."""
    monkeypatch.setattr(releases, "WAIT_SECONDS", 0.0)
    settings.STUDIO_PLUGINS, settings.STUDIO_STORE = tmp_path / "plugins", tmp_path / "store"
    (settings.STUDIO_PLUGINS / "slow").mkdir(parents=True)
    (settings.STUDIO_PLUGINS / "slow" / "plugin.py").write_text(tool("slow"))
    (settings.STUDIO_PLUGINS / "slow" / "__init__.py").touch()
    _, key = api_key_create(name="op", role="operator")
    yield Client(headers={"Authorization": f"Bearer {key}"})
    connection.close()
    remove_tree(settings.STUDIO_STORE)
    from plugins_app.services.hints import redis_client

    redis_client().close()


def load(client: Client) -> Any:
    return client.post("/api/plugins/load", {"plugin_id": "slow"}, content_type="application/json")


def observed(**fields: Any) -> None:
    PluginInstance.objects.update_or_create(plugin_id="slow", node="local", defaults=fields)


def failed(generation: int, code: str = "initialize_raised") -> dict[str, Any]:
    """What the host writes of a release that never got ready, or did not survive its trial."""
    return {"code": code, "detail": "no", "generation": generation}


def test_what_is_not_settled_in_time_is_accepted(client: Client) -> None:
    answer = load(client)
    assert (answer.status_code, answer.json()["state"]) == (202, "loading")
    assert (answer.headers["Location"], answer.headers["Retry-After"]) == ("/api/plugins/slow", "1")
    again = load(client)
    assert (again.status_code, again.json()["generation"]) == (202, 1)


def test_beat_proves_what_has_passed_its_trial(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1)
    releases.releases_settle()
    assert Plugin.objects.get(id="slow").proven is None  # still on trial
    observed(committed=1)
    releases.releases_settle()
    plugin = Plugin.objects.get(id="slow")
    assert plugin.proven is not None and plugin.proven_id == plugin.desired_id
    assert plugin.proven.committed_at is not None
    observed(state="error", generation=None, attempted=1, error={"code": "process_died"})
    releases.releases_settle()
    assert Plugin.objects.get(id="slow").desired is not None  # a crash is no failed release


def test_beat_takes_back_what_failed(client: Client) -> None:
    load(client)
    observed(state="error", generation=None, attempted=1, error=failed(1))
    releases.releases_settle()
    assert Plugin.objects.get(id="slow").desired is None
    shown = client.get("/api/plugins/slow").json()
    assert (shown["state"], shown["last_error"]["code"]) == ("error", "initialize_raised")


def test_a_failed_change_goes_back_to_what_serves(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1)
    client.post("/api/plugins/slow/reload")
    assert Plugin.objects.get(id="slow").generation == 2
    observed(state="active", generation=1, attempted=2, error=failed(2))
    releases.releases_settle()
    plugin = Plugin.objects.select_related("desired").get(id="slow")
    assert plugin.desired is not None and plugin.desired.generation == 1


def test_what_does_not_survive_its_trial_goes_back(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1, committed=1)
    releases.releases_settle()
    configure(client, word="bad")
    observed(state="active", generation=2, attempted=2)
    releases.releases_settle()
    assert stored() == ({"word": "bad"}, 2)
    observed(state="active", generation=1, attempted=2, error=failed(2, "soak_failed"))
    releases.releases_settle()
    assert stored() == ({}, 1)
    release = PluginRelease.objects.get(generation=2)
    assert release.failure is not None and release.failure["code"] == "soak_failed"


def test_a_trial_that_fails_on_another_node_counts(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1, committed=1)
    releases.releases_settle()
    client.post("/api/plugins/slow/reload")
    observed(state="active", generation=2, attempted=2)
    values = {"state": "active", "generation": 1, "attempted": 2, "error": failed(2, "soak_failed")}
    PluginInstance.objects.create(plugin_id="slow", node="far", **values)
    releases.releases_settle()
    release = PluginRelease.objects.get(generation=2)
    assert stored() == ({}, 1) and release.failure is not None and release.failure["node"] == "far"


def test_releases_of_one_batch_go_back_together(client: Client) -> None:
    load(client)
    batch = uuid4()
    PluginRelease.objects.filter(plugin_id="slow").update(batch=batch)
    other = Plugin.objects.create(id="other")
    version = PluginVersion.objects.create(plugin=other, digest="0" * 64, metadata={"id": "other", "name": "Other"})
    release = PluginRelease.objects.create(plugin=other, generation=1, version=version, batch=batch)
    Plugin.objects.filter(id="other").update(desired=release, generation=1)
    observed(state="error", generation=None, attempted=1, error=failed(1))
    releases.releases_settle()
    assert not Plugin.objects.filter(desired__isnull=False).exists()
    release.refresh_from_db()
    assert release.failure is not None and release.failure["dependency"] == "slow"


def configure(client: Client, **config: Any) -> None:
    answer = client.put("/api/plugins/slow/config", {"config": config}, content_type="application/json")
    assert answer.status_code == 202, answer.content


def stored() -> tuple[dict[str, Any], int | None]:
    plugin = Plugin.objects.select_related("desired").get(id="slow")
    return plugin.config, plugin.desired.generation if plugin.desired else None


def test_a_failed_configuration_is_not_kept(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1)
    configure(client, word="good")
    observed(state="active", generation=2, attempted=2)
    configure(client, word="bad")  # nobody has proven generation 2 until now, but it serves
    observed(state="active", generation=2, attempted=3, error=failed(3))
    assert stored() == ({"word": "bad"}, 3)
    releases.releases_settle()
    assert stored() == ({"word": "good"}, 2)
    assert client.get("/api/plugins/slow").json()["config"] == {"word": "good"}


def test_two_failed_changes_go_back_to_before_the_first(client: Client) -> None:
    load(client)
    observed(state="active", generation=1, attempted=1)
    configure(client, word="bad")
    configure(client, word="worse")
    observed(state="active", generation=1, attempted=3, error=failed(3))
    releases.releases_settle()
    assert stored() == ({}, 1)


def test_what_a_failed_first_load_brought_along_is_forgotten(client: Client) -> None:
    wanted = {"plugin_id": "slow", "config": {"word": "bad"}}
    client.post("/api/plugins/load", wanted, content_type="application/json")
    observed(state="error", generation=None, attempted=1, error=failed(1))
    releases.releases_settle()
    assert stored() == ({}, None)


@pytest.mark.allow_leaks("descriptor")  # Celery's broker pool keeps its connection for the next ping
def test_health_says_what_is_missing(client: Client) -> None:
    answer = client.get("/api/plugins/health")
    parts = answer.json()["components"]
    assert (answer.status_code, answer.json()["status"]) == (503, "down")
    assert parts["database"]["ok"] and parts["redis"]["ok"]
    assert not parts["plugin_host"]["ok"] and "pluginhost" in parts["plugin_host"]["detail"]
    assert not parts["workers"]["ok"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    (folder / "closed").mkdir(parents=True)
    (folder / "closed").chmod(0)
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        os.seteuid(65534)  # root reads everything
    try:
        with pytest.raises(StudioError) as caught:
            check_folder(folder)
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        (folder / "closed").chmod(0o755)
    assert caught.value.code == "file_unreadable" and "cannot be read" in caught.value.detail
    connection.close()
