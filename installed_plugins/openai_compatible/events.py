"""Server-sent events out of bytes, as they come."""

from __future__ import annotations

__all__ = ["EventReader"]


class EventReader:
    """Takes bytes, gives the data of the events that they complete; see the HTML standard, "Server-sent events"."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []

    @property
    def pending(self) -> int:
        """How many bytes wait for the end of their event."""
        return len(self._rest) + sum(map(len, self._data))

    def feed(self, data: bytes) -> list[bytes]:
        """The data of each event that is complete now."""
        if not self._rest and not self._data and _is_one(data):
            return [data[6:-2]]
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        found: list[bytes] = []
        for line in lines:
            self._take(line.rstrip(b"\r"), found)
        return found

    def end(self) -> list[bytes]:
        """The last event of a server that ends its answer without an empty line."""
        found: list[bytes] = []
        self._take(self._rest.rstrip(b"\r"), found)
        self._rest = b""
        self._take(b"", found)
        return found

    def _take(self, line: bytes, found: list[bytes]) -> None:
        if line.startswith(b"data:"):
            self._data.append(line[6:] if line[5:6] == b" " else line[5:])
        elif not line and self._data:
            found.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
            self._data.clear()


def _is_one(data: bytes) -> bool:
    """Whether this is one event and nothing else: what a server sends that writes word by word."""
    return data.startswith(b"data: ") and data.endswith(b"\n\n") and data.find(b"\n") == len(data) - 2
