"""Markdown as Typst code, token by token."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

from .formulas import formula
from .literals import array, breakable, call, is_rtl, joined, string, words
from .maths import brackets_within_text, mathml

__all__ = ["code", "markdown"]

_LINKS = ("http://", "https://", "mailto:")
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}
_LONGEST_LINE = 2000


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 12})
    parser.enable(["table", "strikethrough"])
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    return parser.use(texmath_plugin, delimiters="brackets").use(amsmath_plugin).use(brackets_within_text)


_PARSER = _parser()


def markdown(text: str, *, breaks: bool = False) -> str:
    """Content; with `breaks` every line of the text is a line, as people mean it who type into a chat."""
    tokens = _PARSER.parse(text)
    if breaks:
        for token in (child for one in tokens for child in one.children or [] if child.type == "softbreak"):
            token.type = "hardbreak"
    return _blocks(SyntaxTreeNode(tokens).children)


def code(text: str, language: str = "") -> str:
    """A code block."""
    lines = (breakable(line[:_LONGEST_LINE]) for line in text.rstrip().split("\n"))
    named = {"lang": string(language)} if language else {}
    return call("raw", string("\n".join(lines)), block="true", **named)


def _blocks(nodes: Iterable[SyntaxTreeNode]) -> str:
    return joined(_block(node) for node in nodes)


def _block(node: SyntaxTreeNode) -> str:
    handler = _BLOCKS.get(node.type)
    return handler(node) if handler else _blocks(node.children)


def _directed(node: SyntaxTreeNode, body: str) -> str:
    """What begins in a script that runs to the left, runs to the left."""
    return call("directed", "rtl" if is_rtl(_plain(node)) else "ltr", body)


def _plain(node: SyntaxTreeNode) -> str:
    """The first words of a block, for its direction."""
    return next((child.content for child in node.walk() if child.type in ("text", "code_inline")), "")


def _paragraph(node: SyntaxTreeNode) -> str:
    body = joined(_inline(child) for child in node.children)
    return _directed(node, call("par", body))


def _heading(node: SyntaxTreeNode) -> str:
    body = joined(_inline(child) for child in node.children)
    return _directed(node, call("subheading", node.tag[1:], body))


def _list(node: SyntaxTreeNode) -> str:
    items = [_blocks(item.children) for item in node.children]
    if node.type == "ordered_list":
        start = str(node.attrs.get("start", 1))
        body = call("enum", *items, start=start if len(start) < 10 else "1")
    else:
        body = call("list", *items)
    # A list within a list stands close to its item, others apart from what is around them.
    is_inside = node.parent is not None and node.parent.type == "list_item"
    return _directed(node, body if is_inside else call("block", body))


def _quote(node: SyntaxTreeNode) -> str:
    return call("aside", '""', _blocks(node.children), direction="rtl" if is_rtl(_plain(node)) else "ltr")


def _fence(node: SyntaxTreeNode) -> str:
    info = node.info.split()
    return code(node.content, info[0][:40] if info else "")


def _table(node: SyntaxTreeNode) -> str:
    rows = [row for part in node.children for row in part.children]
    if not rows:
        return ""
    sides = array(_side(cell) for cell in rows[0].children)
    header, *body = ([_cell(cell) for cell in row.children] for row in rows)
    return _directed(node, call("rows-of", sides, array(header), array(array(row) for row in body)))


def _side(cell: SyntaxTreeNode) -> str:
    style = str(cell.attrs.get("style", ""))
    return (
        style.rpartition(":")[2] if style in ("text-align:left", "text-align:right", "text-align:center") else "start"
    )


def _cell(cell: SyntaxTreeNode) -> str:
    return joined(_inline(child) for child in cell.children)


def _display(node: SyntaxTreeNode) -> str:
    return _mathematics(node.content, display=True)


def _mathematics(latex: str, display: bool) -> str:
    found = mathml(latex, display)
    if found is not None:
        return formula(found, display)
    return code(latex.strip(), "latex") if display else call("raw", string(latex), lang='"latex"')


def _inline(node: SyntaxTreeNode) -> str:
    handler = _INLINES.get(node.type)
    return handler(node) if handler else joined(_inline(child) for child in node.children)


def _text(node: SyntaxTreeNode) -> str:
    text = node.content
    item = node.parent and node.parent.parent and node.parent.parent.parent
    if item and item.type == "list_item" and text[:4] in _BOXES and not node.previous_sibling:
        text = _BOXES[text[:4]] + text[4:]
    return words(text)


def _wrapped(function: str) -> Callable[[SyntaxTreeNode], str]:
    return lambda node: call(function, joined(_inline(child) for child in node.children))


def _link(node: SyntaxTreeNode) -> str:
    body, address = joined(_inline(child) for child in node.children), str(node.attrs.get("href", ""))
    return call("link", string(address), body) if address.startswith(_LINKS) else body


def _image(node: SyntaxTreeNode) -> str:
    """Nothing is fetched: a picture that lies elsewhere is a link to it."""
    address, name = str(node.attrs.get("src", "")), words(node.content or "image")
    return call("link", string(address), name) if address.startswith(_LINKS) else name


_BLOCKS: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "paragraph": _paragraph,
    "heading": _heading,
    "bullet_list": _list,
    "ordered_list": _list,
    "blockquote": _quote,
    "fence": _fence,
    "code_block": _fence,
    "table": _table,
    "hr": lambda _: "line(length: 100%, stroke: 0.5pt + line-colour)",
    "math_block": _display,
    "amsmath": _display,
}
_INLINES: dict[str, Callable[[SyntaxTreeNode], str]] = {
    "text": _text,
    "strong": _wrapped("strong"),
    "em": _wrapped("emph"),
    "s": _wrapped("strike"),
    "code_inline": lambda node: call("raw", string(breakable(node.content))),
    "softbreak": lambda _: '" "',
    "hardbreak": lambda _: "linebreak()",
    "link": _link,
    "image": _image,
    "math_inline": lambda node: _mathematics(node.content, display=False),
    "math_inline_double": lambda node: _mathematics(node.content, display=True),
}
