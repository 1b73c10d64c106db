"""What a plugin was granted is remembered for a moment, by generation."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import DjangoAssertNumQueries

from plugins_app.models import Plugin, PluginRelease, PluginVersion
from plugins_app.services.grants import GrantReader, Grants

pytestmark = pytest.mark.django_db


def released(generation: int, granted: list[str], metadata: dict[str, Any] | None = None) -> None:
    plugin, _ = Plugin.objects.get_or_create(id="asker")
    version, _ = PluginVersion.objects.get_or_create(plugin=plugin, digest="d", defaults={"metadata": metadata or {}})
    plugin.desired = PluginRelease.objects.create(
        plugin=plugin, generation=generation, version=version, granted=granted, cause="load"
    )
    plugin.save()


def test_it_is_looked_up_once_a_generation(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    released(1, ["host:counters"], {"dependencies": ["calculator >=1"]})
    reader = GrantReader(max_age=60)
    assert reader.kept("asker", 1) is None
    grants = reader.read("asker", 1, patience=0)
    assert grants == Grants(frozenset({"host:counters"}), frozenset({"calculator"}))
    with django_assert_num_queries(0):
        assert reader.kept("asker", 1) == grants
        assert reader.kept("asker", 2) is None
    released(2, [])
    assert not reader.read("asker", 2, patience=0).permissions


def test_what_was_taken_away_is_forgotten_soon_whatever_the_process_calls_itself() -> None:
    released(1, ["host:counters"])
    reader = GrantReader(max_age=0)
    assert reader.read("asker", 1, patience=0).permissions
    released(2, [])
    assert reader.kept("asker", 1) is None
    assert not reader.read("asker", 1, patience=0).permissions


def test_nobody_was_granted_nothing() -> None:
    assert not GrantReader().read("nobody", 1, patience=0).permissions
