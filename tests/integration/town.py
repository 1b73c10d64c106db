"""Plugins that need each other, under names that no other test has: the store forgets no version it has ever seen."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.sources import tool
from tests.studio import Client, Studio

__all__ = ["Answer", "Town"]

_NUMBERS = itertools.count(1)


class Answer:
    """An HTTP answer in which the plugins have the short names that the test gave them."""

    def __init__(self, status: int, text: str) -> None:
        self.status, self.text = status, text
        self.body: Any = json.loads(text) if text else None

    @property
    def problem(self) -> tuple[int, str, list[str] | None]:
        """Status, code and path of an error."""
        assert "code" in self.body, self.text
        return self.status, self.body["code"], self.body.get("path")

    @property
    def steps(self) -> dict[str, tuple[str, str | None, str | None]]:
        """Each plugin's action, and from which version to which."""
        assert "changes" in self.body, self.text
        return {
            change["id"]: (change["action"], *(change[end] and change[end]["version"] for end in ("from", "to")))
            for change in self.body["changes"]
        }


class Town:
    """Some plugins of one test. `put` a version into a plugin's folder; what was there before stays in the store."""

    def __init__(self, studio: Studio, plugin_folder: Callable[..., Path]) -> None:
        self._studio, self._drop = studio, plugin_folder
        self._suffix = f"-town{next(_NUMBERS)}x"

    def name(self, short: str) -> str:
        """The real id; of a requirement, with its range."""
        return re.sub(r"^[a-z]+", lambda found: found[0] + self._suffix, short)

    def put(self, short: str, version: str = "1.0.0", *needs: str, config: object = None, **more: Any) -> None:
        more = {"execute": f'return "{version}"', **more}
        for key in ("execute", "initialize"):
            more |= {key: more[key].replace("TOWN", self._suffix)} if key in more else {}
        optional = tuple(map(self.name, more.pop("optional", ())))
        plugin_id = self.name(short)
        source = tool(plugin_id, version=version, dependencies=tuple(map(self.name, needs)), optional=optional, **more)
        self._drop(plugin_id, source, config)
        assert self.ask("POST", "/api/plugins/discover", {}).status == 200

    def ask(self, method: str, path: str, body: object = None, client: Client | None = None) -> Answer:
        answer = (client or self._studio.http).request(method, path, body)
        return Answer(answer.status, answer.text.replace(self._suffix, ""))

    def load(self, short: str, **body: Any) -> Answer:
        return self.ask("POST", "/api/plugins/load", {"plugin_id": self.name(short), **body})

    def loaded(self, *shorts: str) -> None:
        """Load them, and be sure of it."""
        for short in shorts:
            answer = self.load(short)
            assert answer.status == 200, answer.text

    def reload(self, short: str) -> Answer:
        return self.ask("POST", f"/api/plugins/{self.name(short)}/reload", {})

    def rollback(self, short: str, digest: str) -> Answer:
        return self.ask("POST", f"/api/plugins/{self.name(short)}/rollback", {"digest": digest})

    def unload(self, short: str, *, cascade: bool = False) -> Answer:
        return self.ask("POST", f"/api/plugins/{self.name(short)}/unload", {"cascade": cascade})

    def plan(self, short: str, query: str = "") -> Answer:
        return self.ask("GET", f"/api/plugins/{self.name(short)}/plan{query}")

    def configure(self, short: str, **config: Any) -> None:
        answer = self.ask("PUT", f"/api/plugins/{self.name(short)}/config", {"config": config})
        assert answer.status == 200, answer.text

    def card(self, short: str) -> Any:
        return self.ask("GET", f"/api/plugins/{self.name(short)}").body

    def call(self, short: str, client: Client | None = None, timeout: float | None = None, **kwargs: Any) -> Answer:
        body = {"plugin_id": self.name(short), "method": "execute", "kwargs": kwargs}
        return self.ask("POST", "/api/plugins/execute", body | ({"timeout": timeout} if timeout else {}), client)

    def serving(self, *shorts: str) -> list[str | None]:
        """What answers a call, of each of them: its version; None where nothing does."""
        return [self.call(short).body.get("result") for short in shorts]

    def generations(self, *shorts: str) -> list[int | None]:
        return [self.card(short)["generation"] for short in shorts]
