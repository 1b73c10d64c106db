"""From OpenAI's messages and parameters to a request of Cohere's chat API v2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plugins_app.sdk import PluginError

from .names import Names

__all__ = ["request_for"]

_ROLES = {"developer": "system"}
_BUDGETS = {"minimal": 256, "low": 1024, "medium": 4096, "high": 16384, "xhigh": 30000, "max": 30000}
_STOPS = 5


def request_for(
    messages: list[dict[str, Any]], model: str, params: Mapping[str, Any], names: Names, *, thinks: bool
) -> dict[str, Any]:
    """The keyword arguments of `chat_stream`."""
    asked = {name: value for name, value in params.items() if value is not None}
    said = [message for each in messages if (message := _message(each, names)) is not None]
    if not any(message["role"] != "system" for message in said):
        raise PluginError("there is nothing to answer: no message has content")
    request = {"model": model, "messages": said, **_sampling(asked), **_tools(asked, names)}
    if "tools" not in request and (form := _form(asked.get("response_format") or {})):
        request["response_format"] = form  # the API takes one or the other
    effort = asked.get("reasoning_effort")
    if effort and thinks:
        budget = {"type": "enabled", "token_budget": _BUDGETS.get(effort, _BUDGETS["medium"])}
        request["thinking"] = {"type": "disabled"} if effort == "none" else budget
    return request


def _message(message: Mapping[str, Any], names: Names) -> dict[str, Any] | None:
    role = _ROLES.get(message.get("role", "user"), message.get("role", "user"))
    content = _content(message.get("content"))
    if role == "tool":
        return {"role": "tool", "tool_call_id": message.get("tool_call_id", ""), "content": content or ""}
    if role == "assistant" and message.get("tool_calls"):
        calls = [_call(call, names) for call in message["tool_calls"]]
        plan = message.get("reasoning_content") or (content if isinstance(content, str) else "")
        return {"role": "assistant", "tool_calls": calls} | ({"tool_plan": plan} if plan else {})
    return {"role": role, "content": content} if content else None


def _content(content: Any) -> Any:
    if content is None or isinstance(content, str):
        return content or ""
    parts = [_part(part) for part in content if part.get("type") != "text" or part.get("text")]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    if part.get("type") == "text":
        return {"type": "text", "text": part["text"]}
    if part.get("type") == "image_url":
        image = part.get("image_url") or {}
        return {"type": "image_url", "image_url": {key: image[key] for key in ("url", "detail") if image.get(key)}}
    raise PluginError(f"Cohere's models take text and images, and not a part of type {part.get('type')!r}")


def _call(call: Mapping[str, Any], names: Names) -> dict[str, Any]:
    function = call.get("function") or {}
    wanted = {"name": names.theirs(function.get("name", "")), "arguments": function.get("arguments") or "{}"}
    return {"id": call.get("id", ""), "type": "function", "function": wanted}


def _tools(asked: Mapping[str, Any], names: Names) -> dict[str, Any]:
    functions = [each["function"] for each in asked.get("tools") or () if "function" in each]
    choice = asked.get("tool_choice") or "auto"
    if isinstance(choice, Mapping):  # one tool cannot be forced by name, but it can be the only one
        wanted = choice.get("function", {}).get("name")
        functions = [each for each in functions if each["name"] == wanted]
        choice = "required"
    if not functions:
        return {}
    found: dict[str, Any] = {"tools": [_tool(each, names) for each in functions]}
    if choice in ("required", "none"):
        found["tool_choice"] = choice.upper()
    if any(each.get("strict") for each in functions):
        found["strict_tools"] = True
    return found


def _tool(function: Mapping[str, Any], names: Names) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {}, **(function.get("parameters") or {})}
    described = {"name": names.theirs(function["name"]), "description": function.get("description") or ""}
    return {"type": "function", "function": described | {"parameters": parameters}}


def _form(wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    if wanted.get("type") == "json_object":
        return {"type": "json_object"}
    if wanted.get("type") == "json_schema":
        return {"type": "json_object", "json_schema": wanted.get("json_schema", {}).get("schema") or {"type": "object"}}
    return None


def _sampling(asked: Mapping[str, Any]) -> dict[str, Any]:
    """OpenAI's ranges are wider here and there; what is beyond is brought to the edge."""
    found = {name: asked[name] for name in ("temperature", "seed") if name in asked}
    if limit := asked.get("max_tokens") or asked.get("max_completion_tokens"):
        found["max_tokens"] = int(limit)
    if "top_p" in asked:
        found["p"] = min(0.99, max(0.01, float(asked["top_p"])))
    if "top_k" in asked:
        found["k"] = min(500, max(0, int(asked["top_k"])))
    for name in ("frequency_penalty", "presence_penalty"):
        if name in asked:
            found[name] = min(1.0, max(0.0, float(asked[name])))
    stop = asked.get("stop")
    if stops := [stop] if isinstance(stop, str) else list(stop or ())[:_STOPS]:
        found["stop_sequences"] = stops
    return found
