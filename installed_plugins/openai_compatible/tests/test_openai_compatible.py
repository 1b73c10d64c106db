"""The provider over real HTTP against a server that speaks OpenAI's format."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from installed_plugins.openai_compatible.completions import read_chunks
from installed_plugins.openai_compatible.endpoints import Endpoint
from installed_plugins.openai_compatible.failures import Failure
from plugins_app.sdk import AuthFailed, ConfigError, DeadlineExceeded, NotReady, PermissionDenied, UpstreamError
from plugins_app.sdk.manifest import read_manifest
from plugins_app.sdk.testing import PluginHarness

from .server import Answer, Server, chunk, event, served, streamed, words

FOLDER = Path(__file__).parents[1]
HI = [{"role": "user", "content": "hi"}]
KEY = "sk-a-key-of-some-length"


def harness(server: Server, **config: Any) -> PluginHarness:
    return PluginHarness(FOLDER, {"base_url": server.url, "api_key": KEY, **config})


async def asked(plugin: PluginHarness, model: str = "m", **params: Any) -> list[dict[str, Any]]:
    return [each async for each in plugin.stream("stream_completion", HI, model, **params)]


def text_of(chunks: list[dict[str, Any]]) -> str:
    return "".join(choice["delta"].get("content") or "" for each in chunks for choice in each["choices"])


def status(code: int, body: object = None, **headers: str) -> Answer:
    """An answer that is an error."""

    async def answer(server: Server, request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        return web.json_response(body or {"error": {"message": "no"}}, status=code, headers=headers)

    return answer


def raw(*pieces: bytes, cut: bool = False) -> Answer:
    """Exactly these bytes as a stream, which breaks off if it is to be `cut`."""

    async def answer(server: Server, request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        if not cut:
            return await streamed(request, *pieces)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"".join(pieces))
        assert request.transport is not None
        request.transport.abort()
        return response

    return answer


async def hanging(server: Server, request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
    """A first word, and then nothing until the client goes away."""
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    await response.write(event(chunk({"content": "well"})))
    try:
        await asyncio.Event().wait()
    finally:
        server.gone.set()
    return response


class TestAnswers:
    async def test_a_stream_brings_words_end_and_usage(self) -> None:
        async with served() as server, harness(server) as plugin:
            chunks = await asked(plugin, temperature=0.5, tools=[{"type": "function"}], seed=None, top_k=3)
        assert text_of(chunks) == "Hello world"
        assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
        assert chunks[-1]["usage"]["total_tokens"] == 5
        assert server.bodies == [
            {
                "model": "m",
                "messages": HI,
                "temperature": 0.5,
                "tools": [{"type": "function"}],
                "top_k": 3,
                "stream": True,
                "stream_options": {"include_usage": True},
            }
        ]
        assert server.headers[0]["Authorization"] == f"Bearer {KEY}"

    async def test_a_whole_answer(self) -> None:
        async with served() as server, harness(server) as plugin:
            answer = await plugin.call("chat_completion", HI, "m", max_tokens=5)
        assert answer["choices"][0]["message"]["content"] == "Hello world"
        assert server.bodies == [{"model": "m", "messages": HI, "max_tokens": 5}]

    async def test_tool_calls_and_reasoning_pass_as_they_came(self) -> None:
        call = {"index": 0, "id": "t1", "type": "function", "function": {"name": "f", "arguments": '{"a":'}}
        sent = [chunk({"reasoning_content": "hm"}), chunk({"tool_calls": [call]}), chunk({}, "tool_calls")]
        async with served(raw(*map(event, sent), event(b"[DONE]"))) as server, harness(server) as plugin:
            assert await asked(plugin) == sent

    async def test_text_that_came_together_is_one_chunk_and_nothing_else_is_put_together(self) -> None:
        probable = chunk({"content": "c"})
        probable["choices"][0]["logprobs"] = {"content": []}
        sent = [chunk({"role": "assistant", "content": "a"}), chunk({"content": "b"}), probable, chunk({}, "stop")]
        async with served(raw(*map(event, sent), event(b"[DONE]"))) as server, harness(server) as plugin:
            chunks = await asked(plugin)
        assert chunks == [chunk({"role": "assistant", "content": "ab"}), probable, chunk({}, "stop")]

    async def test_a_server_that_does_not_stream_is_understood(self) -> None:
        async def whole(server: Server, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
            return await words("all")(server, request, {})

        async with served(whole) as server, harness(server) as plugin:
            chunks = await asked(plugin)
        assert text_of(chunks) == "all"
        assert chunks[-1]["usage"]["completion_tokens"] == 1

    async def test_events_may_be_cut_anywhere_and_written_loosely(self) -> None:
        first, last = json.dumps(chunk({"content": "ü"})), json.dumps(chunk({}, "stop"))
        sent = f": hello\r\n\r\nevent: x\r\ndata:{first}\r\n\r\nid: 3\ndata: {last}".encode()
        async with served(raw(sent)) as server, harness(server) as plugin:
            assert text_of(await asked(plugin)) == "ü"

    async def test_parts_of_thinking_models_and_a_count_at_its_own_place_are_understood(self) -> None:
        thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"}]
        last = chunk({}, "stop") | {"x_groq": {"usage": {"prompt_tokens": 1}}}
        async with served(raw(event(chunk({"content": thinking})), event(last))) as server, harness(server) as plugin:
            chunks = await asked(plugin)
        assert text_of(chunks) == "a" and chunks[0]["choices"][0]["delta"]["reasoning_content"] == "hm"
        assert chunks[-1]["usage"] == {"prompt_tokens": 1}

    async def test_embeddings_come_in_the_order_of_the_texts(self) -> None:
        async with served() as server, harness(server) as plugin:
            answer = await plugin.call("embed", ["a", "bbb"], "text-embedding-3", dimensions=1)
        assert answer == {"data": [[1.0], [3.0]], "usage": {"prompt_tokens": 2, "total_tokens": 2}}
        assert server.bodies[0]["dimensions"] == 1

    async def test_a_connection_is_used_again(self) -> None:
        async with served() as server, harness(server) as plugin:
            ports = set()

            async def noted(server: Server, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
                assert request.transport is not None
                ports.add(request.transport.get_extra_info("peername")[1])
                return await words("x")(server, request, body)

            server.answers = [noted, noted, noted]
            for _ in range(3):
                await asked(plugin)
        assert len(ports) == 1


class TestFailures:
    @pytest.mark.parametrize("code", [401, 403])
    async def test_a_refused_key_is_told_at_once_and_not_shown(self, code: int) -> None:
        async with served(status(code)) as server, harness(server) as plugin:
            with pytest.raises(AuthFailed, match="Check the API key") as caught:
                await asked(plugin)
        assert len(server.bodies) == 1
        assert KEY not in str(caught.value)

    async def test_what_passes_is_tried_again_before_the_first_chunk(self) -> None:
        busy = [status(429, **{"Retry-After": "0"}), status(503, **{"retry-after-ms": "1"}), raw(cut=True)]
        async with served(*busy) as server, harness(server) as plugin:
            assert text_of(await asked(plugin)) == "Hello world"
        assert len(server.bodies) == 4

    async def test_an_answer_that_has_begun_is_never_repeated(self) -> None:
        cut = raw(event(chunk({"content": "well"})), cut=True)
        async with served(cut) as server, harness(server) as plugin:
            seen = []
            with pytest.raises(UpstreamError, match="broke off"):
                async for each in plugin.stream("stream_completion", HI, "m"):
                    seen.append(each)
        assert text_of(seen) == "well"
        assert len(server.bodies) == 1

    async def test_a_stream_without_its_end_is_a_failure(self) -> None:
        async with served(raw(event(chunk({"content": "well"})))) as server, harness(server) as plugin:
            with pytest.raises(UpstreamError, match="broke off in the middle"):
                await asked(plugin)

    async def test_when_tries_are_used_up_the_last_failure_is_told(self) -> None:
        limit = status(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0"})
        async with served(limit, limit, status(500, **{"Retry-After": "0"})) as server:
            async with harness(server, max_retries=1) as plugin:
                with pytest.raises(NotReady, match="429: slow down"):
                    await asked(plugin)
                with pytest.raises(NotReady):  # the server wants more time than anybody waits
                    server.answers = [status(429, **{"Retry-After": "3600"})]
                    await asked(plugin)
            async with harness(server, max_retries=0) as plugin:
                server.answers = [status(500)]
                with pytest.raises(UpstreamError, match="500") as caught:
                    await plugin.call("chat_completion", HI, "m")
        assert (caught.value.status, caught.value.retryable) == (500, True)

    async def test_money_that_is_spent_is_not_waited_for(self) -> None:
        spent = status(429, {"error": {"message": "no money", "code": "insufficient_quota"}})
        async with served(spent) as server, harness(server) as plugin:
            with pytest.raises(UpstreamError, match="no money") as caught:
                await asked(plugin)
        assert (caught.value.reason, len(server.bodies)) == ("insufficient_quota", 1)

    async def test_a_wrong_request_is_told_in_the_servers_words(self) -> None:
        async with (
            served(status(400, {"error": {"message": "no such parameter", "code": "unknown_parameter"}})) as server,
            harness(server) as plugin,
        ):
            with pytest.raises(UpstreamError, match="400: no such parameter") as caught:
                await asked(plugin)
        assert not caught.value.retryable and caught.value.reason == "unknown_parameter"

    @pytest.mark.parametrize(
        "garbage", [b"<html>hello</html>", event(b"{nonsense"), event([1]), b'{"choices": 3}', b"{broken"]
    )
    async def test_garbage_is_shown(self, garbage: bytes) -> None:
        async with served(raw(garbage)) as server, harness(server) as plugin:
            with pytest.raises(UpstreamError, match="something else than a chat completion"):
                await asked(plugin)

    async def test_an_error_in_the_stream(self) -> None:
        failed = event({"error": {"message": "out of memory", "code": 400}})
        async with served(raw(event(chunk({"content": "a"})), failed)) as server, harness(server) as plugin:
            with pytest.raises(UpstreamError, match="out of memory"):
                await asked(plugin)

    async def test_an_error_in_vllms_words(self) -> None:
        failure = {"object": "error", "message": "too many", "code": 400}
        async with served(raw(event(failure))) as server, harness(server) as plugin:
            with pytest.raises(UpstreamError, match="too many") as caught:
                await asked(plugin)
        assert caught.value.status == 400

    async def test_a_line_without_end_is_given_up(self) -> None:
        class Endless:
            read = 0

            async def readany(self) -> bytes:
                self.read += 1
                return b"x" * 2**23

            def at_eof(self) -> bool:
                return False

        body = Endless()
        with pytest.raises(Failure, match="something else than a chat completion"):
            _ = [batch async for batch in read_chunks(Endpoint("", "http://there", {}), body)]
        assert body.read == 4

    async def test_a_server_that_falls_silent_is_given_up(self) -> None:
        async with served(hanging) as server, harness(server, read_timeout_s=0.1) as plugin:
            with pytest.raises(DeadlineExceeded, match=r"sent nothing for 0\.1 s"):
                await asked(plugin)
            async with asyncio.timeout(5):
                await server.gone.wait()

    async def test_a_client_that_goes_away_closes_the_connection(self) -> None:
        async with served(hanging) as server, harness(server) as plugin:
            async with aclosing(plugin.stream("stream_completion", HI, "m")) as chunks:
                assert text_of([await anext(chunks)]) == "well"
            async with asyncio.timeout(5):
                await server.gone.wait()

    async def test_nobody_there(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        config = {"base_url": f"http://127.0.0.1:{port}/v1", "max_retries": 1}
        async with PluginHarness(FOLDER, config) as plugin:
            with pytest.raises(UpstreamError, match="cannot be reached"):
                await asked(plugin)

    async def test_a_port_that_was_not_granted_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async with served() as server, harness(server) as plugin:

            async def refused(*args: Any, **kwargs: Any) -> Any:
                raise PermissionError(13, "Permission denied")

            monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", refused)
            with pytest.raises(PermissionDenied, match="grant it the port"):
                await asked(plugin)

    async def test_a_redirect_is_not_followed(self) -> None:
        async with served(status(307, Location="https://elsewhere.example/v1")) as server, harness(server) as plugin:
            with pytest.raises(Exception, match=r"redirects to https://elsewhere\.example/v1"):
                await asked(plugin)


class TestDialects:
    async def test_a_parameter_that_a_model_refuses_is_learned(self) -> None:
        text = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
        answers = [status(400, {"error": {"message": text}}), status(422, {"detail": "stream_options: unknown"})]
        async with served(*answers) as server, harness(server) as plugin:
            await asked(plugin, max_tokens=7)
            await asked(plugin, max_tokens=7)
        assert len(server.bodies) == 4
        assert all({"max_tokens", "stream_options"}.isdisjoint(body) for body in server.bodies[2:])
        assert server.bodies[-1]["max_completion_tokens"] == 7

    async def test_headers_and_parameters_of_the_configuration(self) -> None:
        extra = {"headers": {"X-Title": "mine"}, "secret_headers": {"api-key": "s3cret"}, "extra_body": {"top_k": 4}}
        async with served() as server, harness(server, **extra) as plugin:
            await asked(plugin)
            await asked(plugin, top_k=9)
        assert [body["top_k"] for body in server.bodies] == [4, 9]
        assert (server.headers[0]["X-Title"], server.headers[0]["api-key"]) == ("mine", "s3cret")

    async def test_a_proxy_is_asked_instead(self) -> None:
        async with served() as server:
            config = {"base_url": "http://nowhere.invalid/v1", "proxy": server.url.removesuffix("/v1")}
            async with PluginHarness(FOLDER, config) as plugin:
                assert text_of(await asked(plugin)) == "Hello world"
        assert server.headers[0]["Host"] == "nowhere.invalid"


class TestModels:
    async def test_the_servers_list_is_asked_once_in_a_while(self) -> None:
        async with served() as server, harness(server) as plugin:
            server.models = {
                "data": [
                    {"id": "whisper-1"},
                    {
                        "id": "a/b",
                        "name": "B",
                        "context_length": 8000,
                        "top_provider": {"max_completion_tokens": 100},
                        "supported_parameters": ["tools", "response_format"],
                        "architecture": {"input_modalities": ["text", "image"]},
                        "pricing": {"prompt": "0.0000005", "completion": "0.0000015"},
                    },
                    {"id": "text-embedding-3"},
                ]
            }
            models = await plugin.call("get_available_models")
            assert await plugin.call("get_available_models") == models
        assert server.models_asked == 1
        assert [(model["id"], model["kind"]) for model in models] == [
            ("a/b", "chat"),
            ("text-embedding-3", "embedding"),
        ]
        assert (models[0]["context_window"], models[0]["max_tokens"]) == (8000, 100)
        assert models[0]["capabilities"] == ["tools", "vision", "json"]
        assert models[0]["pricing"] == {"prompt": 0.5, "completion": 1.5}

    async def test_without_a_list_there_are_the_configured_ones(self) -> None:
        async with served() as server, harness(server, models=["x", "y"]) as plugin:
            server.models = web.json_response({}, status=404)
            assert [model["id"] for model in await plugin.call("get_available_models")] == ["x", "y"]
        async with served() as server, harness(server) as plugin:
            server.models = web.Response(text="<html>")
            with pytest.raises(UpstreamError):
                await plugin.call("get_available_models")

    async def test_several_servers_under_their_names(self) -> None:
        async with served() as one, served() as other:
            further = [{"name": "lab", "base_url": other.url, "models": ["z"]}]
            async with harness(one, endpoints=further) as plugin:
                ids = [model["id"] for model in await plugin.call("get_available_models")]
                await asked(plugin, "lab/meta/llama")
                await asked(plugin, "meta/llama")
        assert ids == ["m", "text-embedding-3", "lab/m", "lab/text-embedding-3"]
        assert [body["model"] for body in (*other.bodies, *one.bodies)] == ["meta/llama", "meta/llama"]
        assert "Authorization" not in other.headers[0]

    async def test_two_servers_of_one_name_are_refused(self) -> None:
        twins = [{"name": "a", "base_url": "http://a/v1"}, {"name": "a", "base_url": "http://b/v1"}]
        with pytest.raises(ConfigError, match="two endpoints are called a"):
            await PluginHarness(FOLDER, {"endpoints": twins}).__aenter__()


def test_the_manifest_hides_keys_and_asks_for_the_network_alone() -> None:
    metadata = read_manifest(FOLDER / "plugin.toml")
    assert metadata.permissions == {"network": ["*:*"]}
    assert metadata.config_schema["api_key"]["secret"] is True
