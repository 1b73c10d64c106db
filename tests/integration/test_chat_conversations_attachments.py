"""Files that are sent along with messages: what is taken, what a model gets, and who may see them."""

from __future__ import annotations

import base64
import shutil
from datetime import timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image
from pypdf import PdfWriter

from aichat.chat.attachments import file_parts
from aichat.chat.errors import ChatError
from aichat.chat.models import Attachment, AttachmentContent, Conversation, Message
from aichat.chat.services_attachments import attachments_purge
from tests.integration.test_chat_conversations import begin, browser_of, closed_connections

__all__ = ["closed_connections"]

PATH = "/api/attachments"


@pytest.fixture
def ann(closed_connections: None, db: None) -> Client:
    return browser_of("ann")


def picture(kind: str = "PNG", size: tuple[int, int] = (4, 3)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    return out.getvalue()


def pdf(pages: int = 1, password: str = "") -> bytes:
    """A PDF with a word on each page, written by hand: pypdf writes no text."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    font = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"
    kids = []
    for number in range(pages):
        stream = f"BT /F1 12 Tf 20 20 Td (Page number {number + 1}) Tj ET"
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
        content = len(objects)
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents {content} 0 R/Resources<</Font<</F1 {font}>>>>>>"
        )
        kids.append(f"{len(objects)} 0 R")
    objects[1] = f"<</Type/Pages/Kids[{' '.join(kids)}]/Count {pages}>>"
    body, offsets = "%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        offsets.append(f"{len(body):010} 00000 n \n")
        body += f"{number} 0 obj{one}endobj\n"
    size = len(objects) + 1
    table = f"xref\n0 {size}\n0000000000 65535 f \n{''.join(offsets)}trailer<</Root 1 0 R/Size {size}>>"
    raw = f"{body}{table}\nstartxref\n{len(body)}\n%%EOF".encode()
    if not password:
        return raw
    writer, out = PdfWriter(clone_from=BytesIO(raw)), BytesIO()
    writer.encrypt(password, algorithm="RC4-128")
    writer.write(out)
    return out.getvalue()


def upload(browser: Client, name: str, data: bytes) -> Any:
    return browser.post(PATH, {"file": SimpleUploadedFile(name, data)})


def key_of(browser: Client, name: str, data: bytes) -> UUID:
    return UUID(added(browser, name, data)["id"])


def added(browser: Client, name: str, data: bytes) -> dict[str, Any]:
    answer = upload(browser, name, data)
    assert answer.status_code == 201, answer.content
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    ("name", "data", "facts"),
    [
        ("cat.png", picture(), {"kind": "image", "media_type": "image/png", "width": 4, "height": 3}),
        ("lies.txt", picture("JPEG"), {"kind": "image", "media_type": "image/jpeg", "width": 4, "height": 3}),
        ("c.webp", picture("WEBP"), {"kind": "image", "media_type": "image/webp", "width": 4, "height": 3}),
        ("c.gif", picture("GIF"), {"kind": "image", "media_type": "image/gif", "width": 4, "height": 3}),
        ("a.csv", b"a,b\n", {"kind": "text", "media_type": "text/csv", "characters": 4}),
        ("x.svg", b"<svg/>", {"kind": "text", "media_type": "text/plain", "characters": 6}),
        ("noext", "\ufeffäö".encode(), {"kind": "text", "media_type": "text/plain", "characters": 2}),
        ("u16.txt", "äö".encode("utf-16"), {"kind": "text", "media_type": "text/plain", "characters": 2}),
        ("b.pdf", pdf(2), {"kind": "pdf", "media_type": "application/pdf", "pages": 2, "characters": 28}),
    ],
)
def test_a_file_is_what_its_bytes_say(ann: Client, name: str, data: bytes, facts: dict[str, Any]) -> None:
    made = added(ann, name, data)
    assert made == {"id": made["id"], "name": name, "size": len(data)} | facts
    content = ann.get(f"{PATH}/{made['id']}", headers={"accept": "image/*"})
    assert content.content == data and content["X-Content-Type-Options"] == "nosniff"
    assert content["Content-Disposition"].startswith("inline" if facts["kind"] == "image" else "attachment")
    assert "sandbox" in content["Content-Security-Policy"] and "html" not in content["Content-Type"]


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.bin", b"\x00\x01\x02", "attachment_unsupported"),
        ("a.zip", b"PK\x03\x04" + bytes(40), "attachment_unsupported"),
        ("latin.txt", "äö".encode("latin-1"), "attachment_unsupported"),
        ("cut.png", picture()[:-14], "attachment_invalid"),
        ("bad.pdf", b"%PDF-1.4\nnothing", "attachment_invalid"),
        ("locked.pdf", pdf(password="x"), "attachment_invalid"),
        ("big.txt", b"x" * 1001, "attachment_too_large"),
        ("wide.png", picture(size=(101, 100)), "attachment_too_large"),
        ("long.pdf", pdf(3), "attachment_too_large"),
    ],
)
def test_what_no_model_can_be_told_is_refused(
    ann: Client, settings: LazySettings, name: str, data: bytes, code: str
) -> None:
    settings.STUDIO_ATTACHMENT_BYTES = 1000 if code == "attachment_too_large" and name == "big.txt" else 10**6
    settings.STUDIO_ATTACHMENT_PIXELS, settings.STUDIO_ATTACHMENT_PAGES = 10_000, 2
    problem = upload(ann, name, data).json()
    assert (problem["code"], name in problem["detail"]) == (code, True)
    assert not Attachment.objects.exists()


def test_a_file_for_which_there_is_no_room_is_refused(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def nearly_full(path: Any) -> Any:
        return SimpleNamespace(free=33 << 20)

    monkeypatch.setattr(shutil, "disk_usage", nearly_full)
    assert upload(ann, "small.txt", b"x").status_code == 201
    refused = upload(ann, "large.txt", b"x" * (2 << 20))
    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full")
    form = {"file": SimpleUploadedFile("conversations.json", b"[" + b" " * (2 << 20) + b"]")}
    assert ann.post("/api/conversations/import", form).json()["code"] == "disk_full"
    assert Attachment.objects.count() == 1


def test_a_form_without_a_file_is_refused(ann: Client) -> None:
    assert ann.post(PATH, {"other": "x"}).json()["errors"][0]["pointer"] == "/file"
    two = {"file": [SimpleUploadedFile("a.txt", b"x"), SimpleUploadedFile("b.txt", b"x")]}
    assert ann.post(PATH, two).json()["errors"][0]["pointer"] == "/file"
    assert ann.post(PATH, b"x", content_type="multipart/form-data").json()["code"] == "bad_request"
    assert upload(ann, "empty", b"").status_code == 422
    assert ann.post(PATH, {}, content_type="application/json").json()["code"] == "unsupported_media_type"
    assert added(ann, "../..\\a\nb.txt", b"x")["name"] == "ab.txt"


def test_a_model_gets_pictures_and_the_text_of_the_rest(ann: Client, settings: LazySettings) -> None:
    settings.STUDIO_ATTACHMENT_CHARACTERS = 20
    ids = [key_of(ann, name, data) for name, data in (("c.png", picture()), ("a.txt", b"hello"), ("b.pdf", pdf()))]
    long = key_of(ann, "long.txt", b"x" * 25)
    start = begin("ann", "look", attachments=[*ids, ids[0]])
    url = f"data:image/png;base64,{base64.b64encode(picture()).decode()}"
    assert start.messages[-1]["content"] == [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": "a.txt:\n\nhello"},
        {"type": "text", "text": "b.pdf:\n\nPage number 1"},
    ]
    again = begin("ann", "", attachments=[long], parent_id=None, conversation_id=finished(start.conversation_id))
    assert again.messages[-1]["content"] == [
        {"type": "text", "text": "long.txt:\n\n" + "x" * 20 + "\n[cut: 5 more characters]"}
    ]
    question = Message.objects.get(pk=start.user_message_id or "")
    assert question.content == "look" and question.parts is None
    shown = ann.get(f"/api/conversations/{start.conversation_id}").json()["messages"][0]
    assert [one["name"] for one in shown["attachments"]] == ["long.txt"]


def finished(conversation_id: str) -> str:
    """Nothing is under way in it any more."""
    Message.objects.filter(conversation_id=conversation_id).update(status="complete")
    return conversation_id


def test_too_many_pictures_are_named_the_oldest_first(ann: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aichat.chat.attachments._MODEL_LIMIT", len(picture()))
    monkeypatch.setattr("aichat.chat.attachments._FILE_LIMIT", 0)
    first = begin("ann", "one", attachments=[key_of(ann, "1.png", picture())])
    second = begin(
        "ann",
        "two",
        attachments=[key_of(ann, "2.png", picture())],
        conversation_id=finished(first.conversation_id),
    )
    kinds = [each["content"][1]["type"] for each in second.messages if each["role"] == "user"]
    assert kinds == ["text", "image_url"] and "1.png is left out" in second.messages[0]["content"][1]["text"]
    assert {part["type"] for part in file_parts(list(Message.objects.all())).values()} == {"text"}


def test_attachments_are_nobody_elses(ann: Client) -> None:
    made = added(ann, "a.txt", b"hello")
    bob = browser_of("bob", is_superuser=True)
    for answer in (bob.get(f"{PATH}/{made['id']}"), bob.delete(f"{PATH}/{made['id']}")):
        assert (answer.status_code, answer.json()["code"]) == (404, "attachment_not_found")
    with pytest.raises(ChatError) as refused:
        begin("bob", "look", attachments=[UUID(made["id"])])
    assert (refused.value.code, refused.value.errors[0]["pointer"]) == ("invalid", "/attachments/0")
    assert not Conversation.objects.exists()
    assert Client().get(f"{PATH}/{made['id']}").status_code == Client().post(PATH).status_code == 401


def test_only_what_no_message_has_can_be_deleted(ann: Client) -> None:
    used, unused = added(ann, "a.txt", b"hello"), added(ann, "b.txt", b"hello")
    begin("ann", "look", attachments=[UUID(used["id"])])
    assert ann.delete(f"{PATH}/{used['id']}").json()["code"] == "attachment_in_use"
    assert ann.delete(f"{PATH}/{unused['id']}").status_code == 204
    assert Attachment.objects.get().name == "a.txt" and AttachmentContent.objects.count() == 1


def test_what_no_message_has_is_purged_after_a_day(ann: Client) -> None:
    for name in ("used", "unused", "fresh"):
        added(ann, name, b"hello")
    start = begin("ann", "look", attachments=[Attachment.objects.get(name="used").pk])
    Attachment.objects.exclude(name="fresh").update(created_at=timezone.now() - timedelta(days=2))
    assert attachments_purge() == 1
    assert sorted(Attachment.objects.values_list("name", flat=True)) == ["fresh", "used"]
    Conversation.objects.filter(pk=start.conversation_id).delete()
    assert attachments_purge() == 1


def test_only_so_much_waits_for_a_message(ann: Client, settings: LazySettings) -> None:
    settings.STUDIO_ATTACHMENTS_WAITING, settings.STUDIO_ATTACHMENTS_WAITING_BYTES = 2, 12
    used = added(ann, "a.txt", b"hello")
    added(ann, "b.txt", b"hello")
    assert upload(ann, "c.txt", b"x").json()["code"] == "attachments_waiting"
    begin("ann", "look", attachments=[UUID(used["id"])])
    large = upload(ann, "c.txt", b"x" * 8)
    assert (large.status_code, large.json()["code"]) == (429, "attachments_waiting")
    assert added(browser_of("bob"), "c.txt", b"x" * 8)["size"] == 8
    Attachment.objects.filter(name="b.txt").update(created_at=timezone.now() - timedelta(days=2))
    assert upload(ann, "c.txt", b"x" * 8).status_code == 201
