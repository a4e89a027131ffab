"""The adapter in the chart: what it runs is what the command takes, and its rights are the least."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from drainer.adapter.flags import Options, add_flags, options
from drainer.adapter.questions import CUSTOM, EXTERNAL
from drainer.adapter.services import Service
from tests.chart import helm

BOTH = {"customMetrics": {"enabled": True}, "externalMetrics": {"enabled": True}}
COSTS = {"deletionCost": {"enabled": True}}
CHOICES: list[dict[str, Any]] = [
    {},
    BOTH,
    {"certManager": {"enabled": True}, "podSelector": "tier in (a, b)", "logLevel": "debug"},
]


def rendered(**values: Any) -> list[dict[str, Any]]:
    return helm.objects({"adapter": {"enabled": True, **values}})


def chosen(objects: list[dict[str, Any]]) -> Options:
    """As the command reads its arguments."""
    (container,) = helm.one(objects, "Deployment")["spec"]["template"]["spec"]["containers"]
    command, *arguments = container["args"]
    assert command == "adapter"
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return options(parser.parse_args(arguments))


@pytest.mark.parametrize("values", CHOICES)
def test_the_deployment_the_service_and_the_apiservices_belong_together(values: dict[str, Any]) -> None:
    objects = rendered(**values)
    made = chosen(objects)
    service = helm.one(objects, "Service")
    pods = helm.one(objects, "Deployment")["spec"]["template"]

    assert (made.namespace, made.service) == (helm.NAMESPACE, service["metadata"]["name"])
    assert made.selector == values.get("podSelector", "")
    ports = {port["name"]: port["containerPort"] for port in pods["spec"]["containers"][0]["ports"]}
    assert ports == {"https": made.port, "ops": made.ops_port}
    assert service["spec"]["selector"].items() <= pods["metadata"]["labels"].items()
    found = {item["metadata"]["name"]: item["spec"] for item in objects if item["kind"] == "APIService"}
    assert set(found) == {api.service_name for api in made.apis}
    for api in made.apis:
        spec = found[api.service_name]
        assert (spec["group"], spec["version"]) == (api.group, api.version)
        assert spec["service"] == {"namespace": made.namespace, "name": made.service, "port": 443}


def test_what_is_served_is_chosen_apart() -> None:
    assert chosen(rendered()).apis == (CUSTOM,)
    assert chosen(rendered(**BOTH)).apis == (CUSTOM, EXTERNAL)
    with pytest.raises(helm.helm.HelmError, match="there is nothing to do"):
        rendered(customMetrics={"enabled": False})
    costs_alone = rendered(customMetrics={"enabled": False}, **COSTS)
    assert (chosen(costs_alone).apis, chosen(costs_alone).deletion_cost) == ((), True)
    assert not [item for item in costs_alone if item["kind"] == "APIService"]


@pytest.mark.parametrize("values", CHOICES)
def test_it_may_touch_its_own_secret_and_apiservices_only(values: dict[str, Any]) -> None:
    objects = rendered(**values)
    rules = [rule for item in objects if item["kind"] in ("Role", "ClusterRole") for rule in item["rules"]]
    named = {rule["resources"][0]: rule for rule in rules}
    is_self_made = "certManager" not in values

    assert set(named) == {"pods", "apiservices"} | ({"secrets"} if is_self_made else set())
    assert named["pods"]["verbs"] == ["get", "list", "watch"]
    assert set(named["apiservices"]["resourceNames"]) == {api.service_name for api in chosen(objects).apis}
    assert named["apiservices"]["verbs"] == (["get", "patch"] if is_self_made else ["get"])
    if is_self_made:
        secret = helm.one(objects, "Secret")
        assert named["secrets"]["resourceNames"] == [secret["metadata"]["name"]] == [chosen(objects).certificate]
        assert named["secrets"]["verbs"] == ["get", "update"]
        # What is in it is the replicas': another `helm upgrade` leaves it.
        assert "data" not in secret


def test_the_certificate_of_cert_manager_is_for_the_name_that_the_api_server_asks_for() -> None:
    objects = rendered(certManager={"enabled": True})
    certificate = helm.one(objects, "Certificate")
    (volume,) = [
        one for one in helm.one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"] if "secret" in one
    ]

    assert certificate["spec"]["dnsNames"][0] == Service(helm.NAMESPACE, "drainer-adapter").dns_names[0]
    assert certificate["spec"]["secretName"] == volume["secret"]["secretName"]
    injected = helm.one(objects, "APIService")["metadata"]["annotations"]["cert-manager.io/inject-ca-from"]
    assert injected == f"{helm.NAMESPACE}/{certificate['metadata']['name']}"
    own = certificate["spec"]["issuerRef"]["name"]
    assert helm.one(objects, "Issuer")["metadata"]["name"] == own
    given = rendered(certManager={"enabled": True, "issuerRef": {"name": "ca", "kind": "ClusterIssuer"}})
    assert helm.one(given, "Certificate")["spec"]["issuerRef"] == {"name": "ca", "kind": "ClusterIssuer"}
    assert not [item for item in given if item["kind"] == "Issuer"]


def test_the_network_policy_lets_it_to_the_agents() -> None:
    values = {"adapter": {"enabled": True}, "networkPolicy": {"enabled": True, "otherPorts": "closed"}}
    (rule,) = helm.one(helm.objects(values), "NetworkPolicy")["spec"]["ingress"]
    labels = helm.one(helm.objects(values), "Deployment")["spec"]["template"]["metadata"]["labels"]

    (peer,) = rule["from"]
    assert peer["podSelector"]["matchLabels"].items() <= labels.items()
    assert rule["ports"] == [{"protocol": "TCP", "port": 9808}]


def test_one_replica_has_no_budget_that_would_hold_up_a_node() -> None:
    assert [item for item in rendered(replicas=1) if item["kind"] == "PodDisruptionBudget"] == []
    assert helm.one(rendered(), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
