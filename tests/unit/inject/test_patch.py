"""What is put into a pod, and every word that is said of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from drainer import __version__
from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.pods import NoPod
from drainer.commands.reports import Hint, Outcome, Skip
from drainer.errors import ConfigError
from drainer.keys import FORMER, INJECT, INJECTED, SERVING
from drainer.sidecar import Sidecar
from drainer.sidecar import container as sidecar_container
from tests.unit.inject.manifests import (
    IMAGE,
    OPTIONS,
    container,
    deployment,
    entry_of,
    hints,
    metadata_of,
    spec_of,
    text_of,
    variables,
)

SIDECAR_ENV = [{"name": "DRAINER_APP_PORTS", "value": "8080"}]


def test_the_sidecar_is_the_one_that_all_ways_share_and_the_given_manifest_is_not_changed() -> None:
    given = deployment()
    before = copy.deepcopy(given)
    injection = inject(given, Options(image=IMAGE, grace_period=60, settings={"settle": "8s"}, pull_policy="Never"))
    spec = spec_of(injection)
    assert given == before
    expected = Sidecar(IMAGE, "8080", 60, {"settle": "8s"}, pull_policy="Never")
    assert spec["initContainers"] == [sidecar_container(expected)]
    assert spec["initContainers"][0]["imagePullPolicy"] == "Never"
    assert spec["terminationGracePeriodSeconds"] == 60
    assert list(spec) == ["terminationGracePeriodSeconds", "initContainers", "containers"]
    assert spec["containers"][0]["lifecycle"] == {"preStop": {"httpGet": {"path": "/drain", "port": 9808}}}
    assert metadata_of(injection)["annotations"][INJECTED] == __version__
    (entry,) = injection.report
    assert (entry.title, entry.outcome, entry.reason) == ("Deployment shop/web", Outcome.INJECTED, None)
    assert entry.text == "app ports 8080, grace period 60 s"


def test_it_stands_before_other_init_containers_and_a_plain_one_after_all_others() -> None:
    given = deployment(initContainers=[container("migrate")])
    assert [one["name"] for one in spec_of(inject(given, OPTIONS))["initContainers"]] == ["drainer", "migrate"]
    plain = inject(given, Options(image=IMAGE, native=False))
    assert [one["name"] for one in spec_of(plain)["initContainers"]] == ["migrate"]
    assert [one["name"] for one in spec_of(plain)["containers"]] == ["app", "drainer"]
    sidecar = spec_of(plain)["containers"][1]
    assert "restartPolicy" not in sidecar
    assert "lifecycle" not in sidecar
    assert variables(sidecar)["DRAINER_CONTAINER"] == "plain"
    assert hints(plain.report[0]) == [Hint.PLAIN]


def test_a_second_time_replaces_the_first_whatever_was_asked() -> None:
    given = deployment(terminationGracePeriodSeconds=20)
    first = Options(image=IMAGE, grace_period=90, settings={"port": "9900", "close": "reset"}, native=False)
    second = Options(image="registry.example/drainer:2", grace_period=45)
    once = inject(given, first)
    twice = inject(once.manifest, second)
    assert twice.manifest == inject(given, second).manifest
    assert twice.report[0].outcome is Outcome.INJECTED
    assert twice.report[0].text.endswith(", anew")
    again = inject(twice.manifest, second)
    assert again.report[0].outcome is Outcome.UNCHANGED
    assert again.manifest == twice.manifest
    assert uninject(twice.manifest).manifest == given


def test_uninject_says_what_it_took_and_leaves_what_is_not_ours() -> None:
    given = deployment()
    assert uninject(given).report[0].outcome is Outcome.UNCHANGED
    assert uninject(given).report[0].text == "has nothing that inject has put in"
    assert uninject(inject(given, OPTIONS).manifest).report[0].outcome is Outcome.REMOVED
    by_hand = deployment(initContainers=[container("drainer", env=SIDECAR_ENV)])
    assert uninject(by_hand).manifest == by_hand
    service = {"apiVersion": "v1", "kind": "Service"}
    assert uninject(service).report[0].reason is NoPod.OTHER_KIND


# ------------------------------------------------------------------------------------------------- the grace period


@pytest.mark.parametrize(
    ("own", "asked", "field", "told", "hint"),
    [
        (None, None, None, "30s", None),
        (None, 20, None, "30s", Hint.GRACE_KEPT),
        (None, 30, None, "30s", None),
        (None, 60, 60, "60s", Hint.GRACE_RAISED),
        (45, None, 45, "45s", None),
        (45, 60, 60, "60s", Hint.GRACE_RAISED),
        (600, 60, 600, "600s", Hint.GRACE_KEPT),
        (0, 60, 60, "60s", Hint.GRACE_RAISED),
    ],
)
def test_the_grace_period_is_raised_and_never_lowered_and_the_agent_is_told(
    own: int | None, asked: int | None, field: int | None, told: str, hint: Hint | None
) -> None:
    given = deployment(**({} if own is None else {"terminationGracePeriodSeconds": own}))
    injection = inject(given, Options(image=IMAGE, grace_period=asked))
    spec = spec_of(injection)
    assert spec.get("terminationGracePeriodSeconds") == field
    assert variables(spec["initContainers"][0])["DRAINER_GRACE_PERIOD"] == told
    assert hints(injection.report[0]) == ([hint] if hint else [])
    assert uninject(injection.manifest).manifest == given


def test_a_grace_period_that_was_changed_since_stays_as_it_is() -> None:
    injected = inject(deployment(), Options(image=IMAGE, grace_period=60)).manifest
    injected["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = 300
    assert spec_of(uninject(injected))["terminationGracePeriodSeconds"] == 300
    again = inject(injected, Options(image=IMAGE, grace_period=60))
    assert variables(spec_of(again)["initContainers"][0])["DRAINER_GRACE_PERIOD"] == "300s"


@pytest.mark.parametrize("former", ["{", "[]", '{"other":1}'])
def test_what_is_remembered_may_be_unreadable(former: str) -> None:
    injected = inject(deployment(), Options(image=IMAGE, grace_period=60)).manifest
    injected["spec"]["template"]["metadata"]["annotations"][FORMER] = former
    assert uninject(injected).manifest == deployment(terminationGracePeriodSeconds=60)


def test_a_sidecar_that_somebody_has_removed_leaves_no_hook_behind() -> None:
    injected = inject(deployment(), Options(image=IMAGE, grace_period=60)).manifest
    del injected["spec"]["template"]["spec"]["initContainers"]
    assert uninject(injected).manifest == deployment(terminationGracePeriodSeconds=60)


# ---------------------------------------------------------------------------------------------------------- hooks


def test_a_prestop_of_ones_own_is_left_and_said() -> None:
    own = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    given = deployment(
        containers=[
            container("app", ports=[{"containerPort": 8080}], lifecycle=own),
            container("nginx", lifecycle={"postStart": {"exec": {"command": ["true"]}}}),
            container("null", lifecycle=None),
        ]
    )
    injection = inject(given, OPTIONS)
    app, nginx, null = spec_of(injection)["containers"]
    assert app["lifecycle"] == own
    assert set(nginx["lifecycle"]) == {"postStart", "preStop"}
    assert "preStop" in null["lifecycle"]
    assert hints(injection.report[0]) == [Hint.OWN_PRESTOP]
    assert "container app has a preStop of its own" in text_of(injection.report[0], Hint.OWN_PRESTOP)


def test_only_chosen_containers_get_the_hook_and_a_wrong_name_is_said() -> None:
    given = deployment(containers=[container("app", ports=[{"containerPort": 8080}]), container("other")])
    injection = inject(given, Options(image=IMAGE, containers=("other", "gone")))
    app, other = spec_of(injection)["containers"]
    assert "lifecycle" not in app
    assert "preStop" in other["lifecycle"]
    assert hints(injection.report[0]) == [Hint.UNKNOWN_CONTAINER]
    assert hints(entry_of(given, containers=("gone",))) == [Hint.UNKNOWN_CONTAINER, Hint.NO_HOOK]


def test_a_hook_that_calls_the_sidecar_already_is_as_good() -> None:
    hook = {"preStop": {"httpGet": {"path": "/drain", "port": 9808}}}
    given = deployment(containers=[container("app", ports=[{"containerPort": 8080}], lifecycle=hook)])
    assert hints(entry_of(given)) == []
    assert hints(entry_of(given, settings={"port": "9900"})) == [Hint.OWN_PRESTOP, Hint.NO_HOOK]


def test_on_the_nodes_network_the_hook_names_loopback_and_nowhere_else() -> None:
    injection = inject(deployment(hostNetwork=True), OPTIONS)
    hook = spec_of(injection)["containers"][0]["lifecycle"]["preStop"]["httpGet"]
    assert hook == {"path": "/drain", "port": 9808, "host": "127.0.0.1"}
    assert hints(injection.report[0]) == [Hint.HOST_NETWORK]


# ----------------------------------------------------------------------------------------------------- annotations


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


# ------------------------------------------------------------------------------------------------------- the API


def test_with_the_api_the_sidecar_knows_its_pod_and_the_rights_are_said() -> None:
    entry = entry_of(deployment(serviceAccountName="chat"), settings={"kubernetes": "auto"})
    assert text_of(entry, Hint.ROLE) == (
        "service account chat needs: get, watch pods; patch pods/status; create events; --rbac writes the Role"
    )
    settings = {"kubernetes": "on", "condition": "false", "events": "false"}
    entry = entry_of(deployment(), settings=settings)
    assert text_of(entry, Hint.ROLE) == "service account default needs: get, watch pods; --rbac writes the Role"
    assert hints(entry_of(deployment(), settings=settings, renders_role=True)) == []
    assert hints(entry_of(deployment(automountServiceAccountToken=False), settings=settings)) == [
        Hint.ROLE,
        Hint.NO_API_TOKEN,
    ]


def test_label_and_gate_are_put_in_and_taken_out_unless_they_were_there() -> None:
    options = Options(
        image=IMAGE,
        settings={"kubernetes": "on", "serving_label": "true", "readiness_gate": "true"},
        renders_role=True,
    )
    given = deployment(readinessGates=[{"conditionType": "other"}])
    injection = inject(given, options)
    assert metadata_of(injection)["labels"][SERVING] == "true"
    assert spec_of(injection)["readinessGates"] == [{"conditionType": "other"}, {"conditionType": SERVING}]
    assert json.loads(metadata_of(injection)["annotations"][FORMER]) == {SERVING: None, "readinessGates": None}
    assert hints(injection.report[0]) == [Hint.SERVING_LABEL, Hint.READINESS_GATE]
    assert uninject(injection.manifest).manifest == given
    there = deployment(labels={SERVING: "false"}, readinessGates=[{"conditionType": SERVING}])
    again = inject(there, options)
    assert metadata_of(again)["labels"] == {"app": "web", SERVING: "false"}
    assert uninject(again.manifest).manifest == there


def test_a_pod_without_metadata_gets_and_loses_it() -> None:
    given = deployment()
    del given["spec"]["template"]["metadata"]
    options = Options(image=IMAGE, settings={"kubernetes": "on", "serving_label": "true"})
    assert uninject(inject(given, options).manifest).manifest == given


def test_a_label_and_a_gate_that_somebody_has_removed_are_no_fault() -> None:
    options = Options(
        image=IMAGE, settings={"kubernetes": "on", "serving_label": "true", "readiness_gate": "true"}, mesh="istio"
    )
    injected = inject(deployment(), options).manifest
    template = injected["spec"]["template"]
    del template["spec"]["readinessGates"], template["metadata"]["labels"]
    del template["metadata"]["annotations"]["traffic.sidecar.istio.io/excludeInboundPorts"]
    expected = deployment()
    del expected["spec"]["template"]["metadata"]
    assert uninject(injected).manifest == expected


def test_closers_that_need_rights_and_a_token_that_can_be_read_are_said() -> None:
    settings = {"close": "notify, websocket,reset", "notify_url": "http://127.0.0.1:9809/drain", "token": "open sesame"}
    injection = inject(deployment(), Options(image=IMAGE, settings=settings))
    (entry,) = injection.report
    assert hints(entry) == [Hint.CLOSER_RIGHTS, Hint.TOKEN_SHOWN]
    assert text_of(entry, Hint.CLOSER_RIGHTS).startswith("websocket, reset: ")
    assert "open sesame" not in entry.remarks[1].text
    hook = spec_of(injection)["containers"][0]["lifecycle"]["preStop"]["httpGet"]
    assert hook["httpHeaders"] == [{"name": "X-Drainer-Token", "value": "open sesame"}]


# ------------------------------------------------------------------------------------------------------ left alone

SKIPPED: list[tuple[dict[str, Any], Skip | NoPod, str]] = [
    (deployment(labels={INJECT: "false"}), Skip.OPTED_OUT, 'its label drainer.dev/inject is "false"'),
    (deployment(os={"name": "windows"}), Skip.WINDOWS, "Linux"),
    (deployment(nodeSelector={"kubernetes.io/os": "windows"}), Skip.WINDOWS, "Linux"),
    (deployment(initContainers=[container("drainer", env=SIDECAR_ENV)]), Skip.HAS_SIDECAR, "not put in by inject"),
    (deployment(initContainers=[container("drainer", env=["odd"])]), Skip.NAME_TAKEN, "something else"),
    (deployment(containers=[container("drainer")]), Skip.NAME_TAKEN, "something else"),
    (deployment(terminationGracePeriodSeconds=0), Skip.NO_GRACE, "give --grace-period"),
    (deployment(terminationGracePeriodSeconds="60"), NoPod.MALFORMED, "terminationGracePeriodSeconds='60'"),
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
