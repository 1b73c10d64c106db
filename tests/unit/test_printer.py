"""The launcher's output: readable lines, each with a name."""

import io
import json

from aichat.printer import LineSplitter, Printer


def lines(*chunks: bytes) -> list[str]:
    """Feed `chunks` and return every line that comes out."""
    splitter = LineSplitter()
    return [line for chunk in chunks for line in splitter.feed(chunk)] + list(splitter.end())


def test_lines_are_put_together_from_pieces() -> None:
    assert lines(b"one\ntw", b"o\r\n", b"thr", b"ee") == ["one", "two", "three"]


def test_a_line_that_never_ends_is_cut() -> None:
    pieces = lines(*[b"x" * 50_000] * 4)
    assert len(pieces) == 2
    assert "".join(pieces) == "x" * 200_000


def test_bytes_that_are_no_text_do_not_stop_the_output() -> None:
    assert lines(b"a\xff\x07b\n") == ["a\ufffdb"]


def test_every_line_has_its_name_in_a_column() -> None:
    out = io.StringIO()
    printer = Printer(out, ("web", "worker"), colour=False)
    printer.line("web", "\x1b[31mred\x1b[0m")
    printer.system("first\nsecond")
    assert [line[9:] for line in out.getvalue().splitlines()] == ["web    | red", "system | first", "system | second"]


def test_colours_end_with_the_line() -> None:
    out = io.StringIO()
    Printer(out, ("web",), colour=True).line("web", "\x1b[31mred")
    assert out.getvalue().endswith("\x1b[31mred\x1b[0m\n")


def test_an_author_reads_what_plugins_log_without_json() -> None:
    out = io.StringIO()
    printer = Printer(out, ("host",), colour=False, readable=True)
    told = {"level": "error", "logger": "plugin.dice", "event": "cannot\nroll", "plugin": "dice", "generation": 3}
    printer.line("host", json.dumps(told | {"exception": "Traceback:\n  ValueError: no"}))
    printer.line("host", "adopted dice")
    printer.line("host", '{"not": "ours"}')
    assert [line[18:] for line in out.getvalue().splitlines()] == [
        "dice ERROR   cannot",
        "    roll",
        "    Traceback:",
        "      ValueError: no",
        "adopted dice",
        '{"not": "ours"}',
    ]


def test_a_plugin_cannot_move_the_cursor_by_what_it_logs() -> None:
    out = io.StringIO()
    told = {"level": "info", "event": "a\x1b[2J\x07b", "plugin": "dice"}
    Printer(out, ("host",), colour=False, readable=True).line("host", json.dumps(told))
    assert out.getvalue().endswith("dice INFO    ab\n")


def test_an_output_that_takes_nothing_stops_nobody() -> None:
    class Full(io.StringIO):
        def flush(self) -> None:
            raise OSError(28, "No space left on device")

    Printer(Full(), ("web",), colour=False).line("web", "hello")
