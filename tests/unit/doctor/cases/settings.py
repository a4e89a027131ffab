"""The agent's settings."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    HIDDEN,
    Edits,
    env,
    side,
)

BAD: dict[str, list[Edits]] = {
    "listens-on-loopback": [(env("DRAINER_HOST", "127.0.0.1"),), (env("DRAINER_HOST", "::1"),)],
    "app-port-undeclared": [(env("DRAINER_APP_PORTS", "8081"),), (env("DRAINER_APP_PORTS", "8080,9000-9010"),)],
    "setting-unusable": [
        (env("DRAINER_SETTLE", "soon"),),
        (env("DRAINER_FULL", "label"),),
        (env("DRAINER_RESUME_BELOW", "900"), env("DRAINER_MAX_CONNECTIONS", "900")),
        (env("DRAINER_APP_PORTS"),),
        (env("DRAINER_NOTIFY_URL"),),
        (env("DRAINER_PORT", "8080"),),
        (side("args", ["run", "--settle=soon"]),),
        (side("args", ["run", "--settle"]), env("DRAINER_APP_PORTS", "none")),
    ],
    "setting-odd": [
        (env("DRAINER_SETLE", "10s"),),
        (env("DRAINER_APP_RESERVE", "40s"),),
        (env("DRAINER_CALLERS", "all"),),
        (env("DRAINER_RESUME_BELOW", "900"),),
    ],
    "unknown-flag": [(side("args", ["run", "--app-port", "8080"]),)],
    "settings-elsewhere": [
        (side("envFrom", [{"configMapRef": {"name": "x"}}]),),
        (env("DRAINER_TOKEN", source=HIDDEN),),
        (side("command", ["sh", "-c", "drainer run"]),),
    ],
}
WELL: dict[str, list[Edits]] = {
    "listens-on-loopback": [(env("DRAINER_HOST", "::"),)],
    "app-port-undeclared": [(env("DRAINER_APP_PORTS", source=HIDDEN),)],
    "setting-unusable": [
        (env("DRAINER_APP_PORTS", source=HIDDEN),),
        (env("DRAINER_APP_PORTS", source=HIDDEN), env("DRAINER_WEBSOCKET_PORTS", "8080")),
        (side("envFrom", [{"configMapRef": {"name": "x"}}]), env("DRAINER_APP_PORTS")),
        (env("DRAINER_NOTIFY_URL", source=HIDDEN),),
        (env("DRAINER_CLOSE", source=HIDDEN),),
        (env("DRAINER_APP_PORTS", "$(PORT)"),),
        (env("DRAINER_WEBSOCKET_PORTS", source=HIDDEN),),
        (env("DRAINER_APP_PORTS"), side("args", ["run", "--app-ports", "8080", "extra"])),
        (env("DRAINER_APP_PORTS"), side("args", ["run", "--app-ports=8080"])),
        (env("DRAINER_APP_PORTS"), side("command", ["sh", "-c", "drainer run --app-ports 8080"]), side("args")),
        (env("DRAINER_TOKEN"), env("DRAINER_TOKEN_FILE", "/token")),
        (env("DRAINER_FULL", "label"), env("DRAINER_SERVING_LABEL", source=HIDDEN)),
        (env("DRAINER_RESUME_BELOW", "900"), env("DRAINER_MAX_CONNECTIONS", source=HIDDEN)),
        (env("DRAINER_APP_PORTS", source=HIDDEN), env("DRAINER_HEALTH", "ping"), env("DRAINER_HEALTH_PORT", "9000")),
        (env("DRAINER_USAGE", source=HIDDEN), env("DRAINER_HEALTH", "ping"), env("DRAINER_HEALTH_MAX_CPU", "2")),
    ],
    "setting-odd": [
        (env("DRAINER_HEALTH", source=HIDDEN), env("DRAINER_HEALTH_PATH", "/ws")),
        (env("DRAINER_SERVICE_PORT", "9808"),),
        (env("DRAINER_GRACE_PERIOD", source=HIDDEN), env("DRAINER_APP_RESERVE", "20s")),
        (side("envFrom", [{"configMapRef": {"name": "x"}}]), env("DRAINER_CALLERS", "all"), env("DRAINER_TOKEN")),
        (env("DRAINER_CLOSE", source=HIDDEN),),
        (env("DRAINER_RESUME_BELOW", "900"), env("DRAINER_MAX_CONNECTIONS", source=HIDDEN)),
        (side("envFrom", [{"configMapRef": {"name": "x"}}]), env("DRAINER_CLOSE"), env("DRAINER_NOTIFY_URL")),
    ],
    "unknown-flag": [(side("args", ["run", "--app-ports", "8080"]),), (side("args", ["--help"]),)],
    "settings-elsewhere": [(env("DRAINER_NODE_IP", source={"fieldRef": {"fieldPath": "status.hostIP"}}),)],
}
