"""JSON in and out: orjson, bytes as ``{"base64": ...}``, and no body that could exhaust the server."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import IO, Any

import orjson
from django.http import Http404
from rest_framework.exceptions import APIException, NotAcceptable, ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

__all__ = ["BODY_LIMIT", "AlwaysJSON", "BodyTooLarge", "StudioJSONParser", "StudioJSONRenderer", "dumps"]

BODY_LIMIT = 16 * 2**20
_OPTIONS = orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z


class BodyTooLarge(APIException):
    """The body is larger than the API reads."""

    status_code = 413
    default_code = "body_too_large"
    default_detail = f"A body may have {BODY_LIMIT // 2**20} MiB at most."


def _default(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"base64": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)


def dumps(data: Any) -> bytes:
    """Encode an answer."""
    try:
        return orjson.dumps(data, default=_default, option=_OPTIONS)
    except TypeError:  # integers of more than 64 bits, which JSON allows
        return json.dumps(data, default=_default, separators=(",", ":")).encode()


class StudioJSONRenderer(BaseRenderer):
    """The only format of the API."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        return b"" if data is None else dumps(data)


class StudioJSONParser(JSONParser):
    """Strict JSON of a bounded size and depth."""

    renderer_class = StudioJSONRenderer  # type: ignore[assignment]  # any renderer will do

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        body = stream.read(BODY_LIMIT + 1)
        if len(body) > BODY_LIMIT:
            raise BodyTooLarge
        try:
            return json.loads(body, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is not valid JSON: {error}.", code="json_malformed") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class AlwaysJSON(DefaultContentNegotiation):
    """Whoever accepts nothing that there is gets the usual, JSON: better than a 406 without words."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        try:
            return super().select_renderer(request, renderers, format_suffix)
        except (NotAcceptable, Http404):
            return renderers[0], renderers[0].media_type
