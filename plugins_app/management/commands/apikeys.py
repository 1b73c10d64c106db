"""`manage.py apikeys create NAME --role operator|user`, `list`, `revoke NAME`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from plugins_app.models import ApiKey
from plugins_app.services.access import api_key_create, api_key_revoke
from plugins_app.services.errors import StudioError


class Command(BaseCommand):
    """Keys for programs that call the API."""

    help = "Create, list and revoke API keys."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        create = commands.add_parser("create", help="make a key and print it once")
        create.add_argument("name")
        create.add_argument("--role", choices=ApiKey.Role.values, default=ApiKey.Role.USER)
        commands.add_parser("list", help="list the keys")
        commands.add_parser("revoke", help="make a key stop working").add_argument("name")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        getattr(self, f"_{command}")(options)

    def _create(self, options: dict[str, Any]) -> None:
        try:
            _, text = api_key_create(name=options["name"], role=options["role"])
        except StudioError as error:
            raise CommandError(error.detail) from error
        self.stdout.write(text)
        self.stderr.write("This is shown once. Send it as: Authorization: Bearer <key>")

    def _list(self, options: dict[str, Any]) -> None:
        for key in ApiKey.objects.all():
            state = "revoked" if key.revoked_at else "active"
            self.stdout.write(f"{key.name}\t{key.role}\tacs_{key.prefix}_…\t{state}")

    def _revoke(self, options: dict[str, Any]) -> None:
        key = ApiKey.objects.filter(name=options["name"]).first()
        if key is None:
            raise CommandError(f"There is no key named {options['name']}.")
        api_key_revoke(key=key)
        self.stdout.write(f"{key.name} is revoked.")
