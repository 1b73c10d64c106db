"""Who is told over HTTP: added, changed, tested, and taken away by operators."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from django.db import IntegrityError, transaction
from django.utils import timezone

from plugins_app.models import Webhook, WebhookDelivery
from plugins_app.sdk.metadata import PLUGIN_ID

from . import secrets, signing
from .addresses import AddressRefusedError
from .deliveries import TEST, delivery_attempt, webhook_guard
from .errors import StudioError
from .events import EVENTS, events_turn
from .outbox import message_body

__all__ = [
    "delivery_redeliver",
    "webhook_check",
    "webhook_create",
    "webhook_delete",
    "webhook_rotate",
    "webhook_test",
    "webhook_update",
]

_OLD_SECRET_COUNTS = timedelta(hours=24)
_CHANGEABLE = frozenset({"name", "url", "events", "plugins", "enabled"})
_BATCH = 500


def webhook_create(
    *,
    name: str,
    url: str,
    events: Iterable[str] = (),
    plugins: Iterable[str] = (),
    enabled: bool = True,
    secret: str | None = None,
    user: Any = None,
) -> tuple[Webhook, str]:
    """A new webhook and its secret, which is shown once.

    Raises:
        StudioError: `invalid` or `address_refused`, with the field it is about.
    """
    text = _secret(secret)
    row = Webhook(secret={"current": secrets.encrypt(text)}, created_by=user)
    fields = {"name": name, "url": url, "events": list(events), "plugins": list(plugins), "enabled": enabled}
    _apply(row, fields)
    _save(row, force_insert=True)
    return row, text


def webhook_check(*, webhook: Webhook, fields: Mapping[str, Any]) -> None:
    """Whether the webhook could be so; nothing is stored.

    Raises:
        StudioError: `invalid` or `address_refused`, with the fields they are about.
    """
    known = {key: value for key, value in fields.items() if key in _CHANGEABLE}
    changed = {key: value for key, value in known.items() if webhook._state.adding or value != getattr(webhook, key)}
    _apply(Webhook(events=webhook.events, plugins=webhook.plugins, name=webhook.name), changed)
    if fields.get("secret"):
        _secret(fields["secret"])


def webhook_update(*, webhook: Webhook, fields: Mapping[str, Any]) -> Webhook:
    """Change what is given. Whoever enables a disabled one gives it a new chance."""
    known = {key: value for key, value in fields.items() if key in _CHANGEABLE}
    changed = {key: value for key, value in known.items() if value != getattr(webhook, key)}
    if not changed:
        return webhook
    _apply(webhook, changed)
    more = {"failures", "disabled_reason", "disabled_at"} if "enabled" in changed else set()
    _save(webhook, update_fields=[*changed, *more])
    return webhook


def _apply(row: Webhook, fields: Mapping[str, Any]) -> None:
    """Put checked values into the row; nothing is stored yet."""
    for key, value in fields.items():
        setattr(row, key, value)
    row.name = str(row.name).strip()
    errors = [*_name_errors(row.name), *_event_errors(row.events), *_plugin_errors(row.plugins)]
    if "url" in fields:
        errors += _url_errors(row.url)
    if errors:
        words = "; ".join(f"{error['pointer']}: {error['message']}" for error in errors[:5])
        raise StudioError("invalid", f"The webhook cannot be stored: {words}", errors=errors)
    if "url" in fields:
        check_address(row.url)
    if "enabled" in fields:
        now = None if row.enabled else timezone.now()
        row.failures, row.disabled_at = 0, now
        row.disabled_reason = "" if row.enabled else "An operator disabled it."


def _save(row: Webhook, **how: Any) -> None:
    try:
        with transaction.atomic():
            row.save(**how)
    except IntegrityError as error:
        if not Webhook.objects.filter(name=row.name).exclude(id=row.id).exists():
            raise
        message = f"There is a webhook named {row.name} already."
        raise StudioError("invalid", message, errors=[{"pointer": "/name", "message": message}]) from error


def _name_errors(name: str) -> list[dict[str, str]]:
    if 0 < len(name) <= 100:
        return []
    return [{"pointer": "/name", "message": "A name has 1 to 100 characters."}]


def _url_errors(url: str) -> list[dict[str, str]]:
    message = _url_problem(url)
    return [{"pointer": "/url", "message": message}] if message else []


def _url_problem(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        return f"It is not a URL: {error}."
    if len(url) > 1000 or any(letter.isspace() for letter in url):
        return "A URL has no spaces and 1000 characters at most."
    if parts.scheme not in ("https", "http") or not parts.host:
        return "Write https://host/path."
    if parts.port is not None and not 0 < parts.port < 65536:
        return f"There is no port {parts.port}."
    if parts.userinfo:
        return "Leave name and password out of it; the signature says who is calling."
    return "Leave out the part after #." if parts.fragment else ""


def _event_errors(events: list[str]) -> list[dict[str, str]]:
    return [
        {"pointer": f"/events/{number}", "message": problem}
        for number, event in enumerate(events)
        if (problem := _event_problem(event))
    ]


def _event_problem(event: str) -> str:
    plugin_id, colon, name = event.partition(":")
    if event in EVENTS or (colon and name and PLUGIN_ID.fullmatch(plugin_id) and len(event) <= 64):
        return ""
    near = difflib.get_close_matches(event, EVENTS, 1)
    hint = f"did you mean {near[0]}?" if near else "a plugin's own events are named <plugin>:<event> or <plugin>:*."
    return f"There is no event {event!r}; {hint}"


def _plugin_errors(plugins: list[str]) -> list[dict[str, str]]:
    return [
        {"pointer": f"/plugins/{number}", "message": f"{plugin!r} cannot be a plugin's id."}
        for number, plugin in enumerate(plugins)
        if not PLUGIN_ID.fullmatch(plugin)
    ]


def check_address(url: str) -> None:
    """Refuse what the studio may not call.

    Raises:
        StudioError: `address_refused`.
    """
    parts = httpx.URL(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        webhook_guard().addresses(parts.scheme, parts.raw_host.decode(), port)
    except AddressRefusedError as error:
        problem, hint = (
            f"The studio may not call it: {error}.",
            "An administrator can allow it by STUDIO_WEBHOOK_ALLOW.",
        )
    except (OSError, UnicodeError) as error:
        problem, hint = f"{parts.host} cannot be resolved: {error}.", "Correct the name."
    else:
        return
    raise StudioError("address_refused", problem, hint=hint, errors=[{"pointer": "/url", "message": problem}])


def webhook_rotate(*, webhook: Webhook, secret: str | None = None) -> str:
    """A new secret, shown once. For a day messages carry a signature by each of the two."""
    text = _secret(secret)
    with transaction.atomic():
        row = Webhook.objects.select_for_update().get(id=webhook.id)
        until = timezone.now() + _OLD_SECRET_COUNTS
        previous = {"previous": row.secret["current"], "previous_until": until.isoformat()}
        row.secret = {"current": secrets.encrypt(text), **previous}
        row.save(update_fields=["secret"])
    webhook.secret = row.secret
    return text


def _secret(given: str | None) -> str:
    if not given:
        return signing.secret_create()
    try:
        signing.secret_bytes(given)
    except ValueError as error:
        raise StudioError("invalid", str(error), errors=[{"pointer": "/secret", "message": str(error)}]) from error
    return given


def webhook_delete(*, webhook: Webhook) -> None:
    """Forget a webhook and its deliveries. The turn to write events keeps any from being made for it meanwhile."""
    Webhook.objects.filter(id=webhook.id).update(enabled=False)
    rows = WebhookDelivery.objects.filter(webhook_id=webhook.id)
    while ids := list(rows.values_list("id", flat=True)[:_BATCH]):
        WebhookDelivery.objects.filter(id__in=ids).delete()
    with events_turn():
        Webhook.objects.filter(id=webhook.id).delete()


def webhook_test(*, webhook: Webhook) -> WebhookDelivery:
    """Send a message now, also to a disabled one, and return it with what came of it. It is not repeated."""
    facts = {"webhook_id": str(webhook.id), "name": webhook.name, "message": "This is a test."}
    row = WebhookDelivery(
        id=uuid4(), webhook=webhook, type=TEST, body=message_body(TEST, timezone.now(), facts), next_attempt_at=None
    )
    row.save(force_insert=True)
    return delivery_attempt(delivery=row) or row


def delivery_redeliver(*, delivery: WebhookDelivery) -> WebhookDelivery:
    """Send a message once more, now, under its old id.

    Raises:
        StudioError: `superseded`: it is on its way at this moment.
    """
    sent = delivery_attempt(delivery=delivery)
    if sent is None:
        raise StudioError("superseded", "It is being sent at this moment.", hint="Look at it again.")
    return sent
