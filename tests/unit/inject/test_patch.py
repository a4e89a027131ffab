"""What is put into a pod, and every word that is said of it."""

from __future__ import annotations

import copy

import pytest

from drainer import __version__
from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.pods import NoPod
from drainer.commands.reports import Hint, Outcome
from drainer.keys import FORMER, INJECTED
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
