"""`/plugin-assets/...` and the front end's page."""

import pytest

from tests.studio import Studio


@pytest.fixture
def entry(studio: Studio) -> str:
    plugin = studio.http.get("/api/plugins/token-meter").json()
    if plugin["state"] != "active":
        plugin = studio.http.post("/api/plugins/load", {"plugin_id": "token-meter"}).json()
    return str(plugin["ui"]["entry"])


def test_a_ui_plugins_files_are_served_for_ever(studio: Studio, entry: str) -> None:
    answer = studio.anonymous.get(entry)
    assert answer.status == 200 and answer.body
    assert answer.headers["Content-Type"].startswith("text/javascript")
    assert "immutable" in answer.headers["Cache-Control"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "../plugin.toml",
        "%2e%2e/plugin.toml",
        "ui/../plugin.toml",
        "plugin.toml",
        "config.json",
        "ui/../../../../../../../etc/passwd",
        "/etc/passwd",
        "ui/nothing.js",
    ],
)
def test_nothing_else_of_the_snapshot_is(studio: Studio, entry: str, path: str) -> None:
    base = "/".join(entry.split("/")[:4])
    answer = studio.anonymous.get(f"{base}/{path}")
    assert answer.status == 404


def test_a_digest_that_was_never_released_is_not_served(studio: Studio, entry: str) -> None:
    parts = entry.split("/")
    assert studio.anonymous.get("/".join([*parts[:3], "0" * 64, *parts[4:]])).status == 404


_PAGES = [
    *("/", "/plugins", "/plugins/", "/login", "/system", "/webhooks"),
    *("/c/some-conversation", "/plugins/some-plugin", "/plugins/some-plugin/versions", "/webhooks/some-id"),
]


@pytest.mark.parametrize("path", _PAGES)
def test_the_page_is_there_whatever_the_path(studio: Studio, path: str) -> None:
    answer = studio.anonymous.get(path)
    assert answer.status in (200, 503) and "<html" in answer.text.lower()
    assert "csrftoken" in answer.headers["Set-Cookie"]
