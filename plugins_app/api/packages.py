"""`/api/plugins`: what is on the disk: packages, versions, removing."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.services import removal

from .base import documented
from .cards import PluginCards
from .codes import OPERATORS

__all__ = ["PackageActions"]


class PackageActions(PluginCards):
    """The part of the plugin viewset that is about files."""

    @documented(
        "Remove a plugin",
        description="Its folder is moved to the trash of the studio's data folder, from where it can be put back.",
        answers={204: None},
        codes=("plugin_not_found", "still_loaded", *OPERATORS),
    )
    def destroy(self, request: Request, plugin_id: str) -> Response:
        removal.plugin_remove(plugin_id=plugin_id, user=request.user)
        return Response(status=204)
