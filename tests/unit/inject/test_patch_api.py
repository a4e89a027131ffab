"""What inject puts in for the API, and what is said of rights and secrets."""

from __future__ import annotations

import json

from drainer.commands.asked import Options
from drainer.commands.patch import inject, uninject
from drainer.commands.reports import Hint
from drainer.keys import DELETION_COST, FORMER, SERVING
from tests.unit.inject.manifests import (
    IMAGE,
    deployment,
    entry_of,
    hints,
    metadata_of,
    spec_of,
    text_of,
)


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
    assert text_of(entry, Hint.CLOSER_RIGHTS).startswith("websocket and reset need rights ")
    assert "open sesame" not in entry.remarks[1].text
    hook = spec_of(injection)["containers"][0]["lifecycle"]["preStop"]["httpGet"]
    assert hook["httpHeaders"] == [{"name": "X-Drainer-Token", "value": "open sesame"}]


def test_a_deletion_cost_that_is_set_by_hand_stays_and_that_is_said() -> None:
    settings = {"kubernetes": "on", "condition": "false", "events": "false", "deletion_cost": "true"}
    given = deployment(annotations={DELETION_COST: "-5"})
    entry = entry_of(given, settings=settings, renders_role=True)
    assert hints(entry) == [Hint.OWN_COST]
    assert metadata_of(inject(given, Options(image=IMAGE, settings=settings)))["annotations"][DELETION_COST] == "-5"
    assert hints(entry_of(deployment(), settings=settings, renders_role=True)) == []
    assert hints(entry_of(given, settings=settings | {"deletion_cost": "false"}, renders_role=True)) == []


def test_headers_that_can_be_read_are_said_and_not_shown() -> None:
    settings = {"health": "ping", "health_headers": "Authorization: Bearer open-sesame"}
    (entry,) = inject(deployment(), Options(image=IMAGE, settings=settings)).report
    assert hints(entry) == [Hint.HEADERS_SHOWN]
    assert "sesame" not in entry.remarks[0].text
