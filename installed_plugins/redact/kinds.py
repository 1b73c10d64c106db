"""What each kind of private data looks like, and how to tell it from what only looks like it."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Callable, Iterator

__all__ = ["KINDS", "Span", "luhn_valid"]

Span = tuple[int, int]

_KEYS = "|".join(
    [
        r"-----BEGIN (?P<block>[A-Z ]*PRIVATE KEY)-----(?:(?!-----BEGIN )[\s\S])*?(?:-----END (?P=block)-----|\Z)",
        r"\bsk-[A-Za-z0-9_\-]{16,}",
        r"\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_[A-Za-z0-9_]{30,}|\bglpat-[A-Za-z0-9_\-]{20,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bAIza[A-Za-z0-9_\-]{35}",
        r"\bxox[abeoprs]-[A-Za-z0-9\-]{10,}",
        r"\b[rsp]k_(?:live|test)_[A-Za-z0-9]{16,}",
        r"\b(?:hf_|npm_|pypi-)[A-Za-z0-9_\-]{30,}",
        r"\beyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]*",
        r"(?<=\b[Bb]earer )[A-Za-z0-9_\-.=+/~]{16,}",
    ]
)
_EMAIL = r"(?<![\w.+%\-])[\w.+%\-]+@(?:\w(?:[\w\-]{0,61}\w)?\.)+[^\W\d_]{2,24}"
_IBAN = r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b"

_GAP = r"[ \u00a0.\-–/]?"
_PHONE = "|".join(
    [
        # international: +49 (0)30 123456, +1-555-010-4477, 0044 20 7946 0958
        rf"(?:\+|00)[1-9]\d{{0,2}}(?:{_GAP}\(?\d{{1,5}}\)?){{2,8}}",
        # North America: (555) 010-4477, 555-010-4477, 555.010.4477
        r"\(\d{3}\) ?\d{3}[ .\-]\d{4}",
        r"\d{3}(?P<gap>[.\-])\d{3}(?P=gap)\d{4}",
        # national, with a leading zero: 030 1234567, 0171/1234567, 020 7946 0958, (030) 123456, 01711234567
        r"\(?0\d{1,4}\)?[ /\-](?:\d{2,8}[ \-]?){0,4}\d{2,8}",
        r"0\d{9,10}",
        r"0[1-9](?:[ .]\d{2}){4}",
    ]
)
# Behind a word that says so, any number is a phone number: "phone: 5550104477".
_CUE = r"\b(?i:tele(?:fon|phone)|tel|phone|mobile|mobil|handy|fax)(?: (?:number|no|nr|is|at))?[.: ]{1,3}"
_NUMBER = r"\+?\(?\d[\d \-./()]{5,20}\d"
_NOT_PHONE = re.compile(
    r"(?:19|20)\d{2}[-./ ]\d{1,2}[-./ ]\d{1,2}(?:\D.*)?|\d{1,2}[-./ ]\d{1,2}[-./ ](?:19|20)\d{2}(?:\D.*)?"  # dates
    r"|(?:19|20)\d{2}\s*[-–/]\s*(?:19|20)\d{2}"  # from year to year
    r"|\d{1,3}(?:\.\d{1,3}){3}"  # the address of a machine
    r"|\d{1,3}(?:[ ,.]\d{3})+"  # 1 234 567
)
_DIGITS = re.compile(r"\d(?:[ \u00a0.\-–]{0,2}\d)*")
_GROUP = re.compile(r"\d+")
_LONGEST_CARD = 19
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn_valid(digits: str) -> bool:
    """Whether the last digit is the check digit of the others, as on every payment card."""
    total = sum(map(int, digits[::-2])) + sum(map(_DOUBLED.__getitem__, map(int, digits[-2::-2])))
    return total % 10 == 0


def _is_card(digits: str) -> bool:
    # Cards begin with 2 to 9, those of airlines with 1; what begins with 1 is mostly a time in milliseconds.
    first = int(digits[0])
    return (first >= 2 or (first == 1 and len(digits) == 15)) and len(set(digits)) > 1 and luhn_valid(digits)


def _cards(text: str) -> Iterator[Span]:
    """Card numbers in any grouping, also in a row of further numbers: every run of whole groups is tried."""
    for run in _DIGITS.finditer(text):
        groups = list(_GROUP.finditer(text, *run.span()))
        for first in range(len(groups)):
            digits = ""
            for last in groups[first : first + _LONGEST_CARD]:
                digits += last[0]
                if len(digits) > _LONGEST_CARD:
                    break
                if len(digits) >= 13 and _is_card(digits):
                    yield groups[first].start(), last.end()


def _is_iban(text: str) -> bool:
    compact = text.replace(" ", "")
    rearranged = compact[4:] + compact[:4]
    return 15 <= len(compact) <= 34 and int("".join(str(int(char, 36)) for char in rearranged)) % 97 == 1


def _is_phone(text: str) -> bool:
    count = sum(char.isdecimal() for char in text)
    if _NOT_PHONE.fullmatch(text) or count > 15:
        return False
    if text.startswith("+"):
        return count >= 8
    return count >= (11 if text.startswith("00") else 9)


def _phones(text: str) -> Iterator[Span]:
    for match in _PHONES.finditer(text):
        if _is_phone(match[0]):
            yield match.span()
    for match in _CUED.finditer(text):
        if not _NOT_PHONE.fullmatch(match["number"]):
            yield match.span("number")


_PHONES = re.compile(rf"(?<![\w#€$£.,/\-+])(?:{_PHONE})(?!\w|[.,\-/]\d)")
_CUED = re.compile(rf"{_CUE}(?P<number>{_NUMBER})(?!\w|[.,\-/]\d)")


_IP = r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4})(?![\w:]|\.\d)"
_MAC = r"(?<![\w:\-])[0-9A-Fa-f]{2}(?P<sep>[:\-])(?:[0-9A-Fa-f]{2}(?P=sep)){4}[0-9A-Fa-f]{2}(?![\w:\-])"
# Numbers that the American administration has never given out are none.
_SSN = r"(?<![\w\-])(?!000|666|9\d\d)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w\-])"
_PASSWORD = re.compile(
    r"\b(?i:pass(?:word|wort|code|phrase)|passwd|pwd|kennwort|secret|api[_ -]?key|access[_ -]?token)"
    r"(?: (?:is|ist|lautet))?[\"']?[ \t]{0,3}[:=]?[ \t]{0,3}"
    r"(?P<quote>[\"'`]?)(?P<value>[^\s\"'`<>\[\]]{6,128})(?P=quote)"
    r"|(?<=://)[^\s/:@]{1,64}:(?P<login>[^\s/@]{1,128})(?=@)"
)
_BITCOIN = r"(?<!\w)(?:[13][1-9A-HJ-NP-Za-km-z]{25,34}|bc1[02-9ac-hj-np-z]{11,71})(?!\w)"
_ETHEREUM = r"(?<!\w)0x[0-9A-Fa-f]{40}(?!\w)"
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def _is_ip(text: str) -> bool:
    """Whether it is an address, and one of somebody: not "::" and not a machine's own."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return not (address.is_unspecified or address.is_loopback)


def _is_wallet(text: str) -> bool:
    """Whether the check sum of a Bitcoin address of the old kind is right; the other kinds are long enough to tell."""
    if text[:2] in ("0x", "bc"):
        return True
    number = 0
    for char in text:
        number = number * 58 + _BASE58.index(char)
    if number >= 1 << 200:
        return False
    data = number.to_bytes(25, "big")
    return hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()[:4] == data[-4:]


def _passwords(text: str) -> Iterator[Span]:
    for match in _PASSWORD.finditer(text):
        group = "login" if match["login"] else "value"
        if group == "login" or _looks_secret(match[group]):
            yield match.span(group)


def _looks_secret(value: str) -> bool:
    """Whether this is more than a word: "password protected" gives none away."""
    return any(char.isdigit() for char in value) or any(not char.isalnum() for char in value.rstrip(".,;:!?)"))


def _matching(pattern: str, is_it: Callable[[str], bool] = lambda _: True) -> Callable[[str], Iterator[Span]]:
    compiled = re.compile(pattern)

    def find(text: str) -> Iterator[Span]:
        return (match.span() for match in compiled.finditer(text) if is_it(match[0]))

    return find


#: Where each kind is in a text. Earlier kinds win: a key may contain what looks like a phone number.
KINDS: dict[str, Callable[[str], Iterator[Span]]] = {
    "key": _matching(_KEYS),
    "password": _passwords,
    "email": _matching(_EMAIL),
    "iban": _matching(_IBAN, _is_iban),
    "card": _cards,
    "phone": _phones,
    "ssn": _matching(_SSN),
    "ip": _matching(_IP, _is_ip),
    "mac": _matching(_MAC),
    "wallet": _matching(f"{_BITCOIN}|{_ETHEREUM}", _is_wallet),
}
