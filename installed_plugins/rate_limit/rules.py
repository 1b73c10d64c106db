"""What the configured rules ask for, and which of them hold for a request."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

__all__ = ["Limit", "Rule", "read_rules", "rules_for"]

_WINDOWS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests or tokens in one window."""

    kind: str
    per: str
    most: int

    @property
    def window_s(self) -> int:
        return _WINDOWS[self.per]

    def __str__(self) -> str:
        article = "an" if self.per == "hour" else "a"
        return f"{self.most} {self.kind} {article} {self.per}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Changed limits go on with what was counted; a rule for others begins anew."""

    users: tuple[str, ...]
    models: tuple[str, ...]
    per: str
    limits: tuple[Limit, ...]
    final: bool

    def fits(self, username: str, model: str) -> bool:
        """Whether the rule is for this user and this model."""
        return any(fnmatchcase(username, one) for one in self.users) and any(
            fnmatchcase(model, one) for one in self.models
        )

    def of(self, kind: str) -> list[Limit]:
        """Its limits on requests, or on tokens."""
        return [limit for limit in self.limits if limit.kind == kind]

    def counter(self, kind: str, user_id: Any, model: str) -> str:
        """The name of what is counted; hashed, as names of users and models may be of any length."""
        whom = [str(user_id)] if self.per in ("user", "user_and_model") else []
        which = [model] if self.per in ("user_and_model", "model") else []
        name = "\0".join([self.per, *self.users, "", *self.models, "", *whom, "", *which])
        return f"{kind}:{hashlib.sha256(name.encode()).hexdigest()[:32]}"


def read_rules(configured: Sequence[Mapping[str, Any]]) -> list[Rule]:
    """The rules of a configuration."""
    return [
        Rule(
            tuple(one.get("users") or ["*"]),
            tuple(one.get("models") or ["*"]),
            one.get("per", "user"),
            tuple(_limits(one)),
            bool(one.get("final", False)),
        )
        for one in configured
    ]


def _limits(configured: Mapping[str, Any]) -> Iterator[Limit]:
    for kind in ("requests", "tokens"):
        for window in _WINDOWS:
            most = configured.get(f"{kind}_per_{window}")
            if most:
                yield Limit(kind, window, int(most))


def rules_for(rules: Sequence[Rule], username: str, model: str) -> list[Rule]:
    """Those that hold, up to the first final one."""
    found = []
    for rule in rules:
        if rule.fits(username, model):
            found.append(rule)
            if rule.final:
                break
    return found
