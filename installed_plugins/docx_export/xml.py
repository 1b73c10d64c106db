"""Elements of WordprocessingML, and text that may stand in them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import TypeAlias

from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from lxml.etree import _Element

__all__ = ["Xml", "clean", "el", "is_rtl", "segments"]

Xml: TypeAlias = _Element
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def el(tag: str, *children: Xml | None, **attributes: str) -> Xml:
    """An element such as ``w:p``; its attributes are of the same namespace, and what is None is left out."""
    prefix = tag.partition(":")[0]
    element: Xml = OxmlElement(tag)
    for name, value in attributes.items():
        element.set(qn(f"{prefix}:{name}"), value)
    element.extend([child for child in children if child is not None])
    return element


def clean(text: str) -> str:
    """The text without what XML cannot hold."""
    return _NOT_XML.sub("", text)


def is_rtl(text: str) -> bool:
    """Whether the first letter that has a direction goes to the left."""
    return next((found for found in map(_direction, text) if found is not None), False)


def segments(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces of one direction each; what has none goes with what is before it."""
    start, current = 0, is_rtl(text)
    for at, character in enumerate(text):
        direction = _direction(character)
        if direction is not None and direction != current:
            if at > start:
                yield text[start:at], current
            start, current = at, direction
    if text[start:]:
        yield text[start:], current


def _direction(character: str) -> bool | None:
    if character < "\u0590":  # the quick way for most text
        return False if character.isalpha() else None
    kind = unicodedata.bidirectional(character)
    return True if kind in ("R", "AL") else False if kind == "L" else None
