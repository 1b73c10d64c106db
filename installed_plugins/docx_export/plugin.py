"""An export plugin: a conversation goes in, a Word document comes out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from plugins_app.sdk import ExportPlugin
from plugins_app.sdk.exports import Options, check_timezone, read_conversation, streamed

from .document import write
from .word import Word


class DocxExport(ExportPlugin):
    """Writes what people and models said as a document to go on working with."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        check_timezone(self.config)
        return True

    async def initialize(self) -> bool:
        """A long conversation takes a lot of memory, so there is one at a time."""
        self._one_at_a_time = asyncio.Lock()
        return True

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        async with self._one_at_a_time:
            content = await asyncio.to_thread(self._render, data)
        async for chunk in streamed([content], output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """Word's own."""
        return ".docx"

    def get_media_type(self) -> str:
        """Word's own."""
        return "application/vnd.openxmlformats-officedocument.wordprocessingml.document"

    def _render(self, data: Any) -> bytes:
        word = Word(paper=self.get_config("paper", "a4"), font_size=self.get_config("font_size", 11))
        write(read_conversation(data, Options.of(self.config)), word)
        return word.content()
