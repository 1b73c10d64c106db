"""The admin's pages of a plugin's life: versions, configurations, packages, removing, and what others need."""

import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request
from uuid import uuid4

import pytest

from tests.integration.sources import tool
from tests.integration.test_admin import LIST, Admin, told
from tests.integration.test_sessions import Browser
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA = {"api_key": {"type": "string", "secret": True}, "level": {"type": "integer", "default": 3}}


@pytest.fixture
def admin(studio: Studio) -> Admin:
    return Admin(studio)


@pytest.fixture
def kept(studio: Studio, plugin_folder: Drop) -> Iterator[Path]:
    """A loaded plugin, in its second version."""
    folder = plugin_folder("kept", tool("kept", schema=SCHEMA, execute="return 1"))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "kept", "config": {"api_key": "sesame"}}).status == 200
    plugin_folder("kept", tool("kept", version="2.0.0", schema=SCHEMA, execute="return 2"))
    assert studio.http.post("/api/plugins/kept/reload").status == 200
    yield folder
    studio.http.post("/api/plugins/kept/unload")
    studio.http.delete("/api/plugins/kept")


def serving(studio: Studio) -> object:
    body = {"plugin_id": "kept", "method": "execute", "args": ["x", {}]}
    return studio.http.post("/api/plugins/execute", body).json().get("result")


def packed(plugin_id: str, source: str) -> bytes:
    packet = io.BytesIO()
    with zipfile.ZipFile(packet, "w") as archive:
        archive.writestr(f"{plugin_id}/plugin.py", source)
        archive.writestr(f"{plugin_id}/__init__.py", "")
    return packet.getvalue()


def upload(admin: Admin, content: bytes, **fields: str) -> str:
    """The install form, sent as a browser sends it."""
    admin.page(f"{LIST}install/")
    [token] = [cookie.value or "" for cookie in admin.jar if cookie.name == "csrftoken"]
    line, parts = uuid4().hex, io.BytesIO()
    for name, value in {**fields, "csrfmiddlewaretoken": token}.items():
        parts.write(f'--{line}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode())
    parts.write(f'--{line}\r\nContent-Disposition: form-data; name="package"; filename="p.zip"\r\n\r\n'.encode())
    parts.write(content + f"\r\n--{line}--\r\n".encode())
    headers = {"Content-Type": f"multipart/form-data; boundary={line}"}
    request = Request(f"{admin.studio.url}{LIST}install/", data=parts.getvalue(), headers=headers)
    with admin.opener.open(request, timeout=60) as answer:
        return str(answer.read().decode())


def test_releases_tell_who_asked_and_one_can_be_gone_back_to(admin: Admin, studio: Studio, kept: Path) -> None:
    assert serving(studio) == 2
    page = admin.page(f"{LIST}kept/versions/")
    assert "reload by key:test-operator" in page and "2.0.0" in page
    back = admin.submit(
        f"{LIST}kept/versions/", {"generation": re.findall(r'name="generation" value="(\d+)"', page)[0]}
    )
    assert "“kept” is back." in told(back)
    assert serving(studio) == 1


def test_a_version_is_swapped_to_by_its_digest(admin: Admin, studio: Studio, kept: Path) -> None:
    page = admin.page(f"{LIST}kept/versions/")
    [other] = set(re.findall(r'name="digest" value="([0-9a-f]{64})"', page))
    admin.submit(f"{LIST}kept/versions/", {"digest": other})
    assert serving(studio) == 1
    assert "was rolled back" in told(admin.submit(LIST, {"action": "rollback_selected", "_selected_action": "kept"})), (
        "the last release that served"
    )
    assert serving(studio) == 2


def test_why_a_release_was_taken_back_is_there_to_be_read(admin: Admin, plugin_folder: Drop, kept: Path) -> None:
    plugin_folder("kept", tool("kept", version="3.0.0", initialize="raise ValueError('no ink')"))
    page = admin.submit(LIST, {"action": "reload_selected", "_selected_action": "kept"})
    assert "no ink" in told(page) and "still serving" in told(page)
    page = admin.page(f"{LIST}kept/versions/")
    assert "taken back" in page and "initialize_raised" in page and "no ink" in page


def test_configurations_are_compared_and_brought_back_without_a_secret(
    admin: Admin, studio: Studio, kept: Path
) -> None:
    for level in (5, 6):
        config = {"api_key": f"sesame-{level}", "level": level}
        assert studio.http.put("/api/plugins/kept/config", {"config": config}).status == 200
    path = f"{LIST}kept/configurations/"
    [current, *older] = re.findall(r"Compare from revision (\d+)", admin.page(path))
    page = admin.page(f"{path}?from={current}&to={older[0]}")
    assert "<code>/level</code>" in page and "<del>5</del>" in page and "<ins>6</ins>" in page
    assert "<del>********</del>" in page and "sesame" not in page
    assert "has its earlier configuration back" in told(admin.submit(path, {"number": older[0]}))
    assert studio.http.get("/api/plugins/kept").json()["config"]["level"] == 5


def test_unloading_what_others_need_asks_first_and_names_them(
    admin: Admin, studio: Studio, plugin_folder: Drop
) -> None:
    plugin_folder("below", tool("below"))
    plugin_folder("above", tool("above", dependencies=("below>=1",)))
    assert studio.http.post("/api/plugins/load", {"plugin_id": "above"}).status == 200
    assert "&gt;=1" in admin.page(f"{LIST}above/change/") or ">=1" in admin.page(f"{LIST}above/change/")
    for page in (
        admin.submit(f"{LIST}below/change/", {"_unload": "Unload"}),
        admin.submit(LIST, {"action": "unload_selected", "_selected_action": "below"}),
    ):
        assert "Unload what others need?" in page and "<li>above</li>" in page
        assert studio.http.get("/api/plugins/below").json()["state"] == "active"
    page = admin.submit(f"{LIST}below/unload/", {"sure": "yes"})
    assert "“below” is unloaded. Taken along: above." in told(page)
    assert studio.http.get("/api/plugins/above").json()["state"] == "inactive"


def test_looking_at_the_question_unloads_nothing(admin: Admin, studio: Studio, kept: Path) -> None:
    assert "Unload kept?" in admin.page(f"{LIST}kept/unload/")
    assert studio.http.get("/api/plugins/kept").json()["state"] == "active"


def test_a_package_is_installed_and_loaded_removed_and_put_back(admin: Admin, studio: Studio) -> None:
    page = upload(admin, packed("boxed", tool("boxed")), load="on")
    assert "“boxed” 1.0.0 is installed and loaded." in told(page)
    assert studio.http.get("/api/plugins/boxed").json()["state"] == "active"
    assert "It is loaded" in admin.page(f"{LIST}boxed/remove/")
    assert "still loaded" in told(admin.submit(f"{LIST}boxed/remove/", {})) or "Unload it first" in told(
        admin.submit(f"{LIST}boxed/remove/", {})
    )
    admin.submit(f"{LIST}boxed/unload/", {"sure": "yes"})
    assert "“boxed” is removed." in told(admin.submit(f"{LIST}boxed/remove/", {}))
    assert studio.http.get("/api/plugins/boxed").status == 404
    assert 'value="boxed"' in admin.page(f"{LIST}removed/")
    assert "“boxed” is back." in told(admin.submit(f"{LIST}removed/", {"plugin_id": "boxed"}))
    assert studio.http.get("/api/plugins/boxed").json()["state"] == "inactive"
    studio.http.delete("/api/plugins/boxed")


def test_what_is_no_package_is_refused_in_words(admin: Admin) -> None:
    page = upload(admin, b"not an archive")
    assert "The package cannot be used" in told(page) and "zip or tar.gz" in told(page)


def test_a_plugin_without_settings_has_nothing_to_save(admin: Admin, plugin_folder: Drop, kept: Path) -> None:
    plugin_folder("plain", tool("plain"))
    assert 'value="Save"' not in admin.page(f"{LIST}plain/change/")
    assert 'value="Save"' in admin.page(f"{LIST}kept/change/")


def test_nodes_say_how_they_are(admin: Admin) -> None:
    page = admin.page("/admin/plugins_app/nodestatus/")
    assert "plugin-state-ready" in page and " active" in page


def test_none_of_these_pages_is_for_everybody(studio: Studio, kept: Path) -> None:
    stranger = Browser(studio)
    for page in ("install/", "removed/", "kept/versions/", "kept/configurations/", "kept/remove/", "kept/unload/"):
        with stranger.opener.open(studio.url + LIST + page, timeout=20) as answer:
            assert "/admin/login/" in answer.url
    with pytest.raises(HTTPError, match="403"):
        stranger.opener.open(Request(f"{studio.url}{LIST}kept/remove/", data=b""), timeout=20)
