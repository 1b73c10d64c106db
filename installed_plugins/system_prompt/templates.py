"""Templates: text with `{{variables}}` and nothing else. No code can be written in one, so none can be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from string import Template
from typing import Any

__all__ = ["VARIABLES", "PromptTemplate", "variables_for"]

_LONGEST = 200
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNSEEN = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class PromptTemplate(Template):
    """`{{name}}` is a variable, `{{{{` two braces."""

    delimiter = "{{"
    pattern = r"""
        \{\{(?:
            (?P<escaped>\{\{) |
            \s{0,9}(?P<named>[a-z_]{1,40})\s{0,9}\}\} |
            (?P<braced>(?!)) |
            (?P<invalid>)
        )"""  # type: ignore[assignment]  # Template compiles it

    def problem(self) -> str | None:
        """Why it cannot be used."""
        if not self.is_valid():
            return "{{ begins a variable, such as {{user}}; write {{{{ for two braces"
        unknown = [name for name in self.get_identifiers() if name not in VARIABLES]
        if unknown:
            return f"there is no variable {{{{{unknown[0]}}}}}; there are: {', '.join(VARIABLES)}"
        return None


def variables_for(request: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """What the variables are for this request at this time."""
    user, model = request.get("user") or {}, str(request.get("model") or "")
    provider, _, name = model.partition("/")
    values = {
        "user": user.get("username") or "somebody",
        "user_id": user.get("id") if user else "",
        "date": f"{now:%Y-%m-%d}",
        "time": f"{now:%H:%M}",
        "weekday": _DAYS[now.weekday()],
        "timezone": str(now.tzinfo),
        "model": model,
        "model_name": name,
        "provider": provider,
        "conversation": request.get("conversation_id") or "",
        "purpose": request.get("purpose") or "chat",
    }
    return {name: _one_line(value) for name, value in values.items()}


def _one_line(value: Any) -> str:
    """A value is never more than a few words in its place: it cannot give the model orders of its own."""
    return _UNSEEN.sub(" ", str(value))[:_LONGEST]


VARIABLES = tuple(variables_for({}, datetime.min))
