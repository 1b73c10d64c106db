"""Every error of the API as application/problem+json (RFC 9457), always with a stable `code`."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from plugins_app.sdk.config import pointer
from plugins_app.services.connections import database_trouble, is_disk_full
from plugins_app.services.errors import CODES, StudioError

from .patience import note_database_away
from .rendering import dumps

__all__ = [
    "CONTENT_TYPE",
    "bad_request",
    "exception_handler",
    "not_found",
    "problem",
    "problem_response",
    "server_error",
]

CONTENT_TYPE = "application/problem+json"
_log = logging.getLogger(__name__)
_BY_CLASS: dict[type[Exception], str] = {
    exceptions.NotAuthenticated: "unauthenticated",
    exceptions.AuthenticationFailed: "unauthenticated",
    exceptions.PermissionDenied: "forbidden",
    DjangoPermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    Http404: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "rate_limited",
    exceptions.ParseError: "json_malformed",
    RequestDataTooBig: "body_too_large",
    SuspiciousOperation: "bad_request",
    OperationalError: "unavailable",
    InterfaceError: "unavailable",
}


def problem(code: str, detail: str, **members: Any) -> dict[str, Any]:
    """The body of an error."""
    http_status, title = CODES[code]
    facts = {"type": f"/docs/errors#{code}", "title": title, "status": http_status, "detail": detail, "code": code}
    return facts | {key: value for key, value in members.items() if value not in (None, "", [], {})}


def problem_response(code: str, detail: str, **members: Any) -> HttpResponse:
    """The error as a plain Django response, for views that are not the framework's."""
    body = problem(code, detail, **members)
    return HttpResponse(dumps(body), status=body["status"], content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """Any exception of a view as a problem; what nobody foresaw is logged and told without its text."""
    set_rollback()
    note_database_away(getattr(context.get("request"), "_request", None), error)
    if isinstance(error, StudioError):
        return _studio(error, context)
    if isinstance(error, exceptions.ValidationError):
        errors = list(_field_errors(error.detail, ()))
        words = "; ".join(f"{item['pointer'] or '/'}: {item['message']}" for item in errors[:5])
        return _response(problem("invalid", f"The request does not fit: {words}", errors=errors))
    code = _code_of(error)
    if code is None:
        _log.exception("unforeseen error in %s", context.get("view"), exc_info=error)
        return _response(problem("internal_error", "The studio failed while it answered; its log says why."))
    return _response(problem(code, _detail(error, code)), _headers(error))


def _code_of(error: Exception) -> str | None:
    if is_disk_full(error):
        return "disk_full"
    if isinstance(error, exceptions.PermissionDenied) and str(error.detail).startswith("CSRF"):
        return "csrf_failed"
    if isinstance(error, exceptions.ParseError) and str(error.detail).startswith("Multipart"):
        return "bad_request"  # a form that is none; JSON has nothing to do with it
    own = getattr(error, "default_code", None)
    by_class = next((code for kind, code in _BY_CLASS.items() if isinstance(error, kind)), None)
    return by_class or (own if own in CODES else None)


def _detail(error: Exception, code: str) -> str:
    if isinstance(error, DatabaseError | InterfaceError):
        _log.warning("the database cannot be used: %s", error)
        return database_trouble(error).detail
    return str(getattr(error, "detail", "") or error) or CODES[code][1]


def _headers(error: Exception) -> dict[str, str]:
    headers = {}
    if isinstance(error, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        headers["WWW-Authenticate"] = "Bearer"
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    return headers


def _studio(error: StudioError, context: Mapping[str, Any]) -> Response:
    request = context.get("request")
    members = {**error.extra, "errors": error.errors, "hint": error.hint}
    user = getattr(request, "user", None)
    if error.traceback and user is not None and user.has_perm("plugins_app.operate"):
        members["traceback"] = error.traceback
    facts = {"type": f"/docs/errors#{error.code}", "title": error.title, "status": error.status}
    kept = {key: value for key, value in members.items() if value not in (None, "", [], {}) and key not in facts}
    body = facts | {"detail": error.detail, "code": error.code} | {k: v for k, v in kept.items() if k != "code"}
    headers = {"Retry-After": str(math.ceil(error.retry_after))} if error.retry_after is not None else {}
    return _response(body, headers)


def _response(body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    return Response(body, status=body["status"], headers=headers or {}, content_type=CONTENT_TYPE)


def _field_errors(detail: Any, path: tuple[Any, ...]) -> Iterator[dict[str, str]]:
    if isinstance(detail, Mapping):
        for key, value in detail.items():
            yield from _field_errors(value, path if key == "non_field_errors" else (*path, key))
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            nested = isinstance(value, Mapping | list)
            yield from _field_errors(value, (*path, index) if nested else path)
    else:
        yield {"pointer": pointer(path), "message": str(detail)}


@csrf_exempt  # nothing is done here: whoever mistypes a path shall be told that, not asked for a token
def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """A path of the API that does not exist."""
    return problem_response("not_found", f"There is nothing at {request.path}.")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A request that is refused before any view sees it, such as one for another host name."""
    return problem_response("bad_request", "The request cannot be accepted as it is.")


def server_error(request: HttpRequest) -> HttpResponse:
    """An error outside the framework's views."""
    if request.path.startswith("/api/"):
        return problem_response("internal_error", "The studio failed while it answered; its log says why.")
    return HttpResponse("The studio failed; its log says why.", status=status.HTTP_500_INTERNAL_SERVER_ERROR)
