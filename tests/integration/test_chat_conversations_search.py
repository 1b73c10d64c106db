"""Finding what was said in scripts that are written without gaps between words."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test import Client

from aichat.chat.models import Conversation, Message
from tests.integration.test_chat_conversations import browser_of, closed_connections, talk
from tests.integration.test_chat_conversations_branches import found, migrate

__all__ = ["closed_connections"]

TEXTS = (
    "我们使用全文检索引擎",
    "東京タワーに行きました",
    "ภาษาไทยสวยงาม",
    "我的iPhone手机坏了 today",
    "학교에서 만났어요",
    "a start in English",
)


@pytest.fixture
def ann(closed_connections: None, db: None) -> Client:
    return browser_of("ann")


def test_any_part_of_a_text_without_gaps_is_found(ann: Client) -> None:
    for text in TEXTS:
        talk("ann", text)
    browser_of("bob")
    talk("bob", TEXTS[0])
    expected = {
        0: ("检", "检索", "检索引擎", "擎", "全文 引擎", "我们使用全文检索引擎"),
        1: ("タワー", "京タ", "東京 行き", "た"),
        2: ("ไทย", "ไท", "สวยงาม"),
        3: ("手机", "iphone手", "iPhone", "我的iPhone手机", "ipho", "手机 tod", "坏 today"),
        4: ("에서", "만났", "만"),
        5: ("star", "english"),
    }
    for index, queries in expected.items():
        for query in queries:
            assert found(ann, query) == [TEXTS[index]], query
    for query in ("索检", "检擎", "行く", "手机 toda x", "hone", "tart", "Phone手x", "东京"):
        assert found(ann, query) == [], query


def test_a_part_is_marked_where_it_stands(ann: Client) -> None:
    talk("ann", "搜索", "今天" * 100 + "我们使用全文检索引擎" + "明天" * 100)
    (one,) = [each for each in ann.get("/api/conversations?search=检索").json()["results"]]
    pieces = one["matches"][0]["excerpt"]
    assert [piece["text"] for piece in pieces if piece["hit"]] == ["检索"]
    assert len("".join(piece["text"] for piece in pieces)) < 200


def test_the_index_of_parts_follows_what_is_written(ann: Client) -> None:
    talk("ann", "检索", "引擎")
    Message.objects.filter(content="引擎").update(content="plain words")
    assert [len(found(ann, query)) for query in ("检索", "plain")] == [1, 1]
    Message.objects.filter(content="plain words").update(content="又是引擎")
    assert len(found(ann, "是引")) == 1
    Conversation.objects.all().delete()
    assert found(ann, "检索") == []
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM chat_search_terms")
            assert cursor.fetchone() == (0,)


@pytest.mark.django_db(transaction=True)
def test_what_was_said_before_the_index_had_parts_is_found(closed_connections: None) -> None:
    ann = browser_of("ann")
    talk("ann", "全文检索")
    migrate("0003_tool_approvals")
    try:
        if connection.vendor == "sqlite":
            with connection.cursor() as cursor:
                cursor.execute("DROP TABLE chat_search_terms")
                cursor.execute("DROP TABLE chat_search_parts")
    finally:
        migrate()
    assert found(ann, "检索") == ["全文检索"]
