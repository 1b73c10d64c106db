"""Text as runs, with how it looks."""

from __future__ import annotations

from dataclasses import dataclass

from .xml import Xml, clean, el, segments

__all__ = ["MONOSPACE", "Look", "line_break", "runs"]

MONOSPACE = "Consolas"


@dataclass(frozen=True, slots=True)
class Look:
    """How a run looks."""

    bold: bool = False
    italic: bool = False
    strike: bool = False
    code: bool = False
    link: bool = False
    in_block: bool = False
    colour: str = ""


def runs(text: str, look: Look) -> list[Xml]:
    """Runs of one direction each: Word orders what has none by its run."""
    pieces = [(clean(text), False)] if look.code else segments(clean(text))
    return [el("w:r", _properties(look, rtl), *_lines(piece)) for piece, rtl in pieces if piece]


def line_break() -> Xml:
    """A new line in the same paragraph."""
    return el("w:r", el("w:br"))


def _lines(text: str) -> list[Xml]:
    found: list[Xml] = []
    for number, line in enumerate(text.split("\n")):
        if number:
            found.append(el("w:br"))
        for place, part in enumerate(line.split("\t")):
            if place:
                found.append(el("w:tab"))
            if part:
                found.append(_text(part))
    return found


def _text(text: str) -> Xml:
    element = el("w:t")
    element.text = text
    element.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return element


def _properties(look: Look, rtl: bool) -> Xml | None:
    """In the order that the schema wants."""
    colour = look.colour or ("1A56B0" if look.link else "")
    fonts = {name: MONOSPACE for name in ("ascii", "hAnsi", "cs")} if look.code and not look.in_block else {}
    found = [
        el("w:rFonts", **fonts) if fonts else None,
        *((el("w:b"), el("w:bCs")) if look.bold else ()),
        *((el("w:i"), el("w:iCs")) if look.italic else ()),
        el("w:strike") if look.strike else None,
        el("w:noProof") if look.code else None,
        el("w:color", val=colour) if colour else None,
        el("w:u", val="single") if look.link else None,
        el("w:shd", val="clear", color="auto", fill="F0F2F4") if look.code and not look.in_block else None,
        el("w:rtl") if rtl else None,
    ]
    properties = el("w:rPr", *found)
    return properties if len(properties) else None
