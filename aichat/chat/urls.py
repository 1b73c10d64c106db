"""The conversations' paths, with and without a slash at the end. The streaming ones are in `routes`."""

from __future__ import annotations

from django.urls import include, path
from rest_framework.routers import SimpleRouter

from aichat.chat.api import ConversationViewSet

__all__ = ["urlpatterns"]


class _Router(SimpleRouter):
    def __init__(self) -> None:
        super().__init__(use_regex_path=False)
        self.trailing_slash = ""


_without, _with = _Router(), SimpleRouter(use_regex_path=False)
for _router in (_without, _with):
    _router.register("conversations", ConversationViewSet, basename="conversation")

#: To be included under "api/".
urlpatterns = [path("", include(_without.urls)), path("", include((_with.urls, "chat_slash")))]
