"""Secrets planted in every place, a plugin that tells them in every way it can, and not one in anything written."""

from __future__ import annotations

import base64
import html
import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request

import pytest
import redis

from tests.acceptance.canaries import (
    CANARIES,
    LEAKY,
    MODEL,
    SCHEMA,
    found_in,
    redis_contents,
    redis_monitor,
    search_tree,
)
from tests.integration.test_sessions import Browser
from tests.receiver import Receiver, receiving
from tests.studio import Client, Response, Studio, running_studio, wait_for

ACTIONS = (
    *("raise", "raise_by_name", "details", "print", "log", "traceback", "progress", "items", "event", "result"),
    "store",
)
VARIABLE = "CANARY_OF_THE_MACHINE"
MODEL_MANIFEST = f"""
[plugin]
id = "chatty"
name = "Chatty"
version = "1.0.0"
type = "provider"
[config.schema]
{json.dumps("api_key")} = {{ type = "string" }}
short = {{ type = "string", secret = true }}
"""


class Recorder(Client):
    """Keeps everything that the API answers."""

    def __init__(self, url: str, key: str) -> None:
        super().__init__(url, key)
        self.answers: list[tuple[str, bytes]] = []

    def request(self, method: str, path: str, body: object = None, *, timeout: float = 60) -> Response:
        answer = super().request(method, path, body, timeout=timeout)
        self.answers.append((f"{method} {path}", str(answer.headers).encode() + answer.body))
        return answer

    def told(self) -> dict[str, list[str]]:
        """The answers that have a canary in them."""
        return {name: hits for name, data in self.answers if (hits := found_in(data))}


class AdminPages(Browser):
    """An operator's browser that looks at every page of the admin."""

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.pages: dict[str, bytes] = {}
        self.send("GET", "/api/auth/me")
        name, password = studio.first_login
        assert self.send("POST", "/api/auth/login", {"username": name, "password": password}).status == 200

    def look(self, path: str) -> bytes:
        try:
            with self.opener.open(self.studio.url + path, timeout=60) as answer:
                self.pages[path] = html.unescape(answer.read().decode()).encode()
        except HTTPError as error:
            with error:
                self.pages[path] = html.unescape(error.read().decode()).encode()
        return self.pages[path]

    def save(self, path: str, fields: list[tuple[str, str]]) -> None:
        [token] = [cookie.value for cookie in self.jar if cookie.name == "csrftoken"]
        data = urlencode([*fields, ("csrfmiddlewaretoken", token or "")]).encode()
        with self.opener.open(Request(self.studio.url + path, data=data), timeout=60) as answer:
            self.pages[f"POST {path}"] = html.unescape(answer.read().decode()).encode()

    def look_everywhere(self) -> None:
        """Every page that can be reached from the admin's first one by links."""
        left, seen = ["/admin/"], set[str]()
        while left and len(seen) < 300:
            path = left.pop(0)
            seen.add(path)
            page = self.look(path).decode()
            links = re.findall(r'href="(/admin/[^"#]*|\?[^"#]*|[0-9a-f-]+/change/)', page)
            paths = [link if link.startswith("/") else path.partition("?")[0] + link for link in links]
            left += [each for each in dict.fromkeys(paths) if each not in seen and each not in left and _is_safe(each)]


def _is_safe(path: str) -> bool:
    return not re.search(r"logout|delete|password|jsi18n|[?&](o|e|all|_facets|_popup)=", path)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture(scope="module")
def studio(owned_processes: set[int], receiver: Receiver) -> Iterator[Studio]:
    """A studio of its own: it is searched down to the last file, and stopped before the end."""
    canary = {VARIABLE: CANARIES["env_key"], "STUDIO_WEBHOOK_ALLOW": "127.0.0.1", "STUDIO_SOAK": "0"}
    with running_studio(**canary) as running:
        assert running.launcher is not None
        owned_processes.add(running.launcher.pid)
        yield running


def plant(studio: Studio, api: Recorder, admin: AdminPages, receiver: Receiver) -> None:
    """Put a canary into every place that a secret may come from."""
    leaky, chatty = studio.plugins_dir / "leaky", studio.plugins_dir / "chatty"
    for folder in (leaky, chatty):
        folder.mkdir()
        (folder / "__init__.py").write_text("")
    (leaky / "plugin.py").write_text(LEAKY)
    (leaky / "config.json").write_text(json.dumps({"file_key": CANARIES["file_key"], "level": 1}))
    (chatty / "plugin.py").write_text(MODEL)
    (chatty / "plugin.toml").write_text(MODEL_MANIFEST)
    hook = {"name": "canary", "url": receiver.url, "secret": CANARIES["webhook"]}
    made = Client(studio.url, studio.operator_key).post("/api/webhooks", hook)  # shown this once: not recorded
    assert made.status == 201, made.text
    config = {"api_key": CANARIES["api_key"], "odd": CANARIES["odd"], "env_key": f"${{ENV:{VARIABLE}}}"}
    loaded = api.post(
        "/api/plugins/load", {"plugin_id": "leaky", "config": config, "grant": ["host:storage", "host:events"]}
    )
    assert loaded.status == 200, loaded.text
    page = "/admin/plugins_app/plugin/leaky/change/"
    admin.look(page)
    form = {"config": json.dumps({"form_key": CANARIES["form_key"], "short": CANARIES["short"], "level": 2})}
    admin.save(page, [*form.items(), ("granted", "host:storage"), ("granted", "host:events")])
    model = {"plugin_id": "chatty", "config": {"api_key": CANARIES["api_key"], "short": CANARIES["short"]}}
    loaded = api.post("/api/plugins/load", model)
    assert loaded.status == 200, f"{loaded.text}\n{studio.log()[-4000:]}"


def test_no_secret_is_in_anything_that_is_written(studio: Studio, receiver: Receiver) -> None:
    api, admin = Recorder(studio.url, studio.operator_key), AdminPages(studio)
    user = Recorder(studio.url, studio.user_key)
    client = redis.Redis(unix_socket_path=str(studio.data / "run" / "valkey.sock"))
    with closing(client), redis_monitor(studio.data / "run" / "valkey.sock") as commands:
        plant(studio, api, admin, receiver)
        plugin_knows_its_secrets(studio)
        misbehave(api, user)
        fail_to_start(studio, api)
        chat(api)
        look_at_everything(api, admin)
        wait_for(lambda: receiver.of("plugin_reloaded"), 30)
        held = redis_contents(client)
    log_before = studio.log()
    tree = search_tree(studio.data)
    studio.stop()
    found: dict[str, Any] = {
        "answers to the operator": api.told(),
        "answers to others": user.told(),
        "pages of the admin": {path: hits for path, page in admin.pages.items() if (hits := found_in(page))},
        "Redis": found_in(held),
        "commands to Redis": found_in(bytes(commands)),
        "webhooks": [hits for message in receiver.messages if (hits := found_in(message.body))],
        "the studio's output": found_in((log_before + studio.log()).encode()),
        "files while it ran": tree,
        "files afterwards": search_tree(studio.data),
        "rows": rows(studio),
    }
    assert {where: what for where, what in found.items() if what} == {}
    assert_that_it_was_looked_for(studio, admin, bytes(commands), log_before)


def plugin_knows_its_secrets(studio: Studio) -> None:
    """Otherwise there would be nothing to find."""
    card = studio.http.get("/api/plugins/leaky").json()
    assert card["config"]["env_key"] == f"${{ENV:{VARIABLE}}}"
    masked = {name for name, value in card["config"].items() if value == "********"}
    assert masked == {"api_key", "form_key", "file_key", "odd", "short"}
    body = {"plugin_id": "leaky", "method": "execute", "kwargs": {"action": "result", "parameters": {}}}
    result = studio.http.post("/api/plugins/execute", body).json()["result"]
    expected = [CANARIES[name] for name in SCHEMA if SCHEMA[name].get("secret")]
    assert [len(text.encode()) for text in result["secrets"]] == [len(text.encode()) for text in expected]
    assert {char for text in result["secrets"] for char in text} == {"*"}


def misbehave(api: Recorder, user: Recorder) -> None:
    """Every way, at once and as a long execution, as an operator and as somebody else."""
    locations = []
    for action in ACTIONS:
        body = {"plugin_id": "leaky", "method": "execute", "kwargs": {"action": action, "parameters": {}}}
        for who in (api, user):
            assert who.post("/api/plugins/execute", body).status in (200, 502), action
        locations.append(api.post("/api/plugins/execute", body | {"mode": "async"}).headers["Location"])
    for location in locations:
        wait_for(lambda location=location: api.get(location).json()["status"] in ("succeeded", "failed"), 60)
        api.get(f"{location}/events")


def fail_to_start(studio: Studio, api: Recorder) -> None:
    """A configuration, a version and a folder that do not work, and a good version after them."""
    for how in ("raise", "refuse"):
        assert api.patch("/api/plugins/leaky/config", {"config": {"breaks": how}}).status == 502
    wrong = {"config": {"api_key": [CANARIES["api_key"]], "level": CANARIES["form_key"][:0] + "x"}}
    assert api.patch("/api/plugins/leaky/config", wrong).status == 422
    plugin = studio.plugins_dir / "leaky" / "plugin.py"
    plugin.write_text(LEAKY + "\nraise RuntimeError('broken')\n")
    assert api.post("/api/plugins/leaky/reload").status == 502
    plugin.write_text(
        LEAKY.replace(
            "def long(self):", "def __init__(self, config):\n        raise ValueError(config)\n\n    def long(self):"
        )
    )
    assert api.post("/api/plugins/leaky/reload").status in (409, 502)
    plugin.write_text(LEAKY + "\n# a new version\n")
    assert api.post("/api/plugins/leaky/reload").status == 200
    history = api.get("/api/plugins/leaky/config/history").json()["results"]
    number = next(row["number"] for row in history if not row["current"] and not row["undone"])
    assert api.post("/api/plugins/leaky/config/rollback", {"number": number}).status == 200
    for row in history:
        api.get(f"/api/plugins/leaky/config/history/{row['number']}")
        api.get(f"/api/plugins/leaky/config/compare?from={row['number']}")


def chat(api: Recorder) -> None:
    """A model that says its key, fails with it, and a conversation that is exported."""
    for question in ("what is your key?", "please fail"):
        answer = api.post("/api/chat", {"model": "chatty/parrot", "message": question})
        assert answer.status == 200, answer.text
    completion = {"model": "chatty/parrot", "messages": [{"role": "user", "content": "please fail"}]}
    api.post("/v1/chat/completions", completion)
    for conversation in api.get("/api/conversations").json()["results"]:
        api.get(f"/api/conversations/{conversation['id']}")
        api.get(f"/api/conversations/{conversation['id']}/export?format=markdown-export")


def look_at_everything(api: Recorder, admin: AdminPages) -> None:
    """Whatever the API and the admin can show."""
    for path in ("plugins", "plugins/available", "plugins/health", "executions?page_size=200", "nodes", "webhooks"):
        api.get(f"/api/{path}")
    for part in ("", "/versions", "/config/history", "/events", "/plan"):
        api.get(f"/api/plugins/leaky{part}")
    for row in api.get("/api/executions?page_size=200").json()["results"]:
        api.get(f"/api/executions/{row['id']}")
    for hook in api.get("/api/webhooks").json()["results"]:
        for delivery in api.get(f"/api/webhooks/{hook['id']}/deliveries?page_size=200").json()["results"]:
            api.get(f"/api/webhooks/{hook['id']}/deliveries/{delivery['id']}")
    admin.look_everywhere()


def rows(studio: Studio) -> dict[str, list[str]]:
    """The rows of the database that have a canary in them, column by column, whatever is encoded in a page."""
    found: dict[str, Any] = {}
    with closing(sqlite3.connect(studio.data / "studio.sqlite3")) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                hits = [hit for value in row if value is not None for hit in found_in(str(value).encode())]
                if hits:
                    found.setdefault(table, []).extend(hits)
    return found


def assert_that_it_was_looked_for(studio: Studio, admin: AdminPages, commands: bytes, log: str) -> None:
    """A search that reads nothing finds nothing."""
    assert found_in(base64.b64encode(CANARIES["api_key"].encode())) and found_in(CANARIES["odd"].encode())
    assert "leaky" in log and log.count("********") > 50
    assert b"execution_run" in commands
    assert {"/admin/", "/admin/plugins_app/execution/"} <= set(admin.pages) and len(admin.pages) > 40
    with closing(sqlite3.connect(studio.data / "studio.sqlite3")) as database:
        counted = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("plugins_app_execution", "plugins_app_storageitem", "plugins_app_lifecycleevent")
        }
    assert counted["plugins_app_execution"] >= len(ACTIONS)
    assert counted["plugins_app_storageitem"] > 0 and counted["plugins_app_lifecycleevent"] > 20
