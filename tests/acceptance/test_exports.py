"""Export plugins in their real processes: what the sandbox and the limits leave of them."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator

import pypdf
import pytest

from tests.studio import Studio, wait_for

INSTALL_SECONDS = 180.0
SAID = "Grüße ☕ שלום $x^2$ مرحبا"
FORMATS = ("markdown-export", "json-export", "csv-export", "html-export", "pdf-export", "docx-export")


@pytest.fixture(scope="module")
def exporting(studio: Studio) -> Iterator[Studio]:
    """The studio with every format loaded; the environments are installed side by side."""
    states = {plugin_id: state(studio, plugin_id) for plugin_id in (*FORMATS, "example-provider")}
    missing = [plugin_id for plugin_id, seen in states.items() if seen != "active"]
    for plugin_id in missing:
        answer = studio.http.post("/api/plugins/load", {"plugin_id": plugin_id}, timeout=INSTALL_SECONDS)
        assert answer.status in (200, 202), answer.text
    for plugin_id in missing:
        wait_for(lambda one=plugin_id: state(studio, one) not in ("installing", "loading"), INSTALL_SECONDS)
        assert state(studio, plugin_id) == "active", studio.http.get(f"/api/plugins/{plugin_id}").text
    yield studio
    for plugin_id in missing:
        studio.http.post(f"/api/plugins/{plugin_id}/unload")


@pytest.fixture(scope="module")
def conversation(exporting: Studio) -> str:
    """A conversation with the example model."""
    body = {"model": "example-provider/echo", "message": SAID, "tools": []}
    answer = exporting.as_user.post("/api/chat", body, timeout=60)
    assert answer.status == 200, answer.text
    newest: str = exporting.as_user.get("/api/conversations").json()["results"][0]["id"]
    return newest


def state(studio: Studio, plugin_id: str) -> str:
    return str(studio.http.get(f"/api/plugins/{plugin_id}").json()["state"])


def text_in(plugin_id: str, content: bytes) -> str:
    """The text of a file, by a reader of its format."""
    if plugin_id == "pdf-export":
        return "".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages)
    if plugin_id == "docx-export":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return archive.read("word/document.xml").decode()
    if plugin_id == "csv-export":
        return "\n".join("\t".join(row) for row in csv.reader(io.StringIO(content.decode(), newline="")))
    return json.dumps(json.loads(content), ensure_ascii=False) if plugin_id == "json-export" else content.decode()


@pytest.mark.parametrize("plugin_id", FORMATS)
def test_a_conversation_leaves_in_every_format(exporting: Studio, conversation: str, plugin_id: str) -> None:
    file = exporting.as_user.get(f"/api/conversations/{conversation}/export?format={plugin_id}", timeout=60)
    assert file.status == 200, file.text
    assert "attachment" in file.headers["content-disposition"]
    found = text_in(plugin_id, file.body)
    for word in ("Grüße", "☕", "שלום"):
        assert word in found


def test_a_file_comes_whole_to_those_who_do_not_stream(exporting: Studio) -> None:
    data = {"title": "T", "messages": [{"role": "user", "content": "hello"}]}
    call = {"plugin_id": "markdown-export", "method": "export", "args": [data]}
    answer = exporting.http.post("/api/plugins/execute", call)
    assert answer.status == 200, answer.text
    assert "base64" in answer.json()["result"]
