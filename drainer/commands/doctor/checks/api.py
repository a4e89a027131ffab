"""What the agent needs of the API: who it is, a token, the label, the gate."""

from __future__ import annotations

from collections.abc import Iterator

from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Path, Severity
from drainer.commands.doctor.given import IDENTITY
from drainer.keys import SERVING


def _identity_faults(case: Case) -> Iterator[str]:
    for name, field in IDENTITY.items():
        given = case.given.identity.get(name)
        if given is None:
            yield f"{name} is not set"
        elif given and given != field:
            yield f"{name} is {given}, not {field}"


def _identity_fix() -> str:
    return "env: " + ", ".join(f"{name} with fieldRef {field}" for name, field in IDENTITY.items())


def api_identity(case: Case) -> Iterator[Found]:
    """`on`, and it does not know its pod."""
    faults = ", ".join(_identity_faults(case))
    if case.given.values["kubernetes"] == "on" and faults and case.given.sees("kubernetes"):
        yield Found(
            case.given.where("kubernetes"),
            f"kubernetes is on, and the agent does not know which pod it is in: {faults}",
            _identity_fix(),
        )


def api_half_asked(case: Case) -> Iterator[Found]:
    """`auto`, and some of the three."""
    faults = ", ".join(_identity_faults(case))
    if case.given.values["kubernetes"] == "auto" and case.given.identity and faults:
        yield Found(case.given.at, f"the API stays off: {faults}", _identity_fix())


def api_no_token(case: Case) -> Iterator[Found]:
    """No service account in the container."""
    mount = case.spec["automountServiceAccountToken"]
    folder = case.given.values["service_account"]
    mounted = {path["mountPath"].text.rstrip("/") for path in case.sidecar.node["volumeMounts"]}
    if case.uses_api and mount and not mount.is_true and folder.rstrip("/") not in mounted:
        yield Found(
            mount.path,
            "the agent is to use the API, and automountServiceAccountToken is false: it has no token for it",
            "automountServiceAccountToken: true, or a projected volume with token, ca.crt and namespace "
            f"mounted in the agent's container at {folder}",
        )


def api_off(case: Case) -> Iterator[Found]:
    """What works through the API only."""
    for name in ("serving_label", "readiness_gate", "deletion_cost"):
        if case.given.values[name] and not case.uses_api and case.given.sees("kubernetes"):
            yield Found(
                case.given.where(name),
                f"{name} is true, and the agent does not use the API: nobody ever sets it",
                f'DRAINER_KUBERNETES: "on"; {_identity_fix()}; and the Role (get, watch pods; patch pods/status)',
            )


def serving_label_missing(case: Case) -> Iterator[Found]:
    """The Service would not find it."""
    if case.given.values["serving_label"] and case.pod.labels.get(SERVING) != "true":
        yield Found(
            _label(case),
            f'serving_label is true, and the pod does not begin with the label {SERVING}: "true": a Service that '
            "selects on it finds no new pod until the agent has reached the API",
            f'{SERVING}: "true" in the labels of the pod',
        )


def _label(case: Case) -> Path:
    return case.pod.pod["metadata"]["labels"][SERVING].path


def serving_label_owned(case: Case) -> Iterator[Found]:
    """The workload would lose its pod."""
    selector = case.pod.object["spec"]["selector"]
    places = [selector["matchLabels"][key].path for key in selector["matchLabels"].keys if key == SERVING]
    places += [one.path for one in selector["matchExpressions"] if one["key"].text == SERVING]
    for path in places:
        yield Found(
            path,
            f"the {case.pod.kind} selects its pods by {SERVING}: a pod that drains is no longer its own, and a new one "
            "is made in its place",
            "take it out here; only the Service selects on it",
        )


def serving_label_unselected(case: Case) -> Iterator[Found]:
    """No Service looks at it."""
    if case.given.values["serving_label"] and case.services and not any(_selecting(case)):
        names = ", ".join(f'"{service["metadata"]["name"].text}"' for service in case.services)
        yield Found(
            case.given.where("serving_label"),
            f"serving_label is true, and no Service of the pod ({names}) selects on {SERVING}: the label does nothing",
            f'{SERVING}: "true" in the selector of the Service',
        )


def serving_label_unfollowed(case: Case) -> Iterator[Found]:
    """Somebody looks at it, and it never changes."""
    if not case.given.values["serving_label"] and case.given.sees("serving_label"):
        for name in _selecting(case):
            yield Found(
                case.given.where("serving_label"),
                f'Service "{name}" selects on {SERVING}, and serving_label is not true: the label never changes',
                'DRAINER_SERVING_LABEL: "true" (with the API), or take it out of the Service',
            )


def _selecting(case: Case) -> Iterator[str]:
    for service in case.services:
        if SERVING in service["spec"]["selector"].keys:
            yield service["metadata"]["name"].text or "?"


def _has_gate(case: Case) -> bool:
    return any(gate["conditionType"].text == SERVING for gate in case.spec["readinessGates"])


def readiness_gate_missing(case: Case) -> Iterator[Found]:
    """Set, and nobody asks for it."""
    if case.given.values["readiness_gate"] and not _has_gate(case):
        yield Found(
            case.spec["readinessGates"].path,
            f"readiness_gate is true, and the pod has no gate {SERVING}: its condition holds nothing",
            f"readinessGates: [{{conditionType: {SERVING}}}]",
        )


def readiness_gate_unset(case: Case) -> Iterator[Found]:
    """Asked for, and nobody sets it."""
    if not case.given.values["readiness_gate"] and _has_gate(case) and case.given.sees("readiness_gate"):
        yield Found(
            case.spec["readinessGates"].path,
            f"the pod has the readiness gate {SERVING}, and readiness_gate is not true: the pod never becomes ready",
            'DRAINER_READINESS_GATE: "true" (with the API), or take the gate out',
        )


CHECKS = (
    Check(
        "api-identity",
        Severity.ERROR,
        "DRAINER_KUBERNETES=on without POD_NAME, POD_NAMESPACE and POD_UID.",
        "The downward API is the only way for a container to know its pod.",
        "the three variables by fieldRef",
        api_identity,
    ),
    Check(
        "api-half-asked",
        Severity.WARNING,
        "Some of POD_NAME, POD_NAMESPACE and POD_UID are set, and not all.",
        "With DRAINER_KUBERNETES=auto the API is used only when all three are there.",
        "all three, or none",
        api_half_asked,
    ),
    Check(
        "api-no-token",
        Severity.ERROR,
        "The agent is to use the API, and no service account is mounted.",
        "automountServiceAccountToken: false keeps the token out of every container.",
        "the mount",
        api_no_token,
    ),
    Check(
        "api-off",
        Severity.ERROR,
        "serving_label, readiness_gate or deletion_cost without the API.",
        "All three are written by the agent to pods/status.",
        "DRAINER_KUBERNETES, the three variables, and the Role",
        api_off,
    ),
    Check(
        "serving-label-missing",
        Severity.WARNING,
        f'serving_label, and the pod does not begin with {SERVING}: "true".',
        "The agent sets it when it has reached the API once; until then, and where it cannot, no Service that selects "
        "on it has the pod.",
        "the label on the pod template",
        serving_label_missing,
    ),
    Check(
        "serving-label-owned",
        Severity.ERROR,
        f"The workload's own selector has {SERVING}.",
        "A controller gives up a pod that its selector does not match, and makes another (controller_ref_manager.go).",
        "the label in the Service's selector only",
        serving_label_owned,
    ),
    Check(
        "serving-label-unselected",
        Severity.WARNING,
        "serving_label, and no Service seen selects on it.",
        "The label alone changes nothing.",
        "the label in the Service's selector",
        serving_label_unselected,
    ),
    Check(
        "serving-label-unfollowed",
        Severity.WARNING,
        f"A Service selects on {SERVING}, and serving_label is off.",
        'Then it says "true" also while the pod drains.',
        "DRAINER_SERVING_LABEL",
        serving_label_unfollowed,
    ),
    Check(
        "readiness-gate-missing",
        Severity.WARNING,
        f"readiness_gate, and the pod has no gate {SERVING}.",
        "A condition counts for readiness only where the spec names it.",
        "readinessGates in the pod spec",
        readiness_gate_missing,
    ),
    Check(
        "readiness-gate-unset",
        Severity.ERROR,
        f"The gate {SERVING}, and readiness_gate is off.",
        "A gate whose condition nobody sets is not passed.",
        "DRAINER_READINESS_GATE",
        readiness_gate_unset,
    ),
)
