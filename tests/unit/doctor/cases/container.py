"""The agent's container."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    GET,
    Edits,
    app,
    beside,
    env,
    init,
    plain,
    put,
    side,
)

BAD: dict[str, list[Edits]] = {
    "two-agents": [
        (init("drainer", 1, restartPolicy="Always", args=["run"]),),
        (beside("x", env=[{"name": "DRAINER_APP_PORTS"}]),),
    ],
    "restart-policy": [(side("restartPolicy"),), (side("restartPolicy", "OnFailure"),)],
    "container-mode": [(env("DRAINER_CONTAINER", "plain"),), (plain, env("DRAINER_CONTAINER"))],
    "sidecar-plain": [(plain,)],
    "sidecar-order": [(init("migrate", 0),)],
    "no-requests": [
        (side("resources"),),
        (side("resources", {"requests": {"cpu": "10m"}}),),
        (side("resources", {"requests": {"memory": "48Mi"}}),),
    ],
    "memory-limit": [(side("resources limits memory", "48Mi"),), (side("resources limits memory", 50_000_000),)],
    "port-taken": [(app("ports 1", {"containerPort": 9808}),), (init("x", 1, ports=[{"containerPort": 9808}]),)],
    "host-network": [(put("spec hostNetwork", value=True), app(f"{GET} host", "127.0.0.1"))],
}
WELL: dict[str, list[Edits]] = {
    "two-agents": [(init("drainer-setup", 1),)],
    "restart-policy": [(plain,)],
    "container-mode": [(plain,), (env("DRAINER_CONTAINER", "native"),)],
    "sidecar-order": [(init("migrate", 1),), (plain,)],
    "no-requests": [
        (side("resources", {"limits": {"cpu": "1", "memory": "96Mi"}}),),
        (side("resources"), put("spec resources", {"requests": {"cpu": 1, "memory": "1Gi"}})),
    ],
    "memory-limit": [
        (side("resources limits memory", "64Mi"),),
        (side("resources limits memory"),),
        (side("resources limits memory", "0.1Gi"),),
        (side("resources limits memory", "many"),),
    ],
    "port-taken": [(app("ports 1", {"containerPort": 9808, "protocol": "UDP"}),), (app("ports 1", {"name": "x"}),)],
}
