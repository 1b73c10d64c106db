"""`manage.py bootstrap`: make a studio ready to be served; the launcher runs it at every start."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from plugins_app.models import Plugin
from plugins_app.services.discovery import BUNDLED, plugins_discover
from plugins_app.services.errors import StudioError
from plugins_app.services.nodes import node_check_name
from plugins_app.services.plugins import plugin_load
from plugins_app.services.tidying import incoming_remove

_OPERATOR = "operator"
_TURN = 0x626F6F74  # "boot": any number that nothing else in the database uses


class Command(BaseCommand):
    """Migrate, look for plugins and, the first time, load the bundled ones and make the first operator."""

    help = "Bring the database up to date, look for plugins and, at the first start, make the first operator."

    def handle(self, *args: Any, **options: Any) -> None:
        with _one_machine_at_a_time():
            call_command("migrate", interactive=False, verbosity=0)
            try:
                node_check_name()
            except StudioError as error:
                raise CommandError(f"{error.detail} {error.hint}") from error
            incoming_remove()
            plugins_discover()
            if not get_user_model().objects.filter(is_superuser=True).exists():
                # The operator is made last: a first start that was broken off is a first start again.
                self._load_bundled()
                self._make_operator(settings.STUDIO_DATA / "first-login.txt")

    def _load_bundled(self) -> None:
        """Ask for each bundled plugin that says `"enabled": true`; the plugin host starts them when it comes up."""
        for plugin in Plugin.objects.filter(id__in=BUNDLED, missing=False).select_related("version"):
            if plugin.version is None or plugin.version.default_config.get("enabled") is not True:
                continue
            try:
                plugin_load(plugin_id=plugin.id, wait=False)
            except StudioError as error:
                self.stderr.write(f"{plugin.id} is not loaded: {error.detail}")
            else:
                self.stdout.write(f"{plugin.id} will be loaded")

    @transaction.atomic
    def _make_operator(self, file: Path) -> None:
        password = secrets.token_urlsafe(12)
        get_user_model().objects.create_superuser(_OPERATOR, password=password)
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as written:
            written.write(f"name: {_OPERATOR}\npassword: {password}\n\nDelete this file once it is changed.\n")
        self.stdout.write(f"made the first operator; how to sign in is in {file}")


@contextmanager
def _one_machine_at_a_time() -> Iterator[None]:
    """Machines that share a database may be started at once. The lock has a connection of its own, and ends with it."""
    connection = connections.create_connection(DEFAULT_DB_ALIAS)
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [_TURN])
        try:
            yield
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_TURN])
    connection.close()
