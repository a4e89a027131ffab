"""What needs the API."""

from __future__ import annotations

from drainer.keys import SERVING
from tests.unit.doctor.pods import (
    HIDDEN,
    Edits,
    env,
    label,
    put,
    service,
    side,
    with_api,
    with_label,
    workload,
)

BAD: dict[str, list[Edits]] = {
    "api-identity": [
        (env("DRAINER_KUBERNETES", "on"),),
        (with_api, env("POD_UID")),
        (with_api, env("POD_UID", source={"fieldRef": {"fieldPath": "metadata.name"}})),
    ],
    "api-half-asked": [(env("POD_NAME", "web-0"),)],
    "api-no-token": [(with_api, put("spec automountServiceAccountToken", value=False))],
    "api-off": [
        (with_label, env("DRAINER_KUBERNETES", "off")),
        (with_label, env("DRAINER_KUBERNETES"), env("POD_UID")),
        (env("DRAINER_READINESS_GATE", "true"),),
    ],
    "serving-label-missing": [(with_label, put(f"metadata labels {SERVING}")), (with_label, label(SERVING, "false"))],
    "serving-label-owned": [
        (workload(f"spec selector matchLabels {SERVING}", "true"), with_label),
        (workload("spec selector matchExpressions", [{"key": SERVING, "operator": "Exists"}]),),
    ],
    "serving-label-unselected": [(with_label, service([{"port": 8080}]))],
    "serving-label-unfollowed": [
        (label(SERVING, "true"), service([{"port": 8080}], {"app": "web", SERVING: "true"})),
    ],
    "readiness-gate-missing": [
        (with_api, env("DRAINER_READINESS_GATE", "true")),
        (with_api, env("DRAINER_READINESS_GATE", "true"), put("spec readinessGates", [{"conditionType": "x/y"}])),
    ],
    "readiness-gate-unset": [(put("spec readinessGates", [{"conditionType": SERVING}]),)],
}
WELL: dict[str, list[Edits]] = {
    "api-identity": [(with_api,), (with_api, env("POD_NAME", "web-0"))],
    "api-half-asked": [(with_api, env("DRAINER_KUBERNETES")), (env("DRAINER_KUBERNETES", "off"), env("POD_NAME", "x"))],
    "api-no-token": [
        (with_api, put("spec automountServiceAccountToken", value=True)),
        (put("spec automountServiceAccountToken", value=False),),
        (
            with_api,
            put("spec automountServiceAccountToken", value=False),
            side("volumeMounts", [{"mountPath": "/var/run/secrets/kubernetes.io/serviceaccount/"}]),
        ),
    ],
    "api-off": [(with_label,), (with_label, env("DRAINER_KUBERNETES"))],
    "serving-label-missing": [(with_label,)],
    "serving-label-owned": [(with_label,)],
    "serving-label-unselected": [(with_label,), (with_label, service([{"port": 8080}], {SERVING: "true"}))],
    "serving-label-unfollowed": [
        (with_label, service([{"port": 8080}], {SERVING: "true"})),
        (label(SERVING, "true"), env("DRAINER_SERVING_LABEL", source=HIDDEN), service([], {SERVING: "true"})),
    ],
    "readiness-gate-missing": [
        (with_api, env("DRAINER_READINESS_GATE", "true"), put("spec readinessGates", [{"conditionType": SERVING}])),
    ],
    "readiness-gate-unset": [
        (env("DRAINER_READINESS_GATE", source=HIDDEN), put("spec readinessGates", [{"conditionType": SERVING}]))
    ],
}
