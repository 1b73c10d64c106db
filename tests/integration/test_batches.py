"""Releases that were asked for together start together, and go back together."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from django.conf import settings

from plugins_app.models import Plugin, PluginEnvironment, PluginRelease, PluginVersion
from plugins_app.services.environments import environment_key
from plugins_app.services.releases import release_create, release_ground, releases_promote, releases_settle

Status = PluginEnvironment.Status
pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("redis_server")]


def asked_for(plugin_id: str, batch: UUID, **metadata: object) -> PluginRelease:
    plugin = Plugin.objects.create(id=plugin_id, folder=plugin_id)
    facts = {"id": plugin_id, "name": plugin_id, "version": "1.0.0", "plugin_type": "tool", **metadata}
    version = PluginVersion.objects.create(plugin=plugin, digest=plugin_id.ljust(64, "0"), metadata=facts)
    ground = release_ground(plugin)
    return release_create(
        plugin=plugin, version=version, config={}, granted=[], ground=ground, cause="load", user=None, batch=batch
    )


@pytest.fixture
def environment() -> PluginEnvironment:
    """What `packed` waits for; `ground`, which it needs, and `apart`, which has nothing to do with them, need none."""
    batch = uuid4()
    asked_for("ground", batch)
    packed = asked_for("packed", batch, requirements=["x==1"], dependencies=["ground"])
    asked_for("apart", uuid4())
    key = environment_key(packed.version.metadata) or ""
    return PluginEnvironment.objects.create(key=key, node=settings.STUDIO_NODE, status=Status.INSTALLING)


def waiting() -> set[str]:
    return set(Plugin.objects.filter(waiting__isnull=False).values_list("id", flat=True))


def test_no_part_of_a_batch_starts_before_all_of_it_can(environment: PluginEnvironment) -> None:
    assert releases_promote() == ["apart"]
    assert waiting() == {"ground", "packed"}
    PluginEnvironment.objects.filter(pk=environment.pk).update(status=Status.READY)
    assert releases_promote() == ["ground", "packed"]
    assert not waiting()


def test_packages_that_cannot_be_installed_take_the_whole_batch_back(environment: PluginEnvironment) -> None:
    PluginEnvironment.objects.filter(pk=environment.pk).update(status=Status.FAILED, error="no such package")
    releases_settle()
    assert not waiting()
    failures = {each.plugin_id: (each.failure or {}).get("code") for each in PluginRelease.objects.all()}
    assert failures == {"packed": "environment_install_failed", "ground": "dependency_failed", "apart": None}
    wanted = set(Plugin.objects.filter(desired__isnull=False).values_list("id", flat=True))
    assert wanted == {"apart"}
