"""The workload."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    Edits,
    app,
    init,
    put,
    resource,
    scaler,
    side,
    workload,
)

BAD: dict[str, list[Edits]] = {
    "hpa-without-requests": [
        (scaler(metrics=[resource("cpu")]), app("resources")),
        (scaler(metrics=[resource("memory")]), side("resources", {"requests": {"cpu": "10m"}})),
        (scaler(targetCPUUtilizationPercentage=50), app("resources requests", {"memory": "1Gi"})),
        (
            scaler(
                metrics=[
                    {
                        "type": "ContainerResource",
                        "containerResource": {"name": "cpu", "container": "app", "target": {"type": "Utilization"}},
                    }
                ]
            ),
            app("resources"),
        ),
    ],
    "recreate": [(workload("spec strategy", {"type": "Recreate"}),)],
    "single-replica": [(workload("spec replicas", 1),)],
}
WELL: dict[str, list[Edits]] = {
    "hpa-without-requests": [
        (scaler(metrics=[resource("cpu")]),),
        (scaler(metrics=[resource("cpu", "AverageValue")]), app("resources")),
        (scaler(metrics=[{"type": "Pods"}]), app("resources")),
        (scaler(metrics=[resource("cpu")], scaleTargetRef={"kind": "Deployment", "name": "x"}), app("resources")),
        (scaler(metrics=[resource("cpu")]), init("migrate", 1)),
        (scaler(metrics=[resource("cpu")]), app("resources"), put("spec resources requests", {"cpu": 1})),
        (
            scaler(
                metrics=[
                    {
                        "type": "ContainerResource",
                        "containerResource": {"name": "cpu", "container": "x", "target": {"type": "Utilization"}},
                    }
                ]
            ),
            app("resources"),
        ),
    ],
    "recreate": [(workload("spec strategy", {"type": "RollingUpdate"}),)],
    "single-replica": [(workload("spec replicas", 1), scaler())],
}
