"""Service meshes: the kubelet's calls pass their proxies, and what those cut is said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drainer.commands.asked import Options
from drainer.commands.mesh import with_port, without_port
from drainer.commands.patch import inject, uninject
from drainer.commands.reports import Hint
from drainer.errors import ConfigError
from tests.unit.inject.manifests import IMAGE, OPTIONS, container, deployment, entry_of, hints, metadata_of, text_of

ISTIO = "traffic.sidecar.istio.io/excludeInboundPorts"
LINKERD = "config.linkerd.io/skip-inbound-ports"
APP = container("app", ports=[{"containerPort": 8080}])


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (deployment(), {}),
        (deployment(labels={"sidecar.istio.io/inject": "true"}), {ISTIO: "9808"}),
        (deployment(annotations={"sidecar.istio.io/inject": "true"}), {ISTIO: "9808"}),
        (deployment(labels={"sidecar.istio.io/inject": "false"}), {}),
        (deployment(labels={"istio.io/rev": "1-29"}), {ISTIO: "9808"}),
        (deployment(initContainers=[container("istio-proxy")]), {ISTIO: "9808"}),
        (deployment(annotations={"linkerd.io/inject": "enabled"}), {LINKERD: "9808"}),
        (deployment(annotations={"linkerd.io/inject": "ingress"}), {LINKERD: "9808"}),
        (deployment(annotations={"linkerd.io/inject": "disabled"}), {}),
        (deployment(containers=[APP, container("linkerd-proxy")]), {LINKERD: "9808"}),
    ],
)
def test_a_mesh_is_known_by_what_the_pod_shows(pod: dict[str, Any], expected: dict[str, str]) -> None:
    annotations = metadata_of(inject(pod, OPTIONS))["annotations"]
    assert {key: annotations[key] for key in (ISTIO, LINKERD) if key in annotations} == expected


@pytest.mark.parametrize(("mesh", "key"), [("istio", ISTIO), ("linkerd", LINKERD)])
def test_a_mesh_that_only_the_namespace_shows_can_be_named(mesh: str, key: str) -> None:
    injection = inject(deployment(), Options(image=IMAGE, mesh=mesh))
    assert metadata_of(injection)["annotations"][key] == "9808"
    assert hints(injection.report[0]) == [Hint.MESH_PORT, Hint.MESH_PROXY]
    assert uninject(injection.manifest).manifest == deployment()


def test_a_mesh_can_be_left_alone() -> None:
    in_mesh = deployment(labels={"sidecar.istio.io/inject": "true"})
    assert hints(entry_of(in_mesh, mesh="none")) == []


@pytest.mark.parametrize(
    ("own", "becomes"),
    [("15020", "15020,9808"), ("1, 2", "1, 2,9808"), ("", "9808"), ("9808", "9808"), ("9800-9900", "9800-9900"), (
        "9900-9999,http", "9900-9999,http,9808",
    )],
)  # fmt: skip
def test_the_port_is_put_behind_the_others_once(own: str, becomes: str) -> None:
    pod = deployment(annotations={ISTIO: own})
    injection = inject(pod, Options(image=IMAGE, mesh="istio"))
    assert metadata_of(injection)["annotations"][ISTIO] == becomes
    assert (Hint.MESH_PORT in hints(injection.report[0])) == (own != becomes)
    assert uninject(injection.manifest).manifest == pod


def test_ports_that_somebody_has_added_since_stay() -> None:
    injected = inject(deployment(annotations={ISTIO: "1"}), Options(image=IMAGE, mesh="istio")).manifest
    injected["spec"]["template"]["metadata"]["annotations"][ISTIO] = "1,9808,2"
    assert uninject(injected).manifest == deployment(annotations={ISTIO: "1,2"})


@given(st.lists(st.integers(1, 65535).map(str)).map(",".join), st.integers(1, 65535))
def test_a_port_that_was_added_can_be_taken_away(ports: str, port: int) -> None:
    added = with_port(ports, port)
    assert str(port) in added.split(",")
    assert added == ports or without_port(added, port) == ports


def test_a_list_of_ports_that_is_a_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="excludeInboundPorts=15020 is not text; allowed: quotes around it"):
        inject(deployment(annotations={ISTIO: 15020}), OPTIONS)


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        (
            deployment(labels={"istio.io/rev": "x"}),
            "istio-proxy is a plain container unless the mesh makes it a native",
        ),
        (deployment(containers=[APP, container("istio-proxy")]), "istio-proxy is a plain container here: "),
        (
            deployment(
                containers=[APP, container("istio-proxy")], annotations={"sidecar.istio.io/nativeSidecar": "true"}
            ),
            "istio-proxy is a plain container here: ",
        ),
        (deployment(initContainers=[container("istio-proxy")]), None),
        (deployment(labels={"istio.io/rev": "x"}, annotations={"sidecar.istio.io/nativeSidecar": "true"}), None),
        (
            deployment(
                annotations={
                    "linkerd.io/inject": "enabled",
                    "config.alpha.linkerd.io/proxy-enable-native-sidecar": "true",
                }
            ),
            None,
        ),
        (
            deployment(annotations={"linkerd.io/inject": "enabled"}),
            "linkerd-proxy is a plain container unless the mesh makes it a native",
        ),
    ],
)
def test_a_proxy_that_cuts_after_its_own_time_is_said(pod: dict[str, Any], said: str | None) -> None:
    entry = entry_of(pod)
    if said is None:
        assert hints(entry) == [Hint.MESH_PORT]
    else:
        assert said in text_of(entry, Hint.MESH_PROXY)
