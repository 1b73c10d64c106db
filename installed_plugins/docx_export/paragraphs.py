"""Paragraphs, tables and where they stand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from .xml import Xml, el

__all__ = ["Place", "paragraph", "rule", "table"]

_STEP = 360  # twentieths of a point: a quarter of an inch


@dataclass(frozen=True, slots=True)
class Place:
    """Where a block stands: how deep, beside which line, with which number of a list."""

    indent: int = 0
    quoted: bool = False
    number: tuple[int, int] | None = None

    def deeper(self, *, quoted: bool = False) -> Place:
        """One step further in."""
        return replace(self, indent=self.indent + _STEP, quoted=self.quoted or quoted, number=None)


def paragraph(
    content: Iterable[Xml],
    place: Place | None = None,
    *,
    style: str | None = None,
    rtl: bool = False,
    keep_next: bool = False,
    align: str | None = None,
) -> Xml:
    """A paragraph; its properties are in the order that the schema wants."""
    where = place or Place()
    properties = el(
        "w:pPr",
        el("w:pStyle", val=style) if style else None,
        el("w:keepNext") if keep_next else None,
        _numbering(where.number) if where.number else None,
        _line_beside(rtl) if where.quoted else None,
        el("w:bidi") if rtl else None,
        el("w:ind", left=str(where.indent)) if where.indent and not where.number else None,
        el("w:jc", val=align) if align else None,
    )
    return el("w:p", properties if len(properties) else None, *content)


def rule() -> Xml:
    """A line across."""
    line = el("w:bottom", val="single", sz="4", space="1", color="C8CDD3")
    return el("w:p", el("w:pPr", el("w:pBdr", line)))


def table(
    rows: Sequence[Sequence[Iterable[Xml]]],
    sides: Sequence[str],
    columns: Sequence[Sequence[str]],
    *,
    rtl: bool,
    indent: int,
) -> Xml:
    """A table; its first row is repeated on each page. `columns` are the texts of each, which say how wide it is."""
    borders = [el(f"w:{side}", val="single", sz="4", space="0", color="C8CDD3") for side in _SIDES]
    properties = el(
        "w:tblPr",
        el("w:bidiVisual") if rtl else None,
        el("w:tblW", w="0", type="auto"),
        el("w:tblInd", w=str(indent), type="dxa") if indent else None,
        el("w:tblBorders", *borders),
        el("w:tblLayout", type="autofit"),
    )
    grid = el("w:tblGrid", *(el("w:gridCol", w=str(width)) for width in _widths(columns, _TABLE_WIDTH - indent)))
    return el("w:tbl", properties, grid, *(_row(row, sides, rtl, not number) for number, row in enumerate(rows)))


# In twentieths of a point: of a table, of a bold letter, and of what a cell has around its text.
_TABLE_WIDTH, _LETTER, _AROUND = 9300, 140, 260


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """Columns as wide as what is in them, as far as there is room: not every reader measures them itself."""
    best = [_wide(texts) for texts in columns]
    if sum(best) <= room:
        return best
    least = [_wide([word for text in texts for word in text.split()]) for texts in columns]
    wishes = [most - few for most, few in zip(best, least, strict=True)]
    spare = max(room - sum(least), 0)
    widths = [few + spare * wish // max(sum(wishes), 1) for few, wish in zip(least, wishes, strict=True)]
    return [width * min(room, sum(widths)) // sum(widths) for width in widths]


def _wide(texts: Iterable[str]) -> int:
    return max((len(text) for text in texts), default=0) * _LETTER + _AROUND


_SIDES = ("top", "left", "bottom", "right", "insideH", "insideV")


def _row(cells: Sequence[Iterable[Xml]], sides: Sequence[str], rtl: bool, is_header: bool) -> Xml:
    whole = el("w:trPr", el("w:cantSplit"), el("w:tblHeader") if is_header else None)
    return el("w:tr", whole, *(_cell(cell, side, rtl, is_header) for cell, side in zip(cells, sides, strict=False)))


def _cell(content: Iterable[Xml], side: str, rtl: bool, is_header: bool) -> Xml:
    shade = el("w:shd", val="clear", color="auto", fill="F3F4F6") if is_header else None
    properties = el("w:tcPr", el("w:tcW", w="0", type="auto"), shade)
    return el(
        "w:tc", properties, paragraph(content, rtl=rtl, align=side if side != "left" else None, style="TableText")
    )


def _numbering(number: tuple[int, int]) -> Xml:
    level, which = number
    return el("w:numPr", el("w:ilvl", val=str(level)), el("w:numId", val=str(which)))


def _line_beside(rtl: bool) -> Xml:
    side = "w:right" if rtl else "w:left"
    return el("w:pBdr", el(side, val="single", sz="12", space="8", color="C8CDD3"))
