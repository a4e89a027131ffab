"""CEL as the API server has it: Google's own evaluator, with what Kubernetes adds to the language.

Added here in small: findAll, isIP, isCIDR, cidr, quantity, jsonpatch.escapeKey. The objects that a mutation makes
(`Object.spec{...}`, `JSONPatch{...}`) are read as maps. That a real API server takes the policies is for e2e to say.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import pytest

from drainer.quantity import quantity

NEEDED = "needs cel-expr-python, which the group chart in pyproject.toml brings"
cel: Any = pytest.importorskip("cel_expr_python.cel", reason=NEEDED)

_STRING_OR_OBJECT = re.compile(
    r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")|\b(?:Object(?:\.\w+)*|JSONPatch)\{|([{,]\s*\??)(\w+): """
)
_ROOTS = ("object", "oldObject", "request", "variables")


class EvaluationError(Exception):
    """What the API server would call an error: failurePolicy says what follows."""


def evaluate(expression: str, **roots: Any) -> Any:
    """The value of an expression as plain Python; roots are object, oldObject, request, variables."""
    value = _compiled(expression).eval(data={name: roots.get(name) for name in _ROOTS})
    if value.type() == cel.Type.ERROR:
        raise EvaluationError(f"{value.value()} in: {expression}")
    return value.plain_value()


class Variables:
    """A policy's variables, each evaluated when it is first needed. One that fails is not there."""

    def __init__(self, declared: list[Mapping[str, str]], **roots: Any) -> None:
        self._expressions = {variable["name"]: variable["expression"] for variable in declared}
        self._roots = roots
        self._values: dict[str, Any] = {}

    def evaluate(self, expression: str) -> Any:
        """The value of an expression that may use them. Raises EvaluationError."""
        for name in re.findall(r"\bvariables\.(\w+)", expression):
            self._find(name)
        return evaluate(expression, variables=self._values, **self._roots)

    def _find(self, name: str) -> None:
        if name in self._values or name not in self._expressions:
            return
        expression = self._expressions.pop(name)
        try:
            self._values[name] = self.evaluate(expression)
        except EvaluationError:
            return


@cache
def _compiled(expression: str) -> Any:
    return _environment().compile(_with_maps(expression))


def _with_maps(expression: str) -> str:
    """`Object.spec{name: 1}` -> `{"name": 1}`."""

    def replace(match: re.Match[str]) -> str:
        string, before, name = match.groups()
        if string:
            return str(string)
        return f'{before}"{name}": ' if name else "{"

    once = _STRING_OR_OBJECT.sub(replace, expression)
    # The brace of an object is what its first field comes after: seen in a second round.
    return _STRING_OR_OBJECT.sub(replace, once)


@cache
def _environment() -> Any:
    text, truth, number = cel.Type.STRING, cel.Type.BOOL, cel.Type.DOUBLE

    def function(name: str, implementation: Any, result: Any, *parameters: Any, is_member: bool = False) -> Any:
        overload = cel.Overload(name.replace(".", "_"), result, list(parameters), is_member, implementation)
        return cel.FunctionDecl(name, [overload])

    kubernetes = cel.CelExtension(
        "kubernetes",
        [
            function("findAll", _find_all, cel.Type.List(text), text, text, is_member=True),
            function("isIP", _is_ip, truth, text),
            function("isCIDR", _is_cidr, truth, text),
            function("cidr", lambda value: str(ipaddress.ip_interface(value)), text, text),
            function(
                "masked", lambda value: str(ipaddress.ip_network(value, strict=False)), text, text, is_member=True
            ),
            function("quantity", quantity, number, text),
            function("isGreaterThan", lambda one, other: one > other, truth, number, number, is_member=True),
            function("jsonpatch.escapeKey", lambda key: key.replace("~", "~0").replace("/", "~1"), text, text),
        ],
    )
    config = cel.NewEnvConfigFromYaml(
        "name: kubernetes\nextensions: [{name: two-var-comprehensions}, {name: strings}, {name: optional}]\n"
    )
    return cel.NewEnv(config=config, variables=dict.fromkeys(_ROOTS, cel.Type.DYN), extensions=[kubernetes])


def _find_all(value: str, pattern: str) -> list[str]:
    # Python's expressions have no POSIX classes.
    return [match[0] for match in re.finditer(pattern.replace("[:space:]", r"\s"), value)]


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_cidr(value: str) -> bool:
    try:
        ipaddress.ip_interface(value)
    except ValueError:
        return False
    return "/" in value
