"""From OpenAI's messages and parameters to a request of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from anthropic import transform_schema
from plugins_app.sdk import PluginError

from .answers import Thoughts
from .catalogue import takes_sampling, thinks_adaptively
from .content import blocks_of, text_of

__all__ = ["request_for"]

_BUDGETS = {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16384, "xhigh": 32768, "max": 32768}
_EFFORTS = {"minimal": "low"}
_CHOICES = {"auto": "auto", "none": "none", "required": "any"}


def request_for(
    messages: list[dict[str, Any]],
    model: str,
    params: Mapping[str, Any],
    defaults: Mapping[str, Any],
    thoughts: Thoughts,
) -> dict[str, Any]:
    """The keyword arguments of `messages.create`."""
    asked = {**defaults, **{name: value for name, value in params.items() if value is not None}}
    request: dict[str, Any] = {
        "model": model,
        "max_tokens": int(params.get("max_tokens") or asked.get("max_completion_tokens") or defaults["max_tokens"]),
        "messages": _messages(messages, thoughts),
        **_tools(asked),
        **_output(asked),
    }
    system = [text for each in messages if each.get("role") in ("system", "developer") and (text := text_of(each))]
    if asked.get("response_format", {}).get("type") == "json_object":
        system.append("Answer with one JSON object and nothing else.")
    if system:
        request["system"] = "\n\n".join(system)
    if stops := _stops(asked.get("stop")):
        request["stop_sequences"] = stops
    if asked.get("user"):
        request["metadata"] = {"user_id": str(asked["user"])}
    _think(request, asked, thoughts)
    _sample(request, asked)
    return request


def _messages(messages: list[dict[str, Any]], thoughts: Thoughts) -> list[dict[str, Any]]:
    """Turns of user and assistant; what follows each other in one role is one turn, as tool results have to be."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = message.get("role")
        if role in ("system", "developer"):
            continue
        speaker = "assistant" if role == "assistant" else "user"
        blocks = _blocks(message, thoughts)
        if not blocks:
            continue
        if turns and turns[-1]["role"] == speaker:
            turns[-1]["content"] += blocks
        else:
            turns.append({"role": speaker, "content": blocks})
    if not turns:
        raise PluginError("there is nothing to answer: no message has content")
    return turns


def _blocks(message: Mapping[str, Any], thoughts: Thoughts) -> list[dict[str, Any]]:
    content = blocks_of(message.get("content"))
    if message.get("role") == "tool":
        return [{"type": "tool_result", "tool_use_id": message.get("tool_call_id", ""), "content": content}]
    if message.get("role") != "assistant":
        return content
    calls = message.get("tool_calls") or []
    return [*(thoughts.of(calls) or []), *content, *map(_call, calls)]


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function") or {}
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {}  # the model sees from the tool's result that they did not fit
    arguments = arguments if isinstance(arguments, dict) else {}
    return {"type": "tool_use", "id": call.get("id", ""), "name": function.get("name", ""), "input": arguments}


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    tools = [_tool(each["function"]) for each in asked.get("tools") or () if "function" in each]
    if not tools:
        return {}
    choice = asked.get("tool_choice") or "auto"
    if isinstance(choice, Mapping):
        wanted: dict[str, Any] = {"type": "tool", "name": choice.get("function", {}).get("name", "")}
    else:
        wanted = {"type": _CHOICES.get(choice, "auto")}
    if asked.get("parallel_tool_calls") is False and wanted["type"] != "none":
        wanted["disable_parallel_tool_use"] = True
    return {"tools": tools, "tool_choice": wanted}


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": {}, **(function.get("parameters") or {})}
    tool = {"name": function["name"], "description": function.get("description") or "", "input_schema": schema}
    return tool | ({"strict": True} if function.get("strict") else {})


def _output(asked: Mapping[str, Any]) -> dict[str, Any]:
    wanted = asked.get("response_format") or {}
    if wanted.get("type") != "json_schema":
        return {}
    # The API takes a part of JSON Schema; its SDK turns the rest into descriptions.
    schema = transform_schema(wanted.get("json_schema", {}).get("schema") or {"type": "object"})
    return {"output_config": {"format": {"type": "json_schema", "schema": schema}}}


def _stops(stop: Any) -> list[str]:
    """Blank ones are refused by the API."""
    return [each for each in ([stop] if isinstance(stop, str) else stop or []) if each.strip()]


def _think(request: dict[str, Any], asked: Mapping[str, Any], thoughts: Thoughts) -> None:
    effort, model = asked.get("reasoning_effort"), request["model"]
    if not effort:
        return
    forced = request.get("tool_choice", {}).get("type") in ("any", "tool")
    if effort == "none" or forced:  # a tool cannot be forced upon a model that thinks
        request["thinking"] = {"type": "disabled"}
    elif thinks_adaptively(model):
        request["thinking"] = {"type": "adaptive", "display": "summarized"}
        request["output_config"] = request.get("output_config", {}) | {"effort": _EFFORTS.get(effort, effort)}
    elif thoughts.are_whole(request["messages"]):
        budget = _BUDGETS.get(effort, _BUDGETS["medium"])
        request["thinking"] = {"type": "enabled", "budget_tokens": budget}
        request["max_tokens"] = max(request["max_tokens"], budget + 1024)


def _sample(request: dict[str, Any], asked: Mapping[str, Any]) -> None:
    """The SDK has no such parameters any more; older models, and others' servers, take them."""
    thinks = request.get("thinking", {}).get("type") in ("enabled", "adaptive")
    if thinks or not takes_sampling(request["model"]):
        return
    extra = {name: asked[name] for name in ("temperature", "top_p", "top_k") if asked.get(name) is not None}
    if "temperature" in extra:
        extra.pop("top_p", None)  # one of the two: newer models refuse both
        extra["temperature"] = min(1.0, float(extra["temperature"]))  # OpenAI's go to 2
    if extra:
        request["extra_body"] = extra
