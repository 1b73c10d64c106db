"""What a plugin process never tells: the secrets of its own configuration.

In texts (errors, tracebacks, log lines, progress, events) a secret becomes the mask. In what carries data (results,
stream items, stored values) it becomes as many asterisks as it has bytes, so the message keeps its shape and need not
be taken apart. A process without secrets has none of this in its way.

What a plugin has changed beyond recognition (reversed, split, compressed) cannot be found by anybody.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO
from urllib.parse import quote, quote_plus

import msgspec

from plugins_app.sdk.config import MASK
from plugins_app.wire import Error, Frame, FrameProtocol, HostCall, Progress, State

from .spec import Ready, Report

__all__ = ["ScrubbedFrames", "Scrubber", "scrub_streams"]

#: What is shorter would be met by chance: in a text, and in data.
_SHORTEST_TEXT, _SHORTEST_DATA = 4, 16
_SHORTEST_LINE, _SHORTEST_BASE64 = 16, 8
#: Before the name and password in an HTTP header.
_BASIC = b"asic "
#: Bytes that begin a frame's length: a secret with one could be met across two frames.
_HEADER_BYTES = (b"\x00", b"\x01", b"\x02")


class Scrubber:
    """Replaces secrets, in the forms in which they are met."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {part for secret in secrets for part in _parts(secret) if len(part) >= _SHORTEST_TEXT}
        forms = sorted({form for secret in known for form in _forms(secret)}, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, forms))) if forms else None
        long = [secret for secret in known if len(secret.encode(errors="surrogatepass")) >= _SHORTEST_DATA]
        self._data = _overwritten(form for secret in long for form in _written(secret))
        self._in_headers = _overwritten(form for secret in long for form in _in_base64(secret))

    def __bool__(self) -> bool:
        """Whether there is anything to look for."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        """The text with each secret masked."""
        return self._pattern.sub(MASK, text) if self._pattern is not None else text

    def value(self, value: Any) -> Any:
        """Plain data with each secret in its texts masked, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.value(key): self.value(item) for key, item in value.items()}
        return [self.value(item) for item in value] if isinstance(value, list | tuple | set | frozenset) else value

    def data(self, data: bytes) -> bytes:
        """Encoded data of the same length, each secret in it overwritten."""
        for form, stars in self._data:
            if form in data:
                data = data.replace(form, stars)
        if _BASIC in data and self._in_headers:  # Base64 is looked for where it is usual: each look costs
            for form, stars in self._in_headers:
                data = data.replace(form, stars)
        return data

    def report(self, report: Report) -> Report:
        """What is told of a start, well or badly."""
        if isinstance(report, Ready):
            return msgspec.structs.replace(report, metadata=self.value(report.metadata))
        texts = {name: self.text(getattr(report, name)) for name in ("message", "traceback", "hint")}
        return msgspec.structs.replace(report, **texts)


def _parts(secret: str) -> Iterator[str]:
    """The secret, and the lines of a long one: a log has one line at a time."""
    yield secret
    lines = secret.splitlines()
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORTEST_LINE and not line.startswith("-----"))


def _overwritten(forms: Iterable[str]) -> list[tuple[bytes, bytes]]:
    """Each form as bytes, longest first, and what it is overwritten with."""
    encoded = {form.encode(errors="surrogatepass") for form in forms}
    usable = [form for form in encoded if not any(byte in form for byte in _HEADER_BYTES)]
    return [(form, b"*" * len(form)) for form in sorted(usable, key=len, reverse=True)]


def _forms(secret: str) -> Iterator[str]:
    yield from _written(secret)
    yield from _in_base64(secret)


def _written(secret: str) -> Iterator[str]:
    """The secret as it is, and as JSON, Python and URLs write it."""
    yield secret
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    with contextlib.suppress(UnicodeEncodeError):  # half a character, which a URL cannot hold
        yield quote(secret, safe="")
        yield quote(secret)
        yield quote_plus(secret)


def _in_base64(secret: str) -> Iterator[str]:
    """The characters of Base64 that only the secret decides, wherever it begins in there."""
    data = secret.encode(errors="surrogatepass")
    for shift in range(3) if len(data) >= _SHORTEST_BASE64 else ():
        text = base64.b64encode(bytes(shift) + data).decode().rstrip("=")
        whole = (shift + len(data)) * 8 // 6
        inner = text[-(-shift * 8 // 6) : whole]
        yield inner
        yield inner.translate(str.maketrans("+/", "-_"))


class ScrubbedFrames(FrameProtocol):
    """A connection that tells no secret. Comes before the connection's own class."""

    scrubber: Scrubber

    def send(self, frame: Frame) -> None:
        if isinstance(frame, State):  # handed from one generation to the next, in memory only
            self.flush()
            super().send(msgspec.structs.replace(frame, error=self.scrubber.text(frame.error)))
            super().flush()
        else:
            super().send(_without_secrets(frame, self.scrubber))

    def flush(self) -> None:
        # All frames of one turn at once: looking for a secret costs by the byte, but also by the look.
        if self._batches:
            self._close_batches()
        if self._outgoing:
            self._outgoing[:] = [self.scrubber.data(b"".join(self._outgoing))]
        super().flush()


def _without_secrets(frame: Frame, scrubber: Scrubber) -> Frame:
    """Texts are masked here already: what tells of a failure may hold shorter secrets than data."""
    if isinstance(frame, Error):
        names = ("code", "message", "type_name", "traceback", "data")
        return msgspec.structs.replace(frame, **{name: scrubber.value(getattr(frame, name)) for name in names})
    if isinstance(frame, Progress):
        message, data = scrubber.value(frame.message), scrubber.value(frame.data)
        return msgspec.structs.replace(frame, message=message, data=data)
    if isinstance(frame, HostCall) and frame.operation == "events.emit":
        return msgspec.structs.replace(frame, payload=scrubber.value(frame.payload))
    return frame


class _ScrubbedBytes(io.RawIOBase):
    """The same for those who write bytes."""

    def __init__(self, beneath: Any, scrubber: Scrubber) -> None:
        super().__init__()
        self._beneath, self._scrubber = beneath, scrubber

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        text = self._scrubber.text(bytes(data).decode("utf-8", "surrogateescape"))
        self._beneath.write(text.encode("utf-8", "surrogateescape"))
        return len(data)

    def flush(self) -> None:
        self._beneath.flush()


class _ScrubbedStream(io.TextIOBase):
    """A text stream through which no secret passes, as long as it is written in one piece."""

    def __init__(self, beneath: TextIO, scrubber: Scrubber) -> None:
        super().__init__()
        self._beneath, self._scrubber = beneath, scrubber

    @property
    def buffer(self) -> Any:
        return _ScrubbedBytes(self._beneath.buffer, self._scrubber)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._beneath.encoding

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._beneath.fileno()

    def isatty(self) -> bool:
        return self._beneath.isatty()

    def write(self, text: str, /) -> int:
        self._beneath.write(self._scrubber.text(text))
        return len(text)

    def flush(self) -> None:
        self._beneath.flush()


def scrub_streams(scrubber: Scrubber) -> None:
    """Let no secret out through standard output and standard error from now on."""
    for name in ("stdout", "stderr"):
        stream: Any = _ScrubbedStream(getattr(sys, f"__{name}__"), scrubber)
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
