"""The model sees placeholders, whoever wrote the originals gets them back: whole, streamed, and in tool calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installed_plugins.redact.kinds import KINDS
from installed_plugins.redact.redaction import Redactor
from installed_plugins.redact.restoring import Restorer, Restoring
from installed_plugins.redact.veil import Veil, placeholders_in
from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
BLOCK = '-----BEGIN PRIVATE KEY-----\nMII"E\\12\n-----END PRIVATE KEY-----'
SAMPLES = [
    "ada@example.com",
    "bob@münchen.de",
    "+49 30 1234567",
    "4111 1111 1111 1111",
    BLOCK,
    "<EMAIL_1>",
    "<",
    "a <b>",
]
ALL = Redactor(KINDS)


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def asked(*messages: dict[str, Any], request_id: str = "r1", **more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": list(messages), "params": {}, "request_id": request_id, **more}


def answered(request_id: str = "r1", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": request_id, "choices": [choice]}


def chunk(finish: str | None = None, request_id: str = "r1", **delta: Any) -> dict[str, Any]:
    return {"id": request_id, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def call(arguments: str, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}, **more}


def content(response: dict[str, Any]) -> Any:
    return response["choices"][0]["message"]["content"]


async def test_the_same_is_called_the_same_in_order_of_appearance_whatever_the_round() -> None:
    conversation = [user("a@b.io and c@d.io"), {"role": "assistant", "content": "c@d.io?"}]
    async with PluginHarness(FOLDER) as plugin:
        first = await plugin.call("before_request", asked(*conversation))
        second = await plugin.call("before_request", asked(*conversation, user("x@y.io, a@b.io"), request_id="r1:1"))
    assert [one["content"] for one in first["messages"]] == ["<EMAIL_1> and <EMAIL_2>", "<EMAIL_2>?"]
    assert [one["content"] for one in second["messages"][2:]] == ["<EMAIL_3>, <EMAIL_1>"]
    assert second["messages"][:2] == first["messages"]


async def test_placeholders_that_somebody_wrote_himself_stay_his_words() -> None:
    async with PluginHarness(FOLDER) as plugin:
        request = await plugin.call("before_request", asked(user("what are <EMAIL_1>, EMAIL_2? Ask a@b.io")))
        assert request["messages"][0]["content"] == "what are <EMAIL_1>, EMAIL_2? Ask <EMAIL_3>"
        response = await plugin.call("after_response", answered(content="<EMAIL_1>, EMAIL_2: ask <EMAIL_3>"))
    assert content(response) == "<EMAIL_1>, EMAIL_2: ask a@b.io"


async def test_the_name_of_a_clients_user_goes_to_the_provider_hidden_too() -> None:
    async with PluginHarness(FOLDER) as plugin:
        request = asked(user("a@b.io"), params={"user": "a@b.io", "temperature": 0})
        assert (await plugin.call("before_request", request))["params"] == {"user": "<EMAIL_1>", "temperature": 0}


@pytest.mark.parametrize("piece", ["1 ", "2 1 ", "+49 ", "a@", "AB12 ", "1:", "-----BEGIN PRIVATE KEY-----", "://a:"])
def test_what_nearly_looks_like_it_for_pages_keeps_nobody_waiting(piece: str) -> None:
    text = piece * (20_000 // len(piece))
    assert ALL.find(text) == ALL.find(text)


async def test_an_answer_gets_the_originals_of_its_own_request_and_only_once() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await plugin.call("before_request", asked(user("a@b.io")))
        await plugin.call("before_request", asked(user("c@d.io"), request_id="r2"))
        assert content(await plugin.call("after_response", answered("r2", content="to <EMAIL_1>"))) == "to c@d.io"
        both = answered(content="to <EMAIL_1>", reasoning_content="is <EMAIL_1> right?")
        message = (await plugin.call("after_response", both))["choices"][0]["message"]
        assert (message["content"], message["reasoning_content"]) == ("to a@b.io", "is a@b.io right?")
        assert content(await plugin.call("after_response", answered(content="to <EMAIL_1>"))) == "to <EMAIL_1>"


async def test_tools_get_the_originals_as_json_and_the_model_never_sees_their_results() -> None:
    arguments = json.dumps({"to": "<EMAIL_1>", "key": "<KEY_1>"}).replace("<EMAIL", r"\u003cEMAIL")
    calls = [{"id": "c", "type": "function", "function": {"name": "send", "arguments": arguments}}]
    async with PluginHarness(FOLDER) as plugin:
        await plugin.call("before_request", asked(user(f"a@b.io {BLOCK}")))
        response = await plugin.call("after_response", answered(content=None, tool_calls=calls))
        message = response["choices"][0]["message"]
        assert json.loads(message["tool_calls"][0]["function"]["arguments"]) == {"to": "a@b.io", "key": BLOCK}
        result = {"role": "tool", "tool_call_id": "c", "content": "sent to a@b.io, copy to c@d.io"}
        again = await plugin.call("before_request", asked(user(f"a@b.io {BLOCK}"), message, result, request_id="r1:1"))
    assert again["messages"][2]["content"] == "sent to <EMAIL_1>, copy to <EMAIL_2>"
    assert json.loads(again["messages"][1]["tool_calls"][0]["function"]["arguments"]) == {
        "to": "<EMAIL_1>",
        "key": "<KEY_1>",
    }


async def test_streamed_text_and_arguments_get_them_across_the_borders_of_chunks() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await plugin.call("before_request", asked(user(f"a@b.io {BLOCK}")))
        pieces = [chunk(content="to <EM"), chunk(content="AIL_1"), chunk(content="> and <"), chunk(content="b> <EMA")]
        pieces += [chunk(tool_calls=[call('{"a": "<KE', id="c")]), chunk(tool_calls=[call("Y_1>"), call('"<E', 1)])]
        pieces += [chunk(tool_calls=[call('"}'), call('MAIL_1>"', 1)]), chunk("tool_calls")]
        shown = [await plugin.call("on_chunk", piece) for piece in pieces]
    deltas = [one["choices"][0]["delta"] for one in shown]
    assert "".join(delta.get("content", "") for delta in deltas) == "to a@b.io and <b> <EMA"
    assert [delta["content"] for delta in deltas[:3]] == ["to ", "", "a@b.io and "]
    texts = {0: "", 1: ""}
    for piece in (piece for delta in deltas for piece in delta.get("tool_calls", [])):
        texts[piece["index"]] += piece["function"]["arguments"]
    assert json.loads(texts[0]) == {"a": BLOCK} and json.loads(texts[1]) == "a@b.io"


async def test_what_the_user_wrote_is_no_secret_of_the_models() -> None:
    async with PluginHarness(FOLDER, {"apply_to_response": True}) as plugin:
        await plugin.call("before_request", asked(user("a@b.io")))
        shown = ""
        for piece in (chunk(content="<EMAIL_1> or z@"), chunk(content="z.io "), chunk("stop")):
            shown += (await plugin.call("on_chunk", piece))["choices"][0]["delta"].get("content", "")
        assert shown == "a@b.io or [email] "
        assert content(await plugin.call("after_response", answered(content=shown))) == shown


async def test_another_generation_goes_on_with_the_answers_under_way() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await plugin.call("before_request", asked(user("a@b.io")))
        left = plugin.plugin.export_state()
    async with PluginHarness(FOLDER, old=left) as plugin:
        assert content(await plugin.call("after_response", answered(content="<EMAIL_1>"))) == "a@b.io"


async def test_patterns_of_your_own_win_and_are_restored() -> None:
    patterns = [{"name": "Customer", "pattern": r"K-\d{3,8}", "ignore_case": True}]
    async with PluginHarness(FOLDER, {"patterns": patterns}) as plugin:
        request = await plugin.call("before_request", asked(user("k-4711 wrote, k-4711@x.io")))
        assert request["messages"][0]["content"] == "<CUSTOMER_1> wrote, <CUSTOMER_2>"
        response = answered(content="Dear <CUSTOMER_1>")
        assert content(await plugin.call("after_response", response)) == "Dear k-4711"


@pytest.mark.parametrize(("pattern", "words"), [("(a+)+$", "how often at most"), ("(", "no regular expression")])
async def test_patterns_that_cannot_be_used_are_refused_beside_their_field(pattern: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        await PluginHarness(FOLDER, {"patterns": [{"name": "X", "pattern": pattern}]}).__aenter__()
    assert caught.value.errors[0]["pointer"] == "/patterns/0/pattern"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *(("ip", "10.1.2.3"), ("ip", "2001:db8::1"), ("mac", "00:1A:2b:3c:4d:5e"), ("ssn", "123-45-6789")),
        *(("wallet", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"), ("wallet", "0x" + "aB" * 20)),
        *(("password", "hunter2!"), ("password", "Tr0ub4dor&3")),
    ],
)
def test_more_kinds(kind: str, text: str) -> None:
    before = "password: " if kind == "password" else "it is "
    assert ALL.redact(f"{before}{text} ok") == f"{before}[{kind}] ok"


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "at 12:30:45", "000-12-3456", "1" * 34, "password protected files"]
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert ALL.redact(text) == text


def test_logins_in_addresses_lose_their_password() -> None:
    assert ALL.redact("postgres://app:s3cret@db.local/x") == "postgres://app:[password]/x"


TEXTS = st.lists(st.one_of(st.sampled_from(SAMPLES), st.text("<>_EMAIL1 @a.", max_size=12)), max_size=6).map(" ".join)


@settings(deadline=None)
@given(TEXTS, st.integers(1, 7))
def test_hiding_and_restoring_in_pieces_of_any_size_is_the_text_again(text: str, size: int) -> None:
    veil = Veil(ALL, placeholders_in([text]))
    hidden = veil.hide(text)
    assert "ada@example.com" not in hidden
    assert veil.hide(hidden) == hidden
    stream = Restoring(Restorer(veil.originals))
    assert "".join(stream.feed(hidden[at : at + size]) for at in range(0, len(hidden), size)) + stream.finish() == text


async def test_only_an_answer_that_something_is_to_be_restored_in_is_looked_at_chunk_by_chunk() -> None:
    async def wants_chunks(text: str, **config: Any) -> bool:
        async with PluginHarness(FOLDER, config) as plugin:
            return bool((await plugin.call("before_request", asked(user(text))))["chunks"])

    assert await wants_chunks("a@b.io") and not await wants_chunks("hello")
    assert await wants_chunks("hello", apply_to_response=True)
    assert not await wants_chunks("a@b.io", style="typed")


async def test_the_originals_of_an_answer_that_ends_early_are_forgotten() -> None:
    async with PluginHarness(FOLDER) as plugin:
        await plugin.call("before_request", asked(user("a@b.io")))
        await plugin.call("on_unfinished", answered(content="to "))
        assert content(await plugin.call("after_response", answered(content="to <EMAIL_1>"))) == "to <EMAIL_1>"


ORIGINALS = {"<EMAIL_1>": "a@b.io", "<EMAIL_12>": "z@b.io", "<KEY_1>": 'k"1'}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("to EMAIL_1", "to a@b.io"),
        ("EMAIL_1, EMAIL_12.", "a@b.io, z@b.io."),
        ("**EMAIL_1** (KEY_1)", '**a@b.io** (k"1)'),
        ("给EMAIL_1写信", "给a@b.io写信"),
        ("THE_EMAIL_1 EMAIL_10 EMAIL_1_b EMAIL_2 xEMAIL_1 email_1", None),
        ("EMAIL_ EMAI", None),
        ("<EMAIL_1", "<a@b.io"),
    ],
)
def test_a_name_without_its_brackets_is_restored_where_it_is_a_word_of_its_own(
    written: str, meant: str | None, size: int
) -> None:
    restorer = Restorer(ORIGINALS)
    assert restorer.restore(written) == (meant or written)
    stream = Restoring(restorer)
    shown = [stream.feed(written[at : at + size]) for at in range(0, len(written), size)]
    assert "".join(shown) + stream.finish() == (meant or written)


@pytest.mark.parametrize("size", [1, 4, 100])
def test_in_arguments_it_may_follow_an_escaped_line_break_and_stays_json(size: int) -> None:
    arguments = json.dumps({"to": "EMAIL_1", "body": "Hi\nKEY_1\tEMAIL_1 nEMAIL_1"})
    stream = Restoring(Restorer(ORIGINALS), in_json=True)
    shown = [stream.feed(arguments[at : at + size]) for at in range(0, len(arguments), size)]
    meant = {"to": "a@b.io", "body": 'Hi\nk"1\ta@b.io nEMAIL_1'}
    assert json.loads("".join(shown) + stream.finish()) == meant


def test_an_end_that_cannot_become_a_name_is_not_held_back() -> None:
    stream = Restoring(Restorer(ORIGINALS))
    assert [stream.feed(piece) for piece in ("THE", " time", " K", "ept E", "AT")] == [
        "THE",
        " time",
        " ",
        "Kept ",
        "EAT",
    ]
