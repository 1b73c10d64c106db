"""Reading is tried again while the database is being restarted: who only looks need not know of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from plugins_app.services.connections import DATABASE_AWAY, PATIENCE, release_connection

__all__ = ["PatientReads", "note_database_away"]

_AWAY = "studio.database_away"
_PAUSE = 0.2


def note_database_away(request: HttpRequest | None, error: Exception) -> None:
    """Remember that this is why the request fails."""
    if request is not None and isinstance(error, DATABASE_AWAY):
        request.META[_AWAY] = True


class PatientReads:
    """A middleware, the outermost. Only GET and HEAD: what changes something may have been done already."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        until = time.monotonic() + PATIENCE
        while True:
            request.META.pop(_AWAY, None)
            response = self._get_response(request)
            is_over = request.method not in ("GET", "HEAD") or time.monotonic() > until
            if is_over or _AWAY not in request.META:
                return response
            release_connection()
            time.sleep(_PAUSE)  # nobody tells when a database is back

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """A view that is not the API's failed."""
        note_database_away(request, error)
