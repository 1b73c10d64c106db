"""A stored configuration goes along when its plugin's version changes, up and down, or everything stays as it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plugins_app.client.inspection import MigrationError, migrate_config
from tests.studio import Studio

Drop = Callable[..., Path]
CODE = """
from plugins_app.sdk import ToolPlugin


class Moving(ToolPlugin):
    async def initialize(self):
        if self.get_config("broken"):
            raise ValueError("refused")

    async def execute(self, action="", parameters=None):
        return {"config": dict(self.config), "key": len(self.get_config("api_key") or self.get_config("token") or "")}
"""
ONE = """
[config.schema.api_key]
type = "string"
[config.schema.host]
type = "string"
"""
TWO = """
[config]
version = 2
migrations = "migrations.py"
[config.schema.token]
type = "string"
secret = true
[config.schema.server]
type = "object"
required = true
properties = { host = { type = "string", required = true }, port = { type = "integer", default = 80 } }
"""
UP_AND_DOWN = """
def up_2(config):
    config["server"] = {"host": config.pop("host")}
    config["token"] = config.pop("api_key")
    config["header"] = "Bearer " + config["token"]
    return config


def down_2(config):
    return {"api_key": config["token"], "host": config["server"]["host"]}
"""
HOME = "/api/plugins/moving"
KEY = "key-0123456789"


def manifest(version: str, config: str) -> str:
    head = (
        f'[plugin]\nid = "moving"\nname = "M"\nversion = "{version}"\nauthor = "A"\ndescription = "d"\ntype = "tool"\n'
    )
    return head + config


def files(version: str, config: str, migrations: str | None = None) -> dict[str, str]:
    return {"plugin.toml": manifest(version, config)} | ({"migrations.py": migrations} if migrations else {})


@pytest.fixture
def moving(studio: Studio, plugin_folder: Drop) -> Callable[..., Any]:
    """Version 1.0.0 with something stored; call it with the files of another version to reload."""
    studio.http.post(f"{HOME}/unload")
    plugin_folder("moving", CODE, files=files("1.0.0", ONE))
    studio.http.put(f"{HOME}/config", {"config": {"api_key": KEY, "host": "example.com"}})
    loaded = studio.http.post("/api/plugins/load", {"plugin_id": "moving"})
    assert loaded.status == 200, loaded.text

    def reload(version: str, config: str, migrations: str | None = None, code: str = CODE) -> Any:
        plugin_folder("moving", code, files=files(version, config, migrations))
        return studio.http.post(f"{HOME}/reload")

    return reload


def seen(studio: Studio) -> Any:
    body = {"plugin_id": "moving", "method": "execute"}
    return studio.http.post("/api/plugins/execute", body).json()["result"]


def causes(studio: Studio) -> list[tuple[str, int, bool]]:
    rows = studio.http.get(f"{HOME}/config/history").json()["results"]
    return [(row["cause"], row["config_version"], row["undone"]) for row in rows]


def test_up_and_down_again_with_secrets(studio: Studio, moving: Callable[..., Any]) -> None:
    answer = moving("2.0.0", TWO, UP_AND_DOWN)
    assert answer.status == 200, answer.text
    assert answer.json()["config_version"] == 2
    shown = {"token": "********", "server": {"host": "example.com", "port": 80}, "header": "********"}
    assert answer.json()["config"] == shown
    assert seen(studio)["key"] == len(KEY)
    assert causes(studio)[0] == ("migration", 2, False)

    answer = moving("1.0.1", ONE)
    assert answer.status == 200, answer.text
    assert answer.json()["config"] == {"api_key": "********", "host": "example.com"}
    assert answer.json()["config_version"] == 1
    assert seen(studio)["key"] == len(KEY)
    assert [path for path in studio.data.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("migrations", "words"),
    [
        (
            "def up_2(config):\n    raise ValueError('cannot ' + config['api_key'])\n",
            "up_2: ValueError: cannot ********",
        ),
        ("def up_2(config):\n    return None\n", "up_2 returned NoneType"),
        ("import nothing_like_this\n", "migrations.py cannot be imported"),
        ("def up_2(config):\n    while True: pass\n", "did not end within 5 s"),
        ("def up_2(config):\n    open('/etc/passwd')\n", "PermissionError"),
        ("x = 1\n", "there is no up_2, and as it is it does not fit"),
        ("def up_2(config):\n    return {'x': float('nan')}\n", "not JSON compliant"),
    ],
)
def test_a_migration_that_fails_changes_nothing(
    studio: Studio, moving: Callable[..., Any], migrations: str, words: str
) -> None:
    before = causes(studio)
    answer = moving("2.0.0", TWO, migrations)
    assert (answer.status, answer.json()["code"]) == (502, "config_migration_failed"), answer.text
    assert words in answer.json()["detail"]
    assert KEY not in answer.text and "goes on serving" in answer.json()["detail"]
    card = studio.http.get(HOME).json()
    assert (card["config_version"], card["config"]["host"], card["version"]) == (1, "example.com", "1.0.0")
    assert causes(studio) == before


def test_a_step_nobody_wrote_is_fine_when_the_configuration_fits(studio: Studio, moving: Callable[..., Any]) -> None:
    config = '[config]\nversion = 3\nmigrations = "migrations.py"\n' + ONE
    answer = moving("2.0.1", config, "def up_3(config):\n    return config | {'host': 'new.example.com'}\n")
    assert (answer.status, answer.json()["config_version"]) == (200, 3), answer.text
    assert answer.json()["config"]["host"] == "new.example.com"


def test_everything_goes_back_when_the_new_version_does_not_start(studio: Studio, moving: Callable[..., Any]) -> None:
    breaks = UP_AND_DOWN.replace("    return config\n", '    return config | {"broken": True}\n')
    answer = moving("2.0.0", TWO, breaks)
    assert (answer.status, answer.json()["code"]) == (502, "initialize_raised"), answer.text
    card = studio.http.get(HOME).json()
    assert (card["config_version"], card["config"]) == (1, {"api_key": "********", "host": "example.com"})
    assert causes(studio)[0] == ("migration", 2, True)
    assert seen(studio)["key"] == len(KEY)


def test_a_load_with_a_configuration_migrates_first(
    studio: Studio, moving: Callable[..., Any], plugin_folder: Drop
) -> None:
    studio.http.post(f"{HOME}/unload")
    plugin_folder("moving", CODE, files=files("2.0.0", TWO, UP_AND_DOWN))
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "moving", "config": {"server": {"port": 8080}}})
    assert answer.status == 200, answer.text
    assert answer.json()["config"]["server"] == {"host": "example.com", "port": 8080}
    assert [cause for cause, _, _ in causes(studio)[:2]] == ["load", "migration"]


def test_what_cannot_be_carried_over_can_be_replaced(
    studio: Studio, moving: Callable[..., Any], plugin_folder: Drop
) -> None:
    studio.http.post(f"{HOME}/unload")
    plugin_folder("moving", CODE, files=files("2.0.0", TWO, "x = 1\n"))
    assert studio.http.patch(f"{HOME}/config", {"config": {}}).json()["code"] == "config_migration_failed"
    answer = studio.http.put(f"{HOME}/config", {"config": {"server": {"host": "h"}, "token": KEY}})
    assert (answer.status, answer.json()["config_version"]) == (200, 2), answer.text
    assert studio.http.post("/api/plugins/load", {"plugin_id": "moving"}).status == 200


def test_an_old_revision_is_migrated_when_it_comes_back(studio: Studio, moving: Callable[..., Any]) -> None:
    first = studio.http.get(f"{HOME}/config/history").json()["results"][0]["number"]
    assert moving("2.0.0", TWO, UP_AND_DOWN).status == 200
    studio.http.patch(f"{HOME}/config", {"config": {"server": {"host": "other"}}})
    answer = studio.http.post(f"{HOME}/config/rollback", {"number": first})
    assert answer.status == 200, answer.text
    assert (answer.json()["config"]["server"]["host"], answer.json()["config_version"]) == ("example.com", 2)


def test_a_variable_that_only_the_migration_brings_in_needs_the_permission(
    studio: Studio, moving: Callable[..., Any]
) -> None:
    greedy = "def up_2(config):\n    return {'token': 'x', 'server': {'host': '${ENV:HOME}'}}\n"
    answer = moving("2.0.0", TWO, greedy)
    assert (answer.status, answer.json()["code"]) == (409, "permission_required"), answer.text
    assert "env:HOME" in answer.json()["detail"]


def test_the_plugins_own_init_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "__init__.py").write_text("raise RuntimeError('not now')")
    (tmp_path / "names.py").write_text("NEW = 'new'")
    (tmp_path / "steps.py").write_text("from .names import NEW\n\ndef up_2(config):\n    return {NEW: config['old']}\n")
    assert migrate_config(tmp_path, "some-plugin", "steps", ["up_2", "up_3"], {"old": 1}) == ({"new": 1}, ["up_3"])
    with pytest.raises(MigrationError, match="cannot be imported"):
        migrate_config(tmp_path, "some-plugin", "absent", ["up_2"], {})
