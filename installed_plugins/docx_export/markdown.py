"""Markdown as blocks of a Word document."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.texmath import texmath_plugin

from .code import code_runs
from .formulas import formula
from .maths import brackets_within_text, mathml
from .paragraphs import Place, paragraph, rule, table
from .runs import Look, line_break, runs
from .word import Word
from .xml import Xml, is_rtl

__all__ = ["Writer"]

_LINKS = ("http://", "https://", "mailto:")
_BOXES = {"[ ] ": "☐ ", "[x] ": "☑ ", "[X] ": "☑ "}


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    parser.enable(["table", "strikethrough"])
    parser.use(dollarmath_plugin, allow_labels=False, allow_space=False, allow_digits=False, double_inline=True)
    return parser.use(texmath_plugin, delimiters="brackets").use(amsmath_plugin).use(brackets_within_text)


_PARSER = _parser()


class Writer:
    """Makes blocks; what belongs to the whole document it leaves with `word`."""

    def __init__(self, word: Word) -> None:
        self._word = word

    def markdown(self, text: str, place: Place | None = None, *, breaks: bool = False) -> Iterator[Xml]:
        """Blocks; with `breaks` every line of the text is a line, as people mean it who type into a chat."""
        tokens = _PARSER.parse(text)
        if breaks:
            for token in (child for one in tokens for child in one.children or [] if child.type == "softbreak"):
                token.type = "hardbreak"
        for node in SyntaxTreeNode(tokens).children:
            yield from self._block(node, place or Place())

    def code(self, text: str, language: str = "", place: Place | None = None) -> Xml:
        """A code block: one paragraph, always from the left."""
        return paragraph(code_runs(text.rstrip(), language), place, style="Code")

    # --- blocks ---

    def _block(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        handler = _BLOCKS.get(node.type)
        if handler is not None:
            yield from handler(self, node, place)
            return
        for child in node.children:
            yield from self._block(child, place)

    def _paragraph(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        yield paragraph(self._inlines(node, Look()), place, rtl=is_rtl(_plain(node)))

    def _heading(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        level = min(int(node.tag[1:]) + 2, 6)
        yield paragraph(self._inlines(node, Look()), place, style=f"Heading{level}", rtl=is_rtl(_plain(node)))

    def _list(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        level = place.indent // 360
        start = int(node.attrs.get("start", 1)) if node.type == "ordered_list" else 1
        number = self._word.number_of_list(ordered=node.type == "ordered_list", start=min(start, 30_000), level=level)
        inside = place.deeper()
        for item in node.children:
            first = replace(inside, number=(min(level, 8), number))
            for at, child in enumerate(item.children):
                yield from self._block(child, inside if at or child.type != "paragraph" else first)

    def _quote(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        for child in node.children:
            yield from self._block(child, place.deeper(quoted=True))

    def _fence(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        info = node.info.split() if node.type == "fence" else []
        yield self.code(node.content, info[0] if info else "", place)

    def _table(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        lines = [row for part in node.children for row in part.children]
        looks = [Look(bold=number == 0) for number in range(len(lines))]
        rows = [[self._inlines(cell, look) for cell in row.children] for row, look in zip(lines, looks, strict=True)]
        sides = [str(cell.attrs.get("style", "")).removeprefix("text-align:") or "left" for cell in lines[0].children]
        columns = [[_whole(cell) for cell in column] for column in zip(*(row.children for row in lines), strict=False)]
        yield table(rows, sides, columns, rtl=is_rtl(_plain(node)), indent=place.indent)
        yield paragraph([], place)

    def _rule(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        yield rule()

    def _display(self, node: SyntaxTreeNode, place: Place) -> Iterator[Xml]:
        found = mathml(node.content, True)
        yield (
            self.code(node.content.strip(), "latex", place)
            if found is None
            else paragraph([formula(found, True)], place)
        )

    # --- what stands in a line ---

    def _inlines(self, node: SyntaxTreeNode, look: Look) -> list[Xml]:
        return [piece for child in node.children for piece in self._inline(child, look)]

    def _inline(self, node: SyntaxTreeNode, look: Look) -> list[Xml]:
        kind = node.type
        if kind in ("text", "code_inline"):
            return runs(_ticked(node), replace(look, code=look.code or kind == "code_inline"))
        if kind in _LOOKS:
            return self._inlines(node, _LOOKS[kind](look))
        if kind in ("softbreak", "hardbreak"):
            return runs(" ", look) if kind == "softbreak" else [line_break()]
        if kind in ("link", "image"):
            return self._link(node, look)
        if kind.startswith("math_inline"):
            found = mathml(node.content, False)
            return runs(node.content, replace(look, code=True)) if found is None else [formula(found, False)]
        return self._inlines(node, look)

    def _link(self, node: SyntaxTreeNode, look: Look) -> list[Xml]:
        """Nothing is fetched: a picture that lies elsewhere is a link to it."""
        is_image = node.type == "image"
        address = str(node.attrs.get("src" if is_image else "href", ""))
        if not address.startswith(_LINKS):
            return runs(node.content or "image", look) if is_image else self._inlines(node, look)
        marked = replace(look, link=True)
        content = runs(node.content or "image", marked) if is_image else self._inlines(node, marked)
        return [self._word.link(address, content)]


def _whole(node: SyntaxTreeNode) -> str:
    return "".join(child.content for child in node.walk() if not child.children)


def _plain(node: SyntaxTreeNode) -> str:
    """The first words of a block, for its direction."""
    return next((child.content for child in node.walk() if child.type == "text" and child.content), "")


def _ticked(node: SyntaxTreeNode) -> str:
    """The text; a box to tick at the beginning of a list's item is one."""
    text, item = node.content, node.parent and node.parent.parent and node.parent.parent.parent
    if item and item.type == "list_item" and text[:4] in _BOXES and not node.previous_sibling:
        return _BOXES[text[:4]] + text[4:]
    return text


_LOOKS: dict[str, Callable[[Look], Look]] = {
    "strong": lambda look: replace(look, bold=True),
    "em": lambda look: replace(look, italic=True),
    "s": lambda look: replace(look, strike=True),
}
_BLOCKS: dict[str, Callable[[Writer, SyntaxTreeNode, Place], Iterator[Xml]]] = {
    "paragraph": Writer._paragraph,
    "heading": Writer._heading,
    "bullet_list": Writer._list,
    "ordered_list": Writer._list,
    "blockquote": Writer._quote,
    "fence": Writer._fence,
    "code_block": Writer._fence,
    "table": Writer._table,
    "hr": Writer._rule,
    "math_block": Writer._display,
    "amsmath": Writer._display,
}
