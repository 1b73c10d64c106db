"""Where everything is."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from plugins_app.api.assets import plugin_asset
from plugins_app.api.pages import errors_page, page
from plugins_app.api.problems import bad_request, server_error

admin.autodiscover()
admin.site.site_header = admin.site.site_title = "AI Chat Studio"
admin.site.index_title = "Administration"

__all__ = ["handler400", "handler500", "urlpatterns"]

handler400 = bad_request
handler500 = server_error

urlpatterns = [
    path("api/", include("aichat.chat.urls")),  # before the plugins': theirs end with "nothing is here"
    path("api/", include("plugins_app.api.urls")),
    path("plugin-assets/<str:plugin_id>/<str:digest>/<path:path>", plugin_asset),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=f"{settings.STATIC_URL}favicon.svg")),  # the admin names no icon
    re_path(r"^docs/errors/?$", errors_page),
    re_path(r"^(?:plugins|webhooks|system|login)?/?$", page),
    re_path(r"^(?:c|plugins|webhooks)/[^/]+/?$", page),
    re_path(r"^plugins/[^/]+/[a-z]+/?$", page),
]
