"""What a path is about: what is to be allowed is what the API server would have asked itself."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.adapter.questions import CUSTOM, EXTERNAL, Api, Question, question

BELOW = "/apis/custom.metrics.k8s.io/v1beta2"


def of(namespace: str = "", resource: str = "", name: str = "", subresource: str = "") -> dict[str, Any]:
    """What is to be allowed."""
    given = {"namespace": namespace, "resource": resource, "name": name, "subresource": subresource}
    return {key: value for key, value in given.items() if value} | {"group": CUSTOM.group, "version": CUSTOM.version}


@pytest.mark.parametrize(
    ("path", "attributes"),
    [
        (f"{BELOW}/namespaces/chat/pods/%2A/connections", of("chat", "pods", "*", "connections") | {"verb": "get"}),
        (f"{BELOW}/namespaces/chat/pods/ws-0/connections", of("chat", "pods", "ws-0", "connections") | {"verb": "get"}),
        (f"{BELOW}/namespaces/chat/pods/a%2Fb/connections", of("chat", "pods", "a/b", "connections") | {"verb": "get"}),
        (f"{BELOW}//namespaces//chat/pods", of("chat", "pods") | {"verb": "list"}),
        (f"{BELOW}/namespaces/chat", of("chat", "namespaces", "chat") | {"verb": "get"}),
        (f"{BELOW}/namespaces", of("", "namespaces") | {"verb": "list"}),
        (f"{BELOW}/nodes/n1/connections/more", of("", "nodes", "n1", "connections") | {"verb": "get"}),
    ],
)
def test_a_resource(path: str, attributes: dict[str, Any]) -> None:
    assert question("GET", path).attributes() == {"resourceAttributes": attributes}


@pytest.mark.parametrize(
    "path", ["/", "/apis", "/apis/custom.metrics.k8s.io", BELOW, f"{BELOW}/", "/openapi/v3/apis/a/b", "/api/v1/pods/x"]
)
def test_a_document(path: str) -> None:
    asked = question("GET", path)

    assert asked == Question(path, "get")
    assert asked.attributes() == {"nonResourceAttributes": {"path": path, "verb": "get"}}


@pytest.mark.parametrize(
    ("method", "verb"),
    [
        ("HEAD", "get"),
        ("POST", "create"),
        ("PUT", "update"),
        ("PATCH", "patch"),
        ("DELETE", "delete"),
        ("OPTIONS", "options"),
    ],
)
def test_verbs(method: str, verb: str) -> None:
    assert question(method, f"{BELOW}/namespaces/chat/pods/ws-0").verb == verb


def test_the_two_apis() -> None:
    assert CUSTOM.service_name == "v1beta2.custom.metrics.k8s.io"
    assert Api("external.metrics.k8s.io", "v1beta1") == EXTERNAL
    assert question("GET", f"{EXTERNAL.path}/namespaces/chat/connections") == Question(
        f"{EXTERNAL.path}/namespaces/chat/connections", "list", EXTERNAL, "chat", "connections"
    )
