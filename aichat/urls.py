"""Where everything is."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from plugins_app.api.problems import server_error

handler500 = server_error

urlpatterns = [
    path("api/", include("plugins_app.api.urls")),
    path("admin/", admin.site.urls),
]
