"""What the agent's use of the API needs: a Role of exactly what is switched on, and the policy beside it.

The service account is the pod's own, so the app gets these rights too. The ValidatingAdmissionPolicy (Kubernetes 1.30)
holds each token to its own pod and to what the agent writes there. The chart renders the same (chart/templates/rbac).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from drainer.cap import Signal, signal_of
from drainer.commands.pods import NoPod, find, objects
from drainer.commands.removal import is_agent, variables_of
from drainer.keys import DELETION_COST, SERVING
from drainer.settings import BY_NAME
from drainer.sidecar import NAME
from drainer.target import SOURCES

REASONS = ("DrainStarted", "Drained", "DrainDeadline", "DrainResumed")
"""Of the agent's Events."""
_GROUP = "rbac.authorization.k8s.io"
_ADMISSION = "admissionregistration.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Rights:
    """What the agent writes; it always reads its pod."""

    label: bool = False
    condition: bool = False
    """The readiness gate's too: they are one."""
    events: bool = False
    cost: bool = False
    """The pod's deletion cost."""
    others: bool = False
    """It reads too who else is in its Services, when it is full."""
    metrics: bool = False
    """It reads too what the pod takes."""

    @property
    def status(self) -> bool:
        """Whether it writes to the pod's status."""
        return self.label or self.condition or self.cost

    def __or__(self, other: Rights) -> Rights:
        return Rights(*(getattr(self, row.name) or getattr(other, row.name) for row in fields(self)))

    def __str__(self) -> str:
        return "; ".join(
            f"{', '.join(verbs)} {f'{resource}.{group}' if group else resource}"
            for group, resource, verbs in self.rules()
        )

    def rules(self) -> list[tuple[str, str, list[str]]]:
        """(API group, resource, verbs)."""
        return [
            ("", "pods", ["get", "watch"]),
            *([("", "pods/status", ["patch"])] if self.status else []),
            *([("", "events", ["create"])] if self.events else []),
            *([("discovery.k8s.io", "endpointslices", ["list"])] if self.others else []),
            *([("metrics.k8s.io", "pods", ["get"])] if self.metrics else []),
        ]


def rights_of(settings: Mapping[str, str]) -> Rights:
    """What an agent with these settings, as they are written, needs."""
    values = {name: settings.get(name) or setting.default for name, setting in BY_NAME.items()}
    label, gate, condition, events, cost, never_last = (
        values[name] == "true"
        for name in ("serving_label", "readiness_gate", "condition", "events", "deletion_cost", "never_last")
    )
    is_limited = values["max_connections"] != "off" or values["max_rate"] != "off"
    is_said = signal_of(values["full"] or "", has_label=label) is not Signal.METRIC
    metrics = "metrics" in SOURCES[values["usage"] or ""]
    return Rights(label, gate or condition, events, cost, never_last and is_limited and is_said, metrics)


def needs(manifest: Mapping[str, Any], namespace: str = "") -> dict[tuple[str, str], Rights]:
    """(namespace, service account) -> rights, of all pods in it whose sidecar uses the API.

    `namespace`: of objects that name none.
    """
    found: dict[tuple[str, str], Rights] = {}
    for kind, data in objects(manifest):
        workload = find(kind, data)
        if isinstance(workload, NoPod):
            continue
        spec = workload.spec
        account = str(spec.get("serviceAccountName") or "default")
        for one in [*(spec.get("initContainers") or ()), *spec["containers"]]:
            variables = dict(variables_of(one))
            if is_agent(one) and "POD_UID" in variables:
                key = workload.namespace or namespace, account
                settings = {name: variables.get(setting.env, "") for name, setting in BY_NAME.items()}
                found[key] = found.get(key, Rights()) | rights_of(settings)
    return found


def rendered(namespace: str, account: str, rights: Rights) -> list[dict[str, Any]]:
    """The objects for one service account. A namespace has no dot in its name, so the policy's name is its own."""
    name, policy = f"{NAME}-{account}", f"{NAME}-own-pod.{namespace}.{account}"
    labels = {"app.kubernetes.io/name": NAME}
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    role = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": [
            {"apiGroups": [group], "resources": [resource], "verbs": verbs} for group, resource, verbs in rights.rules()
        ],
    }
    binding = {
        "apiVersion": f"{_GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": metadata,
        "roleRef": {"apiGroup": _GROUP, "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    }
    if not (rights.status or rights.events):
        return [role, binding]
    return [
        role,
        binding,
        {
            "apiVersion": _ADMISSION,
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": policy, "labels": labels},
            "spec": _policy(namespace, account, rights),
        },
        {
            "apiVersion": _ADMISSION,
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": policy, "labels": labels},
            "spec": {"policyName": policy, "validationActions": ["Deny"]},
        },
    ]


def _policy(namespace: str, account: str, rights: Rights) -> dict[str, Any]:
    status = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["pods/status"]}
    events = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["events"]}
    user = f"system:serviceaccount:{namespace}:{account}"
    return {
        "failurePolicy": "Fail",
        "matchConstraints": {
            # Events of events.k8s.io too: they come as what they are in core/v1.
            "matchPolicy": "Equivalent",
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [*([status] if rights.status else []), *([events] if rights.events else [])],
        },
        "matchConditions": [
            {"name": "one-of-the-service-accounts", "expression": f"request.userInfo.username in ['{user}']"}
        ],
        "variables": [{"name": name, "expression": expression} for name, expression in _VARIABLES.items()],
        "validations": [
            {"expression": expression, "message": f"drainer: {message}"} for expression, message in _validations(rights)
        ],
    }


# Objects are looked at as maps, so that every field counts, those too that only a newer Kubernetes has.
_VARIABLES = {
    # Of the pod that the token was made for; empty for a token that belongs to none.
    "podName": "request.userInfo.?extra[?'authentication.kubernetes.io/pod-name'].orValue(['']).join(',')",
    "podUid": "request.userInfo.?extra[?'authentication.kubernetes.io/pod-uid'].orValue(['']).join(',')",
    "isEvent": "request.resource.resource == 'events'",
    "now": "dyn(object)",
    "before": "dyn(oldObject)",
    "labels": "variables.isEvent ? {} : variables.now.metadata.?labels.orValue({})",
    "oldLabels": "variables.isEvent ? {} : variables.before.metadata.?labels.orValue({})",
    "annotations": "variables.isEvent ? {} : variables.now.metadata.?annotations.orValue({})",
    "oldAnnotations": "variables.isEvent ? {} : variables.before.metadata.?annotations.orValue({})",
    "conditions": "variables.isEvent ? [] : variables.now.?status.?conditions.orValue([])",
    "oldConditions": "variables.isEvent ? [] : variables.before.?status.?conditions.orValue([])",
}


def _validations(rights: Rights) -> Iterator[tuple[str, str]]:
    yield (
        "variables.podName != '' && variables.podUid != ''",
        "only the token that is mounted into a pod may do this",
    )
    if rights.status:
        for expression, message in _of_status(rights):
            yield f"variables.isEvent || {expression}", message
    if rights.events:
        for expression, message in _of_events():
            yield f"!variables.isEvent || {expression}", message


def _of_status(rights: Rights) -> Iterator[tuple[str, str]]:
    yield (
        "variables.now.metadata.name == variables.podName && variables.now.metadata.uid == variables.podUid",
        "a pod may change the status of itself alone",
    )
    also, named = (", 'annotations'", f" and the annotation {DELETION_COST}") if rights.cost else ("", "")
    yield (
        (
            f"variables.now.metadata.all(key, key in ['labels'{also}, 'managedFields', 'resourceVersion'] || "
            "variables.before.metadata[?key] == variables.now.metadata[?key]) && "
            f"variables.before.metadata.all(key, key in ['labels'{also}, 'managedFields'] || "
            "key in variables.now.metadata)"
        ),
        f"of the metadata only the label {SERVING}{named} may be changed",
    )
    if rights.cost:
        yield (
            (
                f"variables.annotations.all(key, key == '{DELETION_COST}' || "
                "variables.oldAnnotations[?key] == variables.annotations[?key]) && "
                "variables.oldAnnotations.all(key, key in variables.annotations)"
            ),
            f"of the annotations only {DELETION_COST} may be changed",
        )
    own = f"key == '{SERVING}' || " if rights.label else ""
    yield (
        (
            f"variables.labels.all(key, {own}variables.oldLabels[?key] == variables.labels[?key]) && "
            "variables.oldLabels.all(key, key in variables.labels)"
        ),
        f"of the labels only {SERVING} may be changed" if rights.label else "labels may not be changed",
    )
    if rights.label:
        yield (
            f"variables.labels[?'{SERVING}'].orValue('true') in ['true', 'false']",
            f"the label {SERVING} may be true or false",
        )
    yield "variables.now.?spec == variables.before.?spec", "the spec may not be changed"
    yield (
        (
            "variables.now.?status.orValue({}).all(key, key == 'conditions' || "
            "variables.before.?status[?key] == variables.now.status[?key]) && "
            "variables.before.?status.orValue({}).all(key, key == 'conditions' || "
            "variables.now.?status[?key].hasValue())"
        ),
        "of the status only the conditions may be changed",
    )
    new, old = (f"{one}.type == '{SERVING}' || " if rights.condition else "" for one in ("c", "o"))
    yield (
        (
            f"variables.conditions.all(c, {new}variables.oldConditions.exists(o, o == c)) && "
            f"variables.oldConditions.all(o, {old}variables.conditions.exists(c, c == o))"
        ),
        f"of the conditions only {SERVING} may be changed" if rights.condition else "conditions may not be changed",
    )


def _of_events() -> Iterator[tuple[str, str]]:
    yield (
        (
            "request.operation == 'CREATE' && variables.now.involvedObject.?kind.orValue('') == 'Pod' && "
            "variables.now.involvedObject.?namespace.orValue('') == request.namespace && "
            "variables.now.involvedObject.?name.orValue('') == variables.podName && "
            "variables.now.involvedObject.?uid.orValue('') == variables.podUid"
        ),
        "a pod may make Events about itself alone",
    )
    reasons = ", ".join(f"'{reason}'" for reason in REASONS)
    yield (
        (
            f"variables.now.?source.?component.orValue('') == '{NAME}' && "
            f"variables.now.?reportingComponent.orValue('') == '{NAME}' && !variables.now.?source.?host.hasValue() && "
            f"variables.now.?reason.orValue('') in [{reasons}]"
        ),
        f"these Events are from {NAME}, and say {', '.join(REASONS[:-1])} or {REASONS[-1]}",
    )
