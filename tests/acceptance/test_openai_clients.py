"""The clients people have, unmodified from the registries, against the real studio's /v1."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from openai import OpenAI
from pydantic import BaseModel, SecretStr

from tests.acceptance.vendor import MANIFEST, VENDOR
from tests.studio import ROOT, Studio, wait_for

CLIENTS = ROOT / "tests" / "clients"
HI: Any = [{"role": "user", "content": "hi"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
    }
]


class Place(BaseModel):
    """What a model that answers in JSON is asked for."""

    city: str
    kind: str


@pytest.fixture
def vendor(studio: Studio, plugin_folder: Callable[..., Path]) -> Callable[[], dict[str, int]]:
    """The provider, loaded; tells how many of its answers wait and were cancelled."""
    plugin_folder("vendor", VENDOR, files={"plugin.toml": MANIFEST})
    assert studio.http.post("/api/plugins/load", {"plugin_id": "vendor"}).status == 200

    def count() -> dict[str, int]:
        found = studio.http.post("/api/plugins/execute", {"plugin_id": "vendor", "method": "count"}).json()
        return dict(found["result"])

    return count


@pytest.fixture
def client(studio: Studio, vendor: Callable[[], dict[str, int]]) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{studio.url}/v1", api_key=studio.user_key, max_retries=0) as client:
        yield client


def cancelled(vendor: Callable[[], dict[str, int]], count: int) -> None:
    wait_for(lambda: vendor() == {"waiting": count, "cancelled": count}, 30)


def test_openai_for_python_lists_asks_and_streams(client: OpenAI) -> None:
    assert "vendor/talk" in [model.id for model in client.models.list()]
    assert client.models.retrieve("vendor/talk").owned_by == "vendor"
    answer = client.chat.completions.create(model="vendor/talk", messages=HI, temperature=0.5, max_tokens=9)
    assert answer.choices[0].message.content == "You said: hi"
    assert answer.usage is not None and answer.usage.total_tokens == 10
    image: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    parts: Any = [{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]
    seen = client.chat.completions.create(model="vendor/talk", messages=parts)
    assert seen.choices[0].message.content == "You said: text and image_url"
    chunks = list(
        client.chat.completions.create(
            model="vendor/talk", messages=HI, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == "You said: hi"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None and chunks[-1].usage.prompt_tokens == 7


def test_openai_for_python_calls_tools_and_reads_json(client: OpenAI) -> None:
    answer = client.chat.completions.create(model="vendor/tools", messages=HI, tools=TOOLS)
    choice = answer.choices[0]
    assert choice.finish_reason == "tool_calls" and choice.message.tool_calls is not None
    call: Any = choice.message.tool_calls[0]
    assert (call.function.name, json.loads(call.function.arguments)) == ("weather", {"city": "Paris"})
    result: Any = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    said: Any = [*HI, choice.message, result]
    after = client.chat.completions.create(model="vendor/tools", messages=said, tools=TOOLS)
    assert after.choices[0].message.content == "You said: sunny"
    with client.chat.completions.stream(model="vendor/tools", messages=HI, tools=TOOLS) as stream:
        streamed: Any = stream.get_final_completion().choices[0].message
    assert json.loads(streamed.tool_calls[0].function.arguments) == {"city": "Paris"}
    parsed = client.chat.completions.parse(model="vendor/json", messages=HI, response_format=Place)
    assert parsed.choices[0].message.parsed == Place(city="Paris", kind="json_schema")


def test_openai_for_python_embeds(client: OpenAI) -> None:
    found = client.embeddings.create(model="vendor/vectors", input=["a", "bcd"], dimensions=2)
    assert [one.embedding for one in found.data] == [[1.0, 1.0], [3.0, 3.0]]
    plain = client.embeddings.create(model="vendor/vectors", input="ab", encoding_format="float")
    assert (plain.data[0].embedding, plain.usage.prompt_tokens) == ([2.0, 2.0, 2.0], 1)


def test_openai_for_python_raises_what_openai_would(client: OpenAI, studio: Studio) -> None:
    def fails(model: str) -> openai.APIStatusError:
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=model, messages=HI)
        return caught.value

    assert isinstance(missing := fails("vendor/none"), openai.NotFoundError) and missing.code == "model_not_found"
    assert isinstance(busy := fails("vendor/busy"), openai.RateLimitError)
    assert (busy.code, busy.response.headers["retry-after"]) == ("rate_limited", "1")
    assert missing.request_id is not None and missing.request_id.startswith("req_")
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="vendor/talk", messages=[])
    with (
        pytest.raises(openai.AuthenticationError),
        OpenAI(base_url=f"{studio.url}/v1", api_key="no", max_retries=0) as nobody,
    ):
        nobody.models.list()
    stream = client.chat.completions.create(model="vendor/breaks", messages=HI, stream=True)
    with pytest.raises(openai.APIError, match="out of paper"):
        list(stream)


def test_openai_for_python_leaves_a_stream_and_the_provider_stops(
    client: OpenAI, vendor: Callable[[], dict[str, int]]
) -> None:
    with client.chat.completions.create(model="vendor/slow", messages=HI, stream=True) as stream:
        assert next(iter(stream)).choices[0].delta.content == "wait"
    cancelled(vendor, 1)


@pytest.fixture
def http() -> Iterator[openai.DefaultHttpxClient]:
    """Connections that are closed after the test; LangChain keeps its own for ever."""
    with openai.DefaultHttpxClient() as http:
        yield http


def test_langchain_asks_streams_and_uses_tools(studio: Studio, vendor: object, http: openai.DefaultHttpxClient) -> None:
    @tool
    def weather(city: str) -> str:
        """How the weather is."""
        return f"sunny in {city}"

    def model(name: str) -> ChatOpenAI:
        key = SecretStr(studio.user_key)
        url = f"{studio.url}/v1"
        return ChatOpenAI(model=f"vendor/{name}", base_url=url, api_key=key, max_retries=0, http_client=http)

    answer = model("talk").invoke("hi")
    assert (answer.content, answer.usage_metadata and answer.usage_metadata["total_tokens"]) == ("You said: hi", 10)
    pieces = list(model("talk").stream("hi", stream_usage=True))
    assert "".join(str(piece.content) for piece in pieces) == "You said: hi"
    assert sum(piece.usage_metadata["total_tokens"] for piece in pieces if piece.usage_metadata) == 10
    bound = model("tools").bind_tools([weather])
    called: Any = bound.invoke("hi")
    assert called.tool_calls[0]["args"] == {"city": "Paris"}
    streamed: Any = None
    for piece in bound.stream("hi"):
        streamed = piece if streamed is None else streamed + piece
    assert streamed.tool_calls[0]["args"] == {"city": "Paris"}
    assert bound.invoke([("user", "hi"), called, weather.invoke(called.tool_calls[0])]).content == (
        "You said: sunny in Paris"
    )
    assert model("json").with_structured_output(Place).invoke("hi") == Place(city="Paris", kind="json_schema")
    with pytest.raises(openai.RateLimitError):
        model("busy").invoke("hi")
    embeddings = OpenAIEmbeddings(
        model="vendor/vectors",
        base_url=f"{studio.url}/v1",
        api_key=SecretStr(studio.user_key),
        http_client=http,
        check_embedding_ctx_length=False,  # else it counts OpenAI's tokens, whatever the model
    )
    assert embeddings.embed_query("abcd") == [4.0, 4.0, 4.0]


def run_node(script: str, studio: Studio) -> Any:
    """What a script of tests/clients printed."""
    path = os.pathsep.join([str(ROOT / ".venv" / "bin"), os.environ.get("PATH", os.defpath)])
    node = shutil.which("node", path=path)
    assert node is not None
    command = [node, script, f"{studio.url}/v1", studio.user_key]
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_openai_for_javascript(studio: Studio, vendor: Callable[[], dict[str, int]]) -> None:
    found = run_node("openai.mjs", studio)
    assert "vendor/talk" in found.pop("models")
    assert "".join(found.pop("streamed")) == "You said: hi"
    assert found == {
        "model": "vendor/talk",
        "plain": "You said: hi",
        "usage": 10,
        "streamUsage": 10,
        "call": {"name": "weather", "arguments": '{"city": "Paris"}'},
        "streamedCall": '{"city": "Paris"}',
        "ran": "You said: sunny in Paris",
        "parsed": {"city": "Paris", "kind": "json_schema"},
        "vectors": [[1, 1], [3, 3]],
        "unknown": ["NotFoundError", 404, "model_not_found"],
        "busy": ["RateLimitError", 429, "rate_limited"],
        "badKey": ["AuthenticationError", 401, "invalid_api_key"],
        "breaks": ["APIError", None, "plugin_raised"],
        "slow": "wait",
    }
    cancelled(vendor, 1)


def test_the_vercel_ai_sdk(studio: Studio, vendor: Callable[[], dict[str, int]]) -> None:
    found = run_node("vercel.mjs", studio)
    assert "".join(found.pop("streamed")) == "You said: hi"
    assert found == {
        "plain": "You said: hi",
        "usage": 10,
        "streamUsage": 10,
        "finish": "stop",
        "ran": "You said: sunny in Paris",
        "call": {"city": "Paris"},
        "ranLive": "You said: sunny in Paris",
        "object": {"city": "Paris", "kind": "json_schema"},
        "vectors": [[1, 1, 1], [3, 3, 3]],
        "unknown": [404, found["unknown"][1]],
        "busy": [429, "Ten a minute are enough."],
        "slow": "wait",
    }
    cancelled(vendor, 1)
