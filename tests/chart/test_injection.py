"""The policy that puts the sidecar into pods, evaluated. (e2e lets an API server do the same.)"""

from __future__ import annotations

from typing import Any

import pytest

from drainer import sidecar
from drainer.keys import CONTAINER, INJECT, INJECTED, SERVING, annotation
from tests.chart import helm
from tests.chart.admission import Policy

EXCLUDES_OF_ISTIO = "traffic.sidecar.istio.io/excludeInboundPorts"
EXCLUDES_OF_LINKERD = "config.linkerd.io/skip-inbound-ports"


def policy(**values: Any) -> Policy:
    rendered = helm.objects({"injection": {"enabled": True}, "sidecar": values})
    return Policy(rendered, "MutatingAdmissionPolicy")


def pod(*containers: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "chat",
            "labels": {INJECT: "true"},
            **({"annotations": annotations} if annotations else {}),
        },
        "spec": {"containers": list(containers) or [container("app", 8080)], **spec},
    }


def container(name: str, *ports: int, **more: Any) -> dict[str, Any]:
    declared = {"ports": [{"containerPort": port, "protocol": "TCP"} for port in ports]} if ports else {}
    return {"name": name, "image": f"registry.example/{name}", **declared, **more}


def injected(result: dict[str, Any]) -> bool:
    return INJECTED in result["metadata"].get("annotations", {})


def environment(result: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["value"] for row in result["spec"]["initContainers"][0]["env"] if "value" in row}


def hook(result: dict[str, Any], index: int = 0) -> Any:
    return result["spec"]["containers"][index].get("lifecycle", {}).get("preStop")


def test_a_pod_without_the_label_is_left_alone() -> None:
    plain = pod()
    plain["metadata"]["labels"] = {INJECT: "false"}

    assert policy().mutated(plain) == plain


def test_a_pod_with_the_label_gets_sidecar_hook_grace_and_mark() -> None:
    result = policy().mutated(pod())

    assert [one["name"] for one in result["spec"]["initContainers"]] == [sidecar.NAME]
    assert hook(result) == {"httpGet": {"path": "/drain", "port": 9808}}
    assert result["spec"]["terminationGracePeriodSeconds"] == 30
    assert environment(result) == {"DRAINER_APP_PORTS": "8080", "DRAINER_GRACE_PERIOD": "30s"}
    assert injected(result)


def test_nothing_is_put_in_twice() -> None:
    once = policy().mutated(pod())

    assert policy().mutated(once) == once


def test_the_sidecar_starts_before_other_init_containers() -> None:
    result = policy().mutated(pod(initContainers=[container("migrate")]))

    assert [one["name"] for one in result["spec"]["initContainers"]] == [sidecar.NAME, "migrate"]


def test_every_ordinary_container_gets_the_hook_and_keeps_what_it_has() -> None:
    start = {"exec": {"command": ["warm-up"]}}
    own = {"exec": {"command": ["nginx", "-s", "quit"]}}
    result = policy().mutated(
        pod(
            container("app", 8080),
            container("starts", lifecycle={"postStart": start}),
            container("stops", lifecycle={"preStop": own}),
        )
    )

    assert hook(result, 0) == hook(result, 1) == {"httpGet": {"path": "/drain", "port": 9808}}
    assert result["spec"]["containers"][1]["lifecycle"]["postStart"] == start
    assert hook(result, 2) == own


def test_the_annotation_says_which_containers_get_the_hook() -> None:
    result = policy().mutated(
        pod(container("app", 8080), container("log"), container("proxy"), annotations={CONTAINER: "app, proxy"})
    )

    assert [hook(result, index) is not None for index in range(3)] == [True, False, True]


@pytest.mark.parametrize(
    ("own", "asked", "becomes"),
    [(None, None, 30), (None, "60", 60), (300, "60s", 300), (30, "2m", 120), (10, None, 10), (0, "60", 60)],
)
def test_a_grace_period_is_raised_and_never_lowered(own: int | None, asked: str | None, becomes: int) -> None:
    given = pod(
        **({} if own is None else {"terminationGracePeriodSeconds": own}),
        annotations={annotation("grace_period"): asked} if asked else None,
    )

    result = policy().mutated(given)

    assert result["spec"]["terminationGracePeriodSeconds"] == becomes
    assert environment(result)["DRAINER_GRACE_PERIOD"] == f"{becomes}s"


def test_annotations_override_the_parameters() -> None:
    result = policy(gracePeriod=60, appPorts=9000, settings={"settle": "8s", "close": "reset"}).mutated(
        pod(
            annotations={
                annotation("settle"): "3s",
                annotation("app_ports"): "8080,9000-9010",
                annotation("close"): "",
            }
        )
    )

    assert environment(result) == {
        "DRAINER_APP_PORTS": "8080,9000-9010",
        "DRAINER_GRACE_PERIOD": "60s",
        "DRAINER_SETTLE": "3s",
    }


@pytest.mark.parametrize(
    "containers",
    [
        [container("app")],
        [container("app", 8080, 9090)],
        [container("app", 8080), container("metrics", 9090)],
        [container("dns") | {"ports": [{"containerPort": 53, "protocol": "UDP"}]}],
    ],
    ids=["none", "two", "two in two", "UDP"],
)
def test_without_exactly_one_tcp_port_the_port_must_be_given(containers: list[dict[str, Any]]) -> None:
    assert not injected(policy().mutated(pod(*containers)))
    assert injected(policy().mutated(pod(*containers, annotations={annotation("app_ports"): "8080"})))
    assert injected(policy(appPorts="8080").mutated(pod(*containers)))


def test_ports_of_other_protocols_do_not_count() -> None:
    quic = {"containerPort": 8443, "protocol": "UDP"}
    app = container("app", 8080)
    app["ports"].append(quic)

    assert environment(policy().mutated(pod(app)))["DRAINER_APP_PORTS"] == "8080"


@pytest.mark.parametrize(
    "spec", [{"os": {"name": "windows"}}, {"nodeSelector": {"kubernetes.io/os": "windows"}}], ids=["os", "selector"]
)
def test_windows_pods_are_skipped(spec: dict[str, Any]) -> None:
    given = pod(**spec)

    assert policy().mutated(given) == given


def test_on_the_host_network_the_hook_has_a_host() -> None:
    assert hook(policy().mutated(pod(hostNetwork=True)))["httpGet"]["host"] == "127.0.0.1"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("settle", "5x"),
        ("timeout", "0s"),
        ("app_ports", "http"),
        ("app_ports", "70000"),
        ("app_ports", "90-80"),
        ("grace_period", "1.5"),
        ("port", "99999"),
        ("port", "8080"),
        ("close", "reset,notify"),
        ("close", "notify"),
        ("ignore_peers", "10.0.0.1/8"),
        ("kubernetes", "yes"),
        ("serving_label", "true"),
        ("app_ports", "9000-9900"),
        ("notify_url", "http://notifier.example/drain"),
        ("notify_url", "http://127.0.0.1:8080/drain"),
        ("notify_url", "http://[::1]:9808/drain"),
        ("websocket_ports", "8080,9000"),
        ("readiness_gate", "true"),
    ],
)
def test_what_would_end_the_agent_at_its_start_keeps_no_pod_from_starting(setting: str, value: str) -> None:
    given = pod(annotations={annotation(setting): value})

    assert policy().mutated(given) == given


@pytest.mark.parametrize(
    "spec",
    [{"initContainers": [container("metrics", 9808)]}, {"terminationGracePeriodSeconds": 0}],
    ids=["port", "grace"],
)
def test_pods_in_which_an_agent_could_not_work_are_left_alone(spec: dict[str, Any]) -> None:
    given = pod(**spec)

    assert policy().mutated(given) == given


def test_blanks_around_a_value_are_nothing() -> None:
    result = policy().mutated(pod(annotations={annotation("settle"): " 3s "}))

    assert environment(result)["DRAINER_SETTLE"] == "3s"


def test_a_name_of_no_container_leaves_the_others_their_hook() -> None:
    result = policy().mutated(pod(annotations={CONTAINER: "app nobody"}))

    assert hook(result) is not None


@pytest.mark.parametrize(
    ("labels", "annotations", "spec", "excludes", "ports"),
    [
        ({"sidecar.istio.io/inject": "true"}, {}, {}, EXCLUDES_OF_ISTIO, "9808"),
        ({}, {"istio.io/rev": "stable"}, {}, EXCLUDES_OF_ISTIO, "9808"),
        ({}, {"linkerd.io/inject": "enabled"}, {}, EXCLUDES_OF_LINKERD, "9808"),
        ({}, {}, {"initContainers": [{"name": "linkerd-proxy"}]}, EXCLUDES_OF_LINKERD, "9808"),
        ({"sidecar.istio.io/inject": "true"}, {EXCLUDES_OF_ISTIO: "15020"}, {}, EXCLUDES_OF_ISTIO, "15020,9808"),
        ({"sidecar.istio.io/inject": "true"}, {EXCLUDES_OF_ISTIO: "9808,1"}, {}, EXCLUDES_OF_ISTIO, "9808,1"),
        ({"sidecar.istio.io/inject": "false"}, {"linkerd.io/inject": "disabled"}, {}, EXCLUDES_OF_ISTIO, None),
    ],
)
def test_the_calls_of_the_kubelet_pass_a_mesh(
    labels: dict[str, str], annotations: dict[str, str], spec: dict[str, Any], excludes: str, ports: str | None
) -> None:
    given = pod(annotations=annotations, **spec)
    given["metadata"]["labels"] |= labels

    assert policy().mutated(given)["metadata"]["annotations"].get(excludes) == ports


def test_the_api_is_there_where_it_is_asked_for() -> None:
    asked = policy().mutated(pod(annotations={annotation("kubernetes"): "auto"}))
    names = [row["name"] for row in asked["spec"]["initContainers"][0]["env"]]

    assert names[-3:] == ["POD_NAME", "POD_NAMESPACE", "POD_UID"]


def test_label_and_gate_come_with_their_settings() -> None:
    settings = {"kubernetes": "on", "serving-label": True, "readiness-gate": True}
    others = [{"conditionType": "example.com/other"}]

    result = policy(settings=settings).mutated(pod(readinessGates=others))

    assert result["metadata"]["labels"][SERVING] == "true"
    assert result["spec"]["readinessGates"] == [*others, {"conditionType": SERVING}]
    assert policy(settings=settings).mutated(pod())["spec"]["readinessGates"] == [{"conditionType": SERVING}]


@pytest.mark.parametrize("url", ["http://127.0.0.1:9809/drain", "http://[::1]:9809", "http://LocalHost?x=:8080"])
def test_a_url_of_loopback_is_good(url: str) -> None:
    assert injected(policy().mutated(pod(annotations={annotation("notify_url"): url, annotation("close"): "notify"})))


def test_the_token_is_in_the_hook() -> None:
    result = policy(settings={"token": "s3cret"}).mutated(pod())

    assert hook(result)["httpGet"]["httpHeaders"] == [{"name": "X-Drainer-Token", "value": "s3cret"}]


def test_rights_and_resources_of_the_sidecar_can_be_chosen() -> None:
    rights = {"runAsUser": 1000680000, "capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE", "NET_RAW"]}}
    resources = {"requests": {"cpu": "20m", "memory": "64Mi"}}

    (container,) = policy(securityContext=rights, resources=resources).mutated(pod())["spec"]["initContainers"]

    assert {key: container["securityContext"][key] for key in rights} == rights
    assert container["resources"]["requests"] == resources["requests"]


def test_release_namespace_and_kube_system_are_left_out() -> None:
    binding = helm.one(helm.objects({"injection": {"enabled": True}}), "MutatingAdmissionPolicyBinding")

    assert binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system", helm.NAMESPACE]}
    ]
