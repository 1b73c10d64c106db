"""`manage.py demo`: a question to a real model on this machine, a tool call, and the conversation as a PDF."""

from __future__ import annotations

import logging
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from aichat.chat.demo import Demo, DemoError, demo_key
from aichat.chat.demo_studio import studio_for_demo
from aichat.environment import read_environment

_QUESTION = "What is 1234 * 5678?"


class Command(BaseCommand):
    """Show what the studio does, from a terminal."""

    help = "Ask a real model on this machine, have it call a tool, and write the conversation as a PDF."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--question", default=_QUESTION, help=f"something to calculate; by default {_QUESTION}")
        parser.add_argument("--output", type=Path, help="the PDF; by default demo.pdf in the studio's data directory")

    def handle(self, *args: Any, question: str, output: Path | None, **options: Any) -> None:
        logging.getLogger("httpx").setLevel(logging.WARNING)  # each request is not what people want to read
        environment = read_environment()
        target = (output or environment.data / "demo.pdf").resolve()
        try:
            with studio_for_demo(environment, self._say) as url, demo_key() as key:
                Demo(url, key, self._say).run(question, target)
        except DemoError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError("stopped") from None

    def _say(self, text: str, end: str = "\n") -> None:
        self.stdout.write(text, ending=end)
        self.stdout.flush()
