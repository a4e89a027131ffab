"""What kubectl apply prints, evaluated: the sentences of the policy that warns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from drainer import sidecar
from drainer.keys import CONTAINER, INJECT, annotation
from tests.chart import helm
from tests.chart.admission import Policy

HOOK = {"preStop": {"httpGet": {"path": "/drain", "port": 9808}}}
OWN = {"preStop": {"exec": {"command": ["nginx", "-s", "quit"]}}}


def warnings(now: Mapping[str, Any], namespace: str = "apps", **values: Any) -> list[str]:
    rendered = helm.objects({"injection": {"enabled": True}, **values})
    return Policy(rendered, "ValidatingAdmissionPolicy", "-warnings").messages(now, namespace=namespace)


def pod(
    *containers: dict[str, Any],
    annotations: dict[str, str] | None = None,
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> dict[str, Any]:
    metadata = {"labels": {INJECT: "true"} if labels is None else labels, "annotations": annotations or {}}
    return {"metadata": metadata, "spec": {"containers": list(containers) or [app()], **spec}}


def app(name: str = "app", port: int = 8080, **more: Any) -> dict[str, Any]:
    return {"name": name, "ports": [{"containerPort": port, "protocol": "TCP"}], **more}


def by_hand(*containers: dict[str, Any], told: int = 60, grace: int = 60, **settings: str) -> dict[str, Any]:
    """A pod with a sidecar that somebody wrote."""
    container = sidecar.container(sidecar.Sidecar("x", "8080", told, settings))
    return pod(
        *(containers or (app(lifecycle=HOOK),)),
        labels={},
        initContainers=[container],
        terminationGracePeriodSeconds=grace,
    )


def deployment(template: dict[str, Any], **labels: str) -> dict[str, Any]:
    return {"metadata": {"name": "chat", "labels": labels}, "spec": {"template": template}}


def test_a_good_pod_is_not_spoken_of() -> None:
    assert warnings(pod()) == []
    assert warnings(by_hand()) == []
    assert warnings(deployment(pod())) == []


def test_pods_that_have_nothing_to_do_with_us_are_not_spoken_of() -> None:
    stranger = pod(app(lifecycle=OWN), labels={"app": "x"}, terminationGracePeriodSeconds=1)

    assert warnings(stranger) == []


def test_what_controllers_make_is_not_spoken_of() -> None:
    made = pod(app(), app("metrics", 9090))
    made["metadata"]["ownerReferences"] = [{"kind": "ReplicaSet", "name": "chat-1"}]

    assert warnings(made) == []


@pytest.mark.parametrize("wrap", [lambda it: it, deployment], ids=["pod", "workload"])
def test_it_is_said_why_a_pod_will_not_get_the_sidecar(wrap: Any) -> None:
    (said,) = warnings(wrap(pod(app(), app("metrics", 9090))))

    assert said == (
        "drainer: this pod will not get the sidecar: no port of the app is known: give the annotation "
        "drainer.dev/app-ports, or declare exactly one TCP port"
    )


def test_a_value_that_the_agent_would_refuse_is_named_with_what_is_allowed() -> None:
    (said,) = warnings(pod(annotations={annotation("settle"): "5 seconds"}))

    assert said == (
        "drainer: this pod will not get the sidecar: drainer.dev/settle=5 seconds cannot be used; allowed: "
        "a length of time up to 168h, like 30s, 2m, 500ms, or a number of seconds"
    )


def test_a_token_is_not_printed() -> None:
    (said,) = warnings(pod(annotations={annotation("token"): "s3crét"}))

    assert "drainer.dev/token cannot be used" in said
    assert "s3cr" not in said


def test_headers_are_not_printed() -> None:
    (said,) = warnings(pod(annotations={annotation("health_headers"): "Authorization s3cret"}))

    assert "drainer.dev/health-headers cannot be used" in said
    assert "s3cr" not in said


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"health_port": "9999"}, "drainer.dev/health-port is 9999, which is no port of the app"),
        ({"health_max_cpu": "2", "health_max_memory": "1Gi"}, "health-max-cpu needs to know what the app takes"),
        ({"health_max_cpu": "2", "usage": "off"}, "give drainer.dev/usage, auto, processes or metrics"),
    ],
)  # fmt: skip
def test_what_would_end_the_agent_at_its_start_is_named(given: dict[str, str], words: str) -> None:
    said = warnings(pod(annotations={annotation(name): text for name, text in given.items()}))

    assert words in "".join(said)


def test_bounds_beside_the_usage_that_they_need_are_well() -> None:
    given = {"health_port": "8080", "health_max_cpu": "2", "health_max_memory": "off", "usage": "auto"}

    assert warnings(pod(annotations={annotation(name): text for name, text in given.items()})) == []


def test_an_annotation_that_nobody_reads_is_named() -> None:
    (said,) = warnings(pod(annotations={"drainer.dev/settel": "5s", "example.com/settel": "5s"}))

    assert said.startswith("drainer: nobody reads the annotation drainer.dev/settel; ")


@pytest.mark.parametrize("value", ["True", "yes", "1", ""])
def test_a_label_with_another_value_is_named(value: str) -> None:
    (said,) = warnings(pod(labels={INJECT: value}))

    assert f"is {value}; only" in said


def test_containers_that_are_not_there_are_named() -> None:
    (said,) = warnings(pod(annotations={CONTAINER: "app, nobody"}))

    assert said == "drainer: drainer.dev/container names what is no ordinary container of this pod: nobody"


def test_a_gate_that_would_never_open_is_named() -> None:
    (said,) = warnings(pod(annotations={annotation("readiness_gate"): "true"}))

    assert "drainer.dev/readiness-gate needs the API: give drainer.dev/kubernetes, on or auto" in said


def test_false_opts_out_silently() -> None:
    assert warnings(pod(labels={INJECT: "false"})) == []


def test_the_label_belongs_on_the_pods() -> None:
    (said,) = warnings(deployment(pod(labels={}), **{INJECT: "true"}))

    assert "spec.template.metadata.labels" in said
    # The Kustomize component selects by this label.
    assert warnings(deployment(by_hand(), **{INJECT: "true"})) == []


@pytest.mark.parametrize(
    ("own", "annotations"),
    [(10, {}), (30, {annotation("settle"): "25s"}), (20, {annotation("app_reserve"): "20"})],
)
def test_a_grace_period_that_leaves_no_time_is_named(own: int, annotations: dict[str, str]) -> None:
    (said,) = warnings(pod(annotations=annotations, terminationGracePeriodSeconds=own))

    assert said.startswith(f"drainer: the grace period of {own}s leaves no time for a drain: settle ")


def test_a_grace_period_that_will_be_raised_is_none() -> None:
    given = pod(annotations={annotation("grace_period"): "60"}, terminationGracePeriodSeconds=5)

    assert warnings(given) == []
    assert warnings(pod(terminationGracePeriodSeconds=5), sidecar={"gracePeriod": 60}) == []


def test_grace_periods_that_differ_are_named() -> None:
    (said,) = warnings(by_hand(told=60, grace=30))

    assert said == ("drainer: DRAINER_GRACE_PERIOD is 60s, but terminationGracePeriodSeconds is 30: make them the same")


@pytest.mark.parametrize(
    ("told", "grace", "said"), [("60s", 60, ""), ("90s", 30, "90s"), ("", 60, "30s"), ("", 30, "")]
)
def test_a_sidecar_that_reads_annotations_is_told_what_they_say(told: str, grace: int, said: str) -> None:
    """As the Kustomize component has it."""
    now = by_hand(grace=grace)
    variables = now["spec"]["initContainers"][0]["env"]
    path = f"metadata.annotations['{annotation('grace_period')}']"
    for variable in variables:
        if variable["name"] == "DRAINER_GRACE_PERIOD":
            del variable["value"]
            variable["valueFrom"] = {"fieldRef": {"fieldPath": path}}
    now["metadata"]["annotations"] = {annotation("grace_period"): told} if told else {}
    expected = (
        f"drainer: DRAINER_GRACE_PERIOD is {said}, but terminationGracePeriodSeconds is {grace}: make them the same"
    )
    assert warnings(now) == ([expected] if said else [])


def test_a_sidecar_by_hand_with_too_short_a_grace_period_is_named() -> None:
    (said,) = warnings(by_hand(told=9, grace=9, settle="4s"))

    assert "the grace period of 9s leaves no time" in said


def test_containers_with_a_hook_of_their_own_are_named() -> None:
    (said,) = warnings(pod(app(), {"name": "nginx", "lifecycle": OWN}))

    assert said.startswith("drainer: nginx has a preStop of its own, which is left as it is")


def test_containers_without_a_hook_beside_a_sidecar_by_hand_are_named() -> None:
    (said,) = warnings(by_hand(app(lifecycle=HOOK), {"name": "nginx"}))

    assert said.startswith("drainer: nginx has no preStop with httpGet /drain on port 9808")


def test_a_hook_on_another_port_is_none() -> None:
    (said,) = warnings(by_hand(port="9900"))

    assert said.startswith("drainer: app has a preStop of its own")


@pytest.mark.parametrize("namespace", ["kube-system", helm.NAMESPACE])
def test_namespaces_that_are_left_out_are_named(namespace: str) -> None:
    (said,) = warnings(pod(), namespace)

    assert said.endswith(f"the policy leaves the namespace {namespace} out")


def test_warnings_come_without_injection_too() -> None:
    rendered = helm.objects({"warnings": {"enabled": True}}, "1.31")

    assert {item["kind"] for item in rendered} == {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


def test_nothing_is_ever_refused() -> None:
    rendered = helm.objects({"warnings": {"enabled": True}})

    assert helm.one(rendered, "ValidatingAdmissionPolicyBinding")["spec"]["validationActions"] == ["Warn", "Audit"]
    assert helm.one(rendered, "ValidatingAdmissionPolicy")["spec"]["failurePolicy"] == "Ignore"
