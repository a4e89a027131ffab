"""What hand edits leave for `--uninject` is left, and said with the reason."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.removal import GRACE_FIELD
from drainer.commands.reports import Outcome, Skip
from drainer.keys import FORMER, INJECT, INJECTED, SERVING
from tests.unit.inject.manifests import IMAGE, OPTIONS, container, deployment, spec_of, variables

API = {"kubernetes": "on", "serving_label": "true", "readiness_gate": "true"}
PLAIN = Options(image=IMAGE, grace_period=60)
EVERYTHING = Options(image=IMAGE, grace_period=60, settings=API, mesh="istio")
EXCLUDES = "traffic.sidecar.istio.io/excludeInboundPorts"
ASKS = "asks port 9808, which is the agent's"
Template = dict[str, Any]


def edited(edit: Callable[[Template], Any], options: Options = PLAIN) -> dict[str, Any]:
    """A Deployment with the sidecar, and with its template edited by hand."""
    manifest = copy.deepcopy(inject(deployment(), options).manifest)
    edit(manifest["spec"]["template"])
    return manifest


def sidecar(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template["spec"]["initContainers"][0]
    return found


def hook(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template["spec"]["containers"][0]["lifecycle"]["preStop"]
    return found


def app(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template["spec"]["containers"][0]
    return found


def told(manifest: dict[str, Any]) -> list[str]:
    """What is said of its one object."""
    (entry,) = uninject(manifest).report
    return [f"{remark.hint.value}: {remark.text}" for remark in entry.remarks]


def test_where_nobody_has_edited_anything_nothing_is_left() -> None:
    assert told(edited(lambda _: None)) == []


def renamed(template: Template) -> None:
    sidecar(template)["name"] = "sidecar"


def without_ports_variable(template: Template) -> None:
    sidecar(template)["env"] = [one for one in sidecar(template)["env"] if one["name"] != "DRAINER_APP_PORTS"]


def without_any_sign(template: Template) -> None:
    without_ports_variable(template)
    sidecar(template)["image"] = "registry.example/fork"
    del sidecar(template)["ports"]


def known_by_its_port(template: Template) -> None:
    without_ports_variable(template)
    sidecar(template).update(name="other", image="registry.example/fork", ports=["odd", {"name": "drainer"}])


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (renamed, "container sidecar stays: it has the variable DRAINER_APP_PORTS, but it is not named drainer"),
        (
            without_ports_variable,
            f"container drainer stays: it runs the image {IMAGE}, but it has no variable DRAINER_APP_PORTS",
        ),
        (without_any_sign, "container drainer stays: it is named drainer, but it has no variable DRAINER_APP_PORTS"),
        (known_by_its_port, "container other stays: it has a port named drainer, but it is not named drainer"),
    ],
)
def test_a_container_that_is_no_longer_known_as_the_sidecar_stays(edit: Callable[[Template], Any], said: str) -> None:
    manifest = edited(edit)
    injection = uninject(manifest)
    assert spec_of(injection)["initContainers"] == manifest["spec"]["template"]["spec"]["initContainers"]
    assert "lifecycle" not in spec_of(injection)["containers"][0]
    assert told(manifest) == [
        f"left: {said}",
        f"left: {GRACE_FIELD} stays 60: no sidecar is there to compare with; before inject it was not there",
    ]


def test_a_renamed_sidecar_gets_no_second_one_beside_it() -> None:
    manifest = edited(renamed)
    injection = inject(manifest, OPTIONS)
    (entry,) = injection.report
    assert (entry.outcome, entry.reason) == (Outcome.SKIPPED, Skip.HAS_SIDECAR)
    assert entry.text == "container sidecar is a sidecar, and not as inject has put it in"
    assert injection.manifest == manifest


CHANGED_HOOKS: list[tuple[dict[str, Any], str]] = [
    ({"httpGet": {"path": "/drain?x=1", "port": 9808}}, "asks port 9808, which is the agent's"),
    ({"httpGet": {"path": "/drain", "port": "drainer"}}, "asks port drainer, which is the agent's"),
    ({"httpGet": {"path": "/drain", "port": 9900}}, "asks for /drain at a port that its container does not declare"),
    ({"httpGet": {"path": "/x", "port": 1, "httpHeaders": ["odd", {"name": "x-drainer-token"}]}}, "sends X-Drainer-To"),
    ({"exec": {"command": ["sh", "-c", "curl http://127.0.0.1:9808/drain; sleep 5"]}}, "runs a command with :9808/dra"),
]


@pytest.mark.parametrize(("changed", "asks"), CHANGED_HOOKS)
def test_a_hook_that_was_changed_stays(changed: dict[str, Any], asks: str) -> None:
    def edit(template: Template) -> None:
        app(template)["lifecycle"]["preStop"] = changed

    manifest = edited(edit)
    assert spec_of(uninject(manifest))["containers"][0]["lifecycle"] == {"preStop": changed}
    (said,) = told(manifest)
    assert said.startswith(f"left: preStop of container app stays: it {asks}")
    assert said.endswith(", but inject has not put it in so")


@pytest.mark.parametrize(
    "own",
    [
        {"httpGet": {"path": "/drain", "port": 8080}},
        {"exec": {"command": ["sleep", "5"]}},
        {"exec": {"command": "odd"}},
        {"exec": "odd"},
        {"sleep": {"seconds": 5}},
    ],
)
def test_a_hook_of_the_apps_own_is_nothing_that_was_left(own: dict[str, Any]) -> None:
    def edit(template: Template) -> None:
        app(template)["lifecycle"]["preStop"] = own

    assert told(edited(edit)) == []


def test_a_hook_that_was_moved_goes_where_it_can_be_known_and_is_said_where_not() -> None:
    def to_another(template: Template) -> None:
        template["spec"]["containers"].append(container("nginx", lifecycle=app(template).pop("lifecycle")))

    assert told(edited(to_another)) == []

    def to_the_start(template: Template) -> None:
        app(template)["lifecycle"] = {"postStart": hook(template)}

    (said,) = told(edited(to_the_start))
    assert said.startswith("left: postStart of container app stays: it asks port 9808")

    def to_an_init_container(template: Template) -> None:
        template["spec"]["initContainers"].append(container("proxy", lifecycle=app(template).pop("lifecycle")))

    (said,) = told(edited(to_an_init_container))
    assert said.startswith("left: preStop of container proxy stays: it asks port 9808")


def test_a_probe_that_asks_the_agent_stays_and_will_fail() -> None:
    def edit(template: Template) -> None:
        app(template)["readinessProbe"] = {"httpGet": {"path": "/health", "port": 9808}}
        app(template)["livenessProbe"] = {"httpGet": {"path": "/drain", "port": 9999}}

    assert told(edited(edit)) == [
        "left: readinessProbe of container app stays: it asks port 9808, which is the agent's"
    ]


@pytest.mark.parametrize("port", ["98x8", "$(PORT)", ""])
def test_a_port_that_is_none_any_more_is_no_fault(port: str) -> None:
    def edit(template: Template) -> None:
        sidecar(template)["env"].append({"name": "DRAINER_PORT", "value": port})

    assert uninject(edited(edit)).manifest == deployment()


def test_a_port_that_was_changed_in_the_sidecar_alone_leaves_the_hook() -> None:
    def edit(template: Template) -> None:
        sidecar(template)["env"].append({"name": "DRAINER_PORT", "value": "9900"})

    (said,) = told(edited(edit))
    assert "it asks for /drain at a port that its container does not declare" in said


def test_a_grace_period_that_was_changed_stays_and_is_said_with_what_was_before() -> None:
    def longer(template: Template) -> None:
        template["spec"]["terminationGracePeriodSeconds"] = 300

    (said,) = told(edited(longer))
    assert (
        said
        == "left: terminationGracePeriodSeconds stays 300: the sidecar was told 60s; before inject it was not there"
    )

    def as_before(template: Template) -> None:
        template["spec"]["terminationGracePeriodSeconds"] = 45

    given = inject(deployment(terminationGracePeriodSeconds=45), PLAIN).manifest
    as_before(given["spec"]["template"])
    assert told(given) == []

    def told_another(template: Template) -> None:
        for one in sidecar(template)["env"]:
            if one["name"] == "DRAINER_GRACE_PERIOD":
                one["value"] = "50s"

    assert variables(sidecar(edited(told_another)["spec"]["template"]))["DRAINER_GRACE_PERIOD"] == "50s"
    (said,) = told(edited(told_another))
    assert said.startswith("left: terminationGracePeriodSeconds stays 60: the sidecar was told 50s")


@pytest.mark.parametrize("former", ["{", "[]", 7])
def test_where_it_cannot_be_read_what_was_before_everything_that_may_be_injects_is_said(former: Any) -> None:
    def edit(template: Template) -> None:
        template["metadata"]["annotations"][FORMER] = former

    assert [said.split(" stays")[0] for said in told(edited(edit, EVERYTHING))] == [
        "left: what was there before",
        f"left: label {SERVING}",
        f"left: readiness gate {SERVING}",
        "beside: what --rbac has written for service account default is of no use any more",
    ]


@pytest.mark.parametrize(("ports", "left"), [("9000-9999", True), ("15000,9808", False), (9808, True)])
def test_a_mesh_that_still_excludes_the_agents_port_is_said(ports: Any, *, left: bool) -> None:
    def edit(template: Template) -> None:
        template["metadata"]["annotations"][EXCLUDES] = ports

    said = [text for text in told(edited(edit, EVERYTHING)) if text.startswith("left: ")]
    assert (
        said == [f"left: annotation {EXCLUDES} stays '{ports}': it was changed since, and has the agent's port"] * left
    )


def test_labels_annotations_and_gates_of_ones_own_stay_and_are_said() -> None:
    given = deployment(
        labels={INJECT: "true", SERVING: "true"},
        annotations={"drainer.dev/settle": "3s", "drainer.dev/close": "reset", "example.org/x": "y"},
        readinessGates=[{"conditionType": SERVING}],
    )
    manifest = inject(given, Options(image=IMAGE, settings=API)).manifest
    assert uninject(manifest).manifest == given
    assert told(manifest) == [
        "left: label drainer.dev/inject stays true: the chart's policy puts the sidecar in again",
        "left: label drainer.dev/serving stays: nothing says that inject has put it in",
        "left: annotations drainer.dev/settle, drainer.dev/close stay: inject had not put them in",
        f"left: readiness gate {SERVING} stays: nothing says that inject has put it in, and now nobody opens it",
        "beside: what --rbac has written for service account default is of no use any more",
    ]
    assert told(deployment(labels={INJECT: "false"})) == []


def test_what_was_made_for_the_sidecar_beside_the_pod_is_said() -> None:
    manifest = inject(deployment(serviceAccountName="chat"), EVERYTHING).manifest
    assert told(manifest) == [
        "beside: a Service that selects on drainer.dev/serving has this pod no more: change its selector",
        "beside: what --rbac has written for service account chat is of no use any more",
    ]


def test_without_its_annotation_nothing_is_taken_out_and_everything_is_said() -> None:
    def edit(template: Template) -> None:
        del template["metadata"]["annotations"][INJECTED]

    manifest = edited(edit)
    injection = uninject(manifest)
    assert injection.manifest == manifest
    assert injection.report[0].outcome is Outcome.UNCHANGED
    assert told(manifest) == [
        f"left: container drainer stays: it has the variable DRAINER_APP_PORTS, but there is no annotation {INJECTED}",
        f"left: preStop of container app stays: it {ASKS}, but there is no annotation {INJECTED}",
        "left: annotation drainer.dev/former stays: inject had not put it in",
    ]


def test_of_pods_that_never_had_the_agent_nothing_is_said() -> None:
    hooks = {"preStop": {"httpGet": {"path": "/drain", "port": 1234}}}
    given = deployment(containers=[container("app", lifecycle=hooks), container("drainer", ports=["odd"])])
    given["spec"]["template"]["spec"]["containers"][1]["image"] = "registry.example/sewer"
    assert told(given) == []
    # Beside an agent that somebody else has put in it may be the agent's.
    given["spec"]["template"]["spec"]["containers"][1]["env"] = [{"name": "DRAINER_APP_PORTS", "value": "1"}]
    assert [said.split(" stays")[0] for said in told(given)] == [
        "left: preStop of container app",
        "left: container drainer",
    ][::-1]
