"""Label selectors as the Kubernetes API reads them (apimachinery/pkg/labels/selector.go)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

MAX_LENGTH = 16384
"""Characters of a selector: no URL is longer."""

_TOKEN = re.compile(r"\s*(==|!=|[=!<>(),]|[^\s=!<>(),]+)")
_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]", re.ASCII)
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", re.ASCII)
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_LONGEST_NAME, _LONGEST_DOMAIN = 63, 253
_SIGNS = frozenset(("=", "==", "!=", "<", ">", "(", ")", ",", "!"))


class SelectorError(ValueError):
    """A selector that is none; the text says why."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition: `operator` is in, notin, exists, !, gt or lt (= and == are `in`, != is `notin`)."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """As Kubernetes has it: a label that is not there satisfies notin and !, and nothing else."""
        return _OPERATORS[self.operator](labels.get(self.key), self.values)


@dataclass(frozen=True, slots=True)
class Selector:
    """All of its requirements; without any it selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether something with these labels is selected."""
        return all(requirement.matches(labels) for requirement in self.requirements)


def parse(text: str) -> Selector:
    """Raises SelectorError."""
    if len(text) > MAX_LENGTH:
        raise SelectorError(f"a selector of more than {MAX_LENGTH} characters")
    tokens = _Tokens(text)
    if tokens.peek() is None:
        return Selector()
    requirements = [_requirement(tokens)]
    while tokens.peek() is not None:
        tokens.expect(",", "',' or the end")
        requirements.append(_requirement(tokens))
    return Selector(tuple(requirements))


class _Tokens:
    """A text, cut into signs and words."""

    def __init__(self, text: str) -> None:
        # What is left of a text after its last word are blanks: every other character begins a token.
        self._tokens = [match[1] for match in _TOKEN.finditer(text)]
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def take(self) -> str | None:
        token = self.peek()
        self._at += 1
        return token

    def word(self) -> str | None:
        """The next one, if it is no sign."""
        return self.take() if self.peek() is not None and self.peek() not in _SIGNS else None

    def expect(self, sign: str, what: str) -> None:
        token = self.take()
        if token != sign:
            raise SelectorError(f"found {token or ''!r}, expected: {what}")


def _requirement(tokens: _Tokens) -> Requirement:
    is_absent = tokens.peek() == "!"
    if is_absent:
        tokens.take()
    key = tokens.word()
    if key is None:
        raise SelectorError(f"found {tokens.peek() or ''!r}, expected: a label's key")
    _check_key(key)
    if is_absent:
        return Requirement(key, "!")
    if tokens.peek() in (None, ","):
        return Requirement(key, "exists")
    operator = tokens.take()
    if operator in ("in", "notin"):
        return Requirement(key, operator, _values(tokens))
    if operator not in _WRITTEN:
        raise SelectorError(f"found {operator!r}, expected: one of in, notin, =, ==, !=, >, <")
    value = tokens.word() or ""
    if operator in ("<", ">"):
        if not _INTEGER.fullmatch(value):
            raise SelectorError(f"for {operator} the value must be an integer, and it is {value!r}")
    else:
        _check_value(value)
    return Requirement(key, _WRITTEN[operator], frozenset((value,)))


def _values(tokens: _Tokens) -> frozenset[str]:
    """`(a,b)`; an empty one is the empty value, as everywhere in this grammar."""
    tokens.expect("(", "'('")
    values = {tokens.word() or ""}
    while tokens.peek() == ",":
        tokens.take()
        values.add(tokens.word() or "")
    tokens.expect(")", "',' or ')'")
    for value in values:
        _check_value(value)
    return frozenset(values)


def _check_key(key: str) -> None:
    prefix, slash, name = key.rpartition("/")
    is_domain = len(prefix) <= _LONGEST_DOMAIN and _DOMAIN.fullmatch(prefix)
    is_named = len(name) <= _LONGEST_NAME and _NAME.fullmatch(name)
    if not is_named or (slash and not is_domain):
        raise SelectorError(
            f"{key!r} is no label's key; allowed: letters, digits, '-', '_' and '.', at most {_LONGEST_NAME}, "
            "after an optional DNS name and '/'"
        )


def _check_value(value: str) -> None:
    if value and not (len(value) <= _LONGEST_NAME and _NAME.fullmatch(value)):
        raise SelectorError(
            f"{value!r} is no label's value; allowed: letters, digits, '-', '_' and '.', at most {_LONGEST_NAME}"
        )


def _compared(label: str | None, values: Sequence[str], *, greater: bool) -> bool:
    if label is None or not _INTEGER.fullmatch(label):
        return False
    (value,) = values
    return int(label) > int(value) if greater else int(label) < int(value)


_WRITTEN = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}
_OPERATORS: Mapping[str, Callable[[str | None, frozenset[str]], bool]] = {
    "in": lambda label, values: label in values,
    "notin": lambda label, values: label not in values,
    "exists": lambda label, _: label is not None,
    "!": lambda label, _: label is None,
    "gt": lambda label, values: _compared(label, [*values], greater=True),
    "lt": lambda label, values: _compared(label, [*values], greater=False),
}
