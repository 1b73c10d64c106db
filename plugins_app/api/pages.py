"""The front end's page. Which view of it is shown, the browser decides by the path."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

__all__ = ["page"]

_NOT_BUILT = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Studio: not built yet</title>
<style>
  :root { color-scheme: light dark; font: 16px/1.6 system-ui, sans-serif; }
  body { max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; }
  code { background: color-mix(in srgb, currentColor 10%, transparent); padding: .15em .4em; border-radius: .3em; }
</style>
<h1>The front end is not built yet</h1>
<p>The server runs. The page itself is built by <code>make run</code>, or by <code>npm run build</code> in
<code>frontend/</code>; then reload this page.</p>
<p>Until then: <a href="/admin/">the admin</a> · <a href="/api/docs">the API</a></p>
</html>
"""


@require_safe
@ensure_csrf_cookie
def page(request: HttpRequest, **_: str) -> HttpResponse:
    """The built `index.html`, or what to do when there is none."""
    index = settings.BASE_DIR / "frontend" / "dist" / "index.html"
    try:
        response = HttpResponse(index.read_bytes())
    except OSError:
        return HttpResponse(_NOT_BUILT, status=503)
    response["Cache-Control"] = "no-cache"  # it names the hashed files of the newest build
    return response
