"""What an API server does with the chart's policies, as far as these need it."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from tests.chart import helm
from tests.chart.cel import EvaluationError, Variables


class Policy:
    """One policy."""

    def __init__(self, rendered: Sequence[Mapping[str, Any]], kind: str, suffix: str = "") -> None:
        self._spec = helm.one(rendered, kind, suffix)["spec"]

    def mutated(self, pod: Mapping[str, Any]) -> dict[str, Any]:
        """A pod that is created, as it is after the policy; unchanged where failurePolicy Ignore takes effect."""
        result = copy.deepcopy(dict(pod))
        selector = self._spec["matchConstraints"]["objectSelector"]["matchLabels"]
        if not selector.items() <= pod["metadata"].get("labels", {}).items():
            return result
        try:
            variables = self._variables(pod, {"operation": "CREATE"})
            if self._is_meant(variables):
                for mutation in self._spec["mutations"]:
                    apply(result, variables.evaluate(mutation["jsonPatch"]["expression"]))
        except EvaluationError:
            assert self._spec["failurePolicy"] == "Ignore"
            return copy.deepcopy(dict(pod))
        return result

    def messages(self, now: Mapping[str, Any], before: Mapping[str, Any] | None = None, **request: Any) -> list[str]:
        """What is said of a request, sentence by sentence."""
        variables = self._variables(now, {"namespace": "apps", **request}, before)
        if not self._is_meant(variables):
            return []
        said = []
        for validation in self._spec["validations"]:
            if variables.evaluate(validation["expression"]) is not True:
                message = validation.get("message") or variables.evaluate(validation["messageExpression"])
                assert "\n" not in message
                said.append(message)
        return said

    def _variables(
        self, now: Mapping[str, Any], request: Mapping[str, Any], before: Mapping[str, Any] | None = None
    ) -> Variables:
        return Variables(self._spec.get("variables", []), object=now, oldObject=before, request=request)

    def _is_meant(self, variables: Variables) -> bool:
        return all(variables.evaluate(condition["expression"]) for condition in self._spec.get("matchConditions", []))


def apply(target: Any, patches: Sequence[Mapping[str, Any]]) -> None:
    """`add` operations of RFC 6902."""
    for patch in patches:
        assert patch["op"] == "add"
        *path, last = [key.replace("~1", "/").replace("~0", "~") for key in patch["path"].split("/")[1:]]
        place = target
        for key in path:
            place = place[int(key)] if isinstance(place, list) else place[key]
        if isinstance(place, list):
            place.insert(len(place) if last == "-" else int(last), copy.deepcopy(patch["value"]))
        else:
            place[last] = copy.deepcopy(patch["value"])
