"""The pieces of Markdown that the export is made of."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

__all__ = ["closed", "details", "fenced", "front_matter", "inline"]

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})(?P<info>.*)")


def inline(text: str) -> str:
    """One line of text that is text, whatever characters it has."""
    return re.sub(r"([\\`*_\[\]<])", r"\\\1", " ".join(text.split()))


def fenced(text: str, language: str = "") -> str:
    """A code block whose fence is longer than any in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def closed(text: str) -> str:
    """The text with the fence that it leaves open closed: an answer that was cut must not swallow what follows."""
    still_open = ""
    for line in text.splitlines():
        match = _FENCE.fullmatch(line)
        if match is None:
            continue
        fence, info = match["fence"], match["info"].strip()
        if not still_open:
            if fence[0] == "~" or "`" not in info:
                still_open = fence
        elif fence[0] == still_open[0] and len(fence) >= len(still_open) and not info:
            still_open = ""
    return f"{text.rstrip()}\n{still_open}" if still_open else text


def details(summary: str, body: str) -> str:
    """Something folded away; the empty lines make Markdown of what is inside."""
    escaped = summary.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<details>\n<summary>{escaped}</summary>\n\n{body}\n\n</details>"


def front_matter(fields: Iterable[tuple[str, Any]]) -> str:
    """YAML front matter. JSON's strings, numbers and lists are YAML's too, and need no guessing what to quote."""
    lines = [
        f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in fields if value not in (None, "", [])
    ]
    return "\n".join(["---", *lines, "---"])
