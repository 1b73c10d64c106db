"""The Word document that is being written: styles, numbers of lists, pictures, links."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from docx import Document
from docx.document import Document as WordDocument
from docx.enum.style import WD_STYLE_TYPE
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.oxml.ns import qn
from docx.oxml.shape import CT_Inline
from docx.shared import Emu, Mm, Pt, RGBColor
from PIL import Image

from .runs import MONOSPACE
from .xml import Xml, clean, el

__all__ = ["Word"]

_PAPERS = {"a4": (210, 297), "a5": (148, 210), "us-letter": (215.9, 279.4), "us-legal": (215.9, 355.6)}
_AS_THEY_ARE = {"PNG", "JPEG", "GIF", "BMP"}
_EMU_PER_PIXEL = 9525
_MOST_PIXELS = 50_000_000
_LEVELS = 9


class Word:
    """Collects what belongs to the document while its blocks are made."""

    def __init__(self, *, paper: str, font_size: float) -> None:
        self._document: WordDocument = Document()
        self._links: dict[str, str] = {}
        self._pictures = 0
        self._end = self._document.element.body.sectPr
        self._room = self._set_page(paper)
        _set_styles(self._document, font_size)
        self._numbering = self._document.part.numbering_part.element
        for which, ordered in enumerate((False, True)):
            self._numbering.insert(which, _list_of(9000 + which, ordered))
        self._bullets: int = 1 + max(number.numId for number in self._numbering.num_lst)
        self._last_number = self._bullets
        self._numbering.append(_number(self._bullets, 9000))

    def append(self, blocks: Iterable[Xml]) -> None:
        """Put blocks at the document's end."""
        for block in blocks:
            self._end.addprevious(block)

    def describe(self, title: str, subject: str) -> None:
        """What file managers show."""
        properties = self._document.core_properties
        properties.title, properties.author = clean(title)[:255], "AI Chat Studio"
        properties.comments, properties.subject = "", clean(subject)[:255]

    def content(self) -> bytes:
        """The file."""
        target = io.BytesIO()
        self._document.save(target)
        return target.getvalue()

    def number_of_list(self, *, ordered: bool, start: int = 1, level: int = 0) -> int:
        """A list of its own, so that it counts from its own start."""
        if not ordered:
            return self._bullets
        self._last_number += 1
        begin = el("w:lvlOverride", el("w:startOverride", val=str(start)), ilvl=str(min(level, _LEVELS - 1)))
        self._numbering.append(_number(self._last_number, 9001, begin))
        return self._last_number

    def link(self, address: str, content: Iterable[Xml]) -> Xml:
        """Runs that lead somewhere."""
        if address not in self._links:
            part = self._document.part
            self._links[address] = part.relate_to(address, RELATIONSHIP_TYPE.HYPERLINK, is_external=True)
        link = el("w:hyperlink", *content)
        link.set(qn("r:id"), self._links[address])
        return link

    def picture(self, data: bytes, name: str) -> Xml | None:
        """A run with the picture, no larger than the page; None when it is broken."""
        found = _readable(data)
        if found is None:
            return None
        stored, width, height = found
        factor = min(1.0, self._room / (width * _EMU_PER_PIXEL), Mm(140) / (height * _EMU_PER_PIXEL))
        size = [Emu(round(side * _EMU_PER_PIXEL * factor)) for side in (width, height)]
        part = self._document.part.get_or_add_image(io.BytesIO(stored))[0]
        self._pictures += 1
        inline = CT_Inline.new_pic_inline(self._pictures, part, "picture", *size)
        inline.docPr.set("descr", clean(name))
        for side in "TBLR":  # what is not said is not nothing to every reader: LibreOffice would move it to the right
            inline.set(f"dist{side}", "0")
        return el("w:r", el("w:drawing", inline))

    def _set_page(self, paper: str) -> int:
        """Returns how wide the text is."""
        section = self._document.sections[0]
        width, height = _PAPERS[paper]
        section.page_width, section.page_height = Mm(width), Mm(height)
        section.left_margin = section.right_margin = section.top_margin = section.bottom_margin = Mm(20)
        footer: Any = section.footer.paragraphs[0]
        footer.alignment = WD_ALIGN_PARAGRAPH.CENTER
        footer._p.append(el("w:fldSimple", el("w:r", el("w:t")), instr="PAGE"))
        return Mm(width - 40)


def _readable(data: bytes) -> tuple[bytes, int, int] | None:
    """A picture that Word can show, with its size; what it does not know becomes PNG."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > _MOST_PIXELS:
                return None
            image.load()
            if image.format in _AS_THEY_ARE:
                return data, width, height
            target = io.BytesIO()
            image.convert("RGBA").save(target, "PNG")
            return target.getvalue(), width, height
    except Exception:  # noqa: BLE001 - Pillow's readers raise whatever comes up; all of it means: broken
        return None


def _set_styles(document: WordDocument, font_size: float) -> None:
    normal: Any = document.styles["Normal"]
    normal.font.name, normal.font.size = "Calibri", Pt(font_size)
    normal.paragraph_format.space_after = Pt(6)
    for name in ("Code", "TableText", "Faint"):
        document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH).base_style = normal
    code: Any = document.styles["Code"]
    code.font.name, code.font.size, code.paragraph_format.line_spacing = MONOSPACE, Pt(font_size * 0.85), 1.0
    code.element.get_or_add_pPr().insert(0, el("w:shd", val="clear", color="auto", fill="F5F6F8"))
    table: Any = document.styles["TableText"]
    table.paragraph_format.space_after = Pt(0)
    faint: Any = document.styles["Faint"]
    faint.font.size, faint.font.color.rgb = Pt(font_size * 0.8), RGBColor(0x66, 0x70, 0x85)
    for level in range(1, 7):
        heading: Any = document.styles[f"Heading {level}"]
        heading.font.size, heading.font.color.rgb = Pt(font_size * (1.5 - level * 0.08)), RGBColor(0x1D, 0x21, 0x27)


def _number(number: int, scheme: int, *overrides: Xml) -> Xml:
    return el("w:num", el("w:abstractNumId", val=str(scheme)), *overrides, numId=str(number))


def _list_of(number: int, ordered: bool) -> Xml:
    """Numbers or bullets on nine levels."""
    signs = ("•", "◦", "▪")
    levels = [
        el(
            "w:lvl",
            el("w:start", val="1"),
            el("w:numFmt", val="decimal" if ordered else "bullet"),
            el("w:lvlText", val=f"%{level + 1}." if ordered else signs[level % 3]),
            el("w:lvlJc", val="left"),
            el("w:pPr", el("w:ind", left=str(360 * (level + 1)), hanging="360")),
            ilvl=str(level),
        )
        for level in range(_LEVELS)
    ]
    return el("w:abstractNum", el("w:multiLevelType", val="multilevel"), *levels, abstractNumId=str(number))
