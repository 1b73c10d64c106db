"""MathML as Word's own mathematics (OMML), which can be edited there."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree.ElementTree import Element

from .xml import Xml, clean, el

__all__ = ["formula"]

_OPENING, _CLOSING = set("([{⟨⌈⌊"), set(")]}⟩⌉⌋")
_LARGE = set("∑∏∐⋃⋂⨁⨂⋁⋀⨆∫∬∭∮")
_ACCENTS = {
    "^": "\u0302", "ˆ": "\u0302", "~": "\u0303", "˜": "\u0303", "¯": "\u0305", "→": "\u20d7", "⃗": "\u20d7",
    "˙": "\u0307", "¨": "\u0308", "ˇ": "\u030c", "˘": "\u0306", "´": "\u0301", "`": "\u0300",
}  # fmt: skip
_BARS = {"―": "top", "‾": "top", "_": "bot"}
_BRACES = {"⏞": "top", "⏟": "bot"}
_SCRIPTED = {"msub": ("sub",), "msup": ("sup",), "msubsup": ("sub", "sup")}
_PLACED = {"munder": ("sub",), "mover": ("sup",), "munderover": ("sub", "sup")}


def formula(math: Element, display: bool) -> Xml:
    """An equation in a line, or one that is a paragraph."""
    equation = el("m:oMath", *_row(list(math)))
    return el("m:oMathPara", equation) if display else equation


def _row(children: list[Element]) -> list[Xml]:
    """Siblings: pairs of fences hold what is between them, sums and integrals what follows them."""
    found: list[Xml] = []
    place = 0
    while place < len(children):
        child = children[place]
        end = _partner(children, place)
        if end is not None:
            closing = _written(children[end]) if end < len(children) else ""
            found.append(_fenced(_written(child), children[place + 1 : end], closing))
            place = end + 1
        elif _is_large(child):
            found.append(_large(child, children[place + 1 : place + 2]))
            place += 2
        else:
            found += _node(child)
            place += 1
    return found


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
    return element.tag == "mo" and element.get("stretchy") != "false"


def _written(element: Element) -> str:
    return clean(element.text or "").strip()


def _fenced(left: str, children: list[Element], right: str) -> Xml:
    properties = el("m:dPr", el("m:begChr", val=left), el("m:endChr", val=right))
    return el("m:d", properties, el("m:e", *_row(children)))


def _is_large(element: Element) -> bool:
    return element.tag in (*_SCRIPTED, *_PLACED) and len(element) > 1 and _written(element[0]) in _LARGE


def _large(element: Element, following: list[Element]) -> Xml:
    names = _SCRIPTED.get(element.tag) or _PLACED[element.tag]
    scripts = dict(zip(names, list(element)[1:], strict=False))
    properties = el(
        "m:naryPr",
        el("m:chr", val=_written(element[0])),
        el("m:limLoc", val="undOvr" if element.tag in _PLACED else "subSup"),
        *(el(f"m:{name}Hide", val="1") for name in ("sub", "sup") if name not in scripts),
    )
    parts = [el(f"m:{name}", *(_node(scripts[name]) if name in scripts else ())) for name in ("sub", "sup")]
    return el("m:nary", properties, *parts, el("m:e", *_row(following)))


def _node(element: Element) -> list[Xml]:
    handler = _HANDLERS.get(element.tag)
    return [handler(element)] if handler else _row(list(element))


def _argument(element: Element, name: str = "m:e") -> Xml:
    return el(name, *_node(element))


def _run(text: str, *properties: Xml) -> Xml:
    content = el("m:t")
    content.text = clean(text)
    content.set("{http://www.w3.org/XML/1998/namespace}space", "preserve")
    return el("m:r", el("m:rPr", *properties) if properties else None, content)


def _identifier(element: Element) -> Xml:
    text = _written(element)
    is_name = (len(text) > 1 and text.isascii()) or element.get("mathvariant") == "normal"
    return _run(text, el("m:sty", val="p")) if is_name else _run(text)


def _text(element: Element) -> Xml:
    return _run(element.text or "", el("m:nor"))


def _fraction(element: Element) -> Xml:
    above, below = _children(element, 2)
    properties = el("m:fPr", el("m:type", val="noBar")) if element.get("linethickness") == "0" else None
    return el("m:f", properties, _argument(above, "m:num"), _argument(below, "m:den"))


def _square_root(element: Element) -> Xml:
    properties = el("m:radPr", el("m:degHide", val="1"))
    return el("m:rad", properties, el("m:deg"), el("m:e", *_row(list(element))))


def _root(element: Element) -> Xml:
    inside, degree = _children(element, 2)
    return el("m:rad", _argument(degree, "m:deg"), _argument(inside))


def _scripts(element: Element) -> Xml:
    names = _SCRIPTED[element.tag]
    base, *scripts = _children(element, len(names) + 1)
    tag = {"msub": "m:sSub", "msup": "m:sSup", "msubsup": "m:sSubSup"}[element.tag]
    parts = [_argument(script, f"m:{name}") for name, script in zip(names, scripts, strict=True)]
    return el(tag, _argument(base), *parts)


def _placed(element: Element) -> Xml:
    """A mark above or below, or limits."""
    names = _PLACED[element.tag]
    base, *scripts = _children(element, len(names) + 1)
    if (
        len(scripts) == 1
        and scripts[0].tag == "mo"
        and (mark := _marked(base, _written(scripts[0]), names[0])) is not None
    ):
        return mark
    found = _argument(base)
    for name, script in zip(names, scripts, strict=True):
        tag = "m:limLow" if name == "sub" else "m:limUpp"
        found = el("m:e", el(tag, found, _argument(script, "m:lim")))
    inner: Xml = found[0]
    return inner


def _marked(base: Element, mark: str, place: str) -> Xml | None:
    if mark in _BARS:
        return el("m:bar", el("m:barPr", el("m:pos", val=_BARS[mark])), _argument(base))
    if mark in _BRACES:
        side = _BRACES[mark]
        properties = el("m:groupChrPr", el("m:chr", val=mark), el("m:pos", val=side), el("m:vertJc", val="bot"))
        return el("m:groupChr", properties, _argument(base))
    if mark in _ACCENTS and place == "sup":
        return el("m:acc", el("m:accPr", el("m:chr", val=_ACCENTS[mark])), _argument(base))
    return None


def _matrix(element: Element) -> Xml:
    rows = [list(row) for row in element] or [[]]
    width = max(len(row) for row in rows) or 1
    sides = [cell.get("columnalign", "center") for cell in rows[0]] + ["center"] * width
    columns = [el("m:mcPr", el("m:count", val="1"), el("m:mcJc", val=side)) for side in sides[:width]]
    properties = el("m:mPr", el("m:mcs", *(el("m:mc", column) for column in columns)))
    filled = [[*row, *(Element("mtd") for _ in range(width - len(row)))] for row in rows]
    return el("m:m", properties, *(el("m:mr", *(el("m:e", *_row(list(cell))) for cell in row)) for row in filled))


def _enclosed(element: Element) -> Xml:
    inside = el("m:e", *_row(list(element)))
    if "strike" not in element.get("notation", ""):
        return el("m:borderBox", inside)
    hidden = [el(f"m:hide{side}", val="1") for side in ("Top", "Bot", "Left", "Right")]
    return el("m:borderBox", el("m:borderBoxPr", *hidden, el("m:strikeBLTR", val="1")), inside)


def _children(element: Element, count: int) -> list[Element]:
    """Exactly so many: what is missing is empty, what is too much is left out."""
    return [*element, *(Element("mrow") for _ in range(count))][:count]


_HANDLERS: dict[str, Callable[[Element], Xml]] = {
    "mi": _identifier,
    "mn": lambda element: _run(_written(element)),
    "mo": _identifier,
    "mtext": _text,
    "ms": _text,
    "mspace": lambda element: _run(" ", el("m:nor")),
    "mfrac": _fraction,
    "msqrt": _square_root,
    "mroot": _root,
    "msub": _scripts,
    "msup": _scripts,
    "msubsup": _scripts,
    "munder": _placed,
    "mover": _placed,
    "munderover": _placed,
    "mtable": _matrix,
    "menclose": _enclosed,
    "mphantom": lambda element: el("m:phant", el("m:phantPr", el("m:show", val="0")), el("m:e", *_row(list(element)))),
}
