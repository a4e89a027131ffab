"""With and without the agent."""

from __future__ import annotations

from drainer.keys import SERVING
from tests.unit.doctor.pods import (
    GET,
    GRACE,
    Edits,
    World,
    annotate,
    app,
    env,
    label,
    no_agent,
    put,
    side,
    workload,
)

BAD: dict[str, list[Edits]] = {
    "malformed": [
        (put(GRACE, "30"),),
        (put("spec containers", {}),),
        (put("spec containers", []),),
        (app("ports", {"containerPort": 8080}),),
        (env("DRAINER_FLUSH", 2),),
        (put("spec", "x"),),
        (put("spec hostNetwork", "yes"),),
        (app("resources requests cpu", {"x": 1}),),
        (app(f"{GET} port", 9808.5),),
        (workload("spec replicas", value=True),),
    ],
    "no-sidecar": [(no_agent,)],
    "awaits-injection": [(no_agent, label("drainer.dev/inject", "true"))],
    "not-injected": [(no_agent, label("drainer.dev/inject", "true"), World.as_pod)],
    "inject-misplaced": [
        (no_agent, annotate("drainer.dev/inject", "true")),
        (no_agent, workload("metadata labels drainer.dev/inject", "true")),
    ],
    "annotation-unknown": [(annotate("drainer.dev/app-port", "8080"),)],
    "annotation-unusable": [
        (no_agent, label("drainer.dev/inject", "true"), annotate("drainer.dev/settle", "soon")),
        (no_agent, label("drainer.dev/inject", "true"), annotate("drainer.dev/grace-period", "1.5s")),
        (no_agent, label("drainer.dev/inject", "true"), annotate("drainer.dev/token", "s3cret\n\n2")),
    ],
    "serving-annotated": [(annotate(SERVING, "true"),)],
    "windows": [
        (put("spec os", {"name": "windows"}),),
        (put("spec nodeSelector", {"kubernetes.io/os": "windows"}),),
    ],
}
WELL: dict[str, list[Edits]] = {
    "malformed": [
        (put("spec hostNetwork", None),),
        (app("resources requests cpu", 1.5),),
        (app("x", 1),),
    ],
    "no-sidecar": [
        (no_agent, label("drainer.dev/inject", "false")),
        (no_agent, put("spec os", {"name": "windows"})),
        (no_agent, label("drainer.dev/inject", "true")),
        (side("name", "drainer"),),
    ],
    "awaits-injection": [
        (label("drainer.dev/inject", "true"),),
        (no_agent,),
        (no_agent, label("drainer.dev/inject", "true"), World.as_pod),
    ],
    "not-injected": [
        (no_agent, label("drainer.dev/inject", "true")),
        (label("drainer.dev/inject", "true"), World.as_pod),
        (no_agent, World.as_pod),
    ],
    "inject-misplaced": [
        (annotate("drainer.dev/inject", "true"),),
        (no_agent, annotate("drainer.dev/inject", "false")),
        (no_agent, label("drainer.dev/inject", "true"), workload("metadata labels drainer.dev/inject", "true")),
    ],
    "annotation-unknown": [
        (annotate("drainer.dev/app-ports", "8080"),),
        (annotate("drainer.dev/injected", "1"),),
        (annotate("drainer.dev/former", "{}"),),
    ],
    "annotation-unusable": [
        (no_agent, annotate("drainer.dev/settle", "10s")),
        (annotate("drainer.dev/settle", "soon"),),
        (no_agent, annotate("example.com/settle", "soon")),
    ],
    "windows": [(put("spec os", {"name": "linux"}),), (put("spec os", {"name": "windows"}), no_agent)],
}
