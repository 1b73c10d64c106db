"""The Celery application: one more face of the services."""

from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aichat.settings")

app = Celery("aichat")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
