"""Discovery and OpenAPI: what the documents say is what is served."""

from __future__ import annotations

from typing import Any

import pytest

from drainer.adapter.documents import aggregated, aggregated_version, documents
from drainer.adapter.questions import CUSTOM, EXTERNAL
from drainer.adapter.readings import Metric
from drainer.adapter.schemas import index_3, version_2, version_3
from tests.unit.adapter.test_answers import ask, fleet

BOTH = (CUSTOM, EXTERNAL)
V2 = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
V2BETA1 = "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList"


@pytest.mark.parametrize(
    ("accept", "version"),
    [
        (f"{V2},{V2BETA1},application/json", "v2"),
        (f"{V2BETA1}, application/json", "v2beta1"),
        (f"application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList,{V2BETA1}", "v2beta1"),
        (f"application/json, {V2}", None),
        ("application/json;g=apidiscovery.k8s.io;v=v9;as=APIGroupDiscoveryList", None),
        ("application/vnd.kubernetes.protobuf", None),
        ("*/*", None),
        ("", None),
    ],
)
def test_which_discovery_is_wanted(accept: str, version: str | None) -> None:
    assert aggregated_version(accept) == version


def test_the_old_documents_name_what_is_served() -> None:
    found = documents(BOTH)

    assert sorted(found) == sorted(["/apis", *(path for api in BOTH for path in (f"/apis/{api.group}", api.path))])
    assert [group["name"] for group in found["/apis"]["groups"]] == [CUSTOM.group, EXTERNAL.group]
    assert found[f"/apis/{CUSTOM.group}"]["preferredVersion"]["groupVersion"] == "custom.metrics.k8s.io/v1beta2"
    for resource in found[CUSTOM.path]["resources"]:
        pods, metric = resource["name"].split("/")
        kind = ask(f"{CUSTOM.path}/namespaces/chat/{pods}/%2A/{metric}", fleet())["kind"]
        assert (resource["kind"], resource["namespaced"], resource["verbs"]) == (kind, True, ["get"])
    for resource in found[EXTERNAL.path]["resources"]:
        assert resource["kind"] == ask(f"{EXTERNAL.path}/namespaces/chat/{resource['name']}", fleet())["kind"]


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_the_aggregated_document_says_the_same(version: str) -> None:
    found = aggregated(BOTH, version)

    assert found["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    custom, external = (item["versions"][0]["resources"] for item in found["items"])
    assert [one["subresource"] for one in custom[0]["subresources"]] == [*Metric]
    assert [one["resource"] for one in external] == [*Metric]


def test_openapi_has_a_path_for_each_metric() -> None:
    old = version_2(BOTH)

    assert len(old["paths"]) == 2 * len(Metric)
    identifiers = [path["get"]["operationId"] for path in old["paths"].values()]
    assert len(set(identifiers)) == len(identifiers)
    for api in BOTH:
        new = version_3(api)
        assert set(new["paths"]) == {path for path in old["paths"] if path.startswith(api.path)}
        for document, schemas in ((old, old["definitions"]), (new, new["components"]["schemas"])):
            for reference in _references(document):
                assert reference.rpartition("/")[2] in schemas


def test_the_index_changes_with_the_documents() -> None:
    found = index_3(BOTH)["paths"]

    assert set(found) == {"apis/custom.metrics.k8s.io/v1beta2", "apis/external.metrics.k8s.io/v1beta1"}
    urls = [entry["serverRelativeURL"] for entry in found.values()]
    assert urls[0].startswith("/openapi/v3/apis/custom.metrics.k8s.io/v1beta2?hash=")
    assert urls[0].partition("=")[2] != urls[1].partition("=")[2]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for part in value.values() for found in _references(part)]
    return [found for part in value for found in _references(part)] if isinstance(value, list) else []
