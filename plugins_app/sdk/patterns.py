"""Regular expressions that somebody else has written: none of them may hold this process up.

Python's `re` can take longer than anybody lives, and nothing else runs in the process meanwhile. What may take long is
therefore tried in a process of its own, which can be ended; everything else here, at once.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["is_nested", "matches"]

#: From so many repeats on, a limited one is as good as one without a limit.
_MANY = 10
_STEPS_AT_ONCE = 10**7
_SECONDS = 1.0
_CHILD = "import json, re, sys; p, t = json.load(sys.stdin); print(re.search(p, t) is not None)"


def matches(pattern: str, text: str) -> bool:
    """Whether the pattern is found in the text; what takes too long to tell is not."""
    nested, repeats = _shape(pattern)
    if not nested and (not repeats or len(text) ** (repeats + 1) <= _STEPS_AT_ONCE):
        return re.search(pattern, text) is not None
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _CHILD],
            input=json.dumps([pattern, text]),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=True,
        )
    except subprocess.SubprocessError:
        return False
    return done.stdout.strip() == "True"


def is_nested(pattern: str) -> bool:
    """Whether something that may be repeated is repeated: the time may grow with every character, twofold."""
    return _shape(pattern)[0]


@lru_cache(maxsize=256)
def _shape(pattern: str) -> tuple[bool, int]:
    """Whether repeats are nested, and how many there are without a limit to speak of."""
    try:
        return _walk(_parser.parse(pattern), inside=False)
    except (re.error, RecursionError, OverflowError):
        return True, 1


def _walk(part: Any, *, inside: bool) -> tuple[bool, int]:
    nested, repeats = False, 0
    for operator, argument in part:
        name = str(operator)
        is_repeat = name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")
        many = is_repeat and argument[1] >= _MANY
        nested |= inside and (is_repeat or name == "BRANCH")
        repeats += many
        for child in _children(name, argument):
            deeper, more = _walk(child, inside=inside or many)
            nested, repeats = nested or deeper, repeats + more
    return nested, repeats


def _children(name: str, argument: Any) -> list[Any]:
    if name == "BRANCH":
        return list(argument[1])
    if not isinstance(argument, tuple):
        return [argument] if name == "ATOMIC_GROUP" else []
    return [each for each in argument if isinstance(each, _parser.SubPattern)]
