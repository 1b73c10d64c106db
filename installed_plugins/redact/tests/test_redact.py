"""Redact takes out what is private, leaves prose alone, and never shows half of a secret in a stream."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from installed_plugins.redact.kinds import KINDS, luhn_valid
from installed_plugins.redact.redaction import MAX_HELD, Redactor, Stream
from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
ALL = Redactor(KINDS)
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
BLOCK = "-----BEGIN RSA PRIVATE KEY-----\nMIIE 12\nabc==\n-----END RSA PRIVATE KEY-----"

PRIVATE = {
    "email": ["ada.lovelace+x@example.co.uk", "bob@münchen.de", "a@b.io"],
    "phone": [
        *("+49 30 1234567", "+49 (0)30 123456", "+1 555 010 4477", "+1-555-010-4477", "+1 (555) 010-4477"),
        *("0044 20 7946 0958", "(555) 010-4477", "555-010-4477", "555.010.4477", "030 1234567", "030/1234567"),
        *("01711234567", "01 23 45 67 89", "020 7946 0958", "+33 1 23 45 67 89", "+14155552671"),
    ],
    "card": ["4111 1111 1111 1111", "5555-5555-5555-4444", "378282246310005", "6011111111111117"],
    "key": [
        *("sk-proj-abc123def456ghi789jkl", "ghp_" + "a1" * 18, "AKIAIOSFODNN7EXAMPLE", TOKEN, BLOCK),
        *("github_pat_" + "A1" * 20, "xoxb-1234567890-abcdef", "AIza" + "B" * 35, "sk_live_" + "c3" * 10),
    ],
    "iban": ["DE89 3704 0044 0532 0130 00", "GB82WEST12345698765432"],
}
HARMLESS = [
    *("On 2026-11-23 at 10:16:37 it rained.", "23.11.2026", "11/23/2026", "from 2019-2023", "192.168.0.1:8080"),
    *("1.234.567", "1,234,567,890", "10 000 000", "pi is 3.14159265358979", "version 1.2.3", "16:9 and 4:3"),
    *("order 4711001234", "order #0012345678", "Order 2026-000123", "ISBN 978-3-16-148410-0", "at 1732357000123 ms"),
    *("user@host", "@ada wrote", "sk-short", "the bearer of news", "3 phones for 4 people in 2026", "5 + 12345678"),
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in PRIVATE.items() for text in texts])
def test_what_is_private_is_replaced(kind: str, text: str) -> None:
    assert ALL.redact(text) == f"[{kind}]"
    assert ALL.redact(f"Here: {text}, and more.") == f"Here: [{kind}], and more."


@pytest.mark.parametrize("text", HARMLESS)
def test_prose_dates_amounts_and_order_numbers_stay(text: str) -> None:
    assert ALL.redact(text) == text


def test_a_number_behind_the_word_phone_is_a_phone_number() -> None:
    assert ALL.redact("phone: 5550104477, Tel. 12345678") == "phone: [phone], Tel. [phone]"
    assert ALL.redact("Bearer abcdef0123456789abcdef") == "Bearer [key]"


def test_cards_are_found_among_other_numbers() -> None:
    assert ALL.redact("2026-11-23 4111 1111 1111 1111 12/27 123") == "2026-11-23 [card] 12/27 123"


def test_styles_and_kinds_are_as_configured() -> None:
    text = "a@b.io and 4111111111111111"
    assert Redactor(["card"], "stars").redact(text) == "a@b.io and ****"
    assert Redactor(["email"], "remove").redact(text) == " and 4111111111111111"


CARDS = st.builds(
    lambda head, body: head + body + next(d for d in "0123456789" if luhn_valid(head + body + d)),
    st.sampled_from("23456"),
    st.text("0123456789", min_size=11, max_size=17),
).filter(lambda digits: len(set(digits)) > 1)
WORDS = st.sampled_from(["", "pay with ", "No. ", "日本 ", "exp 12/27, ", "and\n"])


@given(WORDS, CARDS, st.sampled_from(["", " ", "-", "."]), WORDS)
def test_no_card_number_that_passes_luhn_is_left(before: str, digits: str, gap: str, after: str) -> None:
    grouped = gap.join(digits[at : at + 4] for at in range(0, len(digits), 4))
    assert "[card]" in ALL.redact(f"{before}{grouped} {after}")
    assert digits not in re.sub(r"\D", "", ALL.redact(f"{before}{grouped} {after}"))


@given(st.lists(st.from_regex(r"[A-Za-zäöüß]{1,12}[,.!?]?", fullmatch=True), max_size=30))
def test_words_are_left_alone(words: list[str]) -> None:
    text = " ".join(words)
    assert ALL.redact(text) == text


SAMPLES = [text for texts in PRIVATE.values() for text in texts] + HARMLESS
TEXTS = st.lists(
    st.one_of(st.sampled_from(SAMPLES), st.text(max_size=8), st.text("0123456789 +-.@", max_size=20)), max_size=6
).map(" ".join)


@settings(deadline=None)
@given(TEXTS, st.sampled_from(["typed", "stars", "remove"]))
def test_redacting_twice_changes_nothing(text: str, style: str) -> None:
    redactor = Redactor(KINDS, style)
    once = redactor.redact(text)
    assert redactor.redact(once) == once


@settings(deadline=None)
@given(st.lists(st.sampled_from(SAMPLES), min_size=1, max_size=5).map("; ".join), st.integers(1, 9))
def test_a_stream_shows_what_the_whole_text_would(text: str, size: int) -> None:
    stream = Stream(ALL)
    shown = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)] + [stream.finish()]
    assert "".join(shown) == ALL.redact(text)


def test_a_stream_goes_on_between_words_and_holds_back_only_so_much() -> None:
    stream = Stream(ALL)
    assert stream.feed("Hello Ada, wri") == "Hello Ada, "
    assert stream.feed("te 日本語のテキスト。") == "write 日本語のテキスト。"
    stream = Stream(ALL)
    shown = sum(len(stream.feed("x" * 1024)) for _ in range(2 * MAX_HELD // 1024))
    assert shown >= MAX_HELD


async def test_requests_are_redacted_in_text_and_parts_and_otherwise_unchanged() -> None:
    request = {
        "model": "m",
        "params": {"temperature": 1},
        "messages": [
            {"role": "system", "content": "Write to a@b.io"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "call +49 30 1234567"},
                    {"type": "image_url", "image_url": {"url": "https://x.io/a@b.io"}},
                ],
            },
            {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        ],
    }
    async with PluginHarness(FOLDER) as plugin:
        changed = await plugin.call("before_request", request)
    assert changed["messages"][0]["content"] == "Write to <EMAIL_1>"
    assert changed["messages"][1]["content"][0]["text"] == "call <PHONE_1>"
    assert changed["messages"][1]["content"][1] == request["messages"][1]["content"][1]  # type: ignore[index]
    assert changed["messages"][2] == request["messages"][2]  # type: ignore[index]
    assert {"model": "m", "params": {"temperature": 1}}.items() <= changed.items()


RESPONSE = {"id": "1", "choices": [{"index": 0, "message": {"role": "assistant", "content": "a@b.io"}}]}


async def test_responses_are_redacted_only_when_wanted() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("after_response", RESPONSE) == RESPONSE
        chunk = chunk_of("a@b.io")
        assert await plugin.call("on_chunk", chunk) == chunk
    async with PluginHarness(FOLDER, {"apply_to_response": True}) as plugin:
        changed = await plugin.call("after_response", RESPONSE)
    assert changed["choices"][0]["message"]["content"] == "[email]"


def chunk_of(content: str | None, answer: str | None = "one", finish: str | None = None) -> dict[str, Any]:
    delta = {} if content is None else {"content": content}
    found = {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return found if answer is None else found | {"id": answer}


async def test_chunks_are_redacted_across_their_borders_and_answers_kept_apart() -> None:
    chunks = [
        *(chunk_of("write to a@"), chunk_of("call 030 ", "two"), chunk_of("b.i"), chunk_of("1234567", "two")),
        *(chunk_of("o"), chunk_of(None, "two", "stop"), chunk_of(None, "one", "stop")),
    ]
    shown: dict[str, str] = {"one": "", "two": ""}
    async with PluginHarness(FOLDER, {"apply_to_response": True}, user={"id": 1}) as plugin:
        for chunk in chunks:
            changed = await plugin.call("on_chunk", chunk)
            shown[chunk["id"]] += changed["choices"][0]["delta"].get("content", "")
            assert changed["choices"][0]["finish_reason"] == chunk["choices"][0]["finish_reason"]
        assert shown == {"one": "write to [email]", "two": "call [phone]"}
        alone = await plugin.call("on_chunk", chunk_of("to a@b.io or c", None))
        assert alone["choices"][0]["delta"]["content"] == "to [email] or c"
        usage = {"id": "one", "choices": [], "usage": {"total_tokens": 1}}
        assert await plugin.call("on_chunk", usage) == usage


async def test_unknown_kinds_are_refused_and_it_runs_early() -> None:
    with pytest.raises(ConfigError):
        await PluginHarness(FOLDER, {"kinds": ["dreams"]}).__aenter__()
    async with PluginHarness(FOLDER) as plugin:
        assert plugin.metadata.middleware == {"priority": 10, "on_error": "fail"}
