"""`/api/webhooks`: who is told over HTTP, and what became of each message. For operators."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from plugins_app.models import Webhook, WebhookDelivery
from plugins_app.services import webhooks as service
from plugins_app.services.errors import StudioError

from .base import StudioViewSet, documented
from .codes import OPERATORS
from .serializers import Strict

__all__ = ["WebhookViewSet"]

_FOUND = ("webhook_not_found", *OPERATORS)
_REFUSED = ("invalid", "address_refused", *OPERATORS)
_STATUS = OpenApiParameter("status", enum=WebhookDelivery.Status.values)
_ID = OpenApiParameter("delivery_id", UUID, OpenApiParameter.PATH)


class WebhookSerializer(serializers.ModelSerializer):
    """A webhook as it is shown: without its secret."""

    events = serializers.ListField(child=serializers.CharField())
    plugins = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = Webhook
        fields: ClassVar = [
            *("id", "name", "url", "events", "plugins", "enabled", "failures"),
            *("disabled_reason", "disabled_at", "last_success_at", "created_at"),
        ]
        read_only_fields: ClassVar = fields  # so that the document says that each is always there


class WebhookRequest(Strict):
    """What can be said about a webhook. The services check what it means."""

    name = serializers.CharField(max_length=100)
    url = serializers.CharField(max_length=1000)
    events = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=200)
    plugins = serializers.ListField(child=serializers.CharField(max_length=64), required=False, max_length=200)
    enabled = serializers.BooleanField(required=False)


class SecretRequest(Strict):
    secret = serializers.CharField(required=False, max_length=200, help_text="whsec_…; made when it is left out")


class NewWebhookRequest(WebhookRequest, SecretRequest):
    pass


class SecretSerializer(serializers.Serializer):
    secret = serializers.CharField(help_text="shown this once")


class NewWebhookSerializer(WebhookSerializer):
    secret = serializers.CharField(help_text="shown this once")

    class Meta(WebhookSerializer.Meta):
        fields: ClassVar = [*WebhookSerializer.Meta.fields, "secret"]


class AttemptSerializer(serializers.Serializer):
    at = serializers.DateTimeField()
    status = serializers.IntegerField(allow_null=True)
    duration_ms = serializers.FloatField()
    error = serializers.CharField(allow_blank=True)
    answer = serializers.CharField(allow_blank=True)


class DeliverySerializer(serializers.ModelSerializer):
    """A message to one receiver; its id is the `webhook-id`."""

    attempts = AttemptSerializer(many=True)

    class Meta:
        model = WebhookDelivery
        fields: ClassVar = ["id", "type", "status", "attempts", "next_attempt_at", "created_at", "finished_at"]
        read_only_fields: ClassVar = fields


class DeliveryDetailSerializer(DeliverySerializer):
    class Meta(DeliverySerializer.Meta):
        fields: ClassVar = [*DeliverySerializer.Meta.fields, "body"]


class WebhookViewSet(StudioViewSet):
    """Webhooks: added, changed, tested and taken away."""

    serializer_class = WebhookSerializer
    queryset = Webhook.objects.none()
    lookup_field = "id"
    lookup_value_regex = "[^/]+"
    filter_backends = ()
    operator_actions = frozenset(
        {"list", "create", "retrieve", "partial_update", "destroy", "rotate_secret", "test"}
        | {"deliveries", "delivery", "redeliver"}
    )

    def get_queryset(self) -> QuerySet[Webhook]:
        return Webhook.objects.order_by("name")

    @documented("List webhooks", answers={200: WebhookSerializer(many=True)}, codes=OPERATORS)
    def list(self, request: Request) -> Response:
        return self._page(self.get_queryset(), WebhookSerializer)

    @documented(
        "Add a webhook",
        description="The answer has its secret, this once. `events` empty: all but execution_progress.",
        request=NewWebhookRequest,
        answers={201: NewWebhookSerializer},
        codes=_REFUSED,
    )
    def create(self, request: Request) -> Response:
        given = self._parsed(NewWebhookRequest, request)
        row, secret = service.webhook_create(user=request.user, **given)
        shown = {**WebhookSerializer(row).data, "secret": secret}
        return Response(shown, status=201, headers={"Location": f"/api/webhooks/{row.id}"})

    @documented("One webhook", answers={200: WebhookSerializer}, codes=_FOUND)
    def retrieve(self, request: Request, id: str) -> Response:
        return Response(WebhookSerializer(self._row(id)).data)

    @documented(
        "Change a webhook",
        request=WebhookRequest(partial=True),
        answers={200: WebhookSerializer},
        codes=("webhook_not_found", *_REFUSED),
    )
    def partial_update(self, request: Request, id: str) -> Response:
        given = self._parsed(WebhookRequest, request, partial=True)
        return Response(WebhookSerializer(service.webhook_update(webhook=self._row(id), fields=given)).data)

    @documented("Take a webhook away, with its messages", answers={204: None}, codes=_FOUND)
    def destroy(self, request: Request, id: str) -> Response:
        service.webhook_delete(webhook=self._row(id))
        return Response(status=204)

    @documented(
        "Give it a new secret",
        description="For 24 hours messages are signed with the old one too.",
        request=SecretRequest,
        answers={200: SecretSerializer},
        codes=("invalid", *_FOUND),
    )
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, id: str) -> Response:
        given = self._parsed(SecretRequest, request)
        return Response({"secret": service.webhook_rotate(webhook=self._row(id), secret=given.get("secret"))})

    @documented(
        "Send it a test message now",
        request=None,
        answers={200: DeliveryDetailSerializer},
        codes=_FOUND,
    )
    @action(detail=True, methods=["post"])
    def test(self, request: Request, id: str) -> Response:
        return Response(DeliveryDetailSerializer(service.webhook_test(webhook=self._row(id))).data)

    @documented(
        "Its messages of the last 30 days",
        answers={200: DeliverySerializer(many=True)},
        operation_id="webhooks_deliveries_list",
        parameters=[_STATUS],
        codes=("invalid", *_FOUND),
    )
    @action(detail=True)
    def deliveries(self, request: Request, id: str) -> Response:
        rows = WebhookDelivery.objects.filter(webhook=self._row(id)).order_by("-created_at", "id").defer("body")
        status = request.query_params.get("status")
        if status and status not in WebhookDelivery.Status.values:
            message = f"It is one of {', '.join(WebhookDelivery.Status.values)}."
            raise StudioError("invalid", message, errors=[{"pointer": "/status", "message": message}])
        return self._page(rows.filter(status=status) if status else rows, DeliverySerializer)

    @documented(
        "One message, with its body",
        answers={200: DeliveryDetailSerializer},
        parameters=[_ID],
        codes=("delivery_not_found", *_FOUND),
        operation_id="webhooks_delivery_retrieve",
    )
    @action(detail=True, url_path="deliveries/(?P<delivery_id>[^/]+)")
    def delivery(self, request: Request, id: str, delivery_id: str) -> Response:
        return Response(DeliveryDetailSerializer(self._delivery(id, delivery_id)).data)

    @documented(
        "Send a message again, now",
        request=None,
        answers={200: DeliveryDetailSerializer},
        parameters=[_ID],
        codes=("delivery_not_found", "superseded", *_FOUND),
    )
    @action(detail=True, methods=["post"], url_path="deliveries/(?P<delivery_id>[^/]+)/redeliver")
    def redeliver(self, request: Request, id: str, delivery_id: str) -> Response:
        row = service.delivery_redeliver(delivery=self._delivery(id, delivery_id))
        return Response(DeliveryDetailSerializer(row).data)

    def _row(self, text: str) -> Webhook:
        row = Webhook.objects.filter(id__in=_uuids(text)).first()
        if row is None:
            raise StudioError("webhook_not_found", f"There is no webhook {text}.")
        return row

    def _delivery(self, id: str, text: str) -> WebhookDelivery:
        row = WebhookDelivery.objects.filter(webhook=self._row(id), id__in=_uuids(text)).first()
        if row is None:
            raise StudioError("delivery_not_found", f"There is no delivery {text}; they are kept for 30 days.")
        return row

    def _page(self, rows: QuerySet[Any], serializer: type[serializers.BaseSerializer[Any]]) -> Response:
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(serializer(page, many=True).data)

    def _parsed(self, serializer: type[serializers.Serializer], request: Request, **options: Any) -> dict[str, Any]:
        given = serializer(data=request.data, **options)
        given.is_valid(raise_exception=True)
        return dict(given.validated_data)


def _uuids(text: str) -> list[UUID]:
    try:
        return [UUID(text)]
    except ValueError:
        return []
