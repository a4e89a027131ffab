"""What is asked for a pod, by flags and by its annotations."""

from __future__ import annotations

import pytest

from drainer import __version__
from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.reports import Hint
from drainer.errors import ConfigError
from drainer.keys import INJECT, INJECTED
from tests.unit.inject.manifests import (
    IMAGE,
    OPTIONS,
    container,
    deployment,
    entry_of,
    metadata_of,
    spec_of,
    text_of,
    variables,
)


def test_annotations_of_the_pod_win_over_the_flags() -> None:
    annotations = {
        "drainer.dev/app-ports": "7000",
        "drainer.dev/grace-period": "2m",
        "drainer.dev/settle": " 1s ",
        "drainer.dev/port": "",
        "drainer.dev/container": "b, a",
    }
    given = deployment(annotations=annotations, containers=[container("a"), container("b"), container("c")])
    injection = inject(
        given, Options(image=IMAGE, app_ports="1", grace_period=40, settings={"settle": "9s", "port": "9900"})
    )
    spec = spec_of(injection)
    told = variables(spec["initContainers"][0])
    assert (told["DRAINER_APP_PORTS"], told["DRAINER_GRACE_PERIOD"]) == ("7000", "120s")
    assert (told["DRAINER_SETTLE"], told["DRAINER_PORT"]) == ("1s", "9900")
    assert ["lifecycle" in one for one in spec["containers"]] == [True, True, False]
    assert uninject(injection.manifest).manifest == given


def test_every_mistake_in_annotations_is_told_at_once_and_no_secret() -> None:
    wrong = deployment(annotations={"drainer.dev/settle": "soon", "drainer.dev/token": " \x07hunter2"})
    number = deployment(annotations={"drainer.dev/port": 9900})
    grace = deployment(annotations={"drainer.dev/grace-period": "90.5s"})
    with pytest.raises(ConfigError) as raised:
        inject({"kind": "List", "items": [wrong, number, grace, deployment()]}, OPTIONS)
    assert [mistake.partition("; allowed")[0] for mistake in raised.value.mistakes] == [
        "Deployment shop/web: drainer.dev/settle='soon' cannot be used",
        "Deployment shop/web: drainer.dev/token=(not shown) cannot be used",
        "Deployment shop/web: drainer.dev/port=9900 is not text",
        "Deployment shop/web: drainer.dev/grace-period='90.5s' cannot be used",
    ]
    assert "hunter2" not in str(raised.value)


def test_an_annotation_that_means_nothing_is_said() -> None:
    entry = entry_of(deployment(annotations={"drainer.dev/setle": "1s", INJECT: "true"}))
    assert text_of(entry, Hint.UNKNOWN_ANNOTATION) == (
        "drainer.dev/setle has no effect; the nearest is drainer.dev/settle"
    )


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"close": "notify"}, "DRAINER_NOTIFY_URL is not set, and DRAINER_CLOSE names notify"),
        ({"port": "8080"}, "DRAINER_PORT=8080: is one of the app's ports too"),
        ({"serving_label": "true"}, "--serving-label=true needs the API"),
        ({"readiness_gate": "true", "kubernetes": "off"}, "--readiness-gate=true needs the API"),
    ],
)
def test_what_the_agent_would_refuse_is_refused_here(settings: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        inject(deployment(containers=[container("app")]), Options(image=IMAGE, app_ports="8080", settings=settings))


def test_what_the_agent_would_bend_is_said() -> None:
    entry = entry_of(deployment(), settings={"settle": "60s"})
    assert text_of(entry, Hint.BENT) == "settle 60s leaves nothing of the 25s of a drain: 12.5s is used"


def test_keys_that_are_numbers_for_yaml_are_text_for_kubectl_and_go_through() -> None:
    given = deployment(labels={1: "2"}, annotations={8080: "x", True: "y"})
    injection = inject(given, OPTIONS)
    assert metadata_of(injection)["annotations"] == {8080: "x", True: "y", INJECTED: __version__}
    assert uninject(injection.manifest).manifest == given


def test_the_nearest_may_be_the_containers() -> None:
    entry = entry_of(deployment(annotations={"drainer.dev/containers": "app"}))
    assert text_of(entry, Hint.UNKNOWN_ANNOTATION).endswith("the nearest is drainer.dev/container")
