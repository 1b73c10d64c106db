"""The admin: states in words, the form of a plugin's own schema, secrets that are never shown."""

import html
import json
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import Request

import pytest

from tests.integration.sources import tool
from tests.integration.test_sessions import Browser
from tests.studio import Studio

Drop = Callable[..., Path]
SCHEMA = {
    "api_key": {"type": "string", "required": True, "description": "The key of the service"},
    "level": {"type": "integer", "min": 1, "max": 9, "default": 3},
}
LIST = "/admin/plugins_app/plugin/"
PAGE = f"{LIST}managed/change/"


class Admin(Browser):
    """An operator's browser."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.send("GET", "/api/auth/me")
        name, password = studio.first_login
        assert self.send("POST", "/api/auth/login", {"username": name, "password": password}).status == 200

    def page(self, path: str) -> str:
        with self.opener.open(self.studio.url + path, timeout=20) as answer:
            return html.unescape(answer.read().decode())

    def submit(self, path: str, fields: dict[str, str]) -> str:
        [token] = [cookie.value for cookie in self.jar if cookie.name == "csrftoken"]
        data = urlencode({**fields, "csrfmiddlewaretoken": token or ""}).encode()
        with self.opener.open(Request(self.studio.url + path, data=data), timeout=60) as answer:
            return html.unescape(answer.read().decode())

    def configure(self, config: dict[str, object], **buttons: str) -> str:
        return self.submit(PAGE, {"config": json.dumps(config), **buttons})


def told(page: str) -> str:
    """The messages on a page."""
    return " ".join(
        re.sub(r"<[^>]+>", " ", each) for each in re.findall(r'<ul class="messagelist">.*?</ul>', page, re.S)
    )


@pytest.fixture
def admin(studio: Studio, plugin_folder: Drop) -> Admin:
    studio.http.delete("/api/plugins/managed")
    refuses = "if self.get_config('level') == 9: raise ValueError('nine is too much')\nreturn True"
    plugin_folder("managed", tool("managed", schema=SCHEMA, initialize=refuses))
    return Admin(studio)


def test_the_list_shows_every_plugin_with_its_state(admin: Admin, plugin_folder: Drop) -> None:
    plugin_folder("torn", "def oops(:\n")
    page = admin.page(LIST)
    assert "plugin-state-available" in page and "plugin-state-error" in page
    assert "The plugin cannot be imported" in page


def test_the_form_is_drawn_from_the_plugins_schema(admin: Admin) -> None:
    page = admin.page(PAGE)
    assert "The key of the service" in page and '"format": "password"' in page and '"maximum": 9' in page


def test_a_wrong_value_is_told_beside_its_field(admin: Admin) -> None:
    page = admin.configure({"api_key": "", "level": 99}, _load="Load")
    assert "Please correct the" in page and "api_key is required" in page and "99 must be at most 9" in page


def test_a_secret_is_stored_and_never_shown(admin: Admin, studio: Studio) -> None:
    page = admin.configure({"api_key": "sesame-42", "level": 4}, _load="Load")
    assert "is configured" in told(page) and "is loaded" in told(page)
    pages = [page, admin.page(PAGE), admin.page(PAGE.replace("change", "history")), admin.page(LIST)]
    pages += [
        admin.page(f"/admin/plugins_app/{kind}/") for kind in ("pluginrelease", "pluginversion", "lifecycleevent")
    ]
    assert not any("sesame-42" in each for each in pages)
    assert "leave empty to keep it" in pages[1]

    assert "is configured" in told(admin.configure({"api_key": "", "level": 5}))
    plugin = studio.http.get("/api/plugins/managed").json()
    assert plugin["config"] == {"api_key": "********", "level": 5} and plugin["state"] == "active"


def test_a_configuration_the_plugin_refuses_is_told_and_the_old_one_serves(admin: Admin, studio: Studio) -> None:
    admin.configure({"api_key": "k", "level": 4}, _load="Load")
    page = admin.configure({"api_key": "", "level": 9})
    assert "nine is too much" in told(page) and "still serving" in told(page)
    assert studio.http.get("/api/plugins/managed").json()["config"]["level"] == 4


def test_actions_load_reload_and_unload_in_words(admin: Admin, studio: Studio) -> None:
    studio.http.put("/api/plugins/managed/config", {"config": {"api_key": "k"}})
    for action, words in (("load", "is loaded"), ("reload", "was reloaded"), ("unload", "is unloaded")):
        page = admin.submit(LIST, {"action": f"{action}_selected", "_selected_action": "managed"})
        assert words in told(page), told(page)
    page = admin.submit(LIST, {"action": "reload_selected", "_selected_action": "managed"})
    assert "not loaded" in told(page) and "Load it first" in told(page)


def test_permissions_are_granted_by_checkboxes(admin: Admin, studio: Studio, plugin_folder: Drop) -> None:
    manifest = (
        '[plugin]\nid = "managed"\nname = "M"\nversion = "1.0.0"\ntype = "tool"\n[permissions]\nhost = ["storage"]\n'
    )
    plugin_folder("managed", tool("managed"), files={"plugin.toml": manifest})
    assert 'type="checkbox" name="granted" value="host:storage"' in admin.page(PAGE)
    assert "is loaded" in told(admin.submit(PAGE, {"granted": "host:storage", "_load": "Load"}))
    assert studio.http.get("/api/plugins/managed").json()["permissions"]["granted"] == ["host:storage"]


def test_everything_else_can_be_read(admin: Admin) -> None:
    kinds = (
        "execution",
        "lifecycleevent",
        "pluginrelease",
        "pluginversion",
        "nodestatus",
        "pluginenvironment",
        "apikey",
    )
    for kind in kinds:
        page = admin.page(f"/admin/plugins_app/{kind}/")
        for link in re.findall(rf'href="(/admin/plugins_app/{kind}/[^"]+/change/)[^"]*"', page)[:1]:
            assert "</html>" in admin.page(link)


def test_a_key_is_shown_once_and_can_be_revoked(admin: Admin, studio: Studio) -> None:
    page = admin.submit("/admin/plugins_app/apikey/add/", {"name": "made in the admin", "role": "user"})
    [key] = re.findall(r"acs_[0-9a-f]{8}_[\w-]+", told(page))
    request = Request(f"{studio.url}/api/auth/me", headers={"Authorization": f"Bearer {key}"})
    with Browser(studio).opener.open(request, timeout=20) as answer:
        assert json.load(answer) == {"username": "key:made in the admin", "is_operator": False}
    assert key not in admin.page("/admin/plugins_app/apikey/")
