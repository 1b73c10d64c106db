"""Calls that belong together are answered by the same generation, also when a new one takes over between them."""

from __future__ import annotations

from .connection import Connection

__all__ = ["Affinity"]


class Affinity:
    """The connections over which a set of calls has begun. While it holds one, a draining process goes on for it.

    Only for calls that follow each other closely: a process that was replaced cannot end before, and past its drain
    limit it ends all the same. Then the next call goes to whatever serves.
    """

    def __init__(self) -> None:
        self._held: dict[str, Connection] = {}

    def connection(self, plugin_id: str) -> Connection | None:
        """The connection to go on with, if it is still there."""
        held = self._held.get(plugin_id)
        if held is not None and held.closed:
            self.drop(plugin_id)
            return None
        return held

    def offers(self, plugin_id: str, method: str) -> bool:
        """Whether the process that goes on with a plugin's calls has this method; True when there is none to tell."""
        held = self.connection(plugin_id)
        return held is None or method in held.hello.result().methods

    def hold(self, plugin_id: str, connection: Connection) -> None:
        """Go on with this one."""
        if plugin_id not in self._held:
            self._held[plugin_id] = connection
            connection.holders += 1

    def drop(self, plugin_id: str) -> None:
        """Let one plugin's go."""
        if (held := self._held.pop(plugin_id, None)) is not None:
            held.let_go()

    def release(self) -> None:
        """Let all go: the calls are over."""
        for plugin_id in list(self._held):
            self.drop(plugin_id)
