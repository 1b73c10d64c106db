"""What the two clients share: the shapes of a call, and the rules for repeating one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from plugins_app.wire import Call, Error, Hello, Result

from .errors import CallError

__all__ = ["CONNECT_PATIENCE", "DEADLINE_GRACE", "CallPlan", "CallResult", "HostRequest", "ProgressCallback", "link_of"]

#: How long a call waits for a plugin process that is just being replaced, in seconds.
CONNECT_PATIENCE = 5.0
#: How long after the deadline a client still waits for the process to say so itself, in seconds.
DEADLINE_GRACE = 0.35

ProgressCallback = Callable[[float | None, str, Any], None]


class CallResult(NamedTuple):
    """What a call brought, and from which generation. Times in milliseconds."""

    value: Any
    duration_ms: float
    generation: int
    digest: str


@dataclass(frozen=True, slots=True)
class HostRequest:
    """What a plugin asks of the studio while it answers a call. `deadline` is on the monotonic clock.

    `generation` is what its process says of itself: fit to remember things by, not to grant anything for.
    """

    plugin_id: str
    operation: str
    payload: dict[str, Any]
    user: dict[str, Any] | None
    deadline: float
    chain: tuple[str, ...]
    generation: int = 0


def link_of(run_dir: Path, plugin_id: str) -> Path:
    """The symlink to the socket of the generation that serves now.

    Raises:
        CallError: `plugin_id` cannot be one.
    """
    if not plugin_id or "/" in plugin_id or plugin_id.startswith("."):
        raise CallError("not_loaded", f"there is no plugin {plugin_id!r}")
    return run_dir / "plugins" / plugin_id / "current.sock"


@dataclass(slots=True)
class CallPlan:
    """One call as its caller wants it, and how far it has come."""

    plugin_id: str
    method: str
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    timeout: float | None = None
    user: dict[str, Any] | None = None
    chain: Sequence[str] = ()
    started: float = field(default_factory=time.monotonic)
    repeated: bool = False

    def call_timeout(self, hello: Hello) -> float:
        """The whole time of this call, in seconds."""
        return hello.call_timeout if self.timeout is None else self.timeout

    def deadline(self, hello: Hello) -> float:
        """On the monotonic clock."""
        return self.started + self.call_timeout(hello)

    def connect_until(self) -> float:
        """Until when to wait for a process, on the monotonic clock."""
        patience = CONNECT_PATIENCE if self.timeout is None else min(self.timeout, CONNECT_PATIENCE)
        return self.started + patience

    def frame(
        self,
        call_id: int,
        hello: Hello,
        *,
        credit: int = 0,
        stream: bool = False,
        exclusive: bool = False,
        held: bool = False,
    ) -> Call:
        """The frame to send now.

        Raises:
            CallError: the time is already up.
        """
        remaining = self.deadline(hello) - time.monotonic()
        if remaining <= 0:
            raise self.deadline_exceeded(hello)
        return Call(
            call_id,
            self.method,
            list(self.args),
            dict(self.kwargs),
            remaining,
            stream,
            credit,
            self.user,
            [*self.chain, self.plugin_id],
            exclusive,
            held,
        )

    def host_request(self, hello: Hello, operation: str, payload: dict[str, Any]) -> HostRequest:
        """A host call made during this call."""
        chain = (*self.chain, self.plugin_id)
        return HostRequest(self.plugin_id, operation, payload, self.user, self.deadline(hello), chain, hello.generation)

    def result(self, frame: Result, hello: Hello) -> CallResult:
        return CallResult(frame.value, frame.duration_ms, hello.generation, hello.digest)

    def error(self, frame: Error) -> CallError:
        return CallError.from_frame(frame)

    def lost(self, hello: Hello) -> CallError | None:
        """The process died under the call: None when it may be repeated (and is marked as such), else the error."""
        if time.monotonic() >= self.deadline(hello):
            return self.deadline_exceeded(hello)
        if self.method in hello.idempotent and not self.repeated:
            self.repeated = True
            return None
        text = f"the process of {self.plugin_id} (generation {hello.generation}) died while it answered {self.method}"
        return CallError("plugin_crashed", text)

    def deadline_exceeded(self, hello: Hello) -> CallError:
        text = f"{self.plugin_id}.{self.method} was not done after {self.call_timeout(hello):g} s"
        return CallError("deadline_exceeded", text)

    def not_loaded(self) -> CallError:
        return CallError("not_loaded", f"the plugin {self.plugin_id} is not loaded")

    def restarting(self) -> CallError:
        text = f"the process of {self.plugin_id} is being restarted"
        return CallError("plugin_restarting", text, data={"retry_after": 1.0})
