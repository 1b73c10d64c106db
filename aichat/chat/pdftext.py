"""The text of a PDF, read in a process of its own: what is in a PDF is a program that others wrote.

Run by path, with the PDF on standard input; writes `{"pages", "text"}` or `{"error"}` as JSON. It imports nothing of
the studio, and its memory, time and output are bounded.
"""

from __future__ import annotations

import io
import json
import resource
import sys
from typing import Any

__all__ = ["main"]

_MEMORY, _SECONDS = 2**30, 20


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _read(data: bytes, most_pages: int, most_characters: int) -> dict[str, Any]:
    from pypdf import PdfReader

    reader = PdfReader(io.BytesIO(data))
    if reader.is_encrypted and not reader.decrypt(""):
        return {"error": "it is locked with a password"}
    pages = len(reader.pages)
    if pages > most_pages:
        return {"error": f"it has {pages} pages, and may have {most_pages}", "too_large": True}
    texts, characters = [], 0
    for page in reader.pages:
        texts.append(page.extract_text())
        characters += len(texts[-1])
        if characters > most_characters:
            break
    return {"pages": pages, "text": "\n\n".join(text.strip() for text in texts).replace("\x00", "")}


def main() -> None:
    """Answer and end."""
    data = sys.stdin.buffer.read()
    _limit()
    try:
        answer = _read(data, int(sys.argv[1]), int(sys.argv[2]))
    except Exception as error:  # noqa: BLE001 - a broken file breaks the reader in many ways; each is said as one
        answer = {"error": f"it is broken ({type(error).__name__})"}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
