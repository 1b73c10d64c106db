"""Markdown as HTML: no raw HTML, no addresses but of the web and mail, nothing that a reader's browser would fetch."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from .markup import element, mathematics, text
from .maths import brackets_within_text, mathml

__all__ = ["code", "markdown"]

_LINKS = ("http://", "https://", "mailto:")
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}
_DIRECTED = ("paragraph_open", "heading_open", "td_open", "th_open")
_CONTAINERS = ("bullet_list_open", "ordered_list_open", "blockquote_open", "table_open")
_LONGEST_HIGHLIGHTED = 200_000
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def markdown(source: str, *, breaks: bool = False) -> str:
    """HTML; with `breaks` every line of the text is a line, as people mean it who type into a chat."""
    tokens = _PARSER.parse(source)
    _prepare(tokens, breaks)
    return str(_PARSER.renderer.render(tokens, _PARSER.options, {}))


def code(source: str, language: str = "") -> str:
    """A code block, highlighted where the language is known."""
    try:
        lexer = get_lexer_by_name(language) if language and len(source) <= _LONGEST_HIGHLIGHTED else TextLexer()
    except ClassNotFound:
        lexer = TextLexer()
    marked = highlight(source.replace("\0", ""), lexer, _FORMATTER)
    label = {"data_language": language} if language else {}
    return element("pre", element("code", marked), dir="ltr", class_="code", tabindex="0", **label)


def _prepare(tokens: Sequence[Token], breaks: bool) -> None:
    """Directions, headings below those of the page, lines, boxes to tick."""
    for at, token in enumerate(tokens):
        if token.type in _DIRECTED:
            token.attrSet("dir", "auto")
        elif token.type in _CONTAINERS and _is_rtl(tokens[at:]):
            token.attrSet("dir", "rtl")
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
        for child in token.children or []:
            if breaks and child.type == "softbreak":
                child.type = "hardbreak"
        if token.type == "inline" and at > 1 and tokens[at - 2].type == "list_item_open":
            _tick(token.children or [])


def _is_rtl(tokens: Iterable[Token]) -> bool:
    """Whether the first letter that has a direction goes to the left."""
    for token in tokens:
        for character in token.content if token.type == "inline" else "":
            direction = unicodedata.bidirectional(character)
            if direction in ("L", "R", "AL"):
                return direction != "L"
    return False


def _tick(children: Sequence[Token]) -> None:
    first = children[0] if children else None
    if first is not None and first.type == "text" and first.content[:4] in _BOXES:
        first.content = _BOXES[first.content[:4]] + first.content[4:]


class _Renderer(RendererHTML):
    """What markdown-it renders differently here."""

    def fence(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        words = tokens[idx].info.split()
        return code(tokens[idx].content, words[0][:40] if words else "")

    def code_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return code(tokens[idx].content)

    def code_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return element("code", text(tokens[idx].content), dir="ltr")

    def image(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        """A picture that lies elsewhere is a link to it: the file asks nobody for anything."""
        address, name = str(tokens[idx].attrGet("src") or ""), text(tokens[idx].content or "image")
        return _link(address) + name + "</a>" if address.startswith(_LINKS) else name

    def link_open(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        address = str(tokens[idx].attrGet("href") or "")
        return _link(address) if address.startswith(_LINKS) else "<a>"

    def math_inline(
        self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]
    ) -> str:
        return _mathematics(tokens[idx].content, False)

    def math_block(self, tokens: Sequence[Token], idx: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
        return _mathematics(tokens[idx].content, True)

    math_inline_double = amsmath = math_block


def _link(address: str) -> str:
    return element("a", href=address, rel="noopener noreferrer nofollow").removesuffix("</a>")


def _mathematics(latex: str, display: bool) -> str:
    found = mathml(latex, display)
    if found is not None:
        return mathematics(found, latex, display)
    return code(latex.strip(), "latex") if display else element("code", text(latex), dir="ltr")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}, renderer_cls=_Renderer)
    parser.enable(["table", "strikethrough"])
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    parser.use(texmath_plugin, delimiters="brackets").use(amsmath_plugin).use(brackets_within_text)
    assert isinstance(parser.renderer, _Renderer)
    for name in ("math_inline", "math_inline_double", "math_block", "amsmath"):  # the plugins have set their own
        parser.renderer.rules[name] = getattr(parser.renderer, name)
    return parser


_PARSER = _parser()
