"""The pages are read again by two other readers, as text and as pictures."""

from __future__ import annotations

import base64
import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import pypdf
import pypdfium2
import pytest

from installed_plugins.pdf_export.literals import breakable, is_rtl, string
from installed_plugins.pdf_export.maths import mathml
from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
FORMULAS = r"""
Inline $e^{i\pi}+1=0$ and \(\frac{a}{b}\), for $5 or $10.
\[ \frac{c}{d} \]

$$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2} \quad \sum_{i=1}^{n} i \quad \sqrt[3]{x}$$

\[ A = \begin{pmatrix} a & b \\ c & d \end{pmatrix}, f(x) = \begin{cases} 1 & x>0 \\ 0 & \text{else}\end{cases} \]

\begin{align}
a &= b \\ &= \hat{x} + \vec{v} + \overline{ab} + \binom{n}{k} + \left( \frac{1}{2} \right. + \bigl[ x \bigr]
\end{align}

$$\lim_{x\to 0} \underbrace{a+b}_{c} \overset{!}{=} \boxed{x} \cancel{y} \mathbb{R} \operatorname{argmax} \phantom{z}$$

$$a \\ b$$
"""


def png(width: int = 40, height: int = 30) -> bytes:
    """A red picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\0" + bytes((220, 20, 20)) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def data_url(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def image(data: bytes) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": data_url("image/png", data)}}


def said(*contents: Any, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"messages": [{"role": roles[at % 2], "content": text} for at, text in enumerate(contents)]} | more


async def exported(data: Any, **config: Any) -> bytes:
    async with PluginHarness(FOLDER, config) as plugin:
        return bytes(await plugin.call("export", data))


def pages(content: bytes) -> list[str]:
    return [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]


def colours(content: bytes) -> set[tuple[int, ...]]:
    """Of the first page, drawn."""
    with pypdfium2.PdfDocument(content) as document:
        bitmap = document[0].render(scale=0.5, rev_byteorder=True)
        raw, width = bytes(bitmap.buffer), bitmap.n_channels
        bitmap.close()
    return {tuple(raw[at : at + 3]) for at in range(0, len(raw), width)}


async def test_it_streams_a_file_with_a_name_and_type_of_its_own() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".pdf"
        assert await plugin.call("get_media_type") == "application/pdf"
        pieces = [piece async for piece in plugin.stream("export", said("hello"))]
    assert all(0 < len(piece) <= 65536 for piece in pieces)
    assert b"".join(pieces).startswith(b"%PDF-")


async def test_a_conversation_becomes_pages() -> None:
    messages = [
        {"role": "user", "content": "what is 2+2?\nplease", "created_at": "2026-11-23T10:16:37+00:00"},
        {
            "role": "assistant",
            "model": "a/b",
            "reasoning": "I *think*.",
            "tool_calls": [{"function": {"name": "calculator__evaluate", "arguments": '{"expression":"2+2"}'}}],
            "usage": {"prompt_tokens": 12, "completion_tokens": 3},
            "cost": 0.5,
        },
        {"role": "tool", "name": "calculator__evaluate", "content": '{"result": "4"}'},
        {"role": "assistant", "content": "It is **4**, see [this](https://x.io/)."},
    ]
    content = await exported({"title": "Sums", "system_prompt": "Be kind.", "messages": messages})
    reader = pypdf.PdfReader(io.BytesIO(content))
    (text,) = pages(content)
    for words in (
        "Sums",
        "Be kind.",
        "what is 2+2?\nplease",
        "2026-11-23 10:16:37 UTC",
        "I think.",
        "Tool call: calculator.evaluate",
        '"expression": "2+2"',
        "Result of calculator.evaluate",
        "12 tokens in · 3 tokens out · $0.5",
        "It is 4, see this.",
        "1 / 1",
    ):
        assert words in text
    assert reader.metadata is not None and reader.metadata.title == "Sums"
    links = [note.get_object()["/A"]["/URI"] for note in reader.pages[0]["/Annots"]]
    assert links == ["https://x.io/"]


async def test_every_script_and_every_emoji_is_there() -> None:
    said_words = [
        "שלום",
        "日本語の文",
        "中文文本",
        "한국어",
        "ไทย",
        "naïve",
        "☕",
        "😀",
        "👩‍👩‍👧‍👦",
        "🇩🇪",
        "❤️",
        "≤",
        "→",
    ]
    found = "".join(pages(await exported(said(*said_words))))
    assert [word for word in said_words if word not in found] == []


async def test_arabic_letters_are_joined_and_set_to_the_right() -> None:
    word = "مرحبا"
    content = await exported(said(word))
    with pypdfium2.PdfDocument(content) as document:
        page = document[0]
        text = page.get_textpage()
        boxes = [text.get_charbox(at) for at in range(text.count_chars()) if text.get_text_range(at, 1) in word]
        assert min(box[0] for box in boxes) > page.get_width() / 2
        text.close()
        page.close()
    fonts = pypdf.PdfReader(io.BytesIO(content)).pages[0]["/Resources"]["/Font"]
    assert any("NotoSansArabic" in str(font.get_object()["/BaseFont"]) for font in fonts.values())


async def test_mathematics_is_set() -> None:
    (text,) = pages(await exported(said("x", FORMULAS)))
    for words in ("for $5 or $10.", "𝑒", "∑", "∞", "argmax", "else", "lim", "ℝ"):
        assert words in text
    assert "\\frac" not in text and "\\begin" not in text


async def test_mathematics_that_is_none_is_shown_as_it_was_written() -> None:
    odd = [
        r"\frac{",
        r"\iint\sum}{\frac{\mathbb{R}\lim_{x}\left.",
        "\u200f\x85_x",
        r"{\,}^2 \hspace{1x}_a",
        "\u0301^\u0301",
        r"x \limits_a",
        "{" * 90 + "x" + "}" * 90,
        r"\left(",
        "",
        "a" * 5000,
    ]
    text = "".join(
        pages(await exported(said(*[f"before{at}\n\n$$\n{one}\n$$\n\nafter" for at, one in enumerate(odd)])))
    )
    assert text.count("after") == len(odd) and "x \\limits_a" in text


async def test_pictures_are_shown_and_files_embedded() -> None:
    pdf, notes = data_url("application/pdf", b"%PDF-1.4"), data_url("text/plain", "Grüße".encode())
    parts = [
        image(png()),
        {"type": "file", "file": {"filename": "report.pdf", "file_data": pdf}},
        {"type": "file", "file": {"filename": "report.pdf", "file_data": pdf}},
        {"type": "file", "file": {"filename": "notes.txt", "file_data": notes}},
        {"type": "image_url", "image_url": {"url": "https://x.io/cat.png"}},
    ]
    content = await exported(said(parts))
    assert (220, 20, 20) in colours(content)
    text, files = pages(content)[0], pypdf.PdfReader(io.BytesIO(content)).attachments
    assert "report.pdf (application/pdf, 8 bytes)" in text and "Grüße" in text
    assert sorted(name.partition("-")[2] for name in files) == ["notes.txt", "report.pdf", "report.pdf"]
    assert [b"%PDF-1.4"] in files.values()
    without = await exported(said(parts), embed_files=False, include_attachments=False)
    assert "report.pdf" not in pages(without)[0]


async def test_a_broken_picture_does_not_break_the_document() -> None:
    content = await exported(said([image(png()[:60]), image(png())]))
    assert (220, 20, 20) in colours(content)
    assert "image (image/png, 60 bytes)" in pages(content)[0]


HOSTILE = [
    '"); #panic("x"); ("',
    '#import "@preview/x:1.0.0"',
    '\\"] #read("/etc/passwd")',
    "\x00\x01\ufffe a \u202e b",
    "> " * 60 + "deep",
    "\n".join("  " * depth + "- x" for depth in range(60)),
    "<script>alert(1)</script>",
    "| a |\n|---|\n| b | c | d |",
    "[x](javascript:alert(1)) ![](data:image/png;base64,AA) [](https://x.io)",
    "1000000000. x\n\n0. y\n\n```\n```\n\n#\n\n-",
    "[" * 5000,
    "x" * 5000,
    "| " + " | ".join("abcdefgh" * 10 for _ in range(20)) + " |\n" + "|--" * 20 + "|",
]


async def test_nothing_that_is_written_is_run_or_stops_it() -> None:
    text = "".join(pages(await exported(said(*HOSTILE, *HOSTILE, title=" ".join(HOSTILE[:4])))))
    assert '#read("/etc/passwd")' in text and "<script>alert(1)</script>" in text


async def test_odd_input_is_a_document_too() -> None:
    assert "Conversation" in pages(await exported(None))[0]
    parts = [{"type": "input_audio"}, {"type": "text", "text": "x"}]
    assert "(input_audio)" in pages(await exported(said(parts)))[0]


async def test_paper_font_and_footer_are_chosen() -> None:
    content = await exported(said("x"), paper="us-letter", font_size=12, page_numbers=False)
    page = pypdf.PdfReader(io.BytesIO(content)).pages[0]
    assert (round(page.mediabox.width), round(page.mediabox.height)) == (612, 792)
    assert "1 / 1" not in page.extract_text()
    with pytest.raises(ConfigError, match="not a known time zone"):
        await PluginHarness(FOLDER, {"timezone": "Mars/Olympus"}).__aenter__()


async def test_long_words_and_code_stay_on_the_page() -> None:
    content = await exported(said("a" * 300 + "\n\n```\n" + "b" * 300 + "\n```"))
    with pypdfium2.PdfDocument(content) as document:
        page = document[0]
        text = page.get_textpage()
        right = max(text.get_charbox(at)[2] for at in range(text.count_chars()))
        assert right < page.get_width() - 40
        text.close()
        page.close()


async def test_it_writes_a_file_when_told_where(tmp_path: Path) -> None:
    target = tmp_path / "out.pdf"
    async with PluginHarness(FOLDER) as plugin:
        content = await plugin.call("export", said("x"), output_path=str(target))
    assert target.read_bytes() == content


def test_literals() -> None:
    assert string('a"\\\r\nb\x00') == '"a\\"\\\\\nb"'
    assert breakable("a" * 50).replace("\u200b", "") == "a" * 50
    assert [is_rtl(text) for text in ("123 שלום abc", "abc שלום", "123", "«مرحبا»")] == [True, False, False, True]


@cache
def tags(latex: str) -> set[str]:
    found = mathml(latex, False)
    return {element.tag for element in found.iter()} if found is not None else set()


def test_mathml_has_only_what_is_known() -> None:
    found = mathml(r"\href{javascript:alert(1)}{x} \style{color:red}{y}", True)
    assert found is not None
    assert all(not set(element.attrib) & {"href", "style", "id", "class"} for element in found.iter())
    assert "mtable" in tags(r"\begin{aligned} a &= b \\ c &= d \end{aligned}")
    assert tags("x" * 5000) == set()
