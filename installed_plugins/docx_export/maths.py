"""LaTeX as MathML that can be trusted: known elements and attributes only, not too deep.

The export plugins that set mathematics each have this file, word for word.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element
from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

__all__ = ["brackets_within_text", "mathml"]

_LONGEST, _DEEPEST = 4000, 24
_ELEMENTS = {
    "math", "mrow", "mi", "mn", "mo", "mtext", "ms", "mspace", "mfrac", "msqrt", "mroot", "msub", "msup", "msubsup",
    "munder", "mover", "munderover", "mtable", "mtr", "mtd", "mstyle", "mpadded", "mphantom", "menclose", "merror",
}  # fmt: skip
_ATTRIBUTES = {
    "accent", "columnalign", "displaystyle", "fence", "form", "linethickness", "lspace", "mathvariant", "maxsize",
    "minsize", "movablelimits", "notation", "rspace", "scriptlevel", "separator", "stretchy", "width",
}  # fmt: skip
_VALUE = re.compile(r"[\w .%+-]{1,40}")
# Names that carry what stands at them below and above.
_LIMITS = {"lim", "max", "min", "sup", "inf", "limsup", "liminf", "lim sup", "lim inf", "argmax", "argmin"}
_AT_LIMITS = {"msub": "munder", "msup": "mover", "msubsup": "munderover"}
# What the converter does not know are arrays by another name.
_ALIGNED = re.compile(r"\\(begin|end)\{(?:align|aligned|alignat|alignedat|eqnarray|split|flalign)\*?\}(?:\{\d+\})?")
_GATHERED = re.compile(r"\\(begin|end)\{(?:gather|gathered|multline)\*?\}")
_EQUATION = re.compile(
    r"\\(?:begin|end)\{(?:equation|displaymath|math)\*?\}|\\(?:label|tag)\*?\{[^{}]*\}|\\(?:nonumber|notag)\b"
)


def brackets_within_text(parser: MarkdownIt) -> None:
    r"""Formulas between \[ and \] right after text, without an empty line: most models write them so."""
    parser.inline.ruler.before("escape", "math_brackets_within_text", _bracketed)


def _bracketed(state: StateInline, silent: bool) -> bool:
    start = state.pos + 2
    if not state.src.startswith("\\[", state.pos):
        return False
    end = state.src.find("\\]", start, min(start + _LONGEST, state.posMax))
    latex = state.src[start:end].strip() if end >= 0 else ""
    if latex and not silent:
        state.push("math_inline_double", "math", 0).content = latex
    if latex:
        state.pos = end + 2
    return bool(latex)


@lru_cache(maxsize=1024)
def mathml(latex: str, display: bool) -> Element | None:
    """The `math` element; None when it cannot be understood, and is better shown as it was written."""
    text = _prepared(latex)
    if not text or len(text) > _LONGEST:
        return None
    try:
        found = convert_to_element(text, display="block" if display else "inline")
        return _clean(found, 0)
    except Exception:  # noqa: BLE001 - the converter raises whatever comes up; all of it means: not understood
        return None


def _prepared(latex: str) -> str:
    text = _EQUATION.sub("", latex).strip()
    text = _ALIGNED.sub(lambda found: _array(found[1], "rlrlrlrl"), text)
    text = _GATHERED.sub(lambda found: _array(found[1], "c"), text)
    if "\\\\" in text and "\\begin" not in text:
        text = rf"\begin{{array}}{{rl}}{text}\end{{array}}"
    return text


def _array(side: str, columns: str) -> str:
    return rf"\begin{{array}}{{{columns}}}" if side == "begin" else r"\end{array}"


def _clean(element: Element, depth: int) -> Element:
    name = element.tag.rpartition("}")[2]
    if depth > _DEEPEST:
        raise ValueError("mathematics nested too deeply")
    kept = {key: value for key, value in element.attrib.items() if key in _ATTRIBUTES and _VALUE.fullmatch(value)}
    copy = Element(_named(name, element), kept)
    copy.text = html.unescape(element.text or "")
    copy.extend([_clean(child, depth + 1) for child in element])
    return copy


def _named(name: str, element: Element) -> str:
    """The element's name, or what it has to be: a group when it is not known."""
    if name in _AT_LIMITS and len(element) and (element[0].text or "").strip() in _LIMITS:
        return _AT_LIMITS[name]
    return name if name in _ELEMENTS else "mrow"
