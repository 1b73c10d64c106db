"""Webhooks in the admin: who is told, how that goes, and every message with its attempts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.csrf import csrf_protect

from plugins_app.models import Webhook, WebhookDelivery
from plugins_app.services import webhooks as service
from plugins_app.services.errors import StudioError
from plugins_app.services.events import EVENTS

from .records import ReadOnlyAdmin
from .showing import badge, moment, table, text_lines

__all__ = ["WebhookAdmin", "WebhookDeliveryAdmin"]

_OPERATE = "plugins_app.operate"
_CSS = {"all": ("plugins_app/admin.css", "plugins_app/webhooks.css")}
_SHOWN = 15
_WIDE = forms.TextInput(attrs={"class": "vLargeTextField"})


class _WordsField(forms.CharField):
    """Words with commas between; a list in Python."""

    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> list[str]:
        return [part.strip() for part in (super().clean(value) or "").split(",") if part.strip()]


class WebhookForm(forms.ModelForm):
    """Checked by the services; what they refuse stands beside its field."""

    url = forms.CharField(label="URL", max_length=1000, widget=_WIDE)
    events = forms.MultipleChoiceField(
        required=False,
        choices=[(name, name) for name in EVENTS],
        widget=forms.CheckboxSelectMultiple,
        help_text="None means all of them, except execution_progress.",
    )
    own_events = _WordsField(
        required=False,
        widget=_WIDE,
        label="Plugins' own events",
        help_text="Such as calculator:overflow, or calculator:* for all of a plugin; with commas between.",
    )
    plugins = _WordsField(
        required=False, widget=_WIDE, help_text="Only of these plugins, with commas between. Empty means all."
    )
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password", "class": "vTextField"}),
    )

    class Meta:
        model = Webhook
        fields = ("name", "url", "plugins", "enabled")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.instance.events
        self.initial["events"] = [event for event in chosen if event in EVENTS]
        self.initial["own_events"] = [event for event in chosen if event not in EVENTS]
        new = self.instance._state.adding
        self.fields["secret"].help_text = (
            "whsec_ and 24 to 64 bytes in Base64; leave it empty to have one made. It is shown once."
            if new
            else "Never shown. Enter one to replace it; for 24 hours the old one counts too."
        )

    def clean(self) -> dict[str, Any]:
        """What the services will be given."""
        given = super().clean() or {}
        events = [*given.get("events", []), *given.pop("own_events", [])]
        wanted = {**given, "events": events}
        if not self.errors:
            try:
                service.webhook_check(webhook=self.instance, fields=wanted)
            except StudioError as error:
                self._place(error, len(events) - len(given.get("events", [])))
        return wanted

    def _place(self, error: StudioError, own: int) -> None:
        for problem in error.errors or [{"pointer": "", "message": error.detail}]:
            name = problem["pointer"].partition("/")[2].partition("/")[0]
            field = "own_events" if name == "events" and own else name
            hint = f" {error.hint}" if error.hint else ""
            self.add_error(field if field in self.fields else None, f"{problem['message']}{hint}")

    def _post_clean(self) -> None:
        """Only the name is looked at: the row is written by the services."""
        self.validate_unique()

    def validate_unique(self) -> None:
        name = self.cleaned_data.get("name")
        if name and Webhook.objects.filter(name=name).exclude(pk=self.instance.pk).exists():
            self.add_error("name", f"There is a webhook named {name} already.")


@admin.register(Webhook)
class WebhookAdmin(admin.ModelAdmin):
    """No row is written here: adding, changing, testing and taking away are services."""

    form = WebhookForm
    list_display = ("name", "state", "shown_url", "wants", "failures", "success")
    search_fields = ("name", "url")
    actions = ("test_selected", "rotate_selected", "enable_selected", "disable_selected")
    readonly_fields = ("state", "success", "failures", "trouble", "messages_table")
    ordering = ("name",)

    class Media:
        css: ClassVar = _CSS

    # what is shown

    @admin.display(description="state", ordering="enabled")
    def state(self, row: Webhook) -> SafeString:
        return badge("enabled" if row.enabled else "disabled")

    @admin.display(description="URL", ordering="url")
    def shown_url(self, row: Webhook) -> SafeString:
        return format_html('<span class="webhook-url" title="{}">{}</span>', row.url, row.url)

    @admin.display(description="told of")
    def wants(self, row: Webhook) -> SafeString | str:
        of = f"of {', '.join(row.plugins)}" if row.plugins else ""
        what = ", ".join(row.events) if row.events else "everything but progress"
        return text_lines([line for line in (what, of) if line])

    @admin.display(description="last success", ordering="last_success_at")
    def success(self, row: Webhook) -> SafeString | str:
        return moment(row.last_success_at)

    @admin.display(description="why it is disabled")
    def trouble(self, row: Webhook) -> SafeString | str:
        return format_html("{} ({})", row.disabled_reason, moment(row.disabled_at)) if row.disabled_reason else "–"

    @admin.display(description="newest")
    def messages_table(self, row: Webhook) -> SafeString | str:
        newest = list(row.deliveries.order_by("-created_at").defer("body")[:_SHOWN])
        lines = (
            (_link(one), badge(one.status), _last(one), len(one.attempts), moment(one.created_at)) for one in newest
        )
        return table(("message", "state", "last answer", "attempts", "made"), lines) if newest else "none yet"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """How it goes comes first, once it is there."""
        wanted = ("name", "url", "enabled", "events", "own_events", "plugins", "secret")
        if obj is None:
            return [(None, {"fields": wanted})]
        how = ("state", "trouble", "failures", "success") if obj.disabled_reason else ("state", "failures", "success")
        return [
            (None, {"fields": how}),
            ("Receiver", {"fields": wanted}),
            ("Messages", {"fields": ("messages_table",)}),
        ]

    # who may

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm(_OPERATE)

    has_add_permission = has_module_permission = has_view_permission
    has_change_permission = has_delete_permission = has_view_permission

    # what it does

    @method_decorator(csrf_protect)
    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse | TemplateResponse:
        # Not Django's own, which wraps everything in a transaction: a test waits for somebody else's server.
        return self._changeform_view(request, object_id, form_url, extra_context)  # type: ignore[attr-defined]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """The services write; a secret that was made is told once."""
        given = dict(form.cleaned_data)
        secret = given.pop("secret", "") or None
        if not change:
            made, text = service.webhook_create(**given, secret=secret, user=request.user)
            obj.pk, obj.name, obj._state.adding = made.pk, made.name, False
            self._tell_secret(request, made.name, text)
            return
        row = Webhook.objects.get(pk=obj.pk)
        service.webhook_update(webhook=row, fields=given)
        if secret:
            service.webhook_rotate(webhook=row, secret=secret)
        obj.refresh_from_db()

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """The buttons beside Save."""
        for button, act in self._acts().items():
            if f"_{button}" in request.POST:
                self._do(request, obj, act)
                return HttpResponseRedirect(request.path)
        return super().response_change(request, obj)

    def _acts(self) -> Mapping[str, Callable[[HttpRequest, Webhook], None]]:
        return {"test": self._test, "rotate": self._rotate}

    def _do(self, request: HttpRequest, row: Webhook, act: Callable[[HttpRequest, Webhook], None]) -> None:
        try:
            act(request, row)
        except StudioError as error:
            messages.error(request, f"“{row.name}”: {error.title}. {error.detail} {error.hint}".strip())

    def _each(self, request: HttpRequest, rows: QuerySet[Webhook], act: Callable[[HttpRequest, Webhook], None]) -> None:
        for row in rows:
            self._do(request, row, act)

    def _test(self, request: HttpRequest, row: Webhook) -> None:
        sent = service.webhook_test(webhook=row)
        if sent.status == WebhookDelivery.Status.DELIVERED:
            messages.success(request, f"“{row.name}” took the test: {_last(sent)}.")
        else:
            messages.error(request, f"“{row.name}” did not take the test: {_last(sent)}.")

    def _rotate(self, request: HttpRequest, row: Webhook) -> None:
        self._tell_secret(request, row.name, service.webhook_rotate(webhook=row))

    def _tell_secret(self, request: HttpRequest, name: str, text: str) -> None:
        messages.warning(request, f"The secret of {name}, shown this once: {text}")

    def _enable(self, request: HttpRequest, row: Webhook) -> None:
        service.webhook_update(webhook=row, fields={"enabled": True})
        messages.success(request, f"“{row.name}” is enabled.")

    def _disable(self, request: HttpRequest, row: Webhook) -> None:
        service.webhook_update(webhook=row, fields={"enabled": False})
        messages.success(request, f"“{row.name}” is disabled.")

    @admin.action(description="Send a test", permissions=["change"])
    def test_selected(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self._each(request, queryset, self._test)

    @admin.action(description="Rotate the secret", permissions=["change"])
    def rotate_selected(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self._each(request, queryset, self._rotate)

    @admin.action(description="Enable", permissions=["change"])
    def enable_selected(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self._each(request, queryset, self._enable)

    @admin.action(description="Disable", permissions=["change"])
    def disable_selected(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        self._each(request, queryset, self._disable)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        service.webhook_delete(webhook=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Webhook]) -> None:
        for row in queryset:
            service.webhook_delete(webhook=row)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """Say how many messages go along, instead of naming each."""
        rows = list(objs)
        count = WebhookDelivery.objects.filter(webhook__in=rows).count()
        return [row.name for row in rows], {"webhooks": len(rows), "messages": count}, set(), []


@admin.register(WebhookDelivery)
class WebhookDeliveryAdmin(ReadOnlyAdmin):
    """The log: each message with its attempts."""

    list_display = ("message", "webhook", "state", "last_answer", "tries", "made", "next_try")
    list_filter = ("status", "webhook", "type")
    list_select_related = ("webhook",)
    actions = ("deliver_again",)
    fields = ("id", "webhook", "type", "state", "made", "next_try", "attempts_table", "sent")
    readonly_fields = fields
    show_full_result_count = False

    class Media:
        css: ClassVar = _CSS

    @admin.display(description="message", ordering="type")
    def message(self, row: WebhookDelivery) -> str:
        return row.type

    @admin.display(description="state", ordering="status")
    def state(self, row: WebhookDelivery) -> SafeString:
        return badge(row.status)

    @admin.display(description="last answer")
    def last_answer(self, row: WebhookDelivery) -> str:
        return _last(row)

    @admin.display(description="attempts")
    def tries(self, row: WebhookDelivery) -> int:
        return len(row.attempts)

    @admin.display(description="made", ordering="created_at")
    def made(self, row: WebhookDelivery) -> SafeString | str:
        return moment(row.created_at)

    @admin.display(description="next attempt", ordering="next_attempt_at")
    def next_try(self, row: WebhookDelivery) -> SafeString | str:
        return moment(row.next_attempt_at)

    @admin.display(description="attempts")
    def attempts_table(self, row: WebhookDelivery) -> SafeString | str:
        lines = (
            (moment(one["at"]), _outcome(one), f"{one['duration_ms']:.0f} ms", _quoted(one["answer"]))
            for one in row.attempts
        )
        return table(("when", "outcome", "took", "what it said"), lines) if row.attempts else "none yet"

    @admin.display(description="what was sent")
    def sent(self, row: WebhookDelivery) -> SafeString:
        shown = json.dumps(json.loads(row.body), indent=2, ensure_ascii=False)
        return format_html("<pre class='plugin-json'>{}</pre>", shown)

    @admin.action(description="Deliver again", permissions=["view"])
    def deliver_again(self, request: HttpRequest, queryset: QuerySet[WebhookDelivery]) -> None:
        for row in queryset:
            try:
                sent = service.delivery_redeliver(delivery=row)
            except StudioError as error:
                messages.error(request, f"“{row.webhook.name}”, {row.type}: {error.detail}")
                continue
            level = messages.SUCCESS if _was_taken(sent) else messages.ERROR
            messages.add_message(request, level, f"“{sent.webhook.name}” was sent {row.type}: {_last(sent)}.")


def _link(row: WebhookDelivery) -> SafeString:
    return format_html(
        '<a href="{}">{}</a>', reverse("admin:plugins_app_webhookdelivery_change", args=[row.pk]), row.type
    )


def _was_taken(row: WebhookDelivery) -> bool:
    return bool(row.attempts) and 200 <= (row.attempts[-1]["status"] or 0) < 300


def _last(row: WebhookDelivery) -> str:
    return _outcome(row.attempts[-1]) if row.attempts else "not sent yet"


def _outcome(attempt: Mapping[str, Any]) -> str:
    return f"status {attempt['status']}" if attempt["status"] is not None else str(attempt["error"])


def _quoted(text: str) -> SafeString | str:
    return format_html('<code class="webhook-answer">{}</code>', text) if text else "–"
