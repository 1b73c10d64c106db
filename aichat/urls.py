"""Where everything is."""

from __future__ import annotations

from django.contrib import admin
from django.urls import include, path

from plugins_app.api.problems import bad_request, server_error

handler400 = bad_request
handler500 = server_error

urlpatterns = [
    path("api/", include("plugins_app.api.urls")),
    path("admin/", admin.site.urls),
]
