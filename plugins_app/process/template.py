"""The warm process that every plugin process is forked from.

It has imported the SDK, the codec and the event loop and knows no secret. For each request on its control socket (with
two descriptors: the plugin's listening socket and its channel) it forks, answers with the pid, and later reports the
exit status. It may die without any plugin process noticing.
"""

from __future__ import annotations

import array
import contextlib
import gc
import os
import selectors
import signal
import socket
import sys
import traceback
from typing import Any

import msgspec

from .main import run

__all__ = ["Exited", "Forked", "serve"]

_MAX_MESSAGE = 4096
_DESCRIPTORS = 2


class Forked(msgspec.Struct, frozen=True, tag="forked"):
    """Answer to request `seq`."""

    seq: int
    pid: int


class Exited(msgspec.Struct, frozen=True, tag="exited"):
    """A plugin process is gone; `status` as of `os.waitstatus_to_exitcode` (negative: killed by that signal)."""

    pid: int
    status: int


def serve(control: socket.socket) -> None:
    """Fork on request until the host closes `control` (a SOCK_SEQPACKET socket)."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()  # what is warm stays shared: a collection in a child would copy every page it touches
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is control and not _handle(control, (wake_read, wake_write), selector):
                    return
                if key.fileobj == wake_read:
                    with contextlib.suppress(BlockingIOError):
                        os.read(wake_read, 4096)
            _reap(control)


def _handle(control: socket.socket, pipe: tuple[int, int], selector: selectors.BaseSelector) -> bool:
    data, ancillary, _, _ = control.recvmsg(_MAX_MESSAGE, socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize))
    if not data:
        return False
    listener, channel = _descriptors(ancillary)
    pid = os.fork()
    if pid == 0:
        _child(control, pipe, selector, listener, channel)
    os.close(listener)
    os.close(channel)
    control.send(msgspec.msgpack.encode(Forked(msgspec.msgpack.decode(data, type=int), pid)))
    return True


def _descriptors(ancillary: list[Any]) -> tuple[int, int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - (len(data) % found.itemsize)])
    listener, channel = found
    return listener, channel


def _child(
    control: socket.socket, pipe: tuple[int, int], selector: selectors.BaseSelector, listener: int, channel: int
) -> None:
    status = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        selector.close()
        control.close()
        for descriptor in pipe:
            os.close(descriptor)
        with socket.socket(fileno=channel) as channel_socket, socket.socket(fileno=listener) as listening_socket:
            status = run(channel_socket, listening_socket)
    except BaseException:  # noqa: BLE001 - nothing above may run on: this is a copy of the template
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        with contextlib.suppress(OSError):
            control.send(msgspec.msgpack.encode(Exited(pid, os.waitstatus_to_exitcode(status))))
