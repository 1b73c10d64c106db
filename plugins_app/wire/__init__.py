"""Frames and codec of the plugin protocol, shared by client, host and plugin process. No Django here.

The protocol: length-prefixed msgpack frames over a Unix stream socket, many calls at once per connection. The plugin
process speaks first (`Hello`); a client sends nothing before that, so a connection that was left in the backlog of
a closing socket never carried a call. A draining process sends `Goaway` and answers every further `Call` with `Refused`
(never started: safe to repeat elsewhere). A multiplexing client then closes the connection once its calls have ended.
An exclusive client may not be listening: its idle connection is shut down for reading, so that its next write fails
instead of being lost.

A stream's items travel in batches: all that a plugin yields within one turn of its event loop leave as one `Items`
frame (`FrameProtocol.send_item`). So a burst of fifty chunks costs one frame, one write and one wake-up of the reader,
while a slow stream still shows each item at once. Credit counts items, not frames.
"""

from .address import socket_address
from .codec import MAX_FRAME, FrameDecoder, FrameTooLargeError, encode, encode_value
from .connection import FrameProtocol
from .frames import (
    Call,
    Cancel,
    Credit,
    Drain,
    End,
    Error,
    Frame,
    Goaway,
    Hello,
    HostCall,
    HostResult,
    Items,
    Ping,
    Pong,
    Progress,
    Refused,
    Result,
    State,
    StateRequest,
    Unhealthy,
)

__all__ = [
    "MAX_FRAME",
    "Call",
    "Cancel",
    "Credit",
    "Drain",
    "End",
    "Error",
    "Frame",
    "FrameDecoder",
    "FrameProtocol",
    "FrameTooLargeError",
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
    "encode",
    "encode_value",
    "socket_address",
]
