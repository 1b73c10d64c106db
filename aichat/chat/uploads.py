"""The REST face of files: attachments, and conversations from elsewhere."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.utils.http import content_disposition_header
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from aichat.chat import services_attachments as services
from aichat.chat.errors import ChatError
from aichat.chat.models import Attachment
from aichat.chat.serializers import AttachmentSerializer
from plugins_app.api.rendering import AlwaysJSON

__all__ = ["FILE_FORM", "AttachmentViewSet", "uploaded"]

FILE_FORM = {
    "multipart/form-data": {
        "type": "object",
        "properties": {"file": {"type": "string", "format": "binary"}},
        "required": ["file"],
    }
}


def uploaded(request: Request) -> Any:
    """The form's file.

    Raises:
        ChatError: there is none, or more than one.
    """
    files = request.FILES.getlist("file")
    if len(files) != 1:
        message = "Send a form with one file in the field `file`."
        raise ChatError("invalid", message, errors=[{"pointer": "/file", "message": message}])
    return files[0]


class AttachmentViewSet(viewsets.GenericViewSet[Attachment]):
    """The user's own attachments."""

    queryset = Attachment.objects.none()
    serializer_class = AttachmentSerializer
    parser_classes = (MultiPartParser,)
    content_negotiation_class = AlwaysJSON  # a page that shows a picture accepts only pictures
    lookup_value_regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"

    @property
    def _user_id(self) -> int:
        user_id: Any = self.request.user.pk  # nobody gets here without having logged in
        return int(user_id)

    @extend_schema(request=FILE_FORM, responses={201: AttachmentSerializer})
    def create(self, request: Request) -> Response:
        """Upload a picture, a text or a PDF, to be named in a message within a day."""
        file = uploaded(request)
        attachment = services.attachment_upload(user_id=self._user_id, name=file.name or "file", data=file.read())
        return Response(AttachmentSerializer(attachment).data, 201)

    @extend_schema(responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def retrieve(self, request: Request, pk: str) -> HttpResponse:
        """The file itself."""
        found = services.attachment_content(user_id=self._user_id, attachment_id=UUID(pk))
        is_picture = found.kind == Attachment.Kind.IMAGE
        # Nobody's page may run in the studio's name, whatever is in the file.
        kind = "text/plain; charset=utf-8" if found.kind == Attachment.Kind.TEXT else found.media_type
        return HttpResponse(
            bytes(found.content.data),
            content_type=kind,
            headers={
                "Content-Disposition": content_disposition_header(not is_picture, found.name) or "attachment",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "Cache-Control": "private, max-age=86400, immutable",
            },
        )

    def destroy(self, request: Request, pk: str) -> Response:
        """Delete it, as long as no message has it."""
        services.attachment_delete(user_id=self._user_id, attachment_id=UUID(pk))
        return Response(status=204)
