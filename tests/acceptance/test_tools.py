"""The bundled tools in the real system: under the real sandbox, as a real user."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.studio import Client, Studio, wait_for

MINE = ("python-runner", "conversation-search")


@pytest.fixture(scope="module")
def tools(studio: Studio) -> Iterator[Studio]:
    """The studio with what needs to be loaded; the clock is there from the start."""
    for plugin_id in MINE:
        answer = studio.http.post("/api/plugins/load", {"plugin_id": plugin_id})
        assert answer.status in (200, 202), answer.text
        wait_for(lambda one=plugin_id: _state(studio, one) == "active", 60)
    yield studio
    for plugin_id in MINE:
        studio.http.post(f"/api/plugins/{plugin_id}/unload")


def _state(studio: Studio, plugin_id: str) -> str:
    return str(studio.http.get(f"/api/plugins/{plugin_id}").json()["state"])


def _execute(client: Client, plugin_id: str, action: str, **parameters: Any) -> dict[str, Any]:
    body = {"plugin_id": plugin_id, "method": "execute", "args": [action, parameters]}
    answer = client.post("/api/plugins/execute", body)
    assert answer.status == 200, answer.text
    result: dict[str, Any] = answer.json()["result"]
    return result


def test_it_knows_the_time_at_the_very_first_start(studio: Studio) -> None:
    found = _execute(studio.as_user, "date-time", "now", zone="Asia/Tokyo")
    assert (found["zone"], found["utc_offset"]) == ("Asia/Tokyo", "+09:00")


def test_code_runs_in_a_cage_within_the_sandbox(tools: Studio) -> None:
    user = tools.as_user
    assert _execute(user, "python-runner", "run", code="import statistics\nstatistics.mean([40, 44])")["value"] == "42"
    secret = str(tools.data / "first-login.txt")
    escapes = (
        f"open({secret!r}).read()",
        "import socket; socket.create_connection(('127.0.0.1', 1))",
        "import os; os.listdir('..')",
        "import subprocess; subprocess.run(['/bin/true'])",
    )
    for code in escapes:
        found = _execute(user, "python-runner", "run", code=code)
        assert found["ok"] is False and "Error" in found["error"], found
    stopped = _execute(user, "python-runner", "run", code="while True: pass", timeout_s=0.3)
    assert "time limit" in stopped["error"]
    environ = _execute(user, "python-runner", "run", code="import os; sorted(os.environ)")["value"]
    assert not any(name in environ for name in ("STUDIO", "DATABASE", "REDIS", "DJANGO"))


def test_a_user_finds_his_own_conversations_only(tools: Studio) -> None:
    made = tools.as_user.post("/api/conversations", {"title": "The zebra's birthday"})
    assert made.status == 201, made.text
    found = _execute(tools.as_user, "conversation-search", "search", query="zebra")["results"]
    assert [one["conversation_id"] for one in found] == [made.json()["id"]]
    read = _execute(tools.as_user, "conversation-search", "read", conversation_id=made.json()["id"])
    assert (read["title"], read["text"]) == ("The zebra's birthday", "")
    assert _execute(tools.http, "conversation-search", "search", query="zebra")["results"] == []
    tools.as_user.delete(f"/api/conversations/{made.json()['id']}")


class _Web(BaseHTTPRequestHandler):
    """A page, and a SearXNG that finds it."""

    def do_GET(self) -> None:
        is_search = self.path.startswith("/search")
        page = "<html><head><title>Zebras</title></head><body><p>Zebras have stripes.</p></body></html>"
        found = {"results": [{"title": "Zebras", "url": "https://example.org/z", "content": "Stripes"}]}
        body = (json.dumps(found) if is_search else page).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json" if is_search else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def web(studio: Studio) -> Iterator[str]:
    """A server on this machine, and the plugins that read the web, allowed to reach it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    configs = {
        "fetch-page": {"allow_private": ["127.0.0.1"]},
        "web-search": {"backend": "searxng", "base_url": url},
    }
    for plugin_id, config in configs.items():
        grant = [f"network:127.0.0.1:{server.server_port}"]
        body = {"plugin_id": plugin_id, "config": config, "grant": grant}
        answer = studio.http.post("/api/plugins/load", body, timeout=180)
        assert answer.status in (200, 202), answer.text
        wait_for(lambda one=plugin_id: _state(studio, one) == "active", 180)
    yield url
    for plugin_id in configs:
        studio.http.post(f"/api/plugins/{plugin_id}/unload")
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_web_is_searched_and_read(studio: Studio, web: str) -> None:
    found = _execute(studio.as_user, "web-search", "search", query="zebra")["results"]
    assert found == [{"title": "Zebras", "url": "https://example.org/z", "snippet": "Stripes"}]
    page = _execute(studio.as_user, "fetch-page", "fetch", url=f"{web}/zebras")
    assert (page["title"], page["text"]) == ("Zebras", "Zebras have stripes.")
    body = {"plugin_id": "fetch-page", "method": "execute", "args": ["fetch", {"url": "http://169.254.169.254/"}]}
    refused = studio.as_user.post("/api/plugins/execute", body)
    assert "link-local" in refused.text
