"""The files of UI plugins, straight from their snapshots: named by digest, so they may be kept for ever."""

from __future__ import annotations

import mimetypes
import re
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from plugins_app.models import PluginVersion
from plugins_app.services.snapshots import snapshot_path

from .problems import problem_response

__all__ = ["plugin_asset"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_TYPES = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".css": "text/css",
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
#: What a plugin's own document may do inside its frame: its own files, no requests to anywhere else.
_FRAME_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "font-src 'self' data:; connect-src 'none'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'; "
    "sandbox allow-scripts"
)


@require_safe
def plugin_asset(request: HttpRequest, plugin_id: str, digest: str, path: str) -> HttpResponse:
    """One file of the folder that holds the manifest's `[ui] entry`, of a version that was released."""
    file = _file(plugin_id, digest, path)
    if file is None:
        return problem_response("not_found", f"There is nothing at {request.path}.")
    media_type = _TYPES.get(file.suffix.lower()) or mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    response = HttpResponse(file.read_bytes(), content_type=media_type)  # streaming a file blocks under ASGI
    return _with_headers(response)


def _with_headers(response: HttpResponse) -> HttpResponse:
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["X-Content-Type-Options"] = "nosniff"
    # A sandboxed frame has no origin of its own: without this its modules would be refused.
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    response["Content-Security-Policy"] = _FRAME_POLICY
    return response


def _file(plugin_id: str, digest: str, path: str) -> Path | None:
    """The file, if it is one that may be shown."""
    entry = _ui_entry(plugin_id, digest)
    if entry is None:
        return None
    snapshot = snapshot_path(plugin_id, digest).resolve()
    folder = (snapshot / entry).parent
    try:
        file = (snapshot / path).resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
    # Beside a plugin.py the "folder" is everything: then only the entry itself is shown.
    allowed = file.is_relative_to(folder) if folder != snapshot else file == snapshot / entry
    hidden = (
        any(part.startswith((".", "__pycache__")) for part in file.relative_to(snapshot).parts) if allowed else True
    )
    return file if allowed and not hidden and file.is_file() else None


def _ui_entry(plugin_id: str, digest: str) -> str | None:
    if not _DIGEST.fullmatch(digest):
        return None
    released = PluginVersion.objects.filter(
        plugin_id=plugin_id, plugin__removed_at=None, digest=digest, releases__isnull=False
    )
    metadata: dict[str, Any] | None = released.values_list("metadata", flat=True).first()
    entry = (metadata or {}).get("ui", {}).get("entry")
    return entry if isinstance(entry, str) and entry else None
