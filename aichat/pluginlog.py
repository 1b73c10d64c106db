"""What plugins log, as an author reads it in the terminal: `calculator INFO  text` instead of a line of JSON."""

import json
from typing import Any

__all__ = ["readable_lines"]

_COLOURS = {"debug": "2", "warning": "33", "error": "31", "critical": "1;31"}


def readable_lines(text: str, *, colour: bool = False) -> list[str]:
    """Return the lines to show for one line of output; what is not a plugin's log record stays as it is."""
    record = _record(text)
    if record is None:
        return [text]
    level = str(record.get("level", "info"))
    plugin, event = str(record["plugin"]), str(record.get("event", "")).splitlines()
    below = [f"    {line}" for line in (*event[1:], *str(record.get("exception", "")).splitlines())]
    head = f"{plugin} {_painted(f'{level.upper():<7}', level, colour)} {event[0] if event else ''}".rstrip()
    return [head, *below]


def _record(text: str) -> dict[str, Any] | None:
    """The record that a line holds, if it is one."""
    if not text.startswith("{"):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) and "plugin" in record and "event" in record else None


def _painted(text: str, level: str, colour: bool) -> str:
    code = _COLOURS.get(level)
    return f"\x1b[{code}m{text}\x1b[0m" if colour and code else text
