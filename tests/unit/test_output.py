"""What a plugin prints becomes lines of its log."""

import io
import logging
from collections.abc import Iterator

import pytest

from plugins_app.process.output import PrintedLines


class Kept(logging.Handler):
    """Keeps the texts; may write while it logs, or fail."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.echo: PrintedLines | None = None

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())
        if self.echo is not None:
            self.echo.write("from the handler\n")


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler, logger = Kept(), logging.getLogger("printed-in-a-test")
    logger.addHandler(handler)
    logger.propagate, logger.level = False, logging.INFO
    yield handler
    logger.removeHandler(handler)


def printed(beneath: io.StringIO | None = None) -> PrintedLines:
    return PrintedLines("printed-in-a-test", logging.INFO, beneath or io.StringIO())


def test_each_line_printed_is_one_record(kept: Kept) -> None:
    out = printed()
    print("one", 2, file=out)
    print("three\n\nfour", end="", file=out)
    assert kept.texts == ["one 2", "three"]
    out.flush()
    assert kept.texts == ["one 2", "three", "four"]


def test_a_line_that_never_ends_does_not_fill_the_memory(kept: Kept) -> None:
    out = printed()
    for _ in range(4):
        out.write("x" * 50_000)
    assert [len(text) for text in kept.texts] == [100_000, 100_000]


def test_what_the_log_itself_writes_does_not_come_back_to_it(kept: Kept) -> None:
    beneath = io.StringIO()
    kept.echo = out = printed(beneath)
    print("once", file=out)
    assert kept.texts == ["once"]
    assert beneath.getvalue() == "from the handler\n"
