"""Signatures by the Standard Webhooks specification: HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable

__all__ = ["secret_bytes", "secret_create", "signature"]

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64  # bytes, says the specification


def secret_create() -> str:
    """A new random secret, as receivers enter it."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def secret_bytes(secret: str) -> bytes:
    """The key that a secret stands for.

    Raises:
        ValueError: it cannot be one. The text never repeats it.
    """
    expected = f"write {_PREFIX} and then {_SHORTEST} to {_LONGEST} bytes in Base64"
    if not secret.startswith(_PREFIX):
        raise ValueError(f"A secret begins with {_PREFIX}: {expected}.")
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"It is not Base64: {expected}.") from None
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise ValueError(f"It has {len(key)} bytes: {expected}.")
    return key


def signature(secrets_: Iterable[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret that counts at the moment."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(secret_bytes(secret), signed, hashlib.sha256) for secret in secrets_)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
