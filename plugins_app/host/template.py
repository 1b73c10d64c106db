"""The host's side of the template process: start it, fork from it, hear of exits."""

from __future__ import annotations

import array
import asyncio
import contextlib
import socket
import subprocess
from collections.abc import Callable

import msgspec

from plugins_app.process import launch
from plugins_app.process.template import Exited, Forked

__all__ = ["Template", "TemplateGoneError"]

_MESSAGE = 4096


class TemplateGoneError(Exception):
    """The template process died before it answered."""


class Template:
    """Forks plugin processes. A template that died is replaced at the next fork."""

    def __init__(self, on_exit: Callable[[int, int], None]) -> None:
        self._on_exit = on_exit
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._waiting: dict[int, asyncio.Future[int]] = {}
        self._seq = 0

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def fork(self, listener: socket.socket, channel: socket.socket) -> int:
        """A new plugin process with these two descriptors. Returns its pid.

        Raises:
            TemplateGoneError: the template died meanwhile; try again.
        """
        if self._control is None:
            self._start()
        assert self._control is not None
        self._seq += 1
        answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[self._seq] = answer
        descriptors = array.array("i", [listener.fileno(), channel.fileno()])
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)]
        try:
            self._control.sendmsg([msgspec.msgpack.encode(self._seq)], ancillary)
        except OSError as error:
            self._gone()
            raise TemplateGoneError(str(error)) from error
        return await answer

    def _start(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                launch.command("template", theirs.fileno()),
                pass_fds=[theirs.fileno()],
                env=launch.clean_environment(),
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        ours.setblocking(False)
        self._control = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)

    def _readable(self) -> None:
        while self._control is not None:
            try:
                data = self._control.recv(_MESSAGE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._gone()
                return
            message = msgspec.msgpack.decode(data, type=Forked | Exited)
            if isinstance(message, Exited):
                self._on_exit(message.pid, message.status)
            elif (answer := self._waiting.pop(message.seq, None)) is not None and not answer.done():
                answer.set_result(message.pid)

    def _gone(self) -> None:
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control)
            self._control.close()
            self._control = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(TemplateGoneError("the template process died"))
        self._waiting.clear()

    def close(self) -> None:
        """End the template. Plugin processes go on."""
        with contextlib.suppress(RuntimeError):
            self._gone()
