"""Frames to bytes and back: four bytes of length, big-endian, then msgpack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from .frames import Frame

__all__ = ["MAX_FRAME", "FrameDecoder", "FrameTooLargeError", "encode", "encode_value"]

#: The largest frame, in bytes. Larger results belong in files or streams.
MAX_FRAME = 32 * 1024 * 1024
_HEADER = 4
#: The largest value inside a frame: what is around it needs a few bytes.
_MAX_VALUE = MAX_FRAME - 64


def _plain(value: Any) -> Any:
    """What msgpack does not know, as the nearest that it does."""
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if hasattr(value, "items"):  # mappingproxy and other mappings
        return dict(value.items())
    raise NotImplementedError(f"a value of type {type(value).__name__} cannot be sent; return plain data")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)
_decoder: msgspec.msgpack.Decoder[Frame] = msgspec.msgpack.Decoder(Frame)


class FrameTooLargeError(ValueError):
    """A frame is larger than `MAX_FRAME`."""

    def __init__(self, size: int) -> None:
        super().__init__(f"a message of {size / 2**20:.1f} MiB is over the limit of {MAX_FRAME // 2**20} MiB")


def encode(frame: Frame) -> bytes:
    """One frame as bytes.

    Raises:
        FrameTooLargeError: it is over `MAX_FRAME`.
        TypeError, NotImplementedError, OverflowError: it holds what msgpack cannot.
    """
    body = _encoder.encode(frame)
    if len(body) > MAX_FRAME:
        raise FrameTooLargeError(len(body))
    return len(body).to_bytes(_HEADER, "big") + body


def encode_value(value: Any) -> msgspec.Raw:
    """One value as it is sent inside a frame. Raises as `encode` does."""
    body = _encoder.encode(value)
    if len(body) > _MAX_VALUE:
        raise FrameTooLargeError(len(body))
    return msgspec.Raw(body)


class FrameDecoder:
    """Takes bytes as they come, gives frames as they are complete."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that `data` completes.

        Raises:
            FrameTooLargeError: the peer announced a frame over `MAX_FRAME`.
            msgspec.DecodeError: the peer does not speak this protocol.
        """
        buffer = self._buffer
        buffer += data
        start, end = 0, len(buffer)
        with memoryview(buffer) as view:
            while end - start >= _HEADER:
                size = int.from_bytes(view[start : start + _HEADER], "big")
                if size > MAX_FRAME:
                    raise FrameTooLargeError(size)
                if end - start - _HEADER < size:
                    break
                start += _HEADER
                yield _decoder.decode(view[start : start + size])
                start += size
        if start:
            del buffer[:start]
