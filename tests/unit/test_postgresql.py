"""The PostgreSQL backend's way with broken connections. No server is needed: the pool is played."""

from typing import Any

import psycopg
import pytest
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool, PoolTimeout

from aichat.postgresql.base import DatabaseWrapper


class Pool:
    """Has first a broken connection, then good ones."""

    def __init__(self, *connections: str) -> None:
        self.connections = list(connections)
        self.returned: list[str] = []
        self.checked = 0

    def open(self) -> None:
        pass

    def getconn(self) -> str:
        connection = self.connections.pop(0)
        if connection == "none":
            raise PoolTimeout("couldn't get a connection after 1.00 sec")
        return connection

    def putconn(self, connection: str) -> None:
        self.returned.append(connection)

    def check(self) -> None:
        self.checked += 1
        self.connections = [each for each in self.connections if each != "broken"]


def try_it(connection: str) -> None:
    if connection == "broken":
        raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def wrapper(monkeypatch: pytest.MonkeyPatch) -> DatabaseWrapper:
    monkeypatch.setattr(ConnectionPool, "check_connection", staticmethod(try_it))
    return DatabaseWrapper({"OPTIONS": {"pool": True}, "NAME": "studio"})


def given(pool: Pool, wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(base.DatabaseWrapper, "pool", pool)
    return wrapper.get_new_connection({})


def test_a_good_connection_is_used(wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool("good", "other")
    assert given(pool, wrapper, monkeypatch) == "good"
    assert (pool.returned, pool.checked) == ([], 0)


def test_after_a_broken_one_all_are_looked_through(wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool("broken", "broken", "broken", "good")
    assert given(pool, wrapper, monkeypatch) == "good"
    assert (pool.returned, pool.checked) == (["broken"], 1)


def test_a_server_that_is_away_is_waited_for(wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool("broken", "none", "none", "none", "good")
    assert given(pool, wrapper, monkeypatch) == "good"


def test_not_for_ever(wrapper: DatabaseWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    wrapper.patience = 0.0
    with pytest.raises(psycopg.OperationalError, match="couldn't get a connection"):
        given(Pool(*["none"] * 100), wrapper, monkeypatch)
