"""OpenAPI of what is served, in the versions that the API server asks of aggregated ones: 2 and 3."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from drainer import __version__
from drainer.adapter.documents import kind_of
from drainer.adapter.questions import CUSTOM, Api
from drainer.adapter.readings import Metric

_TEXT: Mapping[str, Any] = {"type": "string"}
_VALUE: Mapping[str, Any] = {
    "timestamp": {"type": "string", "format": "date-time", "description": "when the connections were counted"},
    "value": {"type": "string", "description": "a quantity: connections, or a share of max_connections"},
}
_POD_VALUE: Mapping[str, Any] = {
    "describedObject": {
        "type": "object",
        "properties": dict.fromkeys(("kind", "namespace", "name", "apiVersion"), _TEXT),
    },
    "metric": {"type": "object", "properties": {"name": _TEXT, "selector": {"type": "object"}}},
    "windowSeconds": {"type": "integer", "format": "int64"},
    **_VALUE,
}
_SUM: Mapping[str, Any] = {
    "metricName": _TEXT,
    "metricLabels": {"type": "object", "additionalProperties": _TEXT},
    "window": {"type": "integer", "format": "int64"},
    **_VALUE,
}


def version_2(apis: Sequence[Api]) -> dict[str, Any]:
    """The swagger document of all of them; the API server merges it into its own."""
    return {
        "swagger": "2.0",
        "info": _info(),
        "paths": {
            path: {
                "parameters": [
                    {"name": name, "in": place, "required": place == "path", "type": "string", "uniqueItems": True}
                    for name, place in parameters.items()
                ],
                "get": _operation(api, path)
                | {
                    "produces": ["application/json"],
                    "schemes": ["https"],
                    "responses": {"200": {"description": "OK", "schema": {"$ref": f"#/definitions/{_name(api)}"}}},
                },
            }
            for api in apis
            for path, parameters in _paths(api).items()
        },
        "definitions": {_name(api): _schema(api) for api in apis},
    }


def version_3(api: Api) -> dict[str, Any]:
    """The document of one group and version."""
    return {
        "openapi": "3.0.0",
        "info": _info(),
        "paths": {
            path: {
                "parameters": [
                    {"name": name, "in": place, "required": place == "path", "schema": _TEXT}
                    for name, place in parameters.items()
                ],
                "get": _operation(api, path)
                | {
                    "responses": {
                        "200": {
                            "description": "OK",
                            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(api)}"}}},
                        }
                    }
                },
            }
            for path, parameters in _paths(api).items()
        },
        "components": {"schemas": {_name(api): _schema(api)}},
    }


def index_3(apis: Sequence[Api]) -> dict[str, Any]:
    """Where the documents of version 3 are; a hash lets the API server keep what it has."""
    return {
        "paths": {
            api.path[1:]: {"serverRelativeURL": f"/openapi/v3{api.path}?hash={digest(version_3(api))}"} for api in apis
        }
    }


def digest(document: Mapping[str, Any]) -> str:
    """Changes with the document."""
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest().upper()


def _info() -> dict[str, str]:
    return {"title": "drainer", "version": __version__}


def _name(api: Api) -> str:
    """Of the schema, as Go's packages would have it."""
    package = "custom_metrics" if api == CUSTOM else "external_metrics"
    return f"io.k8s.metrics.pkg.apis.{package}.{api.version}.{kind_of(api)}"


def _paths(api: Api) -> dict[str, dict[str, str]]:
    """Path -> its parameters and where they are."""
    below = "/namespaces/{namespace}" + ("/pods/{name}" if api == CUSTOM else "")
    of_pod = {"name": "path", "metricLabelSelector": "query"} if api == CUSTOM else {}
    return {
        f"{api.path}{below}/{metric}": {"namespace": "path", "labelSelector": "query", **of_pod} for metric in Metric
    }


def _operation(api: Api, path: str) -> dict[str, Any]:
    words = path.rpartition("/")[2].title().replace("_", "")
    version = api.version.title()
    return {
        "operationId": f"read{'CustomMetrics' if api == CUSTOM else 'ExternalMetrics'}{version}Namespaced{words}",
        "tags": [f"{'customMetrics' if api == CUSTOM else 'externalMetrics'}_{api.version}"],
        "x-kubernetes-action": "get",
        "x-kubernetes-group-version-kind": {"group": api.group, "version": api.version, "kind": kind_of(api)},
    }


def _schema(api: Api) -> dict[str, Any]:
    return {
        "description": "values of one metric",
        "type": "object",
        "required": ["metadata", "items"],
        "properties": {
            "apiVersion": _TEXT,
            "kind": _TEXT,
            "metadata": {"type": "object"},
            "items": {
                "type": "array",
                "items": {"type": "object", "properties": _POD_VALUE if api == CUSTOM else _SUM},
            },
        },
        "x-kubernetes-group-version-kind": [{"group": api.group, "version": api.version, "kind": kind_of(api)}],
    }
