"""The conversations' paths, with and without a slash at the end. The streaming ones are in `routes`."""

from __future__ import annotations

from aichat.chat.api import ConversationViewSet
from aichat.chat.uploads import AttachmentViewSet
from plugins_app.api.urls import EitherSlashRouter

__all__ = ["urlpatterns"]

_router = EitherSlashRouter()
_router.register("attachments", AttachmentViewSet, basename="attachment")
_router.register("conversations", ConversationViewSet, basename="conversation")

#: To be included under "api/".
urlpatterns = _router.urls
