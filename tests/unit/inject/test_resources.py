"""The sidecar's requests and limits: by flags, by annotations, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.resources import amounts, written
from drainer.errors import ConfigError
from drainer.keys import annotation
from tests.unit.inject.manifests import IMAGE, deployment, spec_of

REQUESTS, LIMITS = annotation("requests"), annotation("limits")


def resources(annotations: Any = None, **given: dict[str, str]) -> Any:
    injection = inject(deployment(annotations=annotations), Options(image=IMAGE, resources=given))
    return spec_of(injection)["initContainers"][0]["resources"]


def test_what_is_not_named_keeps_its_default() -> None:
    assert resources() == {"requests": {"cpu": "10m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}
    assert resources(limits={"cpu": "200m"}) == {
        "requests": {"cpu": "10m", "memory": "48Mi"},
        "limits": {"memory": "96Mi", "cpu": "200m"},
    }


def test_an_annotation_wins_over_the_flag_resource_by_resource() -> None:
    found = resources({LIMITS: "memory=1Gi"}, limits={"cpu": "1", "memory": "512Mi"}, requests={"cpu": "0.5"})
    assert found == {"requests": {"cpu": "0.5", "memory": "48Mi"}, "limits": {"memory": "1Gi", "cpu": "1"}}
    assert resources({LIMITS: " "}, limits={"cpu": "1"})["limits"]["cpu"] == "1"


def test_zero_takes_one_out_and_what_is_empty_then() -> None:
    assert resources(requests={"cpu": "0"}, limits={"memory": "0"}) == {"requests": {"memory": "48Mi"}}
    assert resources({REQUESTS: "cpu=0m,memory=0Mi", LIMITS: "memory=0"}) == {}


def test_once_more_with_others_gives_those_and_out_again_is_what_was() -> None:
    once = inject(deployment(), Options(image=IMAGE, resources={"limits": {"cpu": "1"}}))
    again = inject(once.manifest, Options(image=IMAGE, resources={"limits": {"cpu": "2"}}))
    assert spec_of(again)["initContainers"][0]["resources"]["limits"] == {"memory": "96Mi", "cpu": "2"}
    assert uninject(again.manifest).manifest == deployment()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cpu=50m,memory=64Mi", {"cpu": "50m", "memory": "64Mi"}),
        (" memory=64Mi ,\n cpu=1.5, ", {"memory": "64Mi", "cpu": "1.5"}),
        ("ephemeral-storage=1Gi", {"ephemeral-storage": "1Gi"}),
        ("cpu=0", {"cpu": "0"}),
    ],
)
def test_how_they_are_written(text: str, found: dict[str, str]) -> None:
    assert amounts(text) == found
    assert amounts(written(found)) == found


@pytest.mark.parametrize(
    "text",
    ["", ",", "cpu", "cpu=", "gpu=1", "cpu=1,cpu=2", "memory=64", "cpu=0.5m", "cpu=-1", "cpu=0,5", "CPU=1", "cpu=1=2"],
)
def test_what_is_no_list_of_them(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - its text is not shown to anybody
        amounts(text)


def test_requests_above_a_limit_and_annotations_that_are_none_are_said_in_one_sentence() -> None:
    with pytest.raises(ConfigError) as raised:
        resources(requests={"memory": "200Mi"})
    assert raised.value.mistakes == (
        "Deployment shop/web: requests memory=200Mi is more than limits memory=96Mi; allowed: at most as much",
    )
    with pytest.raises(ConfigError) as raised:
        resources({LIMITS: "cpu=lots"})
    assert str(raised.value).startswith(
        f"Deployment shop/web: {LIMITS}='cpu=lots' cannot be used; allowed: some of cpu, "
    )
