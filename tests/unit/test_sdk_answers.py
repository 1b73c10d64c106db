"""What a stream of chunks adds up to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from plugins_app.sdk import PluginError
from plugins_app.sdk.answers import whole_answer


async def _stream(*chunks: Any) -> AsyncIterator[Any]:
    for chunk in chunks:
        yield chunk


def _piece(text: str, **more: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": text}, **more}]}


async def test_the_likelihood_of_each_token_is_kept() -> None:
    tokens = [{"token": word, "logprob": -0.1} for word in ("Hello", " you")]
    answer = await whole_answer(
        _stream(*(_piece(str(token["token"]), logprobs={"content": [token], "refusal": None}) for token in tokens))
    )
    assert answer["choices"][0]["message"]["content"] == "Hello you"
    assert answer["choices"][0]["logprobs"] == {"content": tokens, "refusal": None}
    plain = await whole_answer(_stream(_piece("Hi", logprobs=None)))
    assert "logprobs" not in plain["choices"][0]


@pytest.mark.parametrize("wrong", [None, "text", {"nonsense": 1}, {"choices": None}])
async def test_what_is_no_chunk_is_no_answer(wrong: Any) -> None:
    with pytest.raises(PluginError, match="instead of a chunk"):
        await whole_answer(_stream(_piece("Hi"), wrong))
