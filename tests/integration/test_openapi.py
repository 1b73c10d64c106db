"""The OpenAPI document: complete, true, and the one that the front end's types are made from."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from jsonschema import Draft202012Validator

from tests.integration.chat_client import parse_events
from tests.studio import ROOT, Studio

CHAT_ROUTES = {
    "/api/models": "get",
    "/api/chat": "post",
    "/api/conversations/{id}/messages": "post",
    "/api/conversations/{id}/regenerate": "post",
    "/api/conversations/{id}/title": "post",
    "/api/conversations/{id}/export": "get",
    "/api/conversations/{id}/stream": "get",
    "/api/conversations/{id}/cancel": "post",
    "/api/conversations/{id}/approvals/{call_id}": "post",
    "/v1/models": "get",
    "/v1/models/{id}": "get",
    "/v1/chat/completions": "post",
    "/v1/embeddings": "post",
}


@pytest.fixture(scope="module")
def document() -> Any:
    out = StringIO()
    call_command("spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn", stdout=out)
    return json.loads(out.getvalue())


def misfits(document: Any, schema: str, value: Any) -> list[str]:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    return [error.message for error in Draft202012Validator(whole).iter_errors(value)]


def test_the_front_ends_copy_is_what_the_studio_says_now(document: Any) -> None:
    copy = json.loads((ROOT / "frontend" / "openapi.json").read_text())
    assert copy == document, (
        "stale: run manage.py spectacular --format openapi-json --file frontend/openapi.json, then npm run client"
    )


@pytest.mark.parametrize(("path", "method"), CHAT_ROUTES.items())
def test_the_raw_routes_are_in_it(document: Any, path: str, method: str) -> None:
    operation = document["paths"][path][method]
    assert operation["summary"] and "401" in operation["responses"]
    streams = [answer for answer in operation["responses"].values() if "text/event-stream" in answer.get("content", {})]
    assert bool(streams) == path.endswith(("chat", "messages", "regenerate", "stream", "completions"))


def test_a_real_answers_events_are_as_documented(studio: Studio, document: Any) -> None:
    for plugin in ("example-provider", "calculator"):
        assert studio.http.post("/api/plugins/load", {"plugin_id": plugin}).status == 200
    models = studio.http.get("/api/models").json()
    assert misfits(document, "ChatModels", models) == []
    question = {"model": "example-provider/echo", "message": "What is 6*7?"}
    assert misfits(document, "ChatBody", question) == []
    events = parse_events(studio.http.post("/api/chat", question).text)
    assert {"message.start", "tool.call", "tool.result", "delta", "message.end"} <= {event.name for event in events}
    for event in events:
        assert misfits(document, "ChatEvent", {"id": event.id, "event": event.name, "data": event.data}) == [], event


@pytest.mark.parametrize("body", [{}, {"model": "a/b", "more": 1}, {"model": "a/b", "temperature": 3}])
def test_what_is_refused_is_no_valid_body(studio: Studio, document: Any, body: dict[str, Any]) -> None:
    assert misfits(document, "ChatBody", body)
    assert studio.http.post("/api/chat", body).json()["code"] == "invalid"
