"""A real model, through the whole system: its environment is installed, it is loaded, it answers in a chat."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.studio import Studio, wait_for

MODEL = "local-llama/smollm2-135m-instruct"
INSTALL_SECONDS = 180.0


@pytest.fixture(scope="module")
def local_llama(studio: Studio) -> Iterator[Studio]:
    """The studio with the model loaded."""
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "local-llama"}, timeout=INSTALL_SECONDS)
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: _state(studio) not in ("installing", "loading"), INSTALL_SECONDS)
    assert _state(studio) == "active", studio.http.get("/api/plugins/local-llama").text
    yield studio
    studio.http.post("/api/plugins/local-llama/unload")


def _state(studio: Studio) -> str:
    return str(studio.http.get("/api/plugins/local-llama").json()["state"])


def _chat(studio: Studio, message: str, **params: Any) -> list[tuple[str, dict[str, Any]]]:
    """The events of one answer."""
    body = {"model": MODEL, "message": message, "tools": [], **params}
    answer = studio.http.post("/api/chat", body, timeout=120)
    assert answer.status == 200, answer.text
    events = []
    for block in answer.text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line and not line.startswith(":"))
        if "event" in fields:
            events.append((fields["event"], json.loads(fields["data"])))
    return events


def test_its_model_is_listed(local_llama: Studio) -> None:
    models = {model["id"]: model for model in local_llama.http.get("/api/models").json()["data"]}
    assert models[MODEL]["context_window"] == 4096


def test_it_streams_an_answer_and_counts_tokens(local_llama: Studio) -> None:
    events = _chat(local_llama, "Tell me a story about a lighthouse.", max_tokens=40, temperature=0)
    pieces = [data["content"] for name, data in events if name == "delta"]
    assert len(pieces) > 3, events
    assert "".join(pieces).strip()
    name, end = events[-1]
    assert name == "message.end", events[-1]
    assert 0 < end["usage"]["completion_tokens"] <= 40


def test_a_conversation_that_is_too_long_is_refused_with_its_length(local_llama: Studio) -> None:
    body = {"model": MODEL, "message": "word " * 6000, "tools": []}
    answer = local_llama.http.post("/api/chat", body, timeout=120)
    assert "but the model sees only 4096" in answer.text
