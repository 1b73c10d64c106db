"""`GET /api/plugins`, `/available`, `/{id}`, `POST /discover`: what there is, and what is wrong with it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.sources import tool
from tests.studio import Studio

Drop = Callable[..., Path]
KEYS = {
    "id", "name", "version", "author", "description", "type", "tags", "license", "homepage", "repository", "state",
    "nodes", "config", "config_schema", "digest", "generation", "dependencies", "dependents", "permissions",
    "last_error", "usage", "ui", "links", "environment", "change", "config_version", "required_by", "soak", "message",
}  # fmt: skip


def ids(studio: Studio, path: str) -> list[str]:
    answer = studio.http.get(path)
    assert answer.status == 200, answer.text
    return [plugin["id"] for plugin in answer.json()["results"]]


def test_loaded_and_available_plugins_have_the_same_shape(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("listed", tool("listed"))
    assert "listed" in ids(studio, "/api/plugins/available")
    assert "listed" not in ids(studio, "/api/plugins")
    studio.http.post("/api/plugins/load", {"plugin_id": "listed"})
    page = studio.http.get("/api/plugins/").json()
    assert set(page) == {"count", "next", "previous", "results"}
    for plugin in [*page["results"], studio.http.get("/api/plugins/listed/").json()]:
        assert set(plugin) == KEYS


def test_pages_and_filters(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("filter_me", tool("filter-me"))
    first = studio.http.get("/api/plugins/available?page_size=1").json()
    assert len(first["results"]) == 1 and "page=2" in first["next"]
    assert studio.http.get("/api/plugins/available?page=9999").json()["code"] == "not_found"
    assert ids(studio, "/api/plugins/available?tag=made&search=FILTER") == ["filter-me"]
    assert "filter-me" not in ids(studio, "/api/plugins/available?type=provider")
    assert "filter-me" not in ids(studio, "/api/plugins/available?state=active,error")
    assert "example-provider" in ids(studio, "/api/plugins/available?type=provider")


def test_bundled_plugins_are_there_and_granted(studio: Studio) -> None:
    results = studio.http.get("/api/plugins/available").json()["results"]
    bundled = {p["id"]: p for p in results if p["author"] == "AI Chat Studio"}
    assert {"calculator", "example-provider", "local-llama", "markdown-export", "redact", "token-meter"} <= set(bundled)
    for plugin in bundled.values():
        assert plugin["last_error"] is None, plugin
        # Other tests may have granted more: the port of a server of theirs.
        assert set(plugin["permissions"]["asked"]) <= set(plugin["permissions"]["granted"])


CYCLE = {"a.py": "from . import b\nx = b.y\n", "b.py": "from . import a\ny = a.x\n"}
BROKEN = {
    "import_failed": {"plugin.py": "def oops(:\n"},
    "no_class": {"plugin.py": "x = 1\n"},
    "several_classes": {"plugin.py": tool("broken-one") + tool("broken-one").replace("class Made", "class Other")},
    "id_mismatch": {"plugin.py": tool("somebody-else")},
    "manifest_invalid": {"plugin.py": tool("broken-one"), "plugin.toml": "[plugin]\nidd = 1\n"},
    "config_file_invalid": {"plugin.py": tool("broken-one"), "config.json": "{"},
    "schema_invalid": {"plugin.py": tool("broken-one", schema={"a": {"type": "nonsense"}})},
    "metadata_invalid": {"plugin.py": tool("broken-one", version="one")},
    "metadata_failed": {
        "plugin.py": tool("broken-one").replace("return PluginMetadata(", "1 / 0\n        return PluginMetadata(")
    },
    "no_plugin_file": {"README.md": "nothing"},
}


@pytest.mark.parametrize("code", BROKEN)
def test_a_broken_plugin_is_listed_with_its_error_and_harms_nothing(
    studio: Studio, plugin_folder: Drop, code: str
) -> None:
    plugin_folder("healthy", tool("healthy"))
    plugin_folder("broken_one", files=BROKEN[code])
    by_id = {plugin["id"]: plugin for plugin in studio.http.get("/api/plugins/available").json()["results"]}
    assert by_id["broken-one"]["state"] == "error"
    error = by_id["broken-one"]["last_error"]
    assert error["code"] == code, error
    assert error["title"] and error["detail"]
    assert by_id["healthy"]["state"] in ("available", "inactive") and by_id["healthy"]["last_error"] is None
    refused = studio.http.post("/api/plugins/load", {"plugin_id": "broken-one"})
    assert refused.status in (409, 502) and refused.json()["code"] == code


def test_a_circle_of_imports_is_told(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("circular", "from . import a\n" + tool("circular"), files=CYCLE)
    error = studio.http.get("/api/plugins/circular").json()["last_error"]
    assert error["code"] == "import_failed" and "circular import" in error["detail"]


def test_a_huge_file_is_refused_before_it_is_read(studio: Studio, plugin_folder: Drop) -> None:
    folder = plugin_folder("huge", tool("huge"))
    with (folder / "weights.bin").open("wb") as file:
        file.truncate(100 * 2**20)
    error = studio.http.get("/api/plugins/huge").json()["last_error"]
    assert error["code"] == "file_too_large" and "weights.bin has 100 MB" in error["detail"]


def test_links_that_lead_nowhere_or_out_are_refused(studio: Studio, plugin_folder: Drop) -> None:
    folder = plugin_folder("linked", tool("linked"))
    link = folder / "data.txt"
    link.symlink_to("/etc/hostname-that-is-not-there")
    assert studio.http.get("/api/plugins/linked").json()["last_error"]["code"] == "symlink_dangling"
    link.unlink()
    link.symlink_to("/etc/passwd")
    assert studio.http.get("/api/plugins/linked").json()["last_error"]["code"] == "symlink_escapes"
    link.unlink()
    link.symlink_to("config.json")
    assert studio.http.get("/api/plugins/linked").json()["last_error"] is None


def test_what_is_no_file_is_refused(studio: Studio, plugin_folder: Drop) -> None:
    os.mkfifo(plugin_folder("piped", tool("piped")) / "pipe")
    assert studio.http.get("/api/plugins/piped").json()["last_error"]["code"] == "file_special"


def test_a_mended_plugin_is_seen_without_asking(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("mended", "def oops(:\n")
    assert studio.http.get("/api/plugins/mended").json()["state"] == "error"
    plugin_folder("mended", tool("mended"))
    assert studio.http.get("/api/plugins/mended").json()["state"] == "available"


def test_discover_reports_what_it_saw(studio: Studio, plugin_folder: Drop) -> None:
    plugin_folder("seen_now", tool("seen-now"))
    plugin_folder("torn", "def oops(:\n")
    report = studio.http.post("/api/plugins/discover").json()
    assert {"seen-now", "torn"} <= set(report["found"]) and "torn" in report["broken"]
    assert studio.as_user.post("/api/plugins/discover").json()["code"] == "forbidden"


def test_an_unknown_plugin_is_not_found(studio: Studio) -> None:
    answer = studio.http.get("/api/plugins/nobody")
    assert (answer.status, answer.json()["code"]) == (404, "plugin_not_found")
