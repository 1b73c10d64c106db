"""Secrets at rest: encrypted in every row, masked in everything shown, revealed only where a plugin process starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from aichat.keys import load_or_create_key
from plugins_app.sdk.config import MASK, Path, pointer, secret_paths
from plugins_app.sdk.references import has_reference, is_reference

__all__ = [
    "MARK",
    "decrypt",
    "encrypt",
    "is_same_item",
    "is_sealed",
    "item_name",
    "key_of",
    "keys",
    "mask",
    "new_key",
    "renewed",
    "reveal",
    "same",
    "seal",
    "sealed_in",
    "unmask",
    "without",
]

#: The only key of an encrypted value.
MARK = "$secret"


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def keys() -> tuple[str, ...]:
    """The first key encrypts, every key decrypts. The file is read each time: it may be rotated while we run."""
    if given := settings.ENVIRONMENT.secret_keys:
        return tuple(given)
    return tuple(load_or_create_key(settings.ENVIRONMENT.secrets_file, make=new_key).split())


def new_key() -> str:
    """A fresh key."""
    return Fernet.generate_key().decode()


def _current() -> MultiFernet:
    return _fernet(keys())


def key_of(value: Mapping[str, str]) -> int | None:
    """By which of `keys()` a value is encrypted; None: by none of them."""
    for number, key in enumerate(keys()):
        with suppress(InvalidToken):
            _fernet((key,)).decrypt(value[MARK].encode())
            return number
    return None


def renewed(config: Any) -> Any:
    """The configuration with every secret encrypted by the first key; what cannot be decrypted stays as it is."""
    return _walk(config, _renewed)


def _renewed(value: Mapping[str, str]) -> Mapping[str, str]:
    return value if key_of(value) in (None, 0) else {MARK: _current().rotate(value[MARK].encode()).decode()}


def sealed_in(config: Any) -> list[Mapping[str, str]]:
    """Every encrypted value in a configuration."""
    found: list[Mapping[str, str]] = []
    _walk(config, found.append)
    return found


def encrypt(value: Any) -> dict[str, str]:
    """The value as it is stored: ``{"$secret": "<token>"}``."""
    return {MARK: _current().encrypt(json.dumps(value).encode()).decode()}


def is_sealed(value: Any) -> bool:
    """Whether this is an encrypted value."""
    return isinstance(value, Mapping) and set(value) == {MARK}


def reveal(config: Any) -> Any:
    """The configuration with plain values.

    Raises:
        ValueError: a secret was encrypted with a key that is not there any more.
    """
    return _walk(config, decrypt)


def decrypt(value: Mapping[str, str]) -> Any:
    """What an encrypted value stands for. Raises ValueError as `reveal` does."""
    try:
        return json.loads(_current().decrypt(value[MARK].encode()))
    except InvalidToken:
        raise ValueError("a stored secret cannot be decrypted: its key is gone; enter the secret again") from None


def same(one: Any, other: Any) -> bool:
    """Whether two configurations mean the same: encrypting twice gives two texts, so plain values decide."""
    try:
        return _canonical(reveal(one)) == _canonical(reveal(other))
    except ValueError:
        return bool(one == other)


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True)  # for Python, true is 1


def mask(config: Any) -> Any:
    """The configuration as it may be shown: with a mask where a secret is, and an empty text where none was given."""
    return _walk(config, lambda sealed: "" if _is_empty(sealed) else MASK)


def _is_empty(sealed: Mapping[str, str]) -> bool:
    try:
        return decrypt(sealed) in ("", None)
    except ValueError:  # its key is gone: there is one, and nobody can read it
        return False


def without(config: Any) -> Any:
    """The configuration as anybody may see it: not even where a secret, or a variable of the machine, would be."""
    if isinstance(config, Mapping):
        return {key: without(item) for key, item in config.items() if not _is_private(item)}
    return [without(item) for item in config if not _is_private(item)] if isinstance(config, list) else config


def _is_private(value: Any) -> bool:
    return is_sealed(value) or has_reference(value)


def _walk(value: Any, replace: Callable[[Mapping[str, str]], Any]) -> Any:
    if is_sealed(value):
        return replace(value)
    if isinstance(value, Mapping):
        return {key: _walk(item, replace) for key, item in value.items()}
    return [_walk(item, replace) for item in value] if isinstance(value, list) else value


def seal(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration with every secret of the schema encrypted; what is encrypted already stays as it is.

    So does a reference to a variable: it names a secret, and is none.
    """
    sealed: dict[str, Any] = dict(config)
    for path in secret_paths(schema):
        sealed = _map_at(sealed, path, _sealed)
    return sealed


def _sealed(value: Any) -> Any:
    return value if value is None or is_sealed(value) or is_reference(value) else encrypt(value)


def _map_at(value: Any, path: Path, change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping):
        return {key: _map_at(item, rest, change) if step in ("*", key) else item for key, item in value.items()}
    if isinstance(value, list) and step == "*":
        return [_map_at(item, rest, change) for item in value]
    return value


def unmask(given: Any, stored: Any, path: tuple[Any, ...] = ()) -> tuple[Any, list[dict[str, str]]]:
    """What an operator sent, with each mask replaced by the secret it stands for, and what is wrong with it."""
    if given == MASK:
        return (stored, []) if is_sealed(stored) else (given, [])
    if isinstance(given, Mapping):
        if MARK in given:
            return given, [{"pointer": pointer(path), "message": f"{MARK} is reserved; send the plain value"}]
        parts = {key: (item, stored.get(key) if isinstance(stored, Mapping) else None) for key, item in given.items()}
        done = {key: unmask(item, old, (*path, key)) for key, (item, old) in parts.items()}
        return {key: value for key, (value, _) in done.items()}, [e for _, errors in done.values() for e in errors]
    if isinstance(given, list):
        olds = _counterparts(given, stored if isinstance(stored, list) else [])
        items = [unmask(item, old, (*path, i)) for i, (item, old) in enumerate(zip(given, olds, strict=True))]
        return [value for value, _ in items], [e for _, errors in items for e in errors]
    return given, []


def _counterparts(given: list[Any], stored: list[Any]) -> list[Any]:
    """For each item what it was before: the one that looks or is called the same, else the one in its place.

    So no item inherits another one's secret.
    """
    by_place = stored if len(stored) == len(given) else [None] * len(given)
    return [_counterpart(item, stored) or _unless_named(by_place[i], given) for i, item in enumerate(given)]


def _counterpart(item: Any, stored: list[Any]) -> Any:
    alike = (old for old in stored if mask(old) == item)
    return next(alike, None) or next((old for old in stored if is_same_item(item, old)), None)


def _unless_named(old: Any, given: list[Any]) -> Any:
    return None if any(is_same_item(item, old) for item in given) else old


def is_same_item(one: Any, other: Any) -> bool:
    """Whether two items of a list are called the same, whatever else changed in them."""
    return item_name(one) is not None and item_name(one) == item_name(other)


def item_name(item: Any) -> str | None:
    """What an item of a list is called: by its `id`, or its `name`."""
    names = (item.get(key) for key in ("id", "name")) if isinstance(item, Mapping) else ()
    return next((name for name in names if isinstance(name, str) and name), None)
