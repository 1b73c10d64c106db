"""What is shown of a text that was found."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aichat.chat.excerpts import excerpt
from aichat.chat.search import words_of


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("a b", ["a", "b"]),
        (" e-mail: me@example.com ", ["e", "mail", "me", "example", "com"]),
        ("\x00'\"*()", []),
        ("你好，世界。", ["你好", "世界"]),
    ],
)
def test_a_query_is_its_words(query: str, words: list[str]) -> None:
    assert words_of(query) == words


@pytest.mark.parametrize(
    ("text", "query", "hits"),
    [
        ("Bread and breadth", "bread", ["Bread", "bread"]),
        ("Bread and breadth", "bread and", ["Bread", "and"]),
        ("Crème brûlée", "creme brul", ["Crème", "brûl"]),
        ("nothing of it", "absent", []),
        ("snake_case", "case", ["case"]),
        ("我们使用全文检索引擎", "检索", ["检索"]),
        ("我的iPhone手机和IPHONE", "iphone", ["iPhone", "IPHONE"]),
        ("東京タワーと京都", "京", ["京", "京"]),
        ("ภาษาไทยสวยงาม ไทย", "ไทย สวย", ["ไทย", "สวย", "ไทย"]),
        ("検索 engine 検索", "eng 検索", ["検索", "検索"]),
    ],
)
def test_the_words_are_marked(text: str, query: str, hits: list[str]) -> None:
    assert [piece["text"] for piece in excerpt(text, words_of(query)) if piece["hit"]] == hits


@given(st.text(max_size=400), st.text(max_size=12))
def test_an_excerpt_is_a_piece_of_the_text(text: str, query: str) -> None:
    shown = "".join(piece["text"] for piece in excerpt(text, words_of(query)))
    assert shown.strip("…") in text
