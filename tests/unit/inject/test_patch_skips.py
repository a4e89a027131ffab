"""Pods that are left alone, and the words for it."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.commands.patch import inject
from drainer.commands.pods import NoPod
from drainer.commands.reports import Outcome, Skip
from drainer.keys import INJECT
from tests.unit.inject.manifests import (
    OPTIONS,
    container,
    deployment,
    spec_of,
    variables,
)

SIDECAR_ENV = [{"name": "DRAINER_APP_PORTS", "value": "8080"}]
SKIPPED: list[tuple[dict[str, Any], Skip | NoPod, str]] = [
    (deployment(labels={INJECT: "false"}), Skip.OPTED_OUT, 'its label drainer.dev/inject is "false"'),
    (deployment(os={"name": "windows"}), Skip.WINDOWS, "Linux"),
    (deployment(nodeSelector={"kubernetes.io/os": "windows"}), Skip.WINDOWS, "Linux"),
    (
        deployment(initContainers=[container("drainer", env=SIDECAR_ENV)]),
        Skip.HAS_SIDECAR,
        "container drainer is a sidecar",
    ),
    (deployment(initContainers=[container("drainer", env=["odd"])]), Skip.NAME_TAKEN, "something else"),
    (deployment(containers=[container("drainer")]), Skip.NAME_TAKEN, "something else"),
    (deployment(terminationGracePeriodSeconds=0), Skip.NO_GRACE, "give --grace-period"),
    (deployment(terminationGracePeriodSeconds="60"), NoPod.MALFORMED, "terminationGracePeriodSeconds='60'"),
    (deployment(terminationGracePeriodSeconds=True), NoPod.MALFORMED, "terminationGracePeriodSeconds=True"),
    (deployment(terminationGracePeriodSeconds=-1), NoPod.MALFORMED, "terminationGracePeriodSeconds=-1"),
    (deployment(containers=[container("app")]), Skip.NO_APP_PORT, "no TCP port is declared; give --app-ports"),
    (
        deployment(containers=[container("app", ports=[{"containerPort": 1, "protocol": "UDP"}, "odd", {}])]),
        Skip.NO_APP_PORT,
        "no TCP port is declared",
    ),
    (
        deployment(containers=[container(name, ports=[{"containerPort": 1}]) for name in "ab"]),
        Skip.NO_APP_PORT,
        "2 TCP ports are declared",
    ),
    (
        deployment(initContainers=[container("old", ports=[{"containerPort": 9808}])]),
        Skip.PORT_TAKEN,
        "container old has port 9808; give another with --port",
    ),
]


@pytest.mark.parametrize(("manifest", "reason", "text"), SKIPPED)
def test_what_cannot_have_the_sidecar_is_left_as_it_is(
    manifest: dict[str, Any], reason: Skip | NoPod, text: str
) -> None:
    injection = inject(manifest, OPTIONS)
    (entry,) = injection.report
    assert injection.manifest == manifest
    assert (entry.outcome, entry.reason) == (Outcome.SKIPPED, reason)
    assert text in entry.text


def test_an_object_that_has_the_sidecar_and_opts_out_is_left_as_it_is() -> None:
    injected = inject(deployment(), OPTIONS).manifest
    injected["spec"]["template"]["metadata"]["labels"][INJECT] = "false"
    injection = inject(injected, OPTIONS)
    assert injection.manifest == injected
    assert injection.report[0].reason is Skip.OPTED_OUT


def test_the_ports_of_init_containers_are_not_the_apps() -> None:
    given = deployment(initContainers=[container("old", ports=[{"containerPort": 7}])])
    assert variables(spec_of(inject(given, OPTIONS))["initContainers"][0])["DRAINER_APP_PORTS"] == "8080"


def test_every_word_that_can_be_said_of_a_pod_is_tested_here() -> None:
    assert {reason for _, reason, _ in SKIPPED} | {Skip.OPTED_OUT} == {*Skip, NoPod.MALFORMED}
