"""Why a release failed is kept, whoever took it back."""

from __future__ import annotations

import pytest
from django.conf import settings

from plugins_app.models import Plugin, PluginEnvironment, PluginVersion
from plugins_app.services.environments import environment_key
from plugins_app.services.errors import StudioError
from plugins_app.services.releases import (
    Change,
    release_create,
    release_ground,
    release_outcome,
    releases_settle,
    releases_wait,
)

METADATA = {"id": "packed", "name": "Packed", "version": "1.0.0", "plugin_type": "tool", "requirements": ["x==1"]}


@pytest.mark.django_db
def test_a_caller_is_told_why_even_when_beat_took_the_release_back_first(redis_server: str) -> None:
    plugin = Plugin.objects.create(id="packed", folder="packed")
    version = PluginVersion.objects.create(plugin=plugin, digest="d" * 64, metadata=METADATA)
    release = release_create(
        plugin=plugin, version=version, config={}, granted=[], ground=release_ground(plugin), cause="load", user=None
    )
    key = environment_key(METADATA) or ""
    PluginEnvironment.objects.create(
        key=key, node=settings.STUDIO_NODE, status=PluginEnvironment.Status.FAILED, error="no such package"
    )
    releases_settle()
    plugin.refresh_from_db()
    assert plugin.waiting is None
    outcome = release_outcome(plugin_id="packed", generation=release.generation)
    assert outcome.error is not None
    assert outcome.error["code"] == "environment_install_failed"
    with pytest.raises(StudioError) as caught:
        releases_wait([Change("packed", release.generation)])
    assert "no such package" in caught.value.detail
