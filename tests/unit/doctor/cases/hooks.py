"""Hooks."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    DRAIN,
    GET,
    HIDDEN,
    HOOK,
    Edits,
    annotate,
    app,
    beside,
    env,
    init,
    put,
    side,
)

BAD: dict[str, list[Edits]] = {
    "no-hook": [
        (app(HOOK),),
        (app(HOOK), app("ports"), annotate("drainer.dev/container", "x, app")),
        (app("lifecycle", {"preStop": {"sleep": {"seconds": 10}}}),),
        (app("lifecycle", {"preStop": {"exec": {"command": ["sleep", "10"]}}}),),
        (app("lifecycle", {"preStop": {"httpGet": {"path": "/stop", "port": 8080}}}),),
        (app("lifecycle", {"preStop": {}}),),
    ],
    "container-without-hook": [(beside("nginx"),), (beside("log", lifecycle={"preStop": {"sleep": {"seconds": 1}}}),)],
    "hook-port-name": [(app(f"{GET} port", "drainer"),)],
    "hook-port": [
        (app(f"{GET} port", 9809),),
        (env("DRAINER_PORT", "9000"),),
        (side("args", ["run", "--port", "9000"]),),
    ],
    "hook-path": [(app(f"{GET} path", "/"),), (app(f"{GET} path"),), (app(f"{GET} path", "/drain/x"),)],
    "hook-scheme": [(app(f"{GET} scheme", "HTTPS"),)],
    "hook-host-missing": [(put("spec hostNetwork", value=True),)],
    "hook-host": [(app(f"{GET} host", "127.0.0.1"),)],
    "hook-on-sidecar": [(side(HOOK, DRAIN),), (side(HOOK, {"sleep": {"seconds": 5}}),)],
}
WELL: dict[str, list[Edits]] = {
    "no-hook": [
        (app("lifecycle", {"preStop": {"exec": {"command": ["curl", "-s", "http://127.0.0.1:9808/drain"]}}}),),
        (app(GET, {"path": "/app-lifecycle/app/prestopz", "port": 15020}),),
        (beside("log"),),
        (beside("log"), app("ports"), annotate("drainer.dev/container", "x, app")),
        (env("DRAINER_PORT", source=HIDDEN), app(f"{GET} port", 9000)),
    ],
    "container-without-hook": [
        (beside("nginx", lifecycle={"preStop": DRAIN}),),
        (init("istio-proxy", 1, restartPolicy="Always"),),
    ],
    "hook-port-name": [
        (app("ports 1", {"name": "drain", "containerPort": 9808}), app(f"{GET} port", "drain")),
        (app(f"{GET} port", "9808"),),
    ],
    "hook-port": [
        (env("DRAINER_PORT", "9000"), app(f"{GET} port", 9000)),
        (env("DRAINER_PORT", source=HIDDEN), app(f"{GET} port", 9000)),
        (side("args", ["run", "--port", "$(PORT)"]), app(f"{GET} port", 9000)),
    ],
    "hook-path": [(app(f"{GET} path", "drain"),), (app(f"{GET} path", "/drain?from=hook"),)],
    "hook-scheme": [(app(f"{GET} scheme", "HTTP"),)],
    "hook-host-missing": [(put("spec hostNetwork", value=True), app(f"{GET} host", "127.0.0.1"))],
    "hook-host": [(put("spec hostNetwork", value=True), app(f"{GET} host", "127.0.0.1"))],
    "hook-on-sidecar": [(side("lifecycle", {"postStart": {"sleep": {"seconds": 1}}}),)],
}
