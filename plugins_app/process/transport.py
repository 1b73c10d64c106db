"""How a plugin's context reaches the studio: over the connection of the call that is being answered."""

from __future__ import annotations

import asyncio
from typing import Any

from plugins_app.sdk.errors import DeadlineExceeded, NotReady, PermissionDenied, PluginError, Refused
from plugins_app.wire import HostCall, HostResult, Progress

from .calls import RunningCall, current_call

__all__ = ["CallTransport"]


class _CallLoop(PluginError):
    """Plugins call each other in a circle: whoever began it is told so, not that one of them failed."""

    code = "call_loop"


_ERRORS: dict[str, type[PluginError]] = {
    "permission_denied": PermissionDenied,
    "refused": Refused,
    "deadline_exceeded": DeadlineExceeded,
    "call_loop": _CallLoop,
    "not_ready": NotReady,
}


class CallTransport:
    """The transport of `Context` in a plugin process. `send_progress` may be called from a sync method's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    async def host_call(self, operation: str, payload: dict[str, Any]) -> Any:
        running = self._running(operation)
        number, answer = running.new_request()
        running.peer.send(HostCall(running.call.id, number, operation, payload))
        result: HostResult = await answer
        if result.code:
            raise _ERRORS.get(result.code, PluginError)(f"{operation}: {result.message}")
        return result.value

    def send_progress(self, fraction: float | None, message: str) -> None:
        running = current_call.get()
        if running is None or running.answered:
            return
        frame = Progress(running.call.id, fraction, message)
        if self._is_here():
            running.peer.send(frame)  # at once: the result may follow in this very turn of the loop
        else:
            self._loop.call_soon_threadsafe(running.peer.send, frame)

    def _is_here(self) -> bool:
        """Whether this is the loop's own thread."""
        try:
            return asyncio.get_running_loop() is self._loop
        except RuntimeError:
            return False

    @property
    def cancelled(self) -> bool:
        running = current_call.get()
        return running is not None and running.cancelled

    @property
    def user(self) -> dict[str, Any] | None:
        running = current_call.get()
        return running.call.user if running is not None else None

    def _running(self, operation: str) -> RunningCall:
        running = current_call.get()
        if running is None or running.answered:
            raise PluginError(f"{operation}: only possible while a call is being answered")
        return running
