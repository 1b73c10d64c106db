"""Regular expressions that somebody else has written: none of them may hold this process up.

Python's `re` can take longer than anybody lives, and nothing else runs in the process meanwhile. What may take long is
therefore tried in a process of its own, which can be ended; everything else here, at once.
"""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from re import _parser  # type: ignore[attr-defined]
from typing import Any

__all__ = ["SafePattern", "is_nested", "matches"]

#: From so many repeats on, a limited one is as good as one without a limit.
_MANY = 10
_STEPS_AT_ONCE = 10**7
_FAR_TOO_MANY = 20.0  # as a power of e
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


class SafePattern:
    """A pattern that can be looked for in long texts, because what it may cost was found to be little beforehand.

    It is looked for window by window, so it finds what is at most `LONGEST` characters long.
    """

    LONGEST = 256
    _WINDOW = 1024
    #: How many ways it may try at each place.
    _MOST_WAYS = 4096

    def __init__(self, pattern: str, *, ignore_case: bool = False) -> None:
        """Compile it.

        Raises:
            ValueError: it is no regular expression, finds the empty text, or may take too long; the message says what
                to write instead.
        """
        try:
            self._compiled = re.compile(pattern, re.IGNORECASE if ignore_case else 0)
            ways = _ways(_parser.parse(pattern), self._WINDOW)
        except (re.error, RecursionError, OverflowError) as error:
            raise ValueError(f"{pattern!r} is no regular expression: {error}") from error
        if ways > self._MOST_WAYS:
            raise ValueError(
                f"{pattern!r} may take too long: say how often at most, such as {{1,20}}, instead of + and *"
            )
        if self._compiled.search("") is not None:
            raise ValueError(f"{pattern!r} finds the empty text")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where it is found, in order; what is found may overlap."""
        step = self._WINDOW - self.LONGEST
        for start in range(0, max(1, len(text) - self.LONGEST), step):
            end = start + self._WINDOW
            for found in self._compiled.finditer(text, start, end):
                # Near its end a window looks like the end of the text: what begins there is the next one's to find.
                if found[0] and (found.start() < start + step or end >= len(text)):
                    yield found.span()

    def found(self, text: str) -> str | None:
        """The first thing found."""
        return next((text[start:end] for start, end in self.spans(text)), None)


def _ways(part: Any, many: int) -> float:
    """How many ways there are to match at one place, at most; a repeat without a limit goes on for `many`."""
    ways = 1.0
    for operator, argument in part:
        name = str(operator)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            least, most = argument[0], min(argument[1], many)
            inside = _ways(argument[2], many)
            ways *= (most - least + 1) * math.exp(min(most * math.log(inside), _FAR_TOO_MANY))
        elif name == "BRANCH":
            ways *= sum(_ways(each, many) for each in argument[1])
        else:
            for child in _children(name, argument):
                ways *= _ways(child, many)
        ways = min(ways, math.exp(_FAR_TOO_MANY))
    return ways
