"""Secrets: encrypted at rest, masked when shown, unchanged when the mask comes back."""

from typing import Any

import pytest

from plugins_app.sdk.config import MASK
from plugins_app.services.secrets import encrypt, mask, reveal, seal, unmask

SCHEMA = {
    "api_key": {"type": "string"},
    "servers": {
        "type": "array",
        "items": {"type": "object", "properties": {"url": {"type": "string"}, "password": {"type": "string"}}},
    },
}
PLAIN = {
    "api_key": "k-1",
    "servers": [{"url": "a", "password": "p-a"}, {"url": "b", "password": "p-b"}],
    "enabled": True,
}


@pytest.fixture
def sealed() -> dict[str, Any]:
    return seal(PLAIN, SCHEMA)


def test_nothing_secret_is_readable_and_everything_comes_back(sealed: dict[str, Any]) -> None:
    assert not any(secret in str(sealed) for secret in ("k-1", "p-a", "p-b"))
    assert reveal(sealed) == PLAIN
    assert seal(sealed, SCHEMA) == sealed


def test_the_mask_hides_every_secret(sealed: dict[str, Any]) -> None:
    assert mask(sealed) == {
        "api_key": MASK,
        "servers": [{"url": "a", "password": MASK}, {"url": "b", "password": MASK}],
        "enabled": True,
    }


def test_a_secret_that_was_never_given_shows_as_empty_and_can_be_sent_back_so() -> None:
    sealed = seal({"api_key": ""}, SCHEMA)
    assert mask(sealed) == {"api_key": ""}
    assert unmask(mask(sealed), sealed) == ({"api_key": ""}, [])


def test_a_mask_sent_back_means_unchanged(sealed: dict[str, Any]) -> None:
    given, errors = unmask(mask(sealed), sealed)
    assert (given, errors) == (sealed, [])


def test_no_item_inherits_the_secret_of_one_that_was_removed(sealed: dict[str, Any]) -> None:
    given, _ = unmask({"servers": [{"url": "b", "password": MASK}]}, sealed)
    assert reveal(given)["servers"] == [{"url": "b", "password": "p-b"}]


def test_a_changed_item_keeps_its_secret_by_its_name_wherever_it_stands() -> None:
    stored = {"servers": [{"name": name, "password": encrypt(f"of {name}")} for name in "ab"]}
    changed = [{"name": "b", "url": "new", "password": MASK}, {"name": "c", "password": MASK}]
    given, errors = unmask({"servers": changed}, stored)
    assert reveal(given)["servers"][0] == {"name": "b", "url": "new", "password": "of b"}
    assert (given["servers"][1]["password"], errors) == (MASK, []), "b's own is not given to the one in its place"


def test_nobody_can_smuggle_in_an_encrypted_value(sealed: dict[str, Any]) -> None:
    _, errors = unmask({"api_key": encrypt("x")}, sealed)
    assert errors[0]["pointer"] == "/api_key"


def test_a_lost_key_is_told_in_words() -> None:
    with pytest.raises(ValueError, match="enter the secret again"):
        reveal({"api_key": {"$secret": "gAAAAA"}})
