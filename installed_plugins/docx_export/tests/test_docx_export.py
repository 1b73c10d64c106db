"""The document is opened again: by python-docx, and as the XML that it is."""

from __future__ import annotations

import base64
import io
import zipfile
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element, fromstring

import docx
import pytest
from docx.document import Document
from docx.shared import Twips
from PIL import Image

from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# Word refuses documents in which these do not come in the order of the schema.
ORDER = {
    "pPr": ["pStyle", "keepNext", "numPr", "pBdr", "shd", "bidi", "spacing", "ind", "jc"],
    "rPr": ["rFonts", "b", "bCs", "i", "iCs", "strike", "noProof", "color", "sz", "szCs", "u", "shd", "rtl"],
    "tblPr": ["bidiVisual", "tblW", "tblInd", "tblBorders", "tblLayout"],
}


def picture(kind: str = "PNG") -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (40, 30), (220, 20, 20)).save(target, kind)
    return target.getvalue()


def part(media_type: str, data: bytes, name: str | None = None) -> dict[str, Any]:
    url = f"data:{media_type};base64,{base64.b64encode(data).decode()}"
    if media_type.startswith("image/"):
        return {"type": "image_url", "image_url": {"url": url}, "name": name}
    return {"type": "file", "file": {"filename": name, "file_data": url}}


async def exported(data: Any, **config: Any) -> bytes:
    async with PluginHarness(FOLDER, config) as plugin:
        return bytes(await plugin.call("export", data))


async def opened(*contents: Any, **config: Any) -> tuple[Document, Element]:
    """The document as python-docx reads it, and its XML, checked."""
    messages = [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]
    return read(await exported({"title": "T", "messages": messages}, **config))


def read(content: bytes) -> tuple[Document, Element]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
        parts = {name: archive.read(name) for name in archive.namelist()}
    roots = {name: fromstring(data) for name, data in parts.items() if name.endswith((".xml", ".rels"))}
    body = roots["word/document.xml"]
    for root in (root for name, root in roots.items() if name.startswith("word/") and name.endswith(".xml")):
        assert all(len(paragraph.findall(f"{W}pPr")) <= 1 for paragraph in root.iter(f"{W}p"))
        for name, order in ORDER.items():
            for element in root.iter(W + name):
                tags = [child.tag.removeprefix(W) for child in element if child.tag.removeprefix(W) in order]
                assert tags == sorted(tags, key=order.index), name
    targets = {one.get("Id"): one.get("Target") for one in roots["word/_rels/document.xml.rels"]}
    used = {
        value
        for element in body.iter()
        for key, value in element.attrib.items()
        if key.endswith("}id") and "relationships" in key
    }
    assert used <= set(targets)
    return docx.Document(io.BytesIO(content)), body


def text_of(document: Document) -> str:
    return "\n".join(paragraph.text for paragraph in document.paragraphs)


async def test_it_names_its_extension_and_media_type() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".docx"
        assert "wordprocessingml" in await plugin.call("get_media_type")


async def test_a_conversation_becomes_a_document() -> None:
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
        {"role": "assistant", "content": "It is **4**, see [this](https://x.io/).\n\n# Why\n\n---\n\n> quoted"},
    ]
    content = await exported({"title": "Sums", "system_prompt": "Be kind.", "messages": messages})
    document, _ = read(content)
    for words in (
        "Be kind.",
        "what is 2+2?\nplease",
        "2026-11-23 10:16:37 UTC",
        "I think.",
        "Tool call: calculator.evaluate",
        '"expression": "2+2"',
        "Result of calculator.evaluate",
        "12 tokens in · 3 tokens out · $0.5",
        "It is 4, see this.",
        "quoted",
    ):
        assert words in text_of(document)
    styles = {paragraph.text: paragraph.style.name for paragraph in document.paragraphs if paragraph.style}
    assert (styles["Sums"], styles["Why"]) == ("Title", "Heading 3")
    assert [one.text for one in document.paragraphs if one.style and one.style.name == "Heading 1"] == [
        "User", "Assistant", "Tool", "Assistant",
    ]  # fmt: skip
    assert document.core_properties.title == "Sums"
    (link,) = [link for paragraph in document.paragraphs for link in paragraph.hyperlinks]
    assert (link.text, link.address) == ("this", "https://x.io/")
    bold = [run.text for paragraph in document.paragraphs for run in paragraph.runs if run.bold]
    assert "4" in bold


async def test_right_to_left_text_is_marked() -> None:
    document, body = await opened("שלום world 123", "مرحبا بالعالم\n\n- פריט")
    assert "שלום world 123" in text_of(document) and "مرحبا بالعالم" in text_of(document)
    marked = [p for p in body.iter(f"{W}p") if p.find(f"{W}pPr/{W}bidi") is not None]
    assert len(marked) == 3
    runs = {"".join(t.text or "" for t in r.iter(f"{W}t")): r.find(f"{W}rPr/{W}rtl") for r in marked[0].iter(f"{W}r")}
    assert runs["שלום "] is not None and runs["world 123"] is None


async def test_lists_count_from_their_own_start() -> None:
    document, _ = await opened("1. a\n2. b\n   - c\n\ntext\n\n5. e\n6. f\n\n- [x] done")
    found = {p.text: p._p.xpath("w:pPr/w:numPr/*/@w:val") for p in document.paragraphs}
    numbered = {text: (int(values[0]), int(values[1])) for text, values in found.items() if values}
    assert numbered["a"] == numbered["b"] and numbered["c"][0] == 1
    assert numbered["e"][1] not in (numbered["a"][1], numbered["c"][1])
    starts = document.part.numbering_part.element.xpath("//w:num/w:lvlOverride/w:startOverride/@w:val")
    assert starts == ["1", "5"]
    assert "☑ done" in numbered


async def test_tables_are_tables() -> None:
    document, body = await opened("| a | **b** |\n|:--|--:|\n| 1 | שלום |\n| only |")
    (table,) = document.tables
    assert [[cell.text for cell in row.cells] for row in table.rows] == [["a", "b"], ["1", "שלום"], ["only", ""]]
    assert [jc.get(f"{W}val") for jc in body.iter(f"{W}jc")] == ["right"] * 3
    assert len(list(body.iter(f"{W}tblHeader"))) == 1


async def test_columns_are_as_wide_as_their_texts_and_keep_their_words() -> None:
    narrow, wide = await widths_of("| a | b |\n|---|---|\n| 1 | " + "long " * 4 + "|")
    assert wide > 4 * narrow and narrow + wide < Twips(9300)
    word, text = await widths_of("| Algorithm | b |\n|---|---|\n| 1 | " + "long " * 100 + "|")
    assert word >= Twips(9 * 140) and Twips(9200) < word + text <= Twips(9300)


async def widths_of(source: str) -> list[int]:
    document, _ = await opened("x", source)
    return [column.width for column in document.tables[0].columns]


async def test_code_keeps_its_lines_and_gets_colours() -> None:
    document, _ = await opened("```python\ndef f():\n\treturn '<ü>'\n```\n\n    plain")
    blocks = [p for p in document.paragraphs if p.style and p.style.name == "Code"]
    assert [block.text for block in blocks] == ["def f():\n\treturn '<ü>'", "plain"]
    assert len({str(run.font.color.rgb) for run in blocks[0].runs if run.font.color.rgb}) > 1


async def test_mathematics_is_words_own() -> None:
    source = (
        r"$\frac{a}{b}$, $5 and $10, \(\sqrt[3]{x}\)" + "\n\n"
        r"$$\sum_{i=1}^{n} i + \int_0^1 x \quad \left( \frac{1}{2} \right) \binom{n}{k}$$" + "\n\n"
        r"$$\begin{pmatrix} a & b \\ c & d \end{pmatrix} \hat{x} \overline{y} \underbrace{z}_{w}$$" + "\n\n"
        r"$$\lim_{x \to 0} \boxed{u} \cancel{v}$$" + "\n\n$$\n\\frac{\n\\limits\n$$"
    )
    document, body = await opened("x", source)
    assert "$5 and $10" in text_of(document)
    _, within = await opened("x", "So:\n\\[\nx^2\n\\]\nand on")
    assert len(list(within.iter(f"{M}oMath"))) == 1
    tags = {element.tag.removeprefix(M) for element in body.iter() if element.tag.startswith(M)}
    assert {"oMath", "oMathPara", "f", "rad", "nary", "d", "m", "acc", "bar", "groupChr", "limLow", "borderBox"} <= tags
    assert len(list(body.iter(f"{M}oMath"))) >= 4
    (large, *_) = [one.get(f"{M}val") for one in body.iter(f"{M}chr")]
    assert large == "∑"


async def test_pictures_are_inside_and_broken_ones_named() -> None:
    parts = [
        part("image/png", picture(), "cat.png"),
        part("image/webp", picture("WEBP"), "dog.webp"),
        part("image/png", picture()[:50], "broken.png"),
        part("application/pdf", b"%PDF", "a.pdf"),
        part("text/x-python", b"print(1)\n", "a.py"),
        {"type": "image_url", "image_url": {"url": "https://x.io/a.png"}},
    ]
    document, _ = await opened(parts)
    assert [shape.width for shape in document.inline_shapes] == [40 * 9525] * 2
    assert {shape._inline.get(f"dist{side}") for shape in document.inline_shapes for side in "TBLR"} == {"0"}
    assert {shape._inline.docPr.get("descr") for shape in document.inline_shapes} == {"cat.png", "dog.webp"}
    for words in ("broken.png (image/png, 50 bytes)", "a.pdf (application/pdf, 4 bytes)", "print(1)"):
        assert words in text_of(document)
    assert not (await opened(parts, include_attachments=False))[0].inline_shapes


async def test_every_script_survives() -> None:
    words = ["日本語", "한국어", "👩‍👩‍👧‍👦 🇩🇪", "हिन्दी", "e\u0301 naïve"]
    document, _ = await opened(*words)
    assert all(word in text_of(document) for word in words)


async def test_odd_input_is_a_document_too(tmp_path: Path) -> None:
    assert "Conversation" in text_of(read(await exported(None))[0])
    for text in (
        "\x00\x0b\ufffe",
        "> " * 200 + "x",
        "[x](javascript:alert(1))",
        "99999999. x",
        "```\nopen",
        "<w:p>]]>",
    ):
        document, _ = await opened(text, text)
        assert not any(paragraph.hyperlinks for paragraph in document.paragraphs)
    target = tmp_path / "out.docx"
    async with PluginHarness(FOLDER, {"paper": "us-letter"}) as plugin:
        content = await plugin.call("export", {"title": "Saved"}, output_path=str(target))
    assert target.read_bytes() == content
    width = read(content)[0].sections[0].page_width
    assert width is not None and round(width.inches, 1) == 8.5
    with pytest.raises(ConfigError, match="not a known time zone"):
        await PluginHarness(FOLDER, {"timezone": "Mars/Olympus"}).__aenter__()
