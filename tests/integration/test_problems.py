"""Every error is problem+json with a stable code; docs/errors.md explains each."""

import json
import re
import urllib.error
import urllib.request

import pytest

from aichat.chat.errors import CHAT_CODES
from plugins_app.services.errors import CODES
from tests.studio import ROOT, Response, Studio


def raw(studio: Studio, method: str, path: str, body: bytes, **headers: str) -> Response:
    sent = {"Authorization": f"Bearer {studio.operator_key}", **headers}
    request = urllib.request.Request(studio.url + path, data=body, headers=sent, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return Response(answer.status, answer.headers, answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.headers, error.read())


@pytest.mark.parametrize(
    ("method", "path", "body", "content_type", "status", "code"),
    [
        ("GET", "/api/nothing/here", b"", "application/json", 404, "not_found"),
        ("POST", "/api/nothing/here", b"{}", "application/json", 404, "not_found"),
        ("DELETE", "/api/conversations/x", b"", "application/json", 404, "not_found"),
        ("POST", "/api/plugins", b"{}", "application/json", 405, "method_not_allowed"),
        ("GET", "/api/plugins/load", b"", "application/json", 405, "method_not_allowed"),
        ("POST", "/api/plugins/load", b"{", "application/json", 400, "json_malformed"),
        ("POST", "/api/plugins/load", b"\xff", "application/json", 400, "json_malformed"),
        ("POST", "/api/plugins/load", b'{"plugin_id": NaN}', "application/json", 400, "json_malformed"),
        ("POST", "/api/plugins/load", b"[" * 100_000, "application/json", 400, "json_malformed"),
        ("POST", "/api/plugins/load", b"a=1", "text/plain", 415, "unsupported_media_type"),
        ("POST", "/api/plugins/load", b" " * (16 * 2**20 + 1), "application/json", 413, "body_too_large"),
    ],
)
def test_a_request_that_cannot_be_answered(
    studio: Studio, method: str, path: str, body: bytes, content_type: str, status: int, code: str
) -> None:
    answer = raw(studio, method, path, body, **{"Content-Type": content_type})
    problem = answer.json()
    assert (answer.status, problem["code"], problem["status"]) == (status, code, status)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == f"/docs/errors#{code}" and problem["title"] and problem["detail"]


def test_another_host_name_is_refused(studio: Studio) -> None:
    answer = raw(studio, "GET", "/api/plugins", b"", Host="evil.example")
    assert (answer.status, answer.json()["code"]) == (400, "bad_request")


def test_a_wrong_key_is_refused(studio: Studio) -> None:
    answer = raw(studio, "GET", "/api/plugins", b"", Authorization="Bearer acs_x_y")
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("path", ["/api/plugins", "/api/plugins/available", "/api/executions", "/api/plugins/events"])
def test_anonymous_gets_401(studio: Studio, path: str) -> None:
    answer = studio.anonymous.get(path)
    assert (answer.status, answer.json()["code"]) == (401, "unauthenticated")


def test_every_code_is_explained_and_nothing_else() -> None:
    text = (ROOT / "docs" / "errors.md").read_text()
    explained = {
        code: int(status)
        for status, code in re.findall(r"^\| (\d{3}) \| <a id=\"[a-z_]+\"></a>`([a-z_]+)`", text, re.M)
    }
    assert explained == {code: status for code, (status, _) in (CODES | CHAT_CODES).items()}


@pytest.mark.parametrize("code", ["model_not_found", "plugin_not_found"])
def test_the_type_of_a_problem_leads_to_its_explanation(studio: Studio, code: str) -> None:
    requests = {
        "model_not_found": ("/api/chat", {"model": "nobody/nothing", "message": "Hello"}),
        "plugin_not_found": ("/api/plugins/load", {"plugin_id": "nobody"}),
    }
    problem = studio.http.post(*requests[code]).json()
    path, _, anchor = problem["type"].partition("#")
    page = studio.anonymous.get(path)
    assert page.status == 200 and anchor == code
    row = re.search(rf'<tr><td>404</td><td><a id="{anchor}"></a><code>{code}</code></td><td>.+</td></tr>', page.text)
    assert row is not None


def test_the_openapi_document_has_every_call(studio: Studio) -> None:
    answer = raw(studio, "GET", "/api/schema?format=json", b"")
    paths = json.loads(answer.body)["paths"]
    assert set(paths["/api/plugins/{plugin_id}/config"]) == {"put", "patch"}
    assert "409" in paths["/api/plugins/load"]["post"]["responses"]
    page = studio.anonymous.get("/api/docs")
    assert page.status == 200 and "://" not in re.sub(r"http://127\.0\.0\.1[^\"]*|www\.w3\.org", "", page.text)
