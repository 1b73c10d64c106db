"""`manage.py secrets rotate [--dry-run]` and `secrets check`: the keys that encrypt what plugins keep secret."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from plugins_app.services import secrets
from plugins_app.services.errors import StudioError
from plugins_app.services.rotation import Census, key_name, keys_are_given, secrets_census, secrets_rotate


class Command(BaseCommand):
    """Keys are never printed: they are named by their place and by the beginning of their hash."""

    help = "Give all stored secrets a new key, or check that every one can be decrypted."

    def add_arguments(self, parser: ArgumentParser) -> None:
        commands = parser.add_subparsers(dest="command", required=True)
        rotate = commands.add_parser("rotate", help="encrypt everything with a new key and drop the old ones")
        rotate.add_argument("--dry-run", action="store_true", help="only say what would be done")
        rotate.add_argument(
            "--grace", type=float, default=30.0, metavar="SECONDS", help="for changes that are under way (default: 30)"
        )
        commands.add_parser("check", help="say which key has encrypted how much, and what no key decrypts")

    def handle(self, *args: Any, command: str, **options: Any) -> None:
        try:
            getattr(self, f"_{command}")(options)
        except StudioError as error:
            raise CommandError(f"{error.detail} {error.hint}".strip()) from error

    def _check(self, options: dict[str, Any]) -> None:
        census = secrets_census()
        self._tell(census)
        if not keys_are_given() and len(secrets.keys()) > 1:
            self.stdout.write("A rotation was interrupted. Run: manage.py secrets rotate")
        if census.unreadable:
            raise CommandError("Some secrets cannot be decrypted: bring their key back, or enter them again.")

    def _tell(self, census: Census) -> None:
        for number in range(len(secrets.keys())):
            self.stdout.write(f"{key_name(number)}: {census.by_key[number]} value(s)")
        for where in census.unreadable:
            self.stdout.write(f"no key decrypts: {where}")

    def _rotate(self, options: dict[str, Any]) -> None:
        if options["dry_run"]:
            return self._plan()
        count = secrets_rotate(wait=lambda: self._wait(options["grace"]))
        self.stdout.write(f"{count} value(s) are encrypted with {key_name(0)} now.")
        if not keys_are_given():
            self.stdout.write("The old keys are gone. Back up secrets.key.")
        elif len(secrets.keys()) > 1:
            old = ", ".join(key_name(number) for number in range(1, len(secrets.keys())))
            self.stdout.write(f"No longer needed, remove from STUDIO_SECRET_KEYS everywhere: {old}")
        return None

    def _plan(self) -> None:
        census = secrets_census()
        self._tell(census)
        if keys_are_given() or len(secrets.keys()) > 1:
            self.stdout.write(f"{census.outdated} value(s) would be encrypted with {key_name(0)}.")
        else:
            self.stdout.write(f"{sum(census.by_key.values())} value(s) would be encrypted with a new key.")

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.stdout.write(f"Everything is encrypted anew; waiting {seconds:g} s for changes that are under way.")
            self.stdout.flush()
            time.sleep(seconds)
