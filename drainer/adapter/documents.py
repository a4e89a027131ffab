"""Discovery, as clients and the aggregator ask for it: the old documents, and the aggregated one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from drainer.adapter.questions import CUSTOM, Api
from drainer.adapter.readings import Metric

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
VERSIONS = ("v2", "v2beta1")
"""Of the aggregated document, the better first; the API server asks for both in one Accept."""


def aggregated_version(accept: str) -> str | None:
    """Which aggregated document is wanted, if it is: the first that `Accept` names."""
    for wanted in accept.split(","):
        media, *parameters = (part.strip() for part in wanted.split(";"))
        given = dict(parameter.partition("=")[::2] for parameter in parameters)
        is_one = given.get("g") == "apidiscovery.k8s.io" and given.get("as") == "APIGroupDiscoveryList"
        if media == "application/json" and is_one and given.get("v") in VERSIONS:
            return given["v"]
        if media in ("application/json", "*/*") and "as" not in given:
            return None
    return None


def aggregated(apis: Sequence[Api], version: str) -> dict[str, Any]:
    """All in one: an APIGroupDiscoveryList."""
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": f"apidiscovery.k8s.io/{version}",
        "metadata": {},
        "items": [
            {
                "metadata": {"name": api.group, "creationTimestamp": None},
                "versions": [{"version": api.version, "resources": _discovered(api), "freshness": "Current"}],
            }
            for api in apis
        ],
    }


def documents(apis: Sequence[Api]) -> Mapping[str, Any]:
    """Path -> the old documents."""
    found: dict[str, Any] = {
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(api) for api in apis]}
    }
    for api in apis:
        found[f"/apis/{api.group}"] = {"kind": "APIGroup", "apiVersion": "v1", **_group(api)}
        found[api.path] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": api.group_version,
            "resources": [
                {
                    "name": f"pods/{metric}" if api == CUSTOM else str(metric),
                    "singularName": "",
                    "namespaced": True,
                    "kind": kind_of(api),
                    "verbs": ["get"],
                }
                for metric in Metric
            ],
        }
    return found


def kind_of(api: Api) -> str:
    """What is answered there."""
    return "MetricValueList" if api == CUSTOM else "ExternalMetricValueList"


def _group(api: Api) -> dict[str, Any]:
    version = {"groupVersion": api.group_version, "version": api.version}
    return {"name": api.group, "versions": [version], "preferredVersion": version}


def _discovered(api: Api) -> list[dict[str, Any]]:
    kind = {"group": api.group, "version": api.version, "kind": kind_of(api)}
    if api == CUSTOM:
        # The pods are another group's; here they only have subresources. Old clients want a responseKind all the same
        # (kubernetes#118361).
        metrics = [{"subresource": metric, "responseKind": kind, "verbs": ["get"]} for metric in Metric]
        nothing = {"group": "", "version": "", "kind": ""}
        return [
            {
                "resource": "pods",
                "responseKind": nothing,
                "scope": "Namespaced",
                "singularResource": "",
                "verbs": [],
                "subresources": metrics,
            }
        ]
    return [
        {"resource": metric, "responseKind": kind, "scope": "Namespaced", "singularResource": "", "verbs": ["get"]}
        for metric in Metric
    ]
