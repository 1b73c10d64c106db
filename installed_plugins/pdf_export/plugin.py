"""An export plugin: a conversation goes in, the pages of a PDF come out, set by Typst."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import typst

from plugins_app.sdk import ConfigError, ExportPlugin, PluginError
from plugins_app.sdk.exports import Options, check_timezone, read_conversation, streamed

from .document import Look, document_of

_TEMPLATE = Path(__file__).with_name("template.typ")
_FONTS = ("manimgx_fonts", "manimgx_fonts_cjk")


class PdfExport(ExportPlugin):
    """Sets what people and models said in pages: every script, mathematics, code, pictures."""

    async def validate_config(self) -> bool:
        """The zone must be one that this machine knows."""
        check_timezone(self.config)
        return True

    async def initialize(self) -> bool:
        """Read the fonts once."""
        folders = [folder for name in _FONTS if (folder := _folder(name))]
        if len(folders) < len(_FONTS):
            raise ConfigError(f"a package of fonts is missing: {', '.join(_FONTS)}")
        self._fonts = await asyncio.to_thread(_fonts_in, folders)
        self._one_at_a_time = asyncio.Lock()
        return True

    async def export(self, data: Any, output_path: str | None = None) -> AsyncIterator[bytes]:
        """The file, bit by bit; with `output_path` it is written there too, where the sandbox allows it."""
        async with self._one_at_a_time:  # a long conversation takes a lot of memory
            content = await asyncio.to_thread(self._render, data)
        async for chunk in streamed([content], output_path):
            yield chunk

    def get_file_extension(self) -> str:
        """PDF's own."""
        return ".pdf"

    def get_media_type(self) -> str:
        """PDF's own."""
        return "application/pdf"

    def _render(self, data: Any) -> bytes:
        look = Look(
            paper=self.get_config("paper", "a4"),
            font_size=self.get_config("font_size", 10),
            page_numbers=self.get_config("page_numbers", True),
            embed_files=self.get_config("embed_files", True),
        )
        conversation = read_conversation(data, Options.of(self.config))
        with tempfile.TemporaryDirectory(prefix="pdf-") as place:
            folder = Path(place)
            (folder / "template.typ").write_bytes(_TEMPLATE.read_bytes())
            compiler = typst.Compiler(root=folder, font_paths=self._fonts, ignore_system_fonts=True)
            source = "".join(document_of(conversation, look, folder, lambda name: _can_show(compiler, name)))
            try:
                content = compiler.compile(
                    source.encode("utf-8", "replace"), format="pdf", pdf_tags=self.get_config("tagged", True)
                )
            except typst.TypstError as error:
                self.context.logger.error("typst refused the document: %s", error.diagnostic)
                raise PluginError(f"the pages could not be set: {error.message}") from error
        assert isinstance(content, bytes)  # what a PDF without a path is; the types allow for pictures of pages
        return content


def _folder(package: str) -> Path | None:
    """Where a package's files are, without importing it."""
    found = find_spec(package)
    return Path(found.origin).parent if found and found.origin else None


def _fonts_in(folders: list[Path]) -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True, font_paths=folders)


def _can_show(compiler: typst.Compiler, name: str) -> bool:
    """Whether a picture can be read: one that cannot would take the whole document with it."""
    try:
        compiler.compile(f'#image("{name}", width: 10pt)'.encode(), format="pdf")
    except typst.TypstError:
        return False
    return True
