"""A plugin that tells its secrets in every way it can, and a search through everything that the studio has written."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import redis

__all__ = ["CANARIES", "LEAKY", "MODEL", "SCHEMA", "found_in", "redis_contents", "redis_monitor", "search_tree"]

#: By where each is planted. `short` is too short to be overwritten in data; `odd` is written differently everywhere.
CANARIES = {
    "api_key": "canary-api-5d0c1be7a94f",
    "form_key": "canary-form-83b1f0c6e2d4",
    "file_key": "canary-file-1f7e5a90c3b2",
    "env_key": "canary-envv-6a2d8c4410ef",
    "short": "cnry-9Qz!",
    "odd": 'canary "odd\\" ümläut/&= 77c1',
    "webhook": "whsec_" + base64.b64encode(b"canary-webhook-0123456789abcdef").decode(),
}
SCHEMA: dict[str, Any] = {
    **{name: {"type": "string", "secret": True} for name in ("api_key", "form_key", "file_key", "env_key", "odd")},
    "short": {"type": "string", "format": "password"},
    "level": {"type": "integer", "default": 1},
    "breaks": {"type": "string", "default": ""},
}

LEAKY = (
    """
import asyncio, logging, sys, traceback
from backend.plugins.base_plugin import PluginMetadata, PluginType, ToolPlugin

SECRET = ("api_key", "form_key", "file_key", "env_key", "odd")


class Leaky(ToolPlugin):
    @property
    def metadata(self):
        return PluginMetadata(
            id="leaky", name="Leaky", version="1.0.0", author="Mallory",
            description="tells " + str(self.get_config("file_key")), plugin_type=PluginType.TOOL,
            config_schema=SCHEMA_HERE, permissions={"host": ["storage", "events"]}, tags=["leaky"],
        )

    def long(self):
        return [self.get_config(name) or "" for name in SECRET]

    def all(self):
        return [*self.long(), self.get_config("short") or ""]

    async def initialize(self):
        print("starting with", *self.all())
        self.context.logger.warning("starting with %s", self.all())
        how = self.get_config("breaks")
        if how == "raise":
            raise OSError("no upstream for " + " ".join(self.all()))
        if how == "refuse":
            sys.stderr.write("refused: " + " ".join(self.all()))
            return False
        return True

    async def execute(self, action, parameters):
        said = getattr(self, "do_" + action)()
        return await said if asyncio.iscoroutine(said) else said

    def do_raise(self):
        raise ValueError("no " + " ".join(self.all()))

    def do_raise_by_name(self):
        raise type("Error_" + self.get_config("short"), (Exception,), {})(self.all())

    async def do_details(self):
        from plugins_app.sdk import PluginError
        error = PluginError("see details")
        error.details = {"secrets": self.all(), self.get_config("api_key"): 1}
        error.code = "code_" + self.get_config("api_key")
        raise error

    def do_print(self):
        for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            print("printed", *self.all(), file=stream, flush=True)
        sys.stdout.buffer.write(("bytes " + " ".join(self.all()) + "\\n").encode())
        print(*self.all(), sep="\\n")

    def do_log(self):
        for logger in (self.context.logger, logging.getLogger(), logging.getLogger("x." + self.get_config("short"))):
            logger.error("logged %s", self.all())
            logger.error("logged %(a)r", {"a": self.config})
        own = logging.StreamHandler()
        logging.getLogger().addHandler(own)
        try:
            logging.error("own handler %s", self.all())
            raise ValueError(*self.all())
        except ValueError:
            logging.exception("with a traceback of %s", self.all())
        finally:
            logging.getLogger().removeHandler(own)

    def do_traceback(self):
        key, odd, short = self.get_config("api_key"), self.get_config("odd"), self.get_config("short")
        try:
            raise ValueError("with locals")
        except ValueError as error:
            text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
            self.context.logger.error(text)
            raise RuntimeError(text) from error

    async def do_progress(self):
        for secret in self.all():
            self.context.progress(0.5, "at " + secret)
            await asyncio.sleep(0.3)  # the studio keeps what does not come too fast
        return "done"

    async def do_items(self):
        async def items():
            for secret in self.all():
                yield {"message": secret, "fraction": 0.5, "secrets": self.all()}
            yield {"secrets": self.long(), "nested": {"k": [{"deep": self.long()}]}}
        return items()

    async def do_event(self):
        await self.context.emit("told", {"secrets": self.all(), self.get_config("api_key"): {"k": self.all()}})
        await self.context.emit("told " + self.get_config("short"), {})

    def do_result(self):
        import base64
        basic = "Basic " + base64.b64encode(("user:" + self.get_config("api_key")).encode()).decode()
        return {"secrets": self.long(), "bytes": " ".join(self.long()).encode(), "Authorization": basic,
                self.get_config("file_key"): 1}

    async def do_store(self):
        for number, secret in enumerate(self.long()):
            await self.context.storage.set("key " + secret, {"value": secret, "list": [secret]})
        return await self.context.storage.list()
"""
).replace("SCHEMA_HERE", repr(SCHEMA))

MODEL = """
from plugins_app.sdk import ProviderPlugin, UpstreamError


class Chatty(ProviderPlugin):
    def get_available_models(self):
        return [{"id": "parrot", "name": "Parrot", "description": "", "context_window": 1000, "max_tokens": 1000}]

    async def stream_completion(self, messages, model, **kwargs):
        key = self.get_config("api_key")
        yield {"choices": [{"index": 0, "delta": {"content": "my key is " + key}, "finish_reason": None}]}
        if "fail" in str(messages[-1]["content"]):
            raise UpstreamError("the upstream refuses " + key + " " + self.get_config("short"), 500)
        yield {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
"""


def _forms(canary: str) -> set[bytes]:
    """How a canary may be written in a file, an answer or a message."""
    texts = {canary, json.dumps(canary)[1:-1], json.dumps(canary, ensure_ascii=False)[1:-1], quote(canary, safe="")}
    texts |= {json.dumps(text)[1:-1] for text in set(texts)} | {repr(canary)[1:-1]}
    encoded = {
        base64.b64encode(canary.encode()),
        base64.b64encode(canary.encode())[:-4],
        canary.encode().hex().encode(),
    }
    return {text.encode() for text in texts} | encoded


def found_in(data: bytes, names: Iterable[str] = CANARIES) -> list[str]:
    """The canaries that are in there, and what stands before them."""
    hits = []
    for name in names:
        for form in _forms(CANARIES[name]):
            if (at := data.find(form)) >= 0:
                hits.append(f"{name} after {data[max(0, at - 120) : at]!r}")
                break
    return hits


def search_tree(root: Path) -> dict[str, list[str]]:
    """Every file below `root` that has a canary in it or in its name."""
    found = {}
    for path in root.rglob("*"):
        hits = found_in(str(path.relative_to(root)).encode())
        if path.is_file() and not path.is_symlink():
            hits += found_in(path.read_bytes())
        if hits:
            found[str(path.relative_to(root))] = hits
    return found


def redis_contents(client: redis.Redis) -> bytes:
    """Every key and every value that Redis holds."""
    read: dict[bytes, Any] = {
        b"string": client.get,
        b"list": lambda key: client.lrange(key, 0, -1),
        b"set": client.smembers,
        b"hash": client.hgetall,
        b"zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        b"stream": client.xrange,
    }
    parts = []
    for key in client.scan_iter(count=1000):
        kind = client.type(key)
        parts += list(_bytes([key, read[kind](key) if kind in read else b""]))
    return b"\n".join(parts)


def _bytes(value: Any) -> Iterator[bytes]:
    if isinstance(value, bytes):
        yield value
    elif isinstance(value, dict):
        yield from _bytes(list(value.items()))
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _bytes(item)


@contextmanager
def redis_monitor(path: Path) -> Iterator[bytearray]:
    """Every command that Redis gets from now on."""
    seen = bytearray()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        connection.sendall(b"MONITOR\r\n")
        assert connection.recv(5) == b"+OK\r\n"

        def read() -> None:
            while part := connection.recv(65536):
                seen.extend(part)

        reader = threading.Thread(target=read)
        reader.start()
        try:
            yield seen
        finally:
            connection.shutdown(socket.SHUT_RDWR)
            reader.join()
