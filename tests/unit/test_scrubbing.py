"""What a plugin process never tells."""

import base64
import io
import json
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins_app.process.scrubbing import ScrubbedFrames, Scrubber
from plugins_app.process.spec import Failure, Ready
from plugins_app.sdk.config import MASK
from plugins_app.wire import Error, Frame, FrameDecoder, HostCall, Items, Progress, Result, State

LONG, SHORT, ODD = "sk-canary-0123456789abcdef", "hunter2", 'quote"back\\slash ümlaut/&='
SCRUBBER = Scrubber([LONG, SHORT, ODD])


class _Pipe:
    """The transport of a connection under test."""

    def __init__(self) -> None:
        self.written = io.BytesIO()

    def is_closing(self) -> bool:
        return False

    def write(self, data: bytes) -> None:
        self.written.write(data)


async def sent(*frames: Frame, scrubber: Scrubber = SCRUBBER) -> tuple[list[Frame], bytes]:
    """What arrives of the frames at the other end, decoded and as it is."""
    connection, pipe = ScrubbedFrames(), _Pipe()
    connection.scrubber, connection.transport = scrubber, pipe  # type: ignore[assignment]
    for frame in frames:
        connection.send(frame)
    connection.flush()
    data = pipe.written.getvalue()
    return list(FrameDecoder().feed(data)), data


@pytest.mark.parametrize("secret", [LONG, SHORT, ODD])
@pytest.mark.parametrize("form", [str, repr, json.dumps, lambda s: json.dumps(s, ensure_ascii=False), quote])
def test_a_text_has_the_mask_where_a_secret_was(secret: str, form: Any) -> None:
    assert SCRUBBER.text(f"before {form(secret).strip(chr(39) + chr(34))} after") == f"before {MASK} after"


@pytest.mark.parametrize("secret", [LONG, ODD])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_base64_hides_nothing(secret: str, before: str) -> None:
    encoded = base64.b64encode(f"{before}{secret}:x".encode()).decode()
    clean = SCRUBBER.text(encoded)
    assert MASK in clean
    assert len(clean.replace(MASK, "")) <= len(base64.b64encode(f"{before}:x".encode())) + 4


def test_the_lines_of_a_long_secret_are_secrets_as_well() -> None:
    key = "-----BEGIN KEY-----\n" + "\n".join(f"{'line' * 5}{n}" for n in range(3)) + "\n-----END KEY-----"
    scrubber = Scrubber([key])
    assert scrubber.text(f"key {'line' * 5}1") == f"key {MASK}"
    assert scrubber.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


def test_without_secrets_there_is_nothing_to_do() -> None:
    assert not Scrubber([]) and not Scrubber(["abc", ""])
    assert Scrubber(["abc"]).text("abc") == "abc"


async def test_data_keeps_its_shape_and_a_short_secret_in_it() -> None:
    value = {"key": LONG, "nested": [f"x{LONG}y", LONG.encode(), SHORT], LONG: 1}
    [result, items], data = await sent(Result(1, value, 0.5), Items(1, [value]))
    stars = "*" * len(LONG)
    expected = {"key": stars, "nested": [f"x{stars}y", stars.encode(), SHORT], stars: 1}
    assert result == Result(1, expected, 0.5) and items == Items(1, [expected])
    assert LONG.encode() not in data


async def test_a_header_with_name_and_password_is_overwritten() -> None:
    header = "Basic " + base64.b64encode(f"ada:{LONG}".encode()).decode()
    [result], _ = await sent(Result(1, {"Authorization": header}, 0.5))
    assert isinstance(result, Result)
    assert "*" * 30 in result.value["Authorization"] and len(result.value["Authorization"]) == len(header)


async def test_what_is_told_in_words_has_no_secret_at_all() -> None:
    error = Error(1, "plugin_raised", f"no {SHORT}", f"Error_{SHORT}", f"line\n{LONG}\n", False, {"a": [SHORT]})
    progress = Progress(1, 0.5, f"at {SHORT}", {"message": f"at {SHORT}"})
    event = HostCall(1, 1, "events.emit", {"event": SHORT, "data": {SHORT: ODD}})
    stored = HostCall(1, 2, "storage.set", {"key": LONG, "value": {"a": LONG}})
    frames, data = await sent(error, progress, event, stored)
    assert frames[0] == Error(
        1, "plugin_raised", f"no {MASK}", f"Error_{MASK}", f"line\n{MASK}\n", False, {"a": [MASK]}
    )
    assert frames[1] == Progress(1, 0.5, f"at {MASK}", {"message": f"at {MASK}"})
    assert frames[2] == HostCall(1, 1, "events.emit", {"event": MASK, "data": {MASK: MASK}})
    stars = "*" * len(LONG)
    assert frames[3] == HostCall(1, 2, "storage.set", {"key": stars, "value": {"a": stars}})
    assert not any(secret.encode() in data for secret in (LONG, SHORT, ODD))


async def test_what_one_generation_leaves_to_the_next_is_whole_but_its_error_is_not() -> None:
    frames, _ = await sent(Result(1, LONG, 0.0), State(1, {"key": LONG}, "1.0.0", f"no {SHORT}"), Result(2, LONG, 0.0))
    stars = "*" * len(LONG)
    assert frames == [Result(1, stars, 0.0), State(1, {"key": LONG}, "1.0.0", f"no {MASK}"), Result(2, stars, 0.0)]


def test_how_a_start_went_is_told_without_secrets() -> None:
    told = SCRUBBER.report(Failure("initialize_raised", f"m {SHORT}", f"t {LONG}", f"h {SHORT}"))
    assert told == Failure("initialize_raised", f"m {MASK}", f"t {MASK}", f"h {MASK}")
    assert SCRUBBER.report(Ready({"description": LONG}, [])) == Ready({"description": MASK}, [])


@given(st.lists(st.text(min_size=16, max_size=40), min_size=1, max_size=3), st.text(max_size=10), st.text(max_size=10))
def test_any_secret_is_found_and_every_frame_can_still_be_read(secrets: list[str], before: str, after: str) -> None:
    scrubber = Scrubber(secrets)
    for secret in secrets:
        assert len(secret) < 4 or secret not in scrubber.text(f"{before}{secret}{after}") or secret in MASK
        packed = msgspec.msgpack.encode([f"{before}{secret}{after}", {"k": secret}])
        clean = scrubber.data(packed)
        assert len(clean) == len(packed)
        if not any(mark in secret for mark in "\x00\x01\x02"):
            assert secret.encode() not in clean or set(secret) == {"*"}
