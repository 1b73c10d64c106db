"""Signatures, checked by the package that receivers use."""

import base64
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from plugins_app.services.signing import secret_bytes, secret_create, signature

ID, BODY = "7d0a4f0e-0000-4000-8000-000000000000", b'{"type":"plugin_loaded","data":{"name":"Gr\\u00fc\\u00df"}}'


def headers(*secrets: str, at: int | None = None) -> dict[str, str]:
    timestamp = int(datetime.now(UTC).timestamp()) if at is None else at
    signed = signature(secrets, message_id=ID, timestamp=timestamp, body=BODY)
    return {"webhook-id": ID, "webhook-timestamp": str(timestamp), "webhook-signature": signed}


def test_a_receiver_accepts_what_its_secret_signed() -> None:
    secret = secret_create()
    assert Webhook(secret).verify(BODY, headers(secret))["data"] == {"name": "Grüß"}


def test_a_receiver_refuses_another_secret_another_body_and_an_old_message() -> None:
    secret = secret_create()
    for body, sent in [
        (BODY, headers(secret_create())),
        (BODY + b" ", headers(secret)),
        (BODY, headers(secret) | {"webhook-id": "another"}),
        (BODY, headers(secret, at=1_700_000_000)),
    ]:
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, sent)


def test_with_two_secrets_a_receiver_of_either_accepts() -> None:
    new, old = secret_create(), secret_create()
    sent = headers(new, old)
    assert len(sent["webhook-signature"].split(" ")) == 2
    assert Webhook(new).verify(BODY, sent) == Webhook(old).verify(BODY, sent)


def test_secrets_are_random_and_have_the_specifications_shape() -> None:
    made = {secret_create() for _ in range(50)}
    assert len(made) == 50 and {len(secret_bytes(secret)) for secret in made} == {32}


@pytest.mark.parametrize("length", [24, 64])
def test_the_lengths_that_the_specification_allows(length: int) -> None:
    assert secret_bytes("whsec_" + base64.b64encode(b"k" * length).decode()) == b"k" * length


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "sesame",
        base64.b64encode(b"k" * 32).decode(),
        "whsec_",
        "whsec_???",
        "whsec_" + base64.b64encode(b"k" * 23).decode(),
        "whsec_" + base64.b64encode(b"k" * 65).decode(),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_repeating_it(secret: str) -> None:
    with pytest.raises(ValueError) as caught:
        secret_bytes(secret)
    assert len(secret) < 8 or secret not in str(caught.value)
