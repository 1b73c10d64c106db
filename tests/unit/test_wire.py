"""The protocol's frames and bytes."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins_app.wire import MAX_FRAME, Call, FrameDecoder, FrameTooLargeError, Goaway, Result, encode

plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values=st.lists(plain, max_size=5), cut=st.integers(1, 40))
def test_frames_survive_any_cutting_of_the_stream(values: list[object], cut: int) -> None:
    frames = [Result(i, value, 0.5) for i, value in enumerate(values)] + [Goaway()]
    data = b"".join(map(encode, frames))
    decoder, received = FrameDecoder(), []
    for start in range(0, len(data), cut):
        received += list(decoder.feed(data[start : start + cut]))
    assert received == frames


def test_a_call_keeps_its_fields() -> None:
    call = Call(7, "execute", [1], {"a": "ü"}, 2.5, True, 256, {"id": 1}, ["probe"], True)
    assert list(FrameDecoder().feed(encode(call))) == [call]


def test_sets_and_tuples_travel_as_lists() -> None:
    (frame,) = FrameDecoder().feed(encode(Result(1, {"t": (1, 2), "s": {3}}, 0.0)))
    assert isinstance(frame, Result)
    assert frame.value == {"t": [1, 2], "s": [3]}


def test_what_cannot_be_sent_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedError, match="object"):
        encode(Result(1, object(), 0.0))


def test_a_frame_over_the_limit_is_refused_at_both_ends() -> None:
    with pytest.raises(FrameTooLargeError, match="32 MiB"):
        encode(Result(1, b"x" * (MAX_FRAME + 1), 0.0))
    with pytest.raises(FrameTooLargeError):
        list(FrameDecoder().feed((MAX_FRAME + 1).to_bytes(4, "big")))


def test_garbage_is_an_error_and_not_a_frame() -> None:
    with pytest.raises(msgspec.DecodeError):
        list(FrameDecoder().feed(b"\0\0\0\x02\xc1\xc1"))
