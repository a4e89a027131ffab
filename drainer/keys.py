"""The keys that this project writes to and reads from Kubernetes objects: one prefix, named here and nowhere else.

The chart names it once more (`drainer.prefix` in chart/templates/_helpers.tpl); a test holds both together.
"""

from __future__ import annotations

PREFIX = "drainer.dev"
"""Of all labels, annotations and conditions."""

INJECT = f"{PREFIX}/inject"
"""Label of a pod: "true" asks for the sidecar. (An admission policy can select by labels only.)"""

SERVING = f"{PREFIX}/serving"
"""One name for three things that say the same of a pod, "true" while it serves and "false" while it drains:
the label that a Service may select on, the pod's condition, and the readiness gate. The label alone is "false" too
while a serving pod is full: a gate would make the fullest pod the first one to be deleted."""

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
"""Kubernetes' own annotation: of the pods of a ReplicaSet that are ready alike, the one with the lowest goes first."""

INJECTED = f"{PREFIX}/injected"
"""Annotation: the version of the sidecar that was put in, by whichever way."""

FORMER = f"{PREFIX}/former"
"""Annotation: what inject changed and uninject has to know, as a JSON object: name of the field, label or annotation ->
its value before, null where there was none."""

CONTAINER = f"{PREFIX}/container"
"""Annotation: the containers that get the hook, instead of all ordinary ones; names with commas between them."""


def is_ours(key: object) -> bool:
    """Whether a key of labels or annotations is this project's; one that looks like a number is one for YAML."""
    return str(key).startswith(f"{PREFIX}/")


def annotation(setting: str) -> str:
    """The annotation that gives one setting for one pod: named as the flag (`app_ports` -> .../app-ports)."""
    return f"{PREFIX}/{setting.replace('_', '-')}"
