"""A middleware that adds to the system prompt what the configured rules say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from zoneinfo import ZoneInfo

from plugins_app.sdk import ConfigError, MiddlewarePlugin, method

from .prompts import with_system_text
from .templates import PromptTemplate, variables_for


class SystemPrompt(MiddlewarePlugin):
    """Applies the rules that fit, to each request of each round."""

    priority = 8
    on_error = "fail"

    async def validate_config(self) -> bool:
        """Templates and the time zone are looked at when the configuration is saved, not when somebody asks."""
        errors = []
        for index, rule in enumerate(self.get_config("rules", [])):
            if problem := PromptTemplate(rule["template"]).problem():
                errors.append({"pointer": f"/rules/{index}/template", "message": problem})
        if not _is_zone(self.get_config("timezone", "UTC")):
            message = f"{self.get_config('timezone')!r} is no time zone; write one such as Europe/Berlin, or UTC"
            errors.append({"pointer": "/timezone", "message": message})
        if errors:
            raise ConfigError("; ".join(error["message"] for error in errors), errors)
        return True

    async def initialize(self) -> bool:
        """The configuration does not change while the plugin lives."""
        self._zone = ZoneInfo(self.get_config("timezone", "UTC"))
        return True

    async def before_request(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with the texts of the rules in its system prompt."""
        rules = self._rules_for(request)
        if not rules:
            return request
        values = variables_for(request, datetime.now(UTC).astimezone(self._zone))
        texts: dict[str, list[str]] = {"prepend": [], "append": [], "replace": []}
        for rule in rules:
            text = PromptTemplate(rule["template"]).substitute(values)
            texts[rule.get("place", "prepend")].append(text)
        before, after, instead = ("\n\n".join(texts[place]) for place in ("prepend", "append", "replace"))
        messages = with_system_text(request.get("messages") or [], before, after, instead if texts["replace"] else None)
        return request | {"messages": messages}

    @method(idempotent=True)
    async def preview(self, model: str, purpose: str = "chat", system_prompt: str = "") -> str:
        """The system prompt that a request of the calling user would have with this model."""
        messages = [{"role": "system", "content": system_prompt}] if system_prompt else []
        asked = {"model": model, "messages": messages, "user": self.context.user, "purpose": purpose}
        found = (await self.before_request(asked))["messages"]
        return str(found[0]["content"]) if found else ""

    def _rules_for(self, request: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        for rule in self.get_config("rules", []):
            if _fits(rule, request):
                found.append(rule)
                if rule.get("final"):
                    break
        return found


def _fits(rule: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    user, model = str((request.get("user") or {}).get("username") or ""), str(request.get("model"))
    return (
        request.get("purpose", "chat") in rule.get("purposes", ("chat", "v1"))
        and any(fnmatchcase(user, pattern) for pattern in rule.get("users", ("*",)))
        and any(fnmatchcase(model, pattern) for pattern in rule.get("models", ("*",)))
    )


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True
