"""DynamoDB's expressions: conditions, updates and keys, read once a text and evaluated on low-level items.

Features that this service does not use (paths into lists and maps, sets) raise an error, never a guess.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

Item = Mapping[str, Any]
Value = Mapping[str, Any] | None
"""A low-level value, `{"S": …}` or another; None where the item has no such attribute."""

_TOKEN = re.compile(r"\s*(<>|<=|>=|[=<>(),+-]|[#:]?[A-Za-z_][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+)")
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": lambda one, other: one == other,
    "<>": lambda one, other: one != other,
    "<": lambda one, other: one < other,
    "<=": lambda one, other: one <= other,
    ">": lambda one, other: one > other,
    ">=": lambda one, other: one >= other,
}


class InvalidExpressionError(Exception):
    """DynamoDB would refuse the expression, or this engine does not know it."""


class Scope:
    """An item, and the values of an expression's placeholders."""

    def __init__(self, item: Item, names: Mapping[str, str], values: Item) -> None:
        self.item = item
        self._names = names
        self._values = values

    def name(self, token: str) -> str:
        """Return the attribute's name for a token."""
        if not token.startswith("#"):
            return token
        if token not in self._names:
            raise InvalidExpressionError(f"{token} is not defined")
        return self._names[token]

    def value(self, token: str) -> Value:
        """Return the value of a placeholder, or of an attribute."""
        if token.startswith(":"):
            if token not in self._values:
                raise InvalidExpressionError(f"{token} is not defined")
            found: Value = self._values[token]
            return found
        return self.item.get(self.name(token))


Condition = Callable[[Scope], bool]
Operand = Callable[[Scope], Value]
Update = Callable[[Scope], dict[str, Any]]


def holds(text: str | None, scope: Scope) -> bool:
    """Return whether a condition holds; without one, True."""
    return text is None or _condition(text)(scope)


def updated(text: str, scope: Scope) -> dict[str, Any]:
    """Return the attributes of the item after an update."""
    return _update(text)(scope)


def projected(text: str | None, scope: Scope) -> Item:
    """Return the item reduced to a projection's attributes; unchanged without a projection."""
    if text is None:
        return scope.item
    wanted = [scope.name(token) for token in _tokens(text) if token != ","]
    return {name: scope.item[name] for name in wanted if name in scope.item}


def plain(value: Value) -> Any:
    """Return a value that compares as in DynamoDB; values of different DynamoDB types have different Python types."""
    if value is None:
        return None
    [(kind, content)] = value.items()
    return Decimal(content) if kind == "N" else content


def _kind(value: Value) -> str | None:
    return None if value is None else next(iter(value))


@cache
def _condition(text: str) -> Condition:
    parser = _Parser(text)
    found = parser.either()
    parser.end()
    return found


@cache
def _update(text: str) -> Update:
    parser = _Parser(text)
    steps = []
    while parser.more():
        steps.append(parser.clause())

    def apply(scope: Scope) -> dict[str, Any]:
        after = dict(scope.item)
        for step in steps:
            step(scope, after)
        return after

    return apply


def _tokens(text: str) -> list[str]:
    tokens, place = [], 0
    while text[place:].strip():
        found = _TOKEN.match(text, place)
        if found is None:
            raise InvalidExpressionError(f"cannot read {text[place:]!r}")
        tokens.append(found.group(1))
        place = found.end()
    return tokens


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0

    def more(self) -> bool:
        return self._place < len(self._tokens)

    def end(self) -> None:
        if self.more():
            raise InvalidExpressionError(f"{self._tokens[self._place]!r} was not expected")

    def either(self) -> Condition:
        parts = [self._both()]
        while self._taken("OR"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda scope: any(part(scope) for part in parts)

    def clause(self) -> Callable[[Scope, dict[str, Any]], None]:
        verb = self._take().upper()
        one = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add}.get(verb)
        if one is None:
            raise InvalidExpressionError(f"{verb} is not known")
        steps = [one()]
        while self._taken(","):
            steps.append(one())

        def apply(scope: Scope, after: dict[str, Any]) -> None:
            for step in steps:
                step(scope, after)

        return apply

    def _set(self) -> Callable[[Scope, dict[str, Any]], None]:
        target = self._take()
        self._expect("=")
        operand = self._sum()

        def apply(scope: Scope, after: dict[str, Any]) -> None:
            value = operand(scope)
            if value is None:
                raise InvalidExpressionError("the provided expression refers to an attribute that does not exist")
            after[scope.name(target)] = value

        return apply

    def _remove(self) -> Callable[[Scope, dict[str, Any]], None]:
        target = self._take()
        return lambda scope, after: after.pop(scope.name(target), None)

    def _add(self) -> Callable[[Scope, dict[str, Any]], None]:
        target, amount = self._take(), self._take()

        def apply(scope: Scope, after: dict[str, Any]) -> None:
            name = scope.name(target)
            after[name] = _sum_of(scope.item.get(name, {"N": "0"}), scope.value(amount), 1)

        return apply

    def _sum(self) -> Operand:
        one = self._operand()
        for sign, factor in (("+", 1), ("-", -1)):
            if self._taken(sign):
                return _added(one, self._operand(), factor)
        return one

    def _operand(self) -> Operand:
        token = self._take()
        if token == "if_not_exists":
            self._expect("(")
            name = self._take()
            self._expect(",")
            default = self._operand()
            self._expect(")")
            return lambda scope: found if (found := scope.value(name)) is not None else default(scope)
        if token == "size":
            self._expect("(")
            name = self._take()
            self._expect(")")
            return lambda scope: {"N": str(len(plain(scope.value(name)) or ""))}
        return lambda scope: scope.value(token)

    def _both(self) -> Condition:
        parts = [self._single()]
        while self._taken("AND"):
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else lambda scope: all(part(scope) for part in parts)

    def _single(self) -> Condition:
        if self._taken("NOT"):
            inverted = self._single()
            return lambda scope: not inverted(scope)
        if self._taken("("):
            inner = self.either()
            self._expect(")")
            return inner
        if self._next() in ("attribute_exists", "attribute_not_exists"):
            wanted = self._take() == "attribute_exists"
            self._expect("(")
            name = self._take()
            self._expect(")")
            return lambda scope: (scope.value(name) is not None) == wanted
        if self._next() in ("begins_with", "contains"):
            return self._text_test(self._take())
        return self._comparison()

    def _text_test(self, function: str) -> Condition:
        self._expect("(")
        name = self._take()
        self._expect(",")
        part = self._take()
        self._expect(")")

        def test(scope: Scope) -> bool:
            whole, wanted = plain(scope.value(name)) or "", plain(scope.value(part))
            return bool(whole.startswith(wanted) if function == "begins_with" else wanted in whole)

        return test

    def _comparison(self) -> Condition:
        one = self._operand()
        sign = self._take()
        if sign.upper() == "BETWEEN":
            low = self._operand()
            self._expect("AND")
            high = self._operand()
            return lambda scope: _compared(">=", one(scope), low(scope)) and _compared("<=", one(scope), high(scope))
        if sign.upper() == "IN":
            self._expect("(")
            others = [self._operand()]
            while self._taken(","):
                others.append(self._operand())
            self._expect(")")
            return lambda scope: any(_compared("=", one(scope), other(scope)) for other in others)
        if sign not in _COMPARE:
            raise InvalidExpressionError(f"{sign!r} is no comparison")
        other = self._operand()
        return lambda scope: _compared(sign, one(scope), other(scope))

    def _next(self) -> str:
        return self._tokens[self._place] if self.more() else ""

    def _take(self) -> str:
        if not self.more():
            raise InvalidExpressionError("the expression ends too early")
        self._place += 1
        return self._tokens[self._place - 1]

    def _taken(self, token: str) -> bool:
        if self._next().upper() != token:
            return False
        self._place += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._taken(token):
            raise InvalidExpressionError(f"{token!r} was expected, not {self._next()!r}")


def _compared(sign: str, one: Value, other: Value) -> bool:
    if one is None or other is None:
        return sign == "<>" and one is not other
    if _kind(one) != _kind(other):
        return sign == "<>"
    return _COMPARE[sign](plain(one), plain(other))


def _added(one: Operand, other: Operand, factor: int) -> Operand:
    return lambda scope: _sum_of(one(scope), other(scope), factor)


def _sum_of(one: Value, other: Value, factor: int) -> dict[str, str]:
    if _kind(one) != "N" or _kind(other) != "N":
        raise InvalidExpressionError("an operand of a sum is no number")
    return {"N": f"{plain(one) + factor * plain(other):f}"}
