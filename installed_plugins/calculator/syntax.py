"""From text to a tree. The grammar is the calculator's own: no Python is parsed, compiled or evaluated.

From loosest to tightest::

    sum      a + b   a - b
    product  a * b   a / b   a // b   a % b   a of b
    sign     -a   +a
    power    a ^ b   a ** b        (from the right: 2^3^2 is 2^9; -2^2 is -4)
    postfix  a!   a%               (20% is 0.2; a % with an operand after it is the remainder)
    atom     12   1.5e3   0xff   pi   (a)   f(a, b)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from .errors import CalculatorError

__all__ = ["Apply", "Constant", "Node", "Number", "parse"]

_MAX_LENGTH = 1000
_MAX_DEPTH = 50
_TOKEN = re.compile(
    r"(?P<number>0x[0-9a-f]+|0b[01]+|(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:e[+-]?\d+)?)"
    r"|(?P<name>[a-z_][a-z0-9_]*)"
    r"|(?P<operator>\*\*|//|[-+*/%^!(),])",
    re.IGNORECASE,
)
_LOOKALIKES = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "π": "\ue000"})
_PRODUCTS = {"*": "multiply", "/": "divide", "//": "floor_divide", "%": "remainder", "of": "multiply"}


@dataclass(frozen=True, slots=True)
class Number:
    """A literal, as written."""

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Constant:
    """A name that stands for a value."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A function or operator and what it is applied to."""

    name: str
    arguments: tuple[Node, ...]
    position: int


Node = Number | Constant | Apply


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int


def parse(expression: str) -> Node:
    """The tree of `expression`. Raises CalculatorError with the position of what does not fit."""
    if len(expression) > _MAX_LENGTH:
        raise CalculatorError(f"the expression has {len(expression)} characters; at most {_MAX_LENGTH} are read")
    if not expression.strip():
        raise CalculatorError("the expression is empty")
    return _Parser(list(_tokens(expression))).whole()


def _tokens(expression: str) -> list[_Token]:
    text = expression.translate(_LOOKALIKES)
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "\ue000":
            found.append(_Token("name", "pi", at))
            at += 1
        elif match := _TOKEN.match(text, at):
            found.append(_Token(match.lastgroup or "", match[0].lower(), at))
            at = match.end()
        else:
            raise CalculatorError(f"unexpected {expression[at]!r}", at)
    return [*found, _Token("end", "", len(text))]


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        node = self._sum()
        if self._next.kind != "end":
            raise self._unexpected()
        return node

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> _Token | None:
        token = self._next
        if token.kind in ("operator", "name") and token.text in texts:
            self._at += 1
            return token
        return None

    def _expect(self, text: str) -> None:
        if not self._take(text):
            raise self._unexpected(f", expected {text!r}")

    def _unexpected(self, expected: str = "") -> CalculatorError:
        token = self._next
        what = "the expression ends too early" if token.kind == "end" else f"unexpected {token.text!r}"
        return CalculatorError(what + expected, token.position)

    def _sum(self) -> Node:
        node = self._product()
        while token := self._take("+", "-"):
            node = Apply("add" if token.text == "+" else "subtract", (node, self._product()), token.position)
        return node

    def _product(self) -> Node:
        node = self._sign()
        while token := self._take(*_PRODUCTS):
            node = Apply(_PRODUCTS[token.text], (node, self._sign()), token.position)
        return node

    def _sign(self) -> Node:
        token = self._take("+", "-")
        if token is None:
            return self._power()
        with_sign = self._deeper(self._sign)
        return Apply("negate", (with_sign,), token.position) if token.text == "-" else with_sign

    def _power(self) -> Node:
        base = self._postfix()
        if token := self._take("^", "**"):
            return Apply("power", (base, self._deeper(self._sign)), token.position)
        return base

    def _postfix(self) -> Node:
        node = self._atom()
        while True:
            if token := self._take("!"):
                node = Apply("factorial", (node,), token.position)
            elif self._next.text == "%" and not self._starts_operand(self._tokens[self._at + 1]):
                node = Apply("percent", (node,), self._next.position)
                self._at += 1
            else:
                return node

    def _starts_operand(self, token: _Token) -> bool:
        return token.kind == "number" or token.text == "(" or (token.kind == "name" and token.text != "of")

    def _atom(self) -> Node:
        token = self._next
        if token.kind == "number":
            self._at += 1
            return Number(token.text, token.position)
        if token.kind == "name" and token.text != "of":
            self._at += 1
            return self._name(token)
        if self._take("("):
            node = self._deeper(self._sum)
            self._expect(")")
            return node
        raise self._unexpected(", expected a number")

    def _name(self, token: _Token) -> Node:
        if not self._take("("):
            return Constant(token.text, token.position)
        arguments = [self._deeper(self._sum)]
        while self._take(","):
            arguments.append(self._deeper(self._sum))
        self._expect(")")
        return Apply(token.text, tuple(arguments), token.position)

    def _deeper(self, rule: Callable[[], Node]) -> Node:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise CalculatorError(f"the expression is nested deeper than {_MAX_DEPTH} levels", self._next.position)
        node = rule()
        self._depth -= 1
        return node
