"""What a conversation is called."""

from __future__ import annotations

import pytest

from aichat.chat.titles import cleaned_title, title_request


@pytest.mark.parametrize(
    ("answer", "title"),
    [
        ("Baking bread at home", "Baking bread at home"),
        ('\n "Baking bread."\n\nI hope that helps!', "Baking bread"),
        ("**Title: Baking bread**", "Baking bread"),
        ("# Brot backen", "Brot backen"),
        ("<think>\nThe user wants bread.\n</think>\n\nBread", "Bread"),
        ("«Хлеб»", "Хлеб"),
        ("パンの焼き方", "パンの焼き方"),
        ("", ""),
        ("...", ""),
        ("<think>I never stop", ""),
        ("x" * 81, ""),
        ("one two three four five six seven eight nine ten eleven twelve thirteen", ""),
    ],
)
def test_a_title_is_one_short_line(answer: str, title: str) -> None:
    assert cleaned_title(answer) == title


def test_a_model_that_repeats_what_it_is_told_makes_no_title() -> None:
    (message,) = title_request("What is bread?", "A kind of food.")
    assert cleaned_title(message["content"]) == cleaned_title(f"You said: {message['content']}") == ""
    assert "What is bread?" in message["content"] and len(title_request("x" * 10**6, "y" * 10**6)[0]["content"]) < 3000
