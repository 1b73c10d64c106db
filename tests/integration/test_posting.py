"""One POST to a stranger: to the address that was checked, under the name that was given, within the time there is."""

import contextlib
import datetime
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from plugins_app.services.addresses import AddressGuard, Allowed
from plugins_app.services.posting import ANSWER_LIMIT, Answer, post
from tests.receiver import Receiver, receiving

HERE = ("127.0.0.0/8",)


def guard(*allow: str, answers: Callable[[], list[str]] = lambda: ["127.0.0.1"]) -> AddressGuard:
    return AddressGuard(Allowed.parse(allow), lambda host, port: answers())


def send(url: str, which: AddressGuard, **options: Any) -> Answer:
    return post(url, body=b'{"a":1}', headers={"X-One": "1"}, guard=which, **options)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def test_the_name_is_kept_although_a_checked_address_is_called(receiver: Receiver) -> None:
    answer = send(f"http://hooks.example:{receiver.port}/in?room=7", guard(*HERE))
    assert (answer.ok, answer.status, answer.text, answer.error) == (True, 200, "ok", "")
    [message] = receiver.messages
    assert (message.path, message.body, message.headers["x-one"]) == ("/in?room=7", b'{"a":1}', "1")
    assert message.headers["host"] == f"hooks.example:{receiver.port}"


def test_the_name_is_resolved_once_and_a_second_answer_leads_nowhere(receiver: Receiver) -> None:
    """DNS rebinding: the address that was checked is the one that is called."""
    asked: list[list[str]] = [["127.0.0.1"], ["169.254.169.254"]]
    answer = send(receiver.url, guard(*HERE, answers=lambda: asked.pop(0)))
    assert answer.ok and len(asked) == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254"])
def test_a_private_address_is_never_called(receiver: Receiver, address: str) -> None:
    answer = send(f"https://hooks.example:{receiver.port}/", guard(answers=lambda: ["93.184.216.34", address]))
    assert answer.status is None and answer.error.startswith("refused: hooks.example is ")
    assert receiver.messages == []


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    assert send(receiver.url, guard(*HERE, answers=lambda: ["127.9.9.9", "127.0.0.1"])).ok


def test_a_redirect_is_an_answer_like_any_other(receiver: Receiver) -> None:
    receiver.answer(302, headers={"Location": receiver.url})
    answer = send(receiver.url, guard(*HERE))
    assert (answer.ok, answer.status, len(receiver.messages)) == (False, 302, 1)


def test_a_proxy_of_the_environment_is_not_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert send(receiver.url, guard(*HERE)).ok


def test_a_long_answer_is_shortened(receiver: Receiver) -> None:
    receiver.answer(200, body=b"x" * 5_000_000)
    with contextlib.suppress(BrokenPipeError):
        assert send(receiver.url, guard(*HERE)).text == "x" * ANSWER_LIMIT


def test_an_answer_of_bytes_is_made_text(receiver: Receiver) -> None:
    receiver.answer(500, body=b"\x00\xff!")
    assert send(receiver.url, guard(*HERE)).text == "\ufffd\ufffd!"


def test_who_does_not_answer_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the kernel takes the connection, and nobody reads it
        answer = send(f"http://127.0.0.1:{silent.getsockname()[1]}/", guard(*HERE), timeout=0.3)
    assert answer.status is None and answer.error == "no answer within 0.3 s"


def test_who_dribbles_is_given_up_at_the_same_time() -> None:
    def dribble(handler: Any) -> bool:
        with contextlib.suppress(OSError):
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not held[0].released.wait(0.05):
                handler.wfile.write(b"X-More: 1\r\n")
        return False

    held: list[Receiver] = []
    with receiving(before=dribble) as slow:
        held.append(slow)
        answer = send(slow.url, guard(*HERE), timeout=0.5)
        slow.released.set()
    assert answer.error == "no answer within 0.5 s"


def test_a_status_counts_even_if_the_rest_never_comes() -> None:
    def half(handler: Any) -> bool:
        handler.wfile.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nbegun")
        held[0].released.wait(20)
        return False

    held: list[Receiver] = []
    with receiving(before=half) as slow:
        held.append(slow)
        answer = send(slow.url, guard(*HERE), timeout=0.5)
        slow.released.set()
    assert (answer.ok, answer.text) == (True, "begun")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://127.0.0.1:1/", "ConnectError"),
        ("http://[::1", "no URL"),
        ("ftp://127.0.0.1/", "UnsupportedProtocol"),
    ],
)
def test_what_cannot_be_sent_is_an_answer_too(url: str, words: str) -> None:
    answer = send(url, guard(*HERE))
    assert answer.status is None and words in answer.error


def test_what_is_no_http_is_an_answer_too() -> None:
    def rubbish(handler: Any) -> bool:
        handler.wfile.write(b"SSH-2.0-hello\r\n")
        return False

    with receiving(before=rubbish) as other:
        assert "RemoteProtocolError" in send(other.url, guard(*HERE)).error


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[str, str]:
    """A certificate of its own for hooks.example, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "c.pem", tmp_path / "k.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return str(paths[0]), str(paths[1])


def test_over_https_the_certificate_is_that_of_the_name(certificate: tuple[str, str]) -> None:
    trusting = ssl.create_default_context(cafile=certificate[0])
    with receiving(certificate=certificate) as secure:
        good = send(f"https://hooks.example:{secure.port}/", guard(*HERE), context=trusting)
        other = send(f"https://other.example:{secure.port}/", guard(*HERE), context=trusting)
        unknown = send(f"https://hooks.example:{secure.port}/", guard(*HERE))
    assert good.ok, good
    assert "CERTIFICATE_VERIFY_FAILED" in other.error and "other.example" in other.error
    assert "CERTIFICATE_VERIFY_FAILED" in unknown.error
    assert len(secure.messages) == 1
