"""Probes."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    DRAIN,
    PROBE,
    Edits,
    app,
    env,
    plain,
    side,
)

BAD: dict[str, list[Edits]] = {
    "liveness-on-sidecar": [(side("livenessProbe", PROBE),)],
    "no-startup-probe": [(side("startupProbe"),)],
    "no-readiness-probe": [(side("readinessProbe"),)],
    "readiness-not-http": [
        (side("readinessProbe httpGet"), side("readinessProbe exec", {"command": ["true"]})),
        (side("readinessProbe httpGet"), side("readinessProbe tcpSocket", {"port": 9808})),
        (side("readinessProbe httpGet"),),
    ],
    "readiness-elsewhere": [
        (side("readinessProbe httpGet path", "/livez"),),
        (side("readinessProbe httpGet port", 8080),),
    ],
    "readiness-slow": [
        (side("readinessProbe periodSeconds"),),
        (side("readinessProbe periodSeconds"), side("readinessProbe failureThreshold")),
        (side("readinessProbe failureThreshold", 3),),
    ],
    "probe-drains": [
        (side("readinessProbe httpGet path", "/drain"),),
        (app("livenessProbe", DRAIN),),
    ],
    "liveness-on-readyz": [
        (app("livenessProbe httpGet", {"path": "/readyz", "port": 9808}),),
        (app("startupProbe httpGet", {"path": "/readyz", "port": 9808}),),
    ],
}
WELL: dict[str, list[Edits]] = {
    "no-startup-probe": [(plain, side("startupProbe"))],
    "readiness-elsewhere": [
        (side("readinessProbe httpGet port", "drainer"),),
        (side("readinessProbe httpGet", {"path": "/app-health/drainer/readyz", "port": 15020}),),
    ],
    "readiness-slow": [
        (side("readinessProbe periodSeconds", 5),),
        (side("readinessProbe"),),
        (side("readinessProbe periodSeconds", 3), env("DRAINER_SETTLE", "1s")),
    ],
    "probe-drains": [(app("livenessProbe httpGet", {"path": "/drain", "port": 8080}),)],
    "liveness-on-readyz": [
        (app("livenessProbe httpGet", {"path": "/readyz", "port": 8080}),),
        (app("readinessProbe httpGet", {"path": "/readyz", "port": 9808}),),
    ],
}
