"""Probes that ask the agent whether the app is well."""

from __future__ import annotations

from tests.unit.doctor.pods import Edit, Edits, app, env, put, side


def asks(kind: str, path: str = "/health", port: int | str = 9808, **more: int) -> Edit:
    return app(kind, {"httpGet": {"path": path, "port": port}, "timeoutSeconds": 2, **more})


ON = env("DRAINER_HEALTH", "ping")
API = tuple(
    env(name, source={"fieldRef": {"fieldPath": f"metadata.{field}"}})
    for name, field in (("POD_NAME", "name"), ("POD_NAMESPACE", "namespace"), ("POD_UID", "uid"))
)

BAD: dict[str, list[Edits]] = {
    "health-off": [
        (asks("readinessProbe"),),
        (asks("livenessProbe", "/health/live"), env("DRAINER_HEALTH", "off")),
        (side("livenessProbe", {"httpGet": {"path": "/health/live", "port": "drainer"}}),),
    ],
    "liveness-on-health": [(ON, asks("livenessProbe"))],
    "liveness-through-agent": [(ON, asks("livenessProbe", "/health/live"))],
    "health-port-name": [
        (ON, asks("readinessProbe", port="drainer")),
        (asks("livenessProbe", "/health/live", "http"),),
    ],
    "health-timeout": [
        (ON, asks("readinessProbe", timeoutSeconds=1), env("DRAINER_HEALTH_LATENCY", "1s")),
        (
            ON,
            app("readinessProbe", {"httpGet": {"path": "/health", "port": 9808}}),
            env("DRAINER_HEALTH_LATENCY", "2s"),
        ),
    ],
    "usage-unseen": [
        (env("DRAINER_USAGE", "auto"),),
        (env("DRAINER_USAGE", "processes"), *API),
        (env("DRAINER_USAGE", "metrics"), put("spec shareProcessNamespace", value=True)),
    ],
}
WELL: dict[str, list[Edits]] = {
    "health-off": [
        (ON, asks("readinessProbe")),
        (asks("readinessProbe", port=8080),),
        (asks("readinessProbe"), env("DRAINER_HEALTH", source={"configMapKeyRef": {"name": "x", "key": "y"}})),
        (asks("readinessProbe"), env("DRAINER_PORT", source={"configMapKeyRef": {"name": "x", "key": "y"}})),
    ],
    "liveness-on-health": [
        (ON, asks("readinessProbe")), (ON, asks("startupProbe")), (asks("livenessProbe", port=8080),)
    ],
    "liveness-through-agent": [
        (ON, asks("startupProbe", "/health/live")),
        (asks("livenessProbe", "/health/live", 8080),),
    ],
    "health-port-name": [
        (asks("readinessProbe", port="8080"),),
        (asks("readinessProbe", port="http"), app("ports", [{"containerPort": 8080, "name": "http"}])),
        (asks("readinessProbe", "/ready", "http"),),
    ],
    "health-timeout": [
        (ON, asks("readinessProbe")),
        (ON, app("readinessProbe", {"httpGet": {"path": "/health", "port": 9808}})),
        (ON, asks("readinessProbe", timeoutSeconds=1),
         env("DRAINER_HEALTH_LATENCY", source={"configMapKeyRef": {"name": "x", "key": "y"}})),
    ],
    "usage-unseen": [
        (env("DRAINER_USAGE", "auto"), put("spec shareProcessNamespace", value=True)),
        (env("DRAINER_USAGE", "auto"), *API),
        (env("DRAINER_USAGE", "off"),),
    ],
}  # fmt: skip
