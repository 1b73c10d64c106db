"""From a stored configuration to the plain one that a plugin gets: secrets decrypted, `${ENV:NAME}` replaced."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from plugins_app.models import PluginRelease
from plugins_app.sdk.config import Path, is_secret_path, kinds_at, pointer, secret_paths, validate
from plugins_app.sdk.references import convert, expand, has_reference, names_in, only_name, studio_owns

from . import secrets

__all__ = ["ReleaseConfigs", "Resolved", "config_problem", "resolved", "texts_of"]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A plain configuration, what is wrong with it, and the texts in it that are secret."""

    config: dict[str, Any] = field(repr=False)
    errors: list[dict[str, str]]
    secrets: tuple[str, ...] = field(default=(), repr=False)


def resolved(
    config: Mapping[str, Any], schema: Mapping[str, Any], environ: Mapping[str, str], *, elsewhere: bool = False
) -> Resolved:
    """The configuration as a plugin that starts with this environment gets it.

    `elsewhere` says that this is not where it will start: then it is always validated, and a variable that is not
    set is no error. Otherwise only what came from variables is new, and only then it is validated again.

    Raises:
        ValueError: a secret cannot be decrypted.
    """
    work = _Work(schema, environ, elsewhere)
    plain = work.value(config, (), secret=False)
    errors = list(work.errors)
    if elsewhere or work.known or errors:
        wrong = validate(plain, schema, hidden=work.known, unknown=[*work.unknown, *work.wrong])
        errors += [error for error in wrong if error["pointer"] not in {each["pointer"] for each in errors}]
    return Resolved(plain, sorted(errors, key=lambda error: error["pointer"]), tuple(dict.fromkeys(work.secrets)))


def texts_of(config: Any) -> list[str]:
    """The texts of everything that is encrypted in a configuration. Raises ValueError as `resolved` does."""
    work = _Work({}, {}, elsewhere=True)
    work.value(config, (), secret=False)
    return work.secrets


class _Work:
    """One configuration being worked out."""

    def __init__(self, schema: Mapping[str, Any], environ: Mapping[str, str], elsewhere: bool) -> None:
        self.schema, self.environ, self.elsewhere = schema, environ, elsewhere
        self.paths: list[Path] = secret_paths(schema)
        self.errors: list[dict[str, str]] = []
        self.secrets: list[str] = []
        self.known: list[tuple[Any, ...]] = []
        self.unknown: list[tuple[Any, ...]] = []
        self.wrong: list[tuple[Any, ...]] = []

    def value(self, value: Any, path: tuple[Any, ...], *, secret: bool) -> Any:
        """The plain value; its texts are noted if they are secret."""
        if secrets.is_sealed(value):
            return self.value(secrets.decrypt(value), path, secret=True)
        secret = secret or is_secret_path(path, self.paths)
        if isinstance(value, Mapping):
            return {key: self.value(item, (*path, key), secret=secret) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, (*path, index), secret=secret) for index, item in enumerate(value)]
        if has_reference(value):
            value = self._expanded(value, path, secret)
        self._note(value, path, secret)
        return value

    def _note(self, value: Any, path: tuple[Any, ...], secret: bool) -> None:
        """Remember the secret texts in a value; a variable may hold a whole object with secrets in it."""
        secret = secret or is_secret_path(path, self.paths)
        if isinstance(value, Mapping | list):
            for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
                self._note(item, (*path, key), secret)
        elif secret and not isinstance(value, bool | None):
            self.secrets.append(str(value))

    def _expanded(self, text: str, path: tuple[Any, ...], secret: bool) -> Any:
        names = names_in(text)
        if self._is_wrong(names, path):
            return text
        used = {name: self.environ[name] for name in names}
        if used:
            self.known.append(path)
        if secret:
            self.secrets += used.values()
        if (name := only_name(text)) is None:
            return expand(text, used.__getitem__)
        try:
            return convert(used[name], kinds_at(self.schema, path))
        except ValueError as error:
            self._refuse(path, f"the value of the variable {name} {error}")
            return text

    def _is_wrong(self, names: Iterable[str], path: tuple[Any, ...]) -> bool:
        for name in sorted(names):
            if studio_owns(name):
                self._refuse(path, f"the variable {name} is the studio's own; a plugin cannot have it")
                return True
            if name not in self.environ:
                if self.elsewhere:
                    self.unknown.append(path)
                else:
                    self._refuse(path, f"the variable {name} is not set where the plugin host runs")
                return True
        return False

    def _refuse(self, path: tuple[Any, ...], message: str) -> None:
        self.wrong.append(path)
        self.errors.append({"pointer": pointer(path), "message": message})


def config_problem(plugin_id: str, errors: list[dict[str, str]], hint: str = "Correct the fields.") -> dict[str, Any]:
    """`config_invalid`, naming the first fields in words and all of them as data."""
    words = "; ".join(f"{error['pointer'] or '/'}: {error['message']}" for error in errors[:5])
    detail = f"The configuration of {plugin_id} is invalid: {words}."
    return {"code": "config_invalid", "detail": detail, "hint": hint, "errors": errors}


class ReleaseConfigs:
    """The plain configurations of the releases that a plugin host wants, each worked out once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._known: dict[int, Resolved] = {}

    def plain(self, release: PluginRelease) -> tuple[Resolved, dict[str, Any] | None]:
        """The release's configuration, and the problem that keeps it from being started, if there is one."""
        try:
            found = self._of(release)
        except ValueError as error:
            hint = "Enter the secret again."
            return Resolved({}, []), {"code": "config_invalid", "detail": f"{error}.", "hint": hint}
        if not found.errors:
            return found, None
        hint = "Set the variable for the plugin host and restart it, or store another value."
        return found, config_problem(release.plugin_id, found.errors, hint)

    def _of(self, release: PluginRelease) -> Resolved:
        if release.id not in self._known:  # a failure to decrypt is not kept: the key may come back
            schema = release.version.metadata.get("config_schema") or {}
            self._known[release.id] = resolved(release.config, schema, self._environ)
        return self._known[release.id]

    def keep_only(self, releases: Iterable[int]) -> None:
        """Forget the plain secrets of all other releases."""
        kept = set(releases)
        self._known = {key: value for key, value in self._known.items() if key in kept}
