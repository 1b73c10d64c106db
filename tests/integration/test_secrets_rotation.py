"""A new key for all stored secrets: nothing is lost, whenever it happens and wherever it stops."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import models
from django.utils import timezone

from plugins_app.models import ConfigRevision, NodeStatus, Plugin, PluginRelease, PluginVersion, Webhook
from plugins_app.services import rotation, secrets
from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
#: JSON columns in which no secret is ever stored: what plugins and people write goes there as it is.
WITHOUT_SECRETS = {
    ("Plugin", "problem"),
    ("Plugin", "granted"),
    ("PluginVersion", "metadata"),
    ("PluginRelease", "granted"),
    ("PluginRelease", "previous_granted"),
    ("PluginRelease", "explanation"),
    ("PluginRelease", "failure"),
    ("PluginInstance", "error"),
    ("NodeStatus", "sandbox"),
    ("Execution", "args"),
    ("Execution", "kwargs"),
    ("Execution", "result"),
    ("Execution", "error"),
    ("LifecycleEvent", "data"),
    ("StorageItem", "value"),
    ("PluginEnvironment", "requirements"),
    ("Webhook", "events"),
    ("Webhook", "plugins"),
    ("WebhookDelivery", "attempts"),
}


@pytest.fixture
def stored(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], dict[str, Any]]]:
    """Secrets everywhere, with a key file of the test's own; call it for what they are now."""
    environment = replace(settings.ENVIRONMENT, data=tmp_path, secret_keys=())
    monkeypatch.setattr(settings, "ENVIRONMENT", environment)
    monkeypatch.setattr(settings, "STUDIO_DATA", tmp_path)
    plugin = Plugin.objects.create(id="keeper", config={"a": secrets.encrypt("one"), "plain": 1})
    version = PluginVersion.objects.create(plugin=plugin, digest="d", default_config={"b": [secrets.encrypt("two")]})
    PluginRelease.objects.create(
        plugin=plugin, generation=1, version=version, cause="load",
        config={"c": secrets.encrypt("three")}, previous_config={"d": {"e": secrets.encrypt("four")}},
    )  # fmt: skip
    ConfigRevision.objects.create(plugin=plugin, number=1, cause="load", config={"f": secrets.encrypt({"g": 5})})
    Webhook.objects.create(name="hook", url="https://example.com", secret={"current": secrets.encrypt("whsec_six")})

    def read() -> dict[str, Any]:
        rows = {(model.__name__, name): model._default_manager.get() for model, name in rotation.FIELDS}
        return {f"{key[0]}.{key[1]}": secrets.reveal(getattr(row, key[1])) for key, row in rows.items()}

    yield read


PLAIN = {
    "Plugin.config": {"a": "one", "plain": 1},
    "PluginVersion.default_config": {"b": ["two"]},
    "PluginRelease.config": {"c": "three"},
    "PluginRelease.previous_config": {"d": {"e": "four"}},
    "ConfigRevision.config": {"f": {"g": 5}},
    "Webhook.secret": {"current": "whsec_six"},
}


def test_everything_gets_the_new_key_and_the_old_one_is_gone(stored: Callable[[], dict[str, Any]]) -> None:
    [old] = secrets.keys()
    late = secrets.encrypt("late")

    def change_that_had_begun_before() -> None:
        assert stored() == PLAIN
        Plugin.objects.update(config={"a": late, "plain": 1})

    assert rotation.secrets_rotate(wait=change_that_had_begun_before) == 7
    assert stored() == PLAIN | {"Plugin.config": {"a": "late", "plain": 1}}
    [new] = secrets.keys()
    assert new != old
    assert (settings.ENVIRONMENT.secrets_file.stat().st_mode & 0o777) == 0o600
    for model, name in rotation.FIELDS:
        for value in secrets.sealed_in(getattr(model._default_manager.get(), name)):
            with pytest.raises(InvalidToken):
                Fernet(old).decrypt(value[secrets.MARK].encode())


@pytest.mark.parametrize("stops_at", range(1, 7))
def test_wherever_it_stops_everything_can_be_read_and_the_next_run_ends_it(
    stored: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch, stops_at: int
) -> None:
    real, seen = rotation._renew, 0

    def renew(*args: Any) -> int:
        nonlocal seen
        seen += 1
        if seen == stops_at:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(rotation, "_renew", renew)
    with pytest.raises(KeyboardInterrupt):
        rotation.secrets_rotate(wait=lambda: None)
    assert stored() == PLAIN
    new, _ = secrets.keys()
    monkeypatch.setattr(rotation, "_renew", real)
    rotation.secrets_rotate(wait=lambda: None)
    assert secrets.keys() == (new,)
    assert stored() == PLAIN


def test_given_keys_are_not_changed_but_told_which_can_go(
    stored: Callable[[], dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    [old] = secrets.keys()
    new = secrets.new_key()
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, secret_keys=(new, old)))
    told = StringIO()
    call_command("secrets", "rotate", "--grace", "0", stdout=told)
    assert "remove from STUDIO_SECRET_KEYS everywhere: key 2" in told.getvalue()
    assert new not in told.getvalue() and old not in told.getvalue()
    monkeypatch.setattr(settings, "ENVIRONMENT", replace(settings.ENVIRONMENT, secret_keys=(new,)))
    assert stored() == PLAIN
    call_command("secrets", "check", stdout=told)
    assert "6 value(s)" in told.getvalue()


def test_a_dry_run_changes_nothing(stored: Callable[[], dict[str, Any]]) -> None:
    before, told = secrets.keys(), StringIO()
    call_command("secrets", "rotate", "--dry-run", stdout=told)
    assert "6 value(s) would be encrypted with a new key" in told.getvalue()
    assert secrets.keys() == before


def test_what_no_key_decrypts_is_named_and_left_alone(stored: Callable[[], dict[str, Any]]) -> None:
    lost = {secrets.MARK: Fernet(secrets.new_key()).encrypt(json.dumps("x").encode()).decode()}
    Plugin.objects.update(config={"a": lost})
    told = StringIO()
    with pytest.raises(CommandError, match="cannot be decrypted"):
        call_command("secrets", "check", stdout=told)
    assert "no key decrypts: Plugin keeper: config" in told.getvalue()
    rotation.secrets_rotate(wait=lambda: None)
    assert Plugin.objects.get().config == {"a": lost}


def test_other_nodes_have_key_files_of_their_own(stored: Callable[[], dict[str, Any]]) -> None:
    now = timezone.now()
    NodeStatus.objects.create(node="other", pid=1, started_at=now, heartbeat_at=now)
    with pytest.raises(CommandError, match="STUDIO_SECRET_KEYS"):
        call_command("secrets", "rotate", "--grace", "0")
    assert len(secrets.keys()) == 1


def test_every_json_column_is_known_to_hold_secrets_or_not() -> None:
    columns = {
        (model.__name__, column.name)
        for model in apps.get_app_config("plugins_app").get_models()
        for column in model._meta.get_fields()
        if isinstance(column, models.JSONField)
    }
    known = {(model.__name__, name) for model, name in rotation.FIELDS}
    assert columns == known | WITHOUT_SECRETS


def test_a_running_studio_notices_nothing(studio: Studio, plugin_folder: Drop) -> None:
    schema = {"api_key": {"type": "string"}, "level": {"type": "integer", "default": 0}}
    plugin_folder("rotated", tool("rotated", schema=schema, execute="return dict(self.config)"))
    body: dict[str, Any] = {"plugin_id": "rotated", "config": {"api_key": "key-0"}}
    assert studio.http.post("/api/plugins/load", body).status == 200
    stop, statuses = threading.Event(), list[int]()

    def change() -> None:
        level = 0
        while not stop.is_set():
            level += 1
            answer = studio.http.patch(
                "/api/plugins/rotated/config", {"config": {"api_key": f"key-{level}", "level": level}}
            )
            statuses.append(answer.status)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        for _ in range(2):
            assert "are encrypted with key 1" in studio.manage("secrets", "rotate", "--grace", "1")
    finally:
        stop.set()
        changing.join()
    assert statuses and set(statuses) == {200}
    seen = studio.http.post("/api/plugins/execute", {"plugin_id": "rotated", "method": "execute"}).json()["result"]
    assert seen == {"api_key": f"key-{len(statuses)}", "level": len(statuses)}
    assert studio.http.post("/api/plugins/rotated/reload").status == 200
    assert "no key decrypts" not in studio.manage("secrets", "check")
    assert os.stat(studio.data / "secrets.key").st_mode & 0o777 == 0o600
