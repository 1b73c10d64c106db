"""The front end's page. Which view of it is shown, the browser decides by the path."""

from __future__ import annotations

import re
from html import escape

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_safe

__all__ = ["errors_page", "page"]

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


_ERRORS = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>AI Chat Studio: errors</title>
<style>
  :root {{ color-scheme: light dark; font: 15px/1.55 system-ui, sans-serif; }}
  body {{ max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }}
  table {{ border-collapse: collapse; width: 100%; margin-bottom: 2rem; }}
  th, td {{ text-align: start; vertical-align: top; padding: .4rem .8rem .4rem 0;
            border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }}
  tr:has(:target) {{ background: color-mix(in srgb, gold 30%, transparent); }}
</style>
{body}
</html>
"""


@require_safe
def errors_page(request: HttpRequest) -> HttpResponse:
    """What the `type` of every problem links to: docs/errors.md, as a page."""
    lines = (settings.BASE_DIR / "docs" / "errors.md").read_text().splitlines()
    return HttpResponse(_ERRORS.format(body="\n".join(filter(None, map(_line_as_html, lines)))))


def _line_as_html(line: str) -> str:
    """The little of Markdown that the file uses."""
    anchored = re.sub(r"&lt;a id=&quot;(\w+)&quot;&gt;&lt;/a&gt;", r'<a id="\1"></a>', escape(line))
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", anchored)
    if line.startswith("#"):
        level = len(line) - len(line.lstrip("#"))
        return f"<h{level}>{text.lstrip('# ')}</h{level}>"
    if line.startswith("| status"):
        return "<table>"
    if line.startswith("|--"):
        return ""
    if line.startswith("|"):
        return "<tr>" + "".join(f"<td>{cell.strip()}</td>" for cell in text.strip("|").split(" | ")) + "</tr>"
    return text or "</table>"
