"""The API's paths, with and without the trailing slash. A static path always wins over an id."""

from __future__ import annotations

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from .auth import AuthViewSet
from .executions import ExecutionViewSet
from .plugins import PluginViewSet
from .problems import not_found

__all__ = ["urlpatterns"]

router = SimpleRouter(trailing_slash="/?")  # type: ignore[arg-type]  # it goes into a regular expression
router.register("plugins", PluginViewSet, basename="plugin")
router.register("executions", ExecutionViewSet, basename="execution")
router.register("auth", AuthViewSet, basename="auth")

urlpatterns = [
    path("", include(router.urls)),
    re_path(r"^schema/?$", SpectacularAPIView.as_view(), name="schema"),
    re_path(r"^", not_found),
]
