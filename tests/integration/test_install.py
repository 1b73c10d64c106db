"""POST /api/plugins/install: a package becomes a folder among the plugins, or nothing changes at all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.archives import manifest, tar_gz, upload, zipped
from tests.integration.sources import tool
from tests.studio import Studio

Sent = Callable[..., Any]
EXECUTE = {"plugin_id": "sent-tool", "method": "execute"}


def files(version: str = "1.0.0", top: str = "", more: str = "", **extra: str) -> dict[str, str]:
    """A plugin with a manifest, whose answer is its version."""
    code = tool("sent-tool", version=version, execute=f"return {version!r}")
    texts = {"plugin.toml": manifest("sent-tool", version, more), "plugin.py": code, "__init__.py": "", **extra}
    return {f"{top}{name}": text for name, text in texts.items()}


@pytest.fixture
def clean(studio: Studio) -> Iterator[None]:
    """No plugin of that name, before and after."""
    yield
    for plugin_id in ("sent-tool", "old-style"):
        studio.http.post(f"/api/plugins/{plugin_id}/unload", {"cascade": True})
        studio.http.delete(f"/api/plugins/{plugin_id}")


pytestmark = pytest.mark.usefixtures("clean")


def left(studio: Studio) -> list[str]:
    return [path.name for path in studio.plugins_dir.glob(".*")]


def events(studio: Studio, event: str) -> list[dict[str, Any]]:
    code = (
        "from plugins_app.models import LifecycleEvent; import json; "
        f"rows = LifecycleEvent.objects.filter(event={event!r}, plugin_id='sent-tool'); "
        "print(json.dumps([row.data for row in rows]))"
    )
    return list(json.loads(studio.manage("shell", "-v", "0", "-c", code)))


@pytest.mark.parametrize(
    ("pack", "top", "name"),
    [(zipped, "", "a.zip"), (zipped, "some-folder-1.0/", "b.zip"), (tar_gz, "", "c.tar.gz"), (tar_gz, "x/", "d.tgz")],
)
def test_a_package_becomes_a_plugin(studio: Studio, pack: Callable[..., bytes], top: str, name: str) -> None:
    answer = upload(studio.http, pack(files(top=top)), name)
    plugin = answer.json()
    assert answer.status == 201, answer.text
    assert answer.headers["Location"] == "/api/plugins/sent-tool"
    assert (plugin["id"], plugin["state"], plugin["version"]) == ("sent-tool", "available", "1.0.0")
    assert plugin["installed"] == {"digest": plugin["digest"], "version": "1.0.0", "replaced": None}
    assert (studio.plugins_dir / "sent_tool" / "plugin.toml").is_file() and left(studio) == []
    assert events(studio, "plugin_installed")[0] == plugin["installed"]
    [version] = studio.http.get("/api/plugins/sent-tool/versions").json()["versions"]
    assert (version["source"], version["newest"], version["in_store"]) == ("package", True, True)
    assert version["size_bytes"] > 0 and version["digest"] == plugin["digest"]
    assert studio.http.post("/api/plugins/load", {"plugin_id": "sent-tool"}).json()["state"] == "active"


def test_a_plugin_as_the_specification_writes_one_needs_no_manifest(studio: Studio) -> None:
    answer = upload(
        studio.http, zipped({"plugin.py": tool("old-style"), "__init__.py": ""}), "whatever.zip", load="true"
    )
    assert (answer.status, answer.json()["id"], answer.json()["state"]) == (201, "old-style", "active"), answer.text
    assert (studio.plugins_dir / "old_style" / "plugin.py").is_file()


def test_a_loaded_plugin_is_swapped_and_its_folder_kept(studio: Studio) -> None:
    first = upload(studio.http, zipped(files()), load="true").json()
    assert first["state"] == "active"
    answer = upload(studio.http, zipped(files("2.0.0")), load="true")
    second = answer.json()
    assert (answer.status, second["installed"]["replaced"]) == (201, first["digest"]), answer.text
    assert second["generation"] > first["generation"]
    assert studio.http.post("/api/plugins/execute", EXECUTE).json()["result"] == "2.0.0"
    trashed = [(path / "plugin.toml").read_text() for path in (studio.data / "trash").glob("sent_tool-*")]
    assert any("1.0.0" in text for text in trashed) and left(studio) == []
    versions = studio.http.get("/api/plugins/sent-tool/versions").json()["versions"]
    assert [version["version"] for version in versions][:2] == ["2.0.0", "1.0.0"]


def test_what_runs_goes_on_when_nothing_is_loaded(studio: Studio) -> None:
    upload(studio.http, zipped(files()), load="true")
    assert upload(studio.http, zipped(files("2.0.0"))).json()["version"] == "1.0.0", "what serves"
    assert studio.http.post("/api/plugins/execute", EXECUTE).json()["result"] == "1.0.0"


def test_a_package_that_cannot_be_loaded_is_installed_all_the_same(studio: Studio) -> None:
    upload(studio.http, zipped(files()), load="true")
    broken = files("2.0.0") | {"plugin.py": tool("sent-tool", version="2.0.0", initialize="raise ValueError('no')")}
    answer = upload(studio.http, zipped(broken), load="true")
    problem = answer.json()
    assert (answer.status, problem["code"]) == (502, "initialize_raised"), answer.text
    assert problem["installed"]["version"] == "2.0.0" and "is installed all the same" in problem["detail"]
    assert studio.http.post("/api/plugins/execute", EXECUTE).json()["result"] == "1.0.0"


def test_permissions_are_asked_for_and_granted_with_it(studio: Studio) -> None:
    asking = zipped(files(more='[permissions]\nhost = ["storage"]\n'))
    refused = upload(studio.http, asking, load="true")
    assert (refused.status, refused.json()["code"]) == (409, "permission_required")
    assert refused.json()["installed"]["version"] == "1.0.0"
    granted = upload(studio.http, asking, load="true", grant=["host:storage"])
    assert (granted.status, granted.json()["state"]) == (201, "active"), granted.text


REFUSED: dict[str, tuple[bytes, str]] = {
    "no archive": (b"nothing of the kind", "neither a zip nor"),
    "a way out": (zipped(files() | {"../evil.py": ""}), "leads out"),
    "no plugin": (zipped({"README.md": "hello"}), "neither plugin.toml nor plugin.py"),
    "two plugins": (zipped(files(top="a/") | files(top="b/")), "several plugins"),
    "files beside the folder": (zipped(files(top="a/") | {"README.md": ""}), "neither plugin.toml nor plugin.py"),
    "a broken manifest": (zipped(files() | {"plugin.toml": "[plugin"}), "plugin.toml"),
    "an unknown key": (zipped(files(more="[pluggin]\n")), "pluggin"),
    "a syntax error": (zipped(files() | {"plugin.py": "def :"}), "plugin.py line 1"),
    "a broken config.json": (zipped(files() | {"config.json": "{"}), "config.json"),
    "a plugin that raises": (zipped({"plugin.py": "1 / 0"}), "division by zero"),
    "an id that cannot be one": (zipped(files() | {"plugin.toml": manifest("../evil")}), "id"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_used_is_refused_and_changes_nothing(studio: Studio, what: str) -> None:
    package, words = REFUSED[what]
    folders = sorted(path.name for path in studio.plugins_dir.iterdir())
    answer = upload(studio.http, package)
    assert (answer.status, answer.json()["code"]) == (422, "package_invalid"), answer.text
    assert words in answer.json()["detail"], answer.text
    assert sorted(path.name for path in studio.plugins_dir.iterdir()) == folders
    assert studio.http.get("/api/plugins/sent-tool").status == 404
    assert not list(Path(studio.data).glob("store/*/.draft-*"))


def test_a_plugin_of_that_name_stays_when_its_new_package_is_refused(studio: Studio) -> None:
    upload(studio.http, zipped(files()))
    assert upload(studio.http, zipped(files("2.0.0") | {"plugin.py": "def :"})).status == 422
    shown = studio.http.get("/api/plugins/sent-tool").json()
    assert (shown["version"], shown["last_error"]) == ("1.0.0", None)


def test_a_package_over_the_limit_is_refused(studio: Studio) -> None:
    answer = upload(studio.http, bytes(101 * 2**20))
    assert (answer.status, answer.json()["code"]) == (413, "package_too_large")
    assert left(studio) == []


def test_a_form_that_does_not_fit_is_told_field_by_field(studio: Studio) -> None:
    pointers = [error["pointer"] for error in upload(studio.http, b"x", laod="true").json()["errors"]]
    assert pointers == ["/laod"]
    answer = studio.http.post("/api/plugins/install", {"package": "x"})
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_media_type")


def test_only_operators_may(studio: Studio) -> None:
    assert upload(studio.as_user, zipped(files())).json()["code"] == "forbidden"
    assert upload(studio.anonymous, zipped(files())).status == 401
