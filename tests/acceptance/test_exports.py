"""Export plugins in their real processes: what the sandbox and the limits leave of them."""

from __future__ import annotations

import io
from typing import Any

import pypdf

from tests.studio import Studio, wait_for

INSTALL_SECONDS = 120.0
CONVERSATION: dict[str, Any] = {
    "title": "Grüße ☕ שלום",
    "messages": [
        {"role": "user", "content": "What is $x^2$?\n\nمرحبا"},
        {"role": "assistant", "model": "a/b", "content": "```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"},
    ],
}


def load(studio: Studio, plugin_id: str) -> None:
    """Load a plugin, its environment with it."""
    answer = studio.http.post("/api/plugins/load", {"plugin_id": plugin_id}, timeout=INSTALL_SECONDS)
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: state(studio, plugin_id) not in ("installing", "loading"), INSTALL_SECONDS)
    assert state(studio, plugin_id) == "active", studio.http.get(f"/api/plugins/{plugin_id}").text


def state(studio: Studio, plugin_id: str) -> str:
    return str(studio.http.get(f"/api/plugins/{plugin_id}").json()["state"])


def exported(studio: Studio, plugin_id: str) -> bytes:
    """A real conversation with the example model, as a file."""
    body = {"model": "example-provider/echo", "message": CONVERSATION["messages"][0]["content"]}
    load(studio, "example-provider")
    answer = studio.http.post("/api/chat", body, timeout=60)
    assert answer.status == 200, answer.text
    newest = studio.http.get("/api/conversations").json()["results"][0]["id"]
    file = studio.http.get(f"/api/conversations/{newest}/export?format={plugin_id}", timeout=60)
    assert file.status == 200, file.text
    return file.body


def test_a_conversation_leaves_as_pdf(studio: Studio) -> None:
    load(studio, "pdf-export")
    text = pypdf.PdfReader(io.BytesIO(exported(studio, "pdf-export"))).pages[0].extract_text()
    assert "What is" in text and "Assistant" in text
