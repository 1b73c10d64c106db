"""Sending what is in the outbox, at least once: a lease keeps two workers from sending the same attempt.

A failed attempt is repeated after `STUDIO_WEBHOOK_SCHEDULE`. Short waits are Celery's countdown; for long ones, and for
whatever was lost, beat looks into the outbox. A receiver that hangs holds up only a few threads, never the others.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from plugins_app.models import Webhook, WebhookDelivery

from . import secrets, signing
from .addresses import AddressGuard, Allowed
from .connections import patiently, release_connection
from .posting import Answer, post
from .queue import enqueue_each_on_commit

__all__ = ["TEST", "deliveries_prune", "deliveries_resume", "delivery_attempt", "delivery_send", "webhook_guard"]

Status = WebhookDelivery.Status
TEST = "webhook.test"
LEASE = timedelta(seconds=120)  # more than an attempt can take, with the slowest name server
AT_ONCE = 4  # messages on their way to one receiver
KEPT = timedelta(days=30)
_GONE = 410
_ASKS_FOR_TIME = (429, 503)
_LONGEST_WAIT = 86_400.0
_COUNTDOWN = 30.0  # longer waits are beat's: Celery would keep them in a worker's memory
_TURN = 30.0  # seconds one task goes on with what else its receiver waits for
_ATTEMPTS_KEPT = 50
_OUTCOME_PATIENCE = 600.0
_BATCH = 500
_log = logging.getLogger(__name__)


def webhook_guard() -> AddressGuard:
    """Where webhooks may be sent to."""
    return AddressGuard(Allowed.parse(settings.STUDIO_WEBHOOK_ALLOW))


@dataclass(frozen=True, slots=True)
class _Taken:
    """A delivery that is ours until its lease is over."""

    row: WebhookDelivery
    lease: datetime
    retry: bool


def delivery_send(*, delivery_id: UUID | str) -> bool:
    """Send one message, then for a while what else its receiver waits for. False: there was nothing to do for us."""
    until = time.monotonic() + _TURN
    taken = patiently(lambda: _take(id=delivery_id))
    if taken is None:
        return False
    receiver = taken.row.webhook_id
    while taken is not None:
        _attempt(taken)
        taken = patiently(lambda: _take(webhook_id=receiver)) if time.monotonic() < until else None
    return True


def delivery_attempt(*, delivery: WebhookDelivery) -> WebhookDelivery | None:
    """Send one message now, whatever its schedule says. None: it is on its way at this moment."""
    lease = timezone.now() + LEASE
    if not WebhookDelivery.objects.filter(_free(), id=delivery.id).update(lease_until=lease):
        return None
    row = WebhookDelivery.objects.get(id=delivery.id)
    _attempt(_Taken(row, lease, retry=row.status == Status.WAITING and row.next_attempt_at is not None))
    row.refresh_from_db()
    return row


def _free() -> Q:
    """Nobody has it. A lease that ends much later than any could is from before the clock was moved.

    Much: the one that somebody else takes while this is asked ends a little later than ours would.
    """
    now = timezone.now()
    return Q(lease_until=None) | Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE)


def _due(rows: QuerySet[WebhookDelivery]) -> QuerySet[WebhookDelivery]:
    return rows.filter(status=Status.WAITING, next_attempt_at__lte=timezone.now()).order_by("next_attempt_at")


@transaction.atomic
def _take(**which: Any) -> _Taken | None:
    """The first of these that is due and free, unless enough is on its way to the same receiver."""
    due = _due(WebhookDelivery.objects.filter(webhook__enabled=True))
    row = due.filter(_free(), **which).first()
    if row is None or due.filter(webhook_id=row.webhook_id).exclude(_free()).count() >= AT_ONCE:
        return None
    lease = timezone.now() + LEASE
    if not _due(WebhookDelivery.objects.filter(_free(), id=row.id)).update(lease_until=lease):
        return None
    return _Taken(row, lease, retry=True)


def _attempt(taken: _Taken) -> None:
    at = timezone.now()
    send = patiently(lambda: _prepared(taken.row, int(at.timestamp())))
    release_connection()
    answer = send()
    outcome = patiently(lambda: _record(taken, at, answer), seconds=_OUTCOME_PATIENCE)
    _log.log(logging.DEBUG if answer.ok else logging.INFO, "webhook %s: %s", taken.row.webhook_id, outcome)
    release_connection()


def _prepared(row: WebhookDelivery, timestamp: int) -> Callable[[], Answer]:
    """The signed request, ready to be sent without the database."""
    webhook = Webhook.objects.get(id=row.webhook_id)
    body = row.body.encode()
    try:
        signed = signing.signature(
            _secrets_of(webhook, timezone.now()), message_id=str(row.id), timestamp=timestamp, body=body
        )
    except ValueError as error:
        problem = f"{error}; rotate its secret"
        return lambda: Answer(0.0, error=problem)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"AI-Chat-Studio/{settings.STUDIO_VERSION} (webhooks)",
        "webhook-id": str(row.id),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signed,
    }
    return lambda: post(webhook.url, body=body, headers=headers, guard=webhook_guard())


def _secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    """The secret, and for a day after a rotation the one before."""
    known = secrets.reveal(webhook.secret)
    until = known.get("previous_until")
    both = until is not None and now < datetime.fromisoformat(until)
    return [known["current"], known["previous"]] if both else [known["current"]]


@transaction.atomic
def _record(taken: _Taken, at: datetime, answer: Answer) -> str:
    """Write what came of the attempt, if it is still ours to write."""
    row, now = taken.row, timezone.now()
    entry = {
        "at": at.isoformat(),
        "status": answer.status,
        "duration_ms": answer.duration_ms,
        "error": answer.error,
        "answer": answer.text,
    }
    attempts = [*row.attempts, entry]
    next_at = _next_attempt_at(len(attempts), answer, now) if taken.retry else None
    fields: dict[str, Any] = {"attempts": attempts[-_ATTEMPTS_KEPT:], "lease_until": None}
    if answer.ok or next_at is None:
        delivered = answer.ok or row.status == Status.DELIVERED  # sent again by hand: it has arrived once all the same
        fields |= {"status": Status.DELIVERED if delivered else Status.FAILED}
        fields |= {"finished_at": now, "next_attempt_at": None}
    else:
        fields |= {"next_attempt_at": next_at}
    mine = WebhookDelivery.objects.filter(id=row.id, lease_until=taken.lease)
    if not mine.update(**fields):
        return "the lease was over before the answer came"
    since = attempts[0]["at"] if taken.retry and next_at is None else None
    _note(row, answer, now, gave_up_since=since)
    _send_again_soon(row, next_at, now)
    return f"{row.type} {row.id}: {answer.status or answer.error}"


def _next_attempt_at(made: int, answer: Answer, now: datetime) -> datetime | None:
    """When to try again; None: not at all."""
    schedule = settings.STUDIO_WEBHOOK_SCHEDULE
    if answer.ok or answer.status == _GONE or made >= len(schedule):
        return None
    delay = schedule[made] * random.uniform(0.9, 1.1)  # not all at once, when many failed together
    if answer.status in _ASKS_FOR_TIME:
        delay = max(delay, _retry_after(answer.headers.get("retry-after", ""), now))
    return now + timedelta(seconds=delay)


def _retry_after(text: str, now: datetime) -> float:
    """The seconds a receiver asks for, in either of HTTP's spellings; 0 when it makes no sense."""
    if text.strip().isdecimal() and len(text) < 10:
        return min(float(text), _LONGEST_WAIT)
    try:
        asked = (parsedate_to_datetime(text) - now).total_seconds()
    except (TypeError, ValueError):
        return 0.0
    return min(max(asked, 0.0), _LONGEST_WAIT)


def _send_again_soon(row: WebhookDelivery, next_at: datetime | None, now: datetime) -> None:
    delay = (next_at - now).total_seconds() if next_at else None
    if delay is not None and delay <= _COUNTDOWN:
        enqueue_each_on_commit("webhook_deliver", [str(row.id)], countdown=delay)


def _note(row: WebhookDelivery, answer: Answer, now: datetime, *, gave_up_since: str | None) -> None:
    """Keep how the receiver is, and stop bothering one that takes nothing any more."""
    webhook = Webhook.objects.filter(id=row.webhook_id)
    if answer.ok:
        webhook.update(failures=0, last_success_at=now)
        return
    if row.type != TEST:
        webhook.update(failures=F("failures") + 1)
    if answer.status == _GONE:
        _disable(webhook, "The receiver answered 410 Gone.")
    elif gave_up_since:
        nothing_since = Q(last_success_at=None) | Q(last_success_at__lt=datetime.fromisoformat(gave_up_since))
        tired = webhook.filter(nothing_since, failures__gte=settings.STUDIO_WEBHOOK_FAILURES)
        when = gave_up_since[:16].replace("T", " ")
        _disable(tired, f"Nothing was accepted since {when} UTC, and a message has been given up.")


def _disable(webhook: QuerySet[Webhook], reason: str) -> None:
    for row in webhook.filter(enabled=True):
        if webhook.filter(enabled=True).update(enabled=False, disabled_reason=reason, disabled_at=timezone.now()):
            _log.warning("webhook %s is disabled: %s", row.name, reason)


def deliveries_resume() -> int:
    """Hand over again what is due: a lost task, a dead worker, a wait that was too long for Celery. For beat."""
    now = timezone.now()
    tests = WebhookDelivery.objects.filter(status=Status.WAITING, next_attempt_at=None)  # whose web process died
    tests.filter(_free(), created_at__lt=now - LEASE).update(status=Status.FAILED, finished_at=now, lease_until=None)
    ids: list[str] = []
    for webhook in Webhook.objects.filter(enabled=True).only("id"):
        due = _due(WebhookDelivery.objects.filter(_free(), webhook=webhook))
        ids += map(str, due.values_list("id", flat=True)[:AT_ONCE])
    enqueue_each_on_commit("webhook_deliver", ids)
    return len(ids)


def deliveries_prune() -> int:
    """Forget what is older than 30 days, in small bites. For beat."""
    old = WebhookDelivery.objects.filter(created_at__lt=timezone.now() - KEPT)
    count = 0
    while ids := list(old.order_by("created_at").values_list("id", flat=True)[:_BATCH]):
        count += WebhookDelivery.objects.filter(id__in=ids).delete()[0]
    return count
