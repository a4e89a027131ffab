"""The sidecar's requests and limits, as the policy puts them in."""

from __future__ import annotations

from drainer.keys import annotation
from tests.chart.test_injection import pod, policy


def test_resources_are_those_of_the_values_but_for_what_an_annotation_says() -> None:
    given = {"requests": {"cpu": 0.5, "memory": "48Mi", "example.com/x": 1}, "limits": {"memory": 200000000}}
    claims = [{"name": "x"}]

    plain = policy(resources={**given, "claims": claims}).mutated(pod())
    chosen = policy(resources=given).mutated(
        pod(annotations={annotation("requests"): "cpu=0", annotation("limits"): "cpu=1,memory=1Gi"})
    )

    assert plain["spec"]["initContainers"][0]["resources"] == {
        "requests": {"cpu": "0.5", "memory": "48Mi", "example.com/x": "1"},
        "limits": {"memory": "200000000"},
        "claims": claims,
    }
    assert chosen["spec"]["initContainers"][0]["resources"] == {
        "requests": {"memory": "48Mi", "example.com/x": "1"},
        "limits": {"cpu": "1", "memory": "1Gi"},
    }
