"""The API's paths, with and without the trailing slash. A static path always wins over an id."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from .auth import AuthViewSet
from .executions import ExecutionViewSet
from .nodes import NodeViewSet
from .plugins import PluginViewSet
from .problems import not_found
from .rendering import AlwaysJSON
from .webhooks import WebhookViewSet

__all__ = ["urlpatterns"]


class EitherSlashRouter(SimpleRouter):
    """Its paths answer with and without the trailing slash."""

    def __init__(self) -> None:
        super().__init__()
        self.trailing_slash = "/?"  # goes into a regular expression


router = EitherSlashRouter()
router.register("plugins", PluginViewSet, basename="plugin")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("nodes", NodeViewSet, basename="node")
router.register("webhooks", WebhookViewSet, basename="webhook")
router.register("auth", AuthViewSet, basename="auth")

FORGIVING = {"content_negotiation_class": AlwaysJSON}

urlpatterns = [
    path("", include(router.urls)),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(**FORGIVING), name="schema"),
    re_path(
        r"^docs/?$",
        SpectacularSwaggerView.as_view(url_name="schema", **FORGIVING),
        name="docs",
    ),
    re_path(r"^", not_found),
]
