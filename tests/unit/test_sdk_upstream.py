"""What plugins that talk to a service over HTTP have in common."""

from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest

from plugins_app.sdk import ConfigError, PermissionDenied, UpstreamError
from plugins_app.sdk.upstream import check_address, connection_failed, refusal_reason, retry_after_seconds


@pytest.mark.parametrize("address", ["", "https://api.example.com", "http://[::1]:8080/v1", "socks5://proxy:1080"])
def test_an_address_has_a_host(address: str) -> None:
    check_address("base_url", address)


@pytest.mark.parametrize("address", ["http://:80", "http://[::1", "http://host:99999", "nothing"])
def test_what_has_none_is_told_with_its_field(address: str) -> None:
    with pytest.raises(ConfigError) as caught:
        check_address("base_url", address)
    assert caught.value.errors[0]["pointer"] == "/base_url"


def test_retry_after_is_a_number_or_a_date() -> None:
    assert retry_after_seconds("2.5") == 2.5
    assert 55 < (retry_after_seconds(formatdate(time() + 60, usegmt=True)) or 0) <= 60
    assert retry_after_seconds(formatdate(time() - 60, usegmt=True)) == 0
    assert [retry_after_seconds(value) for value in (None, "", "soon")] == [None, None, None]


def test_a_port_that_was_not_granted_says_what_to_grant() -> None:
    wrapped = OSError("all attempts failed")
    wrapped.__cause__ = PermissionError(13, "Permission denied")
    refused = connection_failed(wrapped, "http://127.0.0.1:8080/v1")
    assert isinstance(refused, PermissionDenied)
    assert str(refused).endswith("grant it network:127.0.0.1:8080")


def test_any_other_failure_may_be_repeated() -> None:
    failed = connection_failed(ConnectionResetError(), "https://api.example.com")
    assert isinstance(failed, UpstreamError)
    assert failed.retryable
    assert "api.example.com:443" in str(failed)


@pytest.mark.parametrize(
    "words",
    [
        "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "too many tokens: size limit exceeded by 12 tokens",
        '{"error":{"code":400,"type":"exceed_context_size_error"}}',
    ],
)
def test_a_conversation_that_is_too_long_has_openais_name(words: str) -> None:
    assert refusal_reason(words) == "context_length_exceeded"


def test_other_refusals_have_no_name_of_ours() -> None:
    assert refusal_reason("temperature must be at most 1") is None
