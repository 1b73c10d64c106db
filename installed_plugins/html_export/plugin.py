"""An export plugin: a conversation goes in, one HTML file comes out that needs nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from plugins_app.sdk import ExportPlugin
from plugins_app.sdk.exports import Options, check_timezone, read_conversation, streamed

from .page import page_of


class HtmlExport(ExportPlugin):
    """Writes a page without scripts, for browsers, mail and paper."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        check_timezone(self.config)
        return True

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        conversation = read_conversation(data, Options.of(self.config))
        theme, is_open = self.get_config("theme", "auto"), self.get_config("open_details", False)
        async for chunk in streamed(page_of(conversation, theme, is_open=is_open), output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """HTML's own."""
        return ".html"

    def get_media_type(self) -> str:
        """With the charset, which the file names as well."""
        return "text/html; charset=utf-8"
