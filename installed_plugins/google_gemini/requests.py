"""From OpenAI's messages and parameters to a request of the Gemini API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.genai import types

from plugins_app.sdk import PluginError

from .answers import Signatures
from .catalogue import generation, thinks
from .content import parts_of, text_of

__all__ = ["request_for"]

_BUDGETS = {"minimal": 512, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 24576, "max": 24576}
_LEVELS = {"none": "minimal", "xhigh": "high", "max": "high"}
_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_STOPS = 5


def request_for(
    messages: list[dict[str, Any]], model: str, params: Mapping[str, Any], signatures: Signatures
) -> dict[str, Any]:
    """The keyword arguments of `generate_content_stream`."""
    asked = {name: value for name, value in params.items() if value is not None}
    system = "\n\n".join(filter(None, (text_of(each) for each in messages if _is_system(each))))
    config = types.GenerateContentConfig(
        system_instruction=system or None,
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        thinking_config=_thinking(model, asked.get("reasoning_effort")),
        **_sampling(asked),
        **_tools(asked),
        **_form(asked),
    )
    return {"model": model, "contents": _contents(messages, signatures), "config": config}


def _is_system(message: Mapping[str, Any]) -> bool:
    return message.get("role") in ("system", "developer")


def _contents(messages: list[dict[str, Any]], signatures: Signatures) -> list[types.Content]:
    """Turns of user and model; what follows each other in one role is one turn, as results of parallel calls must."""
    names = {call.get("id"): call["function"]["name"] for each in messages for call in each.get("tool_calls") or ()}
    turns: list[types.Content] = []
    for message in messages:
        if _is_system(message):
            continue
        role = "model" if message.get("role") == "assistant" else "user"
        parts = _parts(message, names, signatures)
        if turns and turns[-1].role == role:
            turns[-1].parts = [*(turns[-1].parts or ()), *parts]
        elif parts:
            turns.append(types.Content(role=role, parts=parts))
    if not turns:
        raise PluginError("there is nothing to answer: no message has content")
    return turns


def _parts(message: Mapping[str, Any], names: Mapping[Any, str], signatures: Signatures) -> list[types.Part]:
    if message.get("role") == "tool":
        identity = message.get("tool_call_id", "")
        result = types.FunctionResponse(id=identity, name=names.get(identity, "tool"), response=_result(message))
        return [types.Part(function_response=result)]
    parts = parts_of(message.get("content"))
    calls = message.get("tool_calls") or []
    return [*parts, *(_call(call, signatures.of(call.get("id", ""), number)) for number, call in enumerate(calls))]


def _call(call: Mapping[str, Any], signature: bytes | None) -> types.Part:
    function = call["function"]
    try:
        arguments = json.loads(function.get("arguments") or "{}")
    except ValueError:
        arguments = {}  # the model sees from the tool's result that they did not fit
    arguments = arguments if isinstance(arguments, dict) else {}
    wanted = types.FunctionCall(id=call.get("id"), name=function["name"], args=arguments)
    return types.Part(function_call=wanted, thought_signature=signature)


def _result(message: Mapping[str, Any]) -> dict[str, Any]:
    """The API takes an object: one that the tool gave goes as it is."""
    text = text_of(message)
    try:
        value = json.loads(text)
    except ValueError:
        return {"output": text}
    return value if isinstance(value, dict) else {"output": value}


def _tools(asked: Mapping[str, Any]) -> dict[str, Any]:
    functions = [each["function"] for each in asked.get("tools") or () if "function" in each]
    if not functions:
        return {}
    choice = asked.get("tool_choice") or "auto"
    if isinstance(choice, Mapping):
        calling = {"mode": "ANY", "allowed_function_names": [choice.get("function", {}).get("name", "")]}
    else:
        calling = {"mode": _MODES.get(choice, "AUTO")}
    declared = [
        types.FunctionDeclaration(
            name=each["name"], description=each.get("description") or "", parameters_json_schema=each.get("parameters")
        )
        for each in functions
    ]
    chosen = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(**calling))
    return {"tools": [types.Tool(function_declarations=declared)], "tool_config": chosen}


def _form(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Most models refuse a form and tools together: with tools there is none."""
    wanted = asked.get("response_format") or {}
    if wanted.get("type") not in ("json_object", "json_schema") or asked.get("tools"):
        return {}
    form: dict[str, Any] = {"response_mime_type": "application/json"}
    if schema := wanted.get("json_schema", {}).get("schema"):
        form["response_json_schema"] = schema
    return form


def _thinking(model: str, effort: str | None) -> types.ThinkingConfig | None:
    """Thoughts are shown where there are any; how long they may be only when somebody says."""
    if not thinks(model):
        return None
    if not effort:
        return types.ThinkingConfig(include_thoughts=True)
    if generation(model) >= (3, 0):
        level = _LEVELS.get(effort, effort)
        # The large models cannot think less than a little.
        level = "low" if level == "minimal" and "-pro" in model else level
        return types.ThinkingConfig(
            include_thoughts=effort != "none", thinking_level=types.ThinkingLevel(level.upper())
        )
    budget = _BUDGETS.get(effort, _BUDGETS["medium"])
    if effort == "none":
        budget = 128 if "-pro" in model else 0
    return types.ThinkingConfig(include_thoughts=effort != "none", thinking_budget=budget)


def _sampling(asked: Mapping[str, Any]) -> dict[str, Any]:
    names = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
    found = {name: asked[name] for name in names if name in asked}
    if limit := asked.get("max_tokens") or asked.get("max_completion_tokens"):
        found["max_output_tokens"] = int(limit)
    stop = asked.get("stop")
    if stops := [stop] if isinstance(stop, str) else list(stop or ())[:_STOPS]:
        found["stop_sequences"] = stops
    return found
