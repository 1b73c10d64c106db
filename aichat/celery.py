"""The Celery application: one more face of the services."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aichat.settings")
# Django's checks import every page of the studio, 20 MiB that no worker needs; the studio makes them when it starts.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")

app = Celery("aichat")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
