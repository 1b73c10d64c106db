"""While the database is being restarted: what may be done again is done again, and a known key stays known."""

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection, transaction
from django.test import Client

from plugins_app.services import access
from plugins_app.services.connections import database_trouble, patiently

pytestmark = pytest.mark.django_db(transaction=True)
Failing = Callable[..., Callable[..., Any]]


@pytest.fixture(autouse=True)
def clean(transactional_db: None) -> Iterator[None]:
    access.known_keys.cache_clear()
    yield
    access.known_keys.cache_clear()
    connection.close()


def failing(times: int, real: Callable[..., Any], error: Exception | None = None) -> Callable[..., Any]:
    """`real`, after the database was away for so many calls."""
    left = iter([True] * times)

    def call(*args: Any, **kwargs: Any) -> Any:
        if next(left, False):
            raise error or OperationalError("the connection is lost")
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("error", [OperationalError("gone"), InterfaceError("connection already closed")])
def test_work_is_done_again_until_the_database_is_back(error: Exception) -> None:
    assert patiently(failing(3, lambda: "done", error)) == "done"


def test_patience_ends() -> None:
    with pytest.raises(OperationalError):
        patiently(failing(1000, lambda: "never"), seconds=0.2)


def test_a_full_disk_is_told_as_such_and_not_waited_for() -> None:
    def write() -> None:
        small = sqlite3.connect(":memory:")
        try:
            small.executescript("CREATE TABLE t (x); PRAGMA max_page_count = 3;")
            small.execute("INSERT INTO t VALUES (zeroblob(100000))")
        except sqlite3.OperationalError as error:
            tried.append(error)
            raise OperationalError(str(error)) from error  # as Django does
        finally:
            small.close()

    tried: list[sqlite3.OperationalError] = []
    with pytest.raises(OperationalError) as caught:
        patiently(write)
    assert len(tried) == 1
    assert database_trouble(caught.value).code == "disk_full"
    assert database_trouble(OperationalError("gone")).code == "unavailable"


def test_nothing_is_repeated_within_a_transaction() -> None:
    with pytest.raises(OperationalError), transaction.atomic():
        patiently(failing(1, lambda: "never"))


def test_a_key_is_looked_up_again_when_the_database_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = access.api_key_create(name="ada", role="user")
    monkeypatch.setattr(access, "_look_up", failing(2, access._look_up))
    user = access.user_of_key(text)
    assert user is not None and user.get_username() == "key:ada"


def test_a_key_that_was_good_stays_so_while_nobody_can_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    key, text = access.api_key_create(name="bob", role="user")
    assert access.user_of_key(text) is not None
    monkeypatch.setattr(access, "_KNOWN_FOR", 0)  # its few seconds are over
    real = access._look_up
    monkeypatch.setattr(access, "_look_up", failing(1, real))
    user = access.user_of_key(text)
    assert user is not None and user.get_username() == "key:bob"
    monkeypatch.setattr(access, "_look_up", real)
    monkeypatch.setattr(access, "_KNOWN_FOR", 5)
    access.api_key_revoke(key=key)
    monkeypatch.setattr(access, "_look_up", failing(1000, real))
    monkeypatch.setattr(access, "patiently", lambda work: work())
    with pytest.raises(OperationalError):  # whoever revoked it was the last to be asked
        access.user_of_key(text)


def test_reading_is_tried_again(client: Client, admin_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(admin_user)
    from plugins_app.api import plugins as api
    from plugins_app.services import plugins as services

    monkeypatch.setattr(api, "plugins_discover", failing(2, lambda **_: None))
    assert client.get("/api/plugins").status_code == 200
    monkeypatch.setattr(services, "find_plugin", failing(1, lambda *_: None))
    answer = client.post("/api/plugins/load", {"plugin_id": "x"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (
        503,
        "unavailable",
    )  # nobody repeats a change


def test_a_page_of_the_admin_is_tried_again(client: Client, admin_user: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(admin_user)
    from django.contrib.admin.options import ModelAdmin

    monkeypatch.setattr(ModelAdmin, "changelist_view", failing(1, ModelAdmin.changelist_view))
    assert client.get("/admin/plugins_app/execution/").status_code == 200
