"""Every check finds what it is for, and nothing that only looks like it."""

from __future__ import annotations

import pytest

from drainer.commands.doctor.checks import ALL
from drainer.commands.doctor.findings import Severity, written
from tests.unit.doctor.cases import (
    api,
    callers,
    closers,
    container,
    health,
    hooks,
    limits,
    network,
    presence,
    probes,
    running,
    settings,
    times,
    workload,
)
from tests.unit.doctor.pods import (
    Edits,
    annotate,
    app,
    env,
    made,
    no_agent,
    plain,
    put,
    scaler,
    service,
    side,
    with_label,
)

THEMES = (
    times,
    hooks,
    callers,
    container,
    settings,
    probes,
    health,
    network,
    api,
    closers,
    limits,
    workload,
    presence,
    running,
)
BAD = {key: cases for theme in THEMES for key, cases in theme.BAD.items()}
WELL = {key: cases for theme in THEMES for key, cases in theme.WELL.items()}
BY_KEY = {check.key: check for check in ALL}


def flat(table: dict[str, list[Edits]]) -> list[object]:
    return [
        pytest.param(key, edits, id=f"{key}-{number}")
        for key, cases in table.items()
        for number, edits in enumerate(cases)
    ]


@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_a_good_pod_has_no_findings(kind: str) -> None:
    assert made(kind=kind).findings() == ()


def test_a_good_pod_beside_a_service_and_an_autoscaler_has_none_either() -> None:
    world = made(with_label, service([{"port": 80, "targetPort": 8080}], {"drainer.dev/serving": "true"}), scaler())

    assert world.findings() == ()


@pytest.mark.parametrize(("key", "edits"), flat(BAD))
def test_what_is_wrong_is_found(key: str, edits: Edits) -> None:
    found = [finding for finding in made(*edits).findings() if finding.key == key]

    assert found
    for finding in found:
        assert finding.severity is BY_KEY[key].severity
        assert finding.says
        assert finding.fix
        assert "s3cret" not in finding.says + finding.fix


@pytest.mark.parametrize(("key", "edits"), flat(WELL))
def test_what_is_well_is_left_alone(key: str, edits: Edits) -> None:
    assert key not in made(*edits).found()


def test_every_check_is_tried() -> None:
    assert set(BAD) == set(BY_KEY)
    assert set(WELL) <= set(BY_KEY)


def test_every_key_is_there_once_and_reads_like_one() -> None:
    keys = [check.key for check in ALL]

    assert len(keys) == len(set(keys))
    assert all(key == key.lower() and " " not in key for key in keys)


def test_the_worst_comes_first() -> None:
    severities = [finding.severity for finding in made(env("DRAINER_NODE_IP"), app("lifecycle"), plain).findings()]

    assert severities == sorted(severities, key=tuple(Severity).index)
    assert len(set(severities)) > 1


@pytest.mark.parametrize(
    ("edits", "key", "path"),
    [
        ((app("lifecycle preStop httpGet port", "drainer"),), "hook-port-name",
         "spec.template.spec.containers[0].lifecycle.preStop.httpGet.port"),
        ((env("DRAINER_SETTLE", "soon"),), "setting-unusable", "spec.template.spec.initContainers[0].env[6].value"),
        ((side("args", ["run", "--settle", "soon"]),), "setting-unusable",
         "spec.template.spec.initContainers[0].args[1]"),
        ((annotate("drainer.dev/x", "1"),), "annotation-unknown",
         'spec.template.metadata.annotations["drainer.dev/x"]'),
        ((put("spec terminationGracePeriodSeconds", 5),), "grace-too-short",
         "spec.template.spec.terminationGracePeriodSeconds"),
        ((env("DRAINER_X", "1"),), "setting-odd", "spec.template.spec.initContainers[0].env[6].name"),
    ],
)  # fmt: skip
def test_the_field_is_named(edits: Edits, key: str, path: str) -> None:
    assert path in {written(finding.path) for finding in made(*edits).findings() if finding.key == key}


def test_the_fix_can_be_copied() -> None:
    found = {finding.key: finding.fix for finding in made(put("spec terminationGracePeriodSeconds", 5)).findings()}

    assert found["grace-too-short"].startswith("terminationGracePeriodSeconds: 30 and DRAINER_GRACE_PERIOD: 30s")


def test_a_pod_with_only_ordinary_faults_names_each_once() -> None:
    assert made(no_agent, kind="Pod").found() == {"no-sidecar"}


def test_a_missing_hook_is_proposed_with_all_that_the_pod_needs() -> None:
    world = made(app("lifecycle"), put("spec hostNetwork", value=True), env("DRAINER_PORT", "9000"))

    fix = next(finding.fix for finding in world.findings() if finding.key == "no-hook")

    assert fix == (
        "add lifecycle.preStop.httpGet: {path: /drain, port: 9000, host: 127.0.0.1, "
        "httpHeaders: [{name: X-Drainer-Token, value: <the token>}]}"
    )


@pytest.mark.parametrize(
    ("edits", "key", "says", "fix"),
    [
        (
            running.BAD["agent-waits"][0],
            "agent-waits",
            "the agent's container waits: ErrImagePull (no such host)",
            "an image that the node can pull, and imagePullSecrets where it needs them (docs/image.md)",
        ),
        (
            running.BAD["agent-waits"][1],
            "agent-waits",
            "the agent's container waits: CrashLoopBackOff (back-off 20s); it has ended with exit code 2",
            "settings that it can use; it says which it cannot: kubectl logs POD -c drainer --previous",
        ),
        (
            running.BAD["agent-waits"][4],
            "agent-waits",
            "the agent's container waits: no reason is said",
            "what the kubelet says",
        ),
        (
            running.BAD["agent-ended"][1],
            "agent-ended",
            "the agent's container has ended with exit code 0 (Completed)",
            "what it has said: kubectl logs POD -c drainer --previous",
        ),
        (
            running.BAD["agent-restarted"][0],
            "agent-restarted",
            "the agent was started again once, last after exit code 137 (OOMKilled)",
            "a higher memory limit",
        ),
        (
            running.BAD["agent-restarted"][1],
            "agent-restarted",
            "the agent was started again 3 times, last after exit code 137",
            "what has killed it: a probe of its own, or the node; kubectl logs POD -c drainer --previous",
        ),
        (
            running.BAD["app-not-listening"][1],
            "app-not-listening",
            "nobody listens on ports 1, 2, 3 and 1 more in this pod: every drain is over after the settle time",
            "DRAINER_APP_PORTS: the ports on which the app listens; or nothing, if it is still starting",
        ),
    ],
)
def test_what_the_kubelet_and_the_agent_say_is_handed_on(edits: Edits, key: str, says: str, fix: str) -> None:
    (found,) = [finding for finding in made(*edits).findings() if finding.key == key]

    assert (found.says, found.fix) == (says, fix)
