"""The page is read by a parser that knows nothing of us: what it says, and that it can do no harm."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from plugins_app.sdk import ConfigError
from plugins_app.sdk.testing import PluginHarness

FOLDER = Path(__file__).parents[1]
VOID = {"img", "meta", "br", "hr"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "main", "header", "footer", "article", "span", "h1", "h2", "h3",
    "h4", "h5", "h6", "p", "br", "hr", "a", "img", "strong", "em", "s", "code", "pre", "ul", "ol", "li", "blockquote",
    "table", "thead", "tbody", "tr", "th", "td", "details", "summary",
    "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose",
}  # fmt: skip
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](&#x6A;avascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x) <javascript:alert(1)>",
    "![x](javascript:alert(1))",
    '![x](https://evil.example/pixel.png "t")',
    '![x" onerror="alert(1)](https://evil.example/a.png)',
    '[x](https://x.io/"onmouseover="alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    '```"><script>alert(1)</script>\nx\n```',
    "```html\n<script>alert(1)</script>\n```",
    "`<b onclick=x>`",
    r"$\href{javascript:alert(1)}{x} \style{background:url(https://evil.example)}{y} \text{<script>alert(1)</script>}$",
    "$<script>alert(1)</script>$",
    "<!-- --!><script>alert(1)</script>",
    "</style></title></main><script>alert(1)</script>",
    "| <script>a</script> |\n|---|\n| <img src=x onerror=b> |",
    "<details open ontoggle=alert(1)>",
    "<base href=https://evil.example><meta http-equiv=refresh content='0;url=https://evil.example'>",
]


class Page(HTMLParser):
    """The elements and the text of a page; what is not balanced is an error."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", list[str]()
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def exported(data: Any, **config: Any) -> str:
    async with PluginHarness(FOLDER, config) as plugin:
        return bytes(await plugin.call("export", data)).decode()


async def page(*contents: Any, title: str = "T", **config: Any) -> Page:
    messages = [{"role": ("user", "assistant")[at % 2], "content": content} for at, content in enumerate(contents)]
    return Page(await exported({"title": title, "messages": messages}, **config))


async def test_it_names_its_extension_and_media_type() -> None:
    async with PluginHarness(FOLDER) as plugin:
        assert await plugin.call("get_file_extension") == ".html"
        assert await plugin.call("get_media_type") == "text/html; charset=utf-8"


async def test_a_conversation_becomes_a_page() -> None:
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
        {"role": "assistant", "content": "It is **4**, see [this](https://x.io/).\n\n# Why\n\n- [x] a\n- b"},
    ]
    found = Page(await exported({"title": "Sums & <co>", "system_prompt": "Be kind.", "messages": messages}))
    for words in (
        "Sums & <co>",
        "Be kind.",
        "2026-11-23 10:16:37 UTC",
        "I think.",
        "Tool call: calculator.evaluate",
        '"expression": "2+2"',
        "Result of calculator.evaluate",
        "12 tokens in · 3 tokens out · $0.5",
        "It is 4, see this.",
        "☑ a",
    ):
        assert words in found.text
    assert [link["href"] for link in found.all("a")] == ["https://x.io/"]
    assert found.all("br") and len(found.all("h3")) == 1
    assert [one["class"] for one in found.all("article")] == ["user", "assistant", "tool", "assistant"]


async def test_nothing_can_be_run_or_fetched() -> None:
    for text in ATTACKS:
        _is_harmless(await exported({"title": text, "messages": [{"role": text, "content": text}]}))


async def test_nothing_can_be_run_or_fetched_from_any_field() -> None:
    for text in (ATTACKS[0], '"><img src=x onerror=alert(1)>', "'\"><script>alert(1)</script>"):
        message = {
            "id": text, "role": text, "model": text, "created_at": text, "reasoning": text, "name": text,
            "tool_calls": [{"function": {"name": text, "arguments": text}}], "error": {"detail": text},
            "content": [
                {"type": "file", "file": {"filename": text, "file_data": f"data:text/html,{text}"}},
                {"type": "image_url", "image_url": {"url": f"https://x.io/{text}"}, "name": text},
                {"type": "image_url", "image_url": {"url": f"data:image/svg+xml,{text}"}, "name": text},
                {"type": text},
            ],
        }  # fmt: skip
        _is_harmless(await exported({"title": text, "system_prompt": text, "messages": [message]}))


def _is_harmless(source: str) -> None:
    found = Page(source)
    assert {tag for tag, _ in found.elements} <= ALLOWED
    for tag, attributes in found.elements:
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
        assert tag == "img" or "src" not in attributes
        assert re.fullmatch(r"text-align:\w+", attributes.get("style") or "text-align:left")
    assert all((image["src"] or "").startswith("data:image/") for image in found.all("img"))
    for link in found.all("a"):
        address = link.get("href") or "https:"
        assert address.startswith(("http:", "https:", "mailto:")) or "download" in link
        assert not address.startswith(("data:text/html", "data:image"))
    policy = next(meta["content"] for meta in found.all("meta") if "http-equiv" in meta)
    assert policy is not None and policy.startswith("default-src 'none'") and "script" not in policy


async def test_pictures_and_files_are_inside() -> None:
    data = base64.b64encode(b"<b>x</b>").decode()
    parts = [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}, "name": "cat.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}},
        {"type": "file", "file": {"filename": "a.html", "file_data": f"data:text/html;base64,{data}"}},
        {"type": "image_url", "image_url": {"url": "https://x.io/cat.png"}},
    ]
    found = await page(parts)
    assert found.all("img") == [{"src": f"data:image/png;base64,{data}", "alt": "cat.png"}]
    assert [(link.get("download"), link["href"]) for link in found.all("a")] == [
        ("a.pdf", f"data:application/pdf;base64,{data}"),
        ("a.html", f"data:application/octet-stream;base64,{data}"),
        (None, "https://x.io/cat.png"),
    ]
    assert "<b>x</b>" in found.text and "a.pdf (application/pdf, 8 bytes)" in found.text
    assert not (await page(parts, include_attachments=False)).all("img")


async def test_code_is_highlighted_and_complete() -> None:
    source = await exported({"messages": [{"role": "user", "content": "```python\ndef f():\n    return '<ü>'\n```"}]})
    assert '<span class="k">def</span>' in source
    assert "def f():\n    return '<ü>'\n" in Page(source).text
    assert "x = 1" in (await page("```no-such-language\nx = 1\n```")).text


@pytest.mark.parametrize("source", ["So:\n\\[\n{}\n\\]\nand on", "- item\n  \\[ {} \\]", "> it is \\[{}\\]"])
async def test_a_formula_in_brackets_may_follow_text_at_once(source: str) -> None:
    found = await page("x", source.format(r"\frac{a}{b}"))
    assert [(one["display"], one["alttext"]) for one in found.all("math")] == [("block", r"\frac{a}{b}")]


async def test_brackets_without_a_formula_stay_text() -> None:
    found = await page("x", r"`\[x\]`, \\[y\\], \[ \] and \[ alone")
    assert not found.all("math")


async def test_mathematics_is_mathml() -> None:
    found = await page("x", r"$\frac{a}{b}$, $5 and $10, \(x\)" + "\n\n$$\n\\sum_{i=1}^n i\n$$\n\n$$\n\\frac{\n$$")
    maths = found.all("math")
    assert [one["display"] for one in maths] == ["inline", "inline", "block", "block"][: len(maths)]
    assert {one["dir"] for one in maths} == {"ltr"}
    assert len(maths) >= 3 and maths[0]["alttext"] == r"\frac{a}{b}"
    assert "$5 and $10" in found.text and "∑" in found.text
    aligned = await page("x", "$$\n\\begin{align} a &= b \\\\ c &= d \\end{align}\n$$\n\n$$\n\\lim_{x \\to 0} x\n$$")
    assert [cell.get("style") for cell in aligned.all("mtd")][:2] == ["text-align:right", "text-align:left"]
    assert aligned.all("munder")


async def test_every_script_survives_and_has_its_direction() -> None:
    words = ["שלום עולם", "مرحبا بالعالم", "👩‍👩‍👧‍👦 🇩🇪", "日本語", "e\u0301"]
    found = await page(*words, "- שלום\n- עולם\n\n> مرحبا\n\n- left")
    assert all(word in found.text for word in words)
    assert [one.get("dir") for one in found.all("ul")] == ["rtl", None]
    assert [one.get("dir") for one in found.all("blockquote")] == ["rtl"]
    assert {one["dir"] for one in found.all("p") if "dir" in one} == {"auto"}


async def test_theme_and_details_are_chosen() -> None:
    found = Page(await exported({"messages": [{"reasoning": "hm"}]}, theme="dark", open_details=True))
    assert found.all("html")[0]["class"] == "dark"
    assert "open" in found.all("details")[0]
    with pytest.raises(ConfigError, match="not a known time zone"):
        await PluginHarness(FOLDER, {"timezone": "Mars/Olympus"}).__aenter__()


async def test_odd_input_is_a_page_too(tmp_path: Path) -> None:
    assert "Conversation" in Page(await exported(None)).text
    for text in ("> " * 200 + "x", "[" * 3000, "| a |\n|--|\n| b | c |", "\0", "```\nopen"):
        await page(text, text)
    target = tmp_path / "out.html"
    async with PluginHarness(FOLDER) as plugin:
        content = await plugin.call("export", {"title": "Saved"}, output_path=str(target))
    assert target.read_bytes() == content
