"""MathML as Typst's mathematics."""

from __future__ import annotations

import re
from collections.abc import Callable
from unicodedata import category
from xml.etree.ElementTree import Element

from .literals import array, call, joined, string

__all__ = ["formula"]

_OPENING, _CLOSING = set("([{⟨⌈⌊"), set(")]}⟩⌉⌋")
_LARGE = set("∑∏∐⋃⋂⨁⨂⋁⋀⨆")
_LIMITS = {
    "lim",
    "max",
    "min",
    "sup",
    "inf",
    "limsup",
    "liminf",
    "lim sup",
    "lim inf",
    "argmax",
    "argmin",
    "det",
    "gcd",
    "Pr",
}
_ACCENTS = {
    "^": "hat", "ˆ": "hat", "~": "tilde", "˜": "tilde", "¯": "macron", "―": "overline", "‾": "overline",
    "_": "underline", "→": "arrow", "⃗": "arrow", "˙": "dot", "¨": "dot.double", "ˇ": "caron", "˘": "breve",
    "´": "acute", "`": "grave", "⏞": "overbrace", "⏟": "underbrace",
}  # fmt: skip
_LINES = {"overline", "underline", "overbrace", "underbrace"}
_EM = re.compile(r"(-?\d+(?:\.\d+)?)em")


def formula(math: Element, display: bool) -> str:
    """Content of an equation."""
    return call("equation", _row(_unwrapped(math)), block="true" if display else "false")


def _unwrapped(element: Element) -> list[Element]:
    """The children, below elements that only wrap one other."""
    inner = element
    while len(inner) == 1 and inner[0].tag in ("mrow", "mstyle"):
        inner = inner[0]
    if len(inner) == 1 and inner[0].tag == "mtable":
        inner[0].set("displaystyle", "true")  # a whole equation of several lines
    return list(inner)


def _node(element: Element) -> str:
    handler = _HANDLERS.get(element.tag)
    return (handler(element) if handler else _row(list(element))) or "[]"


def _row(children: list[Element]) -> str:
    """Siblings; what stands between a pair of fences that stretch is set with them, so that they grow with it."""
    pieces: list[str] = []
    place = 0
    while place < len(children):
        end = _partner(children, place)
        if end is None:
            pieces.append(_node(children[place]))
            place += 1
        else:
            closing = _fence(children[end]) if end < len(children) else '""'
            pieces.append(call("fenced", _fence(children[place]), _row(children[place + 1 : end]), closing))
            place = end + 1
    return joined(pieces)


def _partner(children: list[Element], start: int) -> int | None:
    """Where the fence that opens at `start` closes, which may be the row's end; None when none opens there."""
    if not _opens(children[start]):
        return None
    depth = 0
    for place in range(start + 1, len(children)):
        if depth == 0 and _closes(children[place]):
            return place
        depth += _opens(children[place]) - _closes(children[place])
    return len(children) if children[start].get("form") == "prefix" else None


def _opens(element: Element) -> bool:
    return _stretches(element) and (element.get("form") == "prefix" or _written(element) in _OPENING)


def _closes(element: Element) -> bool:
    return _stretches(element) and (element.get("form") == "postfix" or _written(element) in _CLOSING)


def _stretches(element: Element) -> bool:
    return element.tag == "mo" and element.get("stretchy") != "false" and not element.get("minsize")


def _written(element: Element) -> str:
    return (element.text or "").strip()


def _fence(element: Element) -> str:
    return string(_written(element))


def _identifier(element: Element) -> str:
    text = _written(element)
    if len(text) > 1 and text.isascii() and text.isalpha():
        return call("math.op", string(text))
    if element.get("mathvariant") == "normal":
        return call("math.upright", _symbols(text))
    return _symbols(text)


def _symbols(text: str) -> str:
    return joined(call("s", string(character)) for character in text if category(character)[0] not in "CZ")


def _operator(element: Element) -> str:
    text = _written(element)
    if len(text) > 1 and text.replace(" ", "").isalpha():
        return call("math.op", string(text), limits="true" if text in _LIMITS else "false")
    if size := _EM.fullmatch(element.get("minsize", "")):
        return call("math.lr", call("s", string(text)), size=f"{size[1]}em") if text else ""
    return _symbols(text)


def _text(element: Element) -> str:
    return call("text", string(element.text or "")) if element.text else ""


def _space(element: Element) -> str:
    width = _EM.fullmatch(element.get("width", ""))
    return f"h({width[1]}em)" if width else ""


def _fraction(element: Element) -> str:
    above, below = (_node(child) for child in _children(element, 2))
    if element.get("linethickness") == "0":
        return call("stacked", above, below)
    return call("math.frac", above, below)


def _scripts(*names: str) -> Callable[[Element], str]:
    def scripted(element: Element) -> str:
        base, *scripts = _children(element, len(names) + 1)
        places = {name: _node(script) for name, script in zip(names, scripts, strict=True) if _has_content(script)}
        return call("math.attach", _base(base), **places)

    return scripted


def _base(element: Element) -> str:
    """What scripts are set at: sums carry them above and below where there is room, names like lim always."""
    inner = element
    while inner.tag in ("mrow", "mstyle") and len(inner) == 1:
        inner = inner[0]
    text = _written(inner)
    if inner.tag == "mo" and text in _LIMITS:
        return call("math.op", string(text), limits="true")
    if inner.tag == "mo" and text in _LARGE:
        return call("s", string(text))
    return _node(element)


def _under_over(*names: str) -> Callable[[Element], str]:
    def placed(element: Element) -> str:
        base, *scripts = _children(element, len(names) + 1)
        mark = _ACCENTS.get(_written(scripts[0])) if len(scripts) == 1 and scripts[0].tag == "mo" else None
        if mark in _LINES:
            return call(f"math.{mark}", _node(base))
        if mark and names == ("t",):
            return call("math.accent", _node(base), f"sym-{mark.replace('.', '-')}")
        places = {name: _node(script) for name, script in zip(names, scripts, strict=True) if _has_content(script)}
        return call("math.attach", call("math.limits", _node(base)), **places)

    return placed


def _has_content(element: Element) -> bool:
    return bool(_written(element)) or len(element) > 0


def _table(element: Element) -> str:
    rows = [[_row(list(cell)) for cell in row] for row in element]
    sides = [cell.get("columnalign", "center") for row in list(element)[:1] for cell in row]
    width = max((len(row) for row in rows), default=0)
    cells = [array(row + ["[]"] * (width - len(row))) for row in rows]
    sides = [side if side in ("left", "right") else "center" for side in sides]
    display = "true" if element.get("displaystyle") == "true" else "false"
    return call("grid-of", array(cells), array(sides), display=display) if width else ""


def _enclosed(element: Element) -> str:
    inside = _row(list(element))
    return call("math.cancel" if "strike" in element.get("notation", "") else "boxed", inside)


def _children(element: Element, count: int) -> list[Element]:
    """Exactly so many: what is missing is empty, what is too much is left out."""
    return [*element, *(Element("mrow") for _ in range(count))][:count]


_HANDLERS: dict[str, Callable[[Element], str]] = {
    "mi": _identifier,
    "mn": _text,
    "mo": _operator,
    "mtext": _text,
    "ms": _text,
    "mspace": _space,
    "mfrac": _fraction,
    "msqrt": lambda element: call("math.sqrt", _row(list(element))),
    "mroot": lambda element: call("math.root", *[_node(child) for child in reversed(_children(element, 2))]),
    "msub": _scripts("b"),
    "msup": _scripts("t"),
    "msubsup": _scripts("b", "t"),
    "munder": _under_over("b"),
    "mover": _under_over("t"),
    "munderover": _under_over("b", "t"),
    "mtable": _table,
    "menclose": _enclosed,
    "mphantom": lambda element: call("hide", _row(list(element))),
}
