"""Fields in the types that Kubernetes takes. What is of another type is said, and then left out.

So the checks need not ask: a field that they read is of its type, or is not there. null is as good as nothing, as it is
for the API server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from drainer.commands.doctor.findings import Found, Path, written

Shape = Any
"""A type, a tuple of types, [shape] for a list, {key: shape} for a mapping, {ANY: shape} for one with any keys."""
ANY = "*"
SHOWN = 63
"""Characters of a text, or bits of a number."""
_WORDS: Mapping[Shape, str] = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    (int, str): "a number or a name",
    (str, int, float): "a quantity",
}

STRINGS: Shape = {ANY: str}
_HTTP_GET = {
    "host": str,
    "path": str,
    "port": (int, str),
    "scheme": str,
    "httpHeaders": [{"name": str, "value": str}],
}
_PROBE = {
    "httpGet": _HTTP_GET,
    "exec": {"command": [str]},
    "tcpSocket": {"port": (int, str)},
    "grpc": {"port": int},
    "periodSeconds": int,
    "timeoutSeconds": int,
    "failureThreshold": int,
    "terminationGracePeriodSeconds": int,
}
_HANDLER = {"httpGet": _HTTP_GET, "exec": {"command": [str]}, "sleep": {"seconds": int}, "tcpSocket": {}}
_AMOUNTS = {ANY: (str, int, float)}
_RESOURCES = {"requests": _AMOUNTS, "limits": _AMOUNTS}
_SECURITY = {
    "runAsUser": int,
    "runAsGroup": int,
    "privileged": bool,
    "capabilities": {"add": [str], "drop": [str]},
    "seccompProfile": {"type": str},
}
_CONTAINER = {
    "name": str,
    "image": str,
    "command": [str],
    "args": [str],
    "restartPolicy": str,
    "env": [{"name": str, "value": str, "valueFrom": {"fieldRef": {"fieldPath": str}, ANY: {}}}],
    "envFrom": [{ANY: {}}],
    "ports": [{"name": str, "containerPort": int, "protocol": str}],
    "lifecycle": {"preStop": _HANDLER},
    "livenessProbe": _PROBE,
    "readinessProbe": _PROBE,
    "startupProbe": _PROBE,
    "resources": _RESOURCES,
    "securityContext": _SECURITY,
    "volumeMounts": [{"mountPath": str}],
}
METADATA: Shape = {"uid": str, "labels": STRINGS, "annotations": STRINGS}
POD_SPEC: Shape = {
    "terminationGracePeriodSeconds": int,
    "hostNetwork": bool,
    "hostPID": bool,
    "shareProcessNamespace": bool,
    "automountServiceAccountToken": bool,
    "os": {"name": str},
    "nodeSelector": STRINGS,
    "readinessGates": [{"conditionType": str}],
    "securityContext": _SECURITY,
    "resources": _RESOURCES,
    "initContainers": [_CONTAINER],
    "containers": [_CONTAINER],
}
POD: Shape = {"metadata": METADATA, "spec": POD_SPEC}
WORKLOAD: Shape = {
    "metadata": METADATA,
    "spec": {
        "replicas": int,
        "strategy": {"type": str},
        "selector": {"matchLabels": STRINGS, "matchExpressions": [{"key": str}]},
        "template": POD,
    },
}
SERVICE: Shape = {
    "metadata": {"name": str, "namespace": str},
    "spec": {
        "type": str,
        "selector": STRINGS,
        "ports": [{"name": str, "port": int, "targetPort": (int, str), "appProtocol": str}],
        "externalIPs": [str],
        "externalTrafficPolicy": str,
        "publishNotReadyAddresses": bool,
    },
}
SCALER: Shape = {
    "metadata": {"name": str, "namespace": str},
    "spec": {
        "scaleTargetRef": {"kind": str, "name": str},
        "targetCPUUtilizationPercentage": int,
        "metrics": [
            {
                "type": str,
                "resource": {"name": str, "target": {"type": str}},
                "containerResource": {"name": str, "container": str, "target": {"type": str}},
            }
        ],
    },
}


class Node:
    """A value of a cleaned object, and the way to it. What is not there is a Node too: an empty one."""

    __slots__ = ("path", "value")

    def __init__(self, value: Any, path: Path = ()) -> None:
        self.value = value
        self.path = path

    def __getitem__(self, key: str) -> Node:
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, (*self.path, key))

    def __iter__(self) -> Iterator[Node]:
        """The items of a list."""
        for index, item in enumerate(self.value if isinstance(self.value, list) else []):
            yield Node(item, (*self.path, index))

    def __bool__(self) -> bool:
        """Whether it is there, even if it is 0, false or empty."""
        return self.value is not None

    @property
    def text(self) -> str:
        """A string, empty where there is none."""
        return self.value if isinstance(self.value, str) else ""

    @property
    def number(self) -> int | None:
        """A whole number."""
        return self.value if isinstance(self.value, int) else None

    @property
    def is_true(self) -> bool:
        """Whether it is `true`."""
        return self.value is True

    @property
    def keys(self) -> Mapping[str, Any]:
        """A mapping, empty where there is none."""
        return self.value if isinstance(self.value, dict) else {}

    @property
    def texts(self) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(item.text for item in self)


def cleaned(value: Any, shape: Shape, path: Path, faults: list[Found]) -> Any:
    """`value` with only the fields that `shape` knows and only in its types; the others are told to `faults`."""
    if value is None:
        return None
    if isinstance(shape, dict):
        return _cleaned_mapping(value, shape, path, faults)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _refuse(value, "a list", path, faults)
        # A null or a wrong item keeps its place: the indices of paths are those of the source.
        return [cleaned(item, shape[0], (*path, index), faults) for index, item in enumerate(value)]
    # true is an int for Python, not for Kubernetes.
    if not isinstance(value, shape) or (isinstance(value, bool) and shape is not bool):
        return _refuse(value, _WORDS[shape], path, faults)
    return value


def _cleaned_mapping(value: Any, shape: Mapping[str, Shape], path: Path, faults: list[Found]) -> Any:
    if not isinstance(value, dict):
        return _refuse(value, "a mapping", path, faults)
    kept = {}
    for key, item in value.items():
        name = str(key)
        wanted = shape.get(name, shape.get(ANY))
        if wanted is not None:
            kept[name] = cleaned(item, wanted, (*path, name), faults)
    return kept


def _refuse(value: Any, wanted: str, path: Path, faults: list[Found]) -> None:
    says = f"is {_said(value)}{_shown(value, path)}, and the API server takes only {wanted}"
    faults.append(Found(path, says, f"{_advice(wanted)} {written(path)}"))


def _shown(value: Any, path: Path) -> str:
    """A value of some characters; none that may be a secret: that of a variable, a header or a token's annotation."""
    if "value" in path[-1:] or "token" in str(path[-1:]) or not isinstance(value, (str, bool, int)):
        return ""
    is_short = len(value) <= SHOWN if isinstance(value, str) else value.bit_length() <= SHOWN
    return f" ({value})" if is_short else ""


def _said(value: Any) -> str:
    for kind, word in ((bool, "a boolean"), ((int, float), "a number"), (str, "a string"), (list, "a list")):
        if isinstance(value, kind):
            return word
    return "a mapping" if isinstance(value, dict) else f"a {type(value).__name__}"


def _advice(wanted: str) -> str:
    return "put quotes around the value of" if wanted == "a string" else f"give {wanted} for"
