"""A connection is tried before it is used; when one is broken, the whole pool is looked through.

`CONN_HEALTH_CHECKS` would have the pool try them one by one, with a pause after each that doubles: after a restart of
the server, requests were refused for two minutes. While the server is away, whoever wants a connection asks again and
again for some seconds: that is always safe, and enough for a server that is being restarted.
"""

from __future__ import annotations

import os
import time
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from psycopg_pool import ConnectionPool

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):
    """The backend that settings name when `DATABASE_URL` asks for PostgreSQL."""

    #: For how many seconds a server that is away is waited for; whoever has something else to do lowers it.
    patience = 10.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection of the pool that works."""
        until = time.monotonic() + self.patience
        while True:
            try:
                return self._working_connection(conn_params)
            except psycopg.OperationalError:  # that the pool has none is one too, and comes after its own time limit
                if self.pool is None or time.monotonic() > until:
                    raise

    def _working_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        try:
            ConnectionPool.check_connection(connection)
        except psycopg.Error:
            if self.pool is None:
                raise
            self.pool.putconn(connection)
            self.pool.check()  # the server may have been restarted: the others are then as dead as this one
            connection = super().get_new_connection(conn_params)
        return connection


# A pool's connections are of the process that made it: a child that used them would garble its parent's.
os.register_at_fork(after_in_child=DatabaseWrapper._connection_pools.clear)  # type: ignore[attr-defined]
