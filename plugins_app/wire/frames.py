"""Every frame of the protocol. Arrays on the wire: the tag first, then the fields in order."""

from __future__ import annotations

from typing import Any

import msgspec

__all__ = [
    "Call",
    "Cancel",
    "Credit",
    "Drain",
    "End",
    "Error",
    "Frame",
    "Goaway",
    "Hello",
    "HostCall",
    "HostResult",
    "Items",
    "Ping",
    "Pong",
    "Progress",
    "Refused",
    "Result",
    "State",
    "StateRequest",
    "Unhealthy",
]


class _Frame(msgspec.Struct, array_like=True):
    pass


class Hello(_Frame, tag=1):
    """Process to client, first of all: who answers here, and which methods there are.

    `call_timeout` is the plugin's own limit, in seconds.
    """

    plugin_id: str
    generation: int
    digest: str
    pid: int
    call_timeout: float
    idempotent: list[str]
    methods: list[str]


class Call(_Frame, tag=2):
    """Client to process. `timeout` in seconds from arrival; `credit` is how many stream items may be under way.

    `chain` names the plugins whose calls led to this one, so that loops can be refused. `exclusive` promises that the
    client has one call at a time on this connection, which makes it safe to shut it down between two of them. `held`
    calls belong to what this process has begun: it takes them while it drains.
    """

    id: int
    method: str
    args: list[Any]
    kwargs: dict[str, Any]
    timeout: float | None = None
    stream: bool = False
    credit: int = 0
    user: dict[str, Any] | None = None
    chain: list[str] = []
    exclusive: bool = False
    held: bool = False


class Result(_Frame, tag=3):
    """Process to client: the call's value."""

    id: int
    value: Any
    duration_ms: float


class Error(_Frame, tag=4):
    """Process to client: the call failed. `code` is stable, `message` for people, `data` is what the error carries."""

    id: int
    code: str
    message: str
    type_name: str = ""
    traceback: str = ""
    retryable: bool = False
    data: dict[str, Any] = {}


class Items(_Frame, tag=5):
    """Process to client: the next items of a stream, in order."""

    id: int
    values: list[Any]


class End(_Frame, tag=6):
    """Process to client: the stream is complete."""

    id: int
    duration_ms: float


class Credit(_Frame, tag=7):
    """Client to process: so many more items may be sent."""

    id: int
    amount: int


class Cancel(_Frame, tag=8):
    """Client to process: the answer is no longer wanted."""

    id: int


class Progress(_Frame, tag=9):
    """Process to client: how far a call is; `fraction` from 0 to 1 or unknown, `data` is a generator's item."""

    id: int
    fraction: float | None
    message: str
    data: Any = None


class HostCall(_Frame, tag=10):
    """Process to client, during call `id`: the plugin asks something of the studio."""

    id: int
    request: int
    operation: str
    payload: dict[str, Any]


class HostResult(_Frame, tag=11):
    """Client to process: the answer to a `HostCall`; `code` is empty when it went well."""

    id: int
    request: int
    value: Any
    code: str = ""
    message: str = ""


class Refused(_Frame, tag=12):
    """Process to client: this call was not started and never will be here. Repeat it on the current socket."""

    id: int


class Goaway(_Frame, tag=13):
    """Process to client: no new calls on this connection."""


class Ping(_Frame, tag=14):
    """Host to process: are you there? Makes this connection the supervising one."""

    seq: int


class Pong(_Frame, tag=15):
    """Process to host: `calls` and `errors` since the start, `running` now."""

    seq: int
    calls: int
    errors: int
    running: int


class Drain(_Frame, tag=16):
    """Host to process: finish what you have within `timeout` seconds, then shut down."""

    timeout: float


class Unhealthy(_Frame, tag=17):
    """Process to host: this process should be replaced, and why."""

    reason: str


class StateRequest(_Frame, tag=18):
    """Host to process: what would you leave to the generation after you? You go on serving."""

    seq: int


class State(_Frame, tag=19):
    """Process to host: the answer; `error` is empty when it went well."""

    seq: int
    values: dict[str, Any]
    version: str = ""
    error: str = ""


Frame = (
    Hello
    | Call
    | Result
    | Error
    | Items
    | End
    | Credit
    | Cancel
    | Progress
    | HostCall
    | HostResult
    | Refused
    | Goaway
    | Ping
    | Pong
    | Drain
    | Unhealthy
    | StateRequest
    | State
)
