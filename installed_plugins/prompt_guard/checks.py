"""What is looked for in a text: words, patterns, known attacks, secrets."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plugins_app.sdk.patterns import SafePattern

__all__ = ["Check", "checks_of", "plain_text", "safe_pattern"]

_WHAT = r"(?:instruction|prompt|rule|message|direction|guideline|command|restriction|polic(?:y|ie)|context)s?"
_WHICH = r"(?:previous|prior|above|earlier|preceding|former|system|initial|original|existing|safety)"
_ATTACKS = "|".join(
    [
        r"\b(?:ignore|disregard|forget|override|bypass|neglect|skip) (?:\w{1,12} ){0,4}"
        rf"{_WHICH} (?:\w{{1,12}} )?{_WHAT}",
        rf"\b(?:ignore|disregard|forget) (?:all|everything) (?:of )?(?:the |your |that )?(?:above|before|{_WHAT})",
        rf"\b(?:do not|don't|stop) (?:follow|obey)(?:ing)? (?:\w{{1,12}} ){{0,3}}{_WHAT}",
        r"\b(?:reveal|show|print|repeat|output|tell me|give me|what (?:is|are)) (?:\w{1,12} ){0,3}"
        r"(?:system|initial|hidden|secret|original) (?:prompt|instructions?|message)",
        r"\byou are (?:now|no longer) (?:\w{1,12} ){0,3}(?:dan|jailbroken|unrestricted|unfiltered|bound|restricted)\b",
        r"\b(?:do anything now|developer mode (?:enabled|on)|jailbreak mode|god mode enabled)\b",
        r"\b(?:pretend|act as if|imagine) (?:\w{1,12} ){0,4}(?:no|without) (?:\w{1,12} ){0,2}"
        r"(?:restrictions?|rules|filters?|guidelines|limits)\b",
        r"<\|(?:im_start|im_end|system|endoftext|start_header_id)\|>|\[/?inst\]|<</?sys>>",
        r"(?:^|\n) ?#{1,6} ?(?:new |updated )?(?:system (?:prompt|instructions?)|instructions? override)",
        r"\b(?:ignoriere?|vergiss|missachte) (?:\w{1,12} ){0,3}(?:vorherigen?|bisherigen?|obigen?|vorigen?) "
        r"(?:\w{1,12} )?(?:anweisung|instruktion|regel|befehl|vorgabe)e?n?\b",
        r"\b(?:ignore|oublie) (?:\w{1,12} ){0,3}(?:instructions|consignes|règles) "
        r"(?:précédentes|antérieures|ci-dessus)",
        r"\b(?:ignora|olvida) (?:\w{1,12} ){0,3}(?:instrucciones|reglas|órdenes) (?:anteriores|previas)",
    ]
)
_SECRETS = "|".join(
    [
        r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----",
        r"\bsk-[A-Za-z0-9_\-]{16,200}",
        r"\bgh[pousr]_[A-Za-z0-9]{30,100}|\bgithub_pat_[A-Za-z0-9_]{30,100}|\bglpat-[A-Za-z0-9_\-]{20,100}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_\-]{35}",
        r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,100}",
        r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,100}",
        r"\b(?:hf_|npm_|pypi-)[A-Za-z0-9_\-]{30,200}",
        r"\beyJ[A-Za-z0-9_\-]{8,2000}\.[A-Za-z0-9_\-]{8,4000}\.",
    ]
)
_BREAKS = re.compile(r"[^\S\n]+")
# Letters of other scripts that look like Latin ones, as attackers use them.
_LOOKALIKES = str.maketrans("аеорсухіѕԁɡһӏ", "aeopcyxisdghl")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked for; if `plain`, in the text as it reads, not as it is written."""

    name: str
    action: str
    finds: Callable[[str], bool]
    plain: bool = False


def checks_of(config: Mapping[str, Any]) -> list[Check]:
    """The checks of a configuration."""
    words = [plain_text(word) for word in config["words"]]
    found = [Check("a forbidden word", config["words_action"], _words(words), plain=True)] if words else []
    found += [Check(one["name"], one.get("action", "block"), _pattern(safe_pattern(one))) for one in config["patterns"]]
    attack, secret = re.compile(_ATTACKS), re.compile(_SECRETS)
    found.append(
        Check(
            "an attempt to change the instructions",
            config["injection_action"],
            lambda text: attack.search(text) is not None,
            plain=True,
        )
    )
    found.append(Check("a key or token", config["secrets_action"], lambda text: secret.search(text) is not None))
    return [check for check in found if check.action != "off"]


def safe_pattern(configured: Mapping[str, Any]) -> SafePattern:
    """A configured pattern. Raises ValueError when it cannot be used."""
    return SafePattern(configured["pattern"], ignore_case=bool(configured.get("ignore_case", True)))


def _pattern(pattern: SafePattern) -> Callable[[str], bool]:
    return lambda text: pattern.found(text) is not None


def _words(words: Iterable[str]) -> Callable[[str], bool]:
    alternatives = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    pattern = re.compile(rf"(?<!\w)(?:{alternatives})(?!\w)")
    return lambda text: pattern.search(text) is not None


def plain_text(text: str) -> str:
    """The text as it reads: small letters, no invisible characters, no look-alikes, single spaces."""
    normal = unicodedata.normalize("NFKC", text).casefold()
    if normal.isascii():
        return _BREAKS.sub(" ", normal)
    visible = "".join(char for char in normal if unicodedata.category(char) != "Cf").translate(_LOOKALIKES)
    return _BREAKS.sub(" ", visible)
