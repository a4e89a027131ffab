"""Settings that are read from the pod's own annotations, as the Kustomize component has them."""

from __future__ import annotations

from typing import Any

from tests.unit.doctor.pods import Edit, annotate, env, label, made, put


def read(setting: str) -> Edit:
    """The variable of a setting, from the annotation of that name."""
    path = f"metadata.annotations['drainer.dev/{setting.lower().replace('_', '-')}']"
    return env(f"DRAINER_{setting}", source={"fieldRef": {"fieldPath": path}})


GRACE = (read("GRACE_PERIOD"), put("spec terminationGracePeriodSeconds", 20))


def test_what_the_annotation_says_is_what_the_agent_is_told() -> None:
    assert "grace-overrun" in made(*GRACE, annotate("drainer.dev/grace-period", "90s")).found()
    assert "grace-overrun" not in made(*GRACE, annotate("drainer.dev/grace-period", "20s")).found()


def test_an_annotation_that_is_not_there_is_as_good_as_none() -> None:
    assert "grace-overrun" in made(*GRACE).found()  # 30 s, where nothing else is said
    assert made(read("CLOSE"), read("SETTLE")).found() == made(env("DRAINER_CLOSE"), env("DRAINER_SETTLE")).found()


def test_what_the_agent_would_refuse_is_an_error() -> None:
    found = made(read("SETTLE"), annotate("drainer.dev/settle", "nonsense")).findings()
    assert any("nonsense" in finding.says for finding in found if finding.severity == "error")


def test_the_ports_may_be_wrong_or_missing() -> None:
    assert "ports-missing" not in made(read("APP_PORTS"), annotate("drainer.dev/app-ports", "8080")).found()
    for edits in ((), (annotate("drainer.dev/app-ports", "0"),)):
        found = made(read("APP_PORTS"), *edits).findings()
        assert any("DRAINER_APP_PORTS" in finding.says and finding.severity == "error" for finding in found)


def test_other_fields_are_not_in_the_manifest() -> None:
    other = env("DRAINER_SETTLE", source={"fieldRef": {"fieldPath": "metadata.labels['settle']"}})
    assert made(other, label("settle", "nonsense")).found() == made(other).found()


def named(image: str, *args: str) -> Edit:
    """An app's container that has the agent's name, in place of the agent."""

    def edit(world: Any) -> None:
        del world.template["spec"]["initContainers"]
        world.template["spec"]["containers"][0] |= {"name": "drainer", "image": image, "args": [*args]}

    return edit


def test_a_container_is_not_the_agent_for_its_name_alone() -> None:
    assert "no-sidecar" in made(named("registry.example/sink-drainer:1")).found()
    assert "no-sidecar" not in made(named("registry.example/drainer:1")).found()
    assert "no-sidecar" not in made(named("registry.example/mirror/agent:1", "run")).found()
