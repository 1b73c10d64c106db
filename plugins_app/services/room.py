"""Room on the disk: files are refused while there still is some, because what runs needs it to go on."""

from __future__ import annotations

import shutil

from django.conf import settings

from .errors import StudioError

__all__ = ["require_room"]

#: A disk that is full to the last byte takes nothing back either: databases need room to delete.
_RESERVE = 32 << 20


def require_room(size: int) -> None:
    """Check that there is room for a file of this size, in the database and in its journal.

    Raises:
        StudioError: `disk_full`; nothing was stored.
    """
    if shutil.disk_usage(settings.STUDIO_DATA).free < 2 * size + _RESERVE:
        raise StudioError("disk_full", "There is no room left on the disk for this file.", hint="Make room first.")
