"""HTML that can be trusted: known elements, and whatever people and models wrote escaped."""

from __future__ import annotations

from html import escape
from xml.etree.ElementTree import Element

__all__ = ["element", "folded", "mathematics", "text"]


def text(value: str) -> str:
    """Text between tags, or in an attribute."""
    return escape(value.replace("\0", ""), quote=True)


def element(tag: str, content: str = "", /, **attributes: str) -> str:
    """An element; `content` is HTML, the attributes are text. A trailing `_` of their names does not count."""
    given = "".join(f' {name.rstrip("_").replace("_", "-")}="{text(value)}"' for name, value in attributes.items())
    return f"<{tag}{given}>" if tag in ("img", "meta") else f"<{tag}{given}>{content}</{tag}>"


def folded(summary: str, content: str, *, is_open: bool) -> str:
    """Something that the reader can unfold."""
    return f'<details{" open" if is_open else ""}><summary dir="auto">{text(summary)}</summary>{content}</details>'


def mathematics(math: Element, latex: str, display: bool) -> str:
    """MathML, with the LaTeX for those who cannot see it."""
    math.set("display", "block" if display else "inline")
    math.set("dir", "ltr")  # also in a paragraph that runs from the right
    math.set("alttext", latex.strip())
    return _serialized(math)


def _serialized(node: Element) -> str:
    attributes = "".join(f' {name}="{text(value)}"' for name, value in node.attrib.items())
    if (side := node.get("columnalign")) in ("left", "right"):  # browsers want to be told in their own way
        attributes += f' style="text-align:{side}"'
    return f"<{node.tag}{attributes}>{text(node.text or '')}{''.join(map(_serialized, node))}</{node.tag}>"
