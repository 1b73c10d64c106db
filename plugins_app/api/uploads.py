"""Bodies that carry a package: the only ones that may be large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.parsers import MultiPartParser

from plugins_app.services.archives import PACKAGE_LIMIT
from plugins_app.services.errors import StudioError

__all__ = ["UPLOAD_LIMIT", "PackageParser"]

#: A package, and what a form puts around it.
UPLOAD_LIMIT = PACKAGE_LIMIT + 2**16


class PackageParser(MultiPartParser):
    """A form with a file of a bounded size."""

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        meta = (parser_context or {})["request"].META
        if int(meta.get("CONTENT_LENGTH") or 0) > UPLOAD_LIMIT:
            raise StudioError("package_too_large", f"A package may have {PACKAGE_LIMIT // 2**20} MB at most.")
        return super().parse(stream, media_type, parser_context)
