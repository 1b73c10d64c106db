"""Asking a model from inside the studio."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from aichat.chat.completion import Question, complete
from aichat.chat.errors import ChatError
from plugins_app.selectors.registry import Registry, ServingPlugin
from tests.unit.chat_fakes import FakePlugins, end_chunk, text_chunk

MESSAGES = [{"role": "user", "content": "hi"}]


def registry(**types: str) -> Registry:
    plugins = {name: ServingPlugin(name, kind, 1, "d", {}) for name, kind in types.items()}
    return Registry(plugins, plugins, {name: ("active", True) for name in types})


def plugins() -> FakePlugins:
    def shout(request: dict[str, Any]) -> dict[str, Any]:
        return request | {"messages": [{"role": "user", "content": "HI"}]}

    return FakePlugins(
        echo__stream_completion=lambda messages, model, **params: [text_chunk(messages[0]["content"]), end_chunk()],
        loud__before_request=shout,
        loud__after_response=lambda response: response,
    )


async def test_the_answer_comes_whole_and_middlewares_have_seen_the_question() -> None:
    answer = await complete(Question("echo/m", MESSAGES), registry(echo="provider", loud="middleware"), plugins())
    assert answer["choices"][0]["message"]["content"] == "HI"
    assert answer["object"] == "chat.completion"


async def test_a_middleware_that_asks_is_not_asked_about_its_own_question() -> None:
    question = Question("echo/m", MESSAGES, chain=("loud",))
    answer = await complete(question, registry(echo="provider", loud="middleware"), plugins())
    assert answer["choices"][0]["message"]["content"] == "hi"


async def test_a_provider_cannot_ask_itself() -> None:
    with pytest.raises(ChatError) as caught:
        await complete(Question("echo/m", MESSAGES, chain=("echo",)), registry(echo="provider"), plugins())
    assert caught.value.code == "call_loop"


@pytest.mark.parametrize(("model", "code"), [("nobody/m", "model_not_found"), ("loud/m", "model_not_found")])
async def test_an_unknown_model_is_said_to_be_unknown(model: str, code: str) -> None:
    with pytest.raises(ChatError) as caught:
        await complete(Question(model, MESSAGES), registry(echo="provider"), plugins())
    assert caught.value.code == code


async def test_the_callers_time_limits_the_answer() -> None:
    async def hang(messages: Any, model: str) -> Any:
        await asyncio.Event().wait()
        yield text_chunk("never")

    with pytest.raises(ChatError) as caught:
        question = Question("echo/m", MESSAGES, timeout=0.01)
        await complete(question, registry(echo="provider"), FakePlugins(echo__stream_completion=hang))
    assert caught.value.code == "deadline_exceeded"
