"""What the pod wants at the most, and which pod goes first."""

from __future__ import annotations

from drainer.keys import DELETION_COST
from tests.unit.doctor.pods import HIDDEN, Edits, World, annotate, env, scaler, with_api, with_label, workload


def stateful(world: World) -> None:
    world.kind = "StatefulSet"


def everywhere(world: World) -> None:
    world.kind = "DaemonSet"


LIMITED = env("DRAINER_MAX_CONNECTIONS", "1000")
BY_LABEL: Edits = (with_label, LIMITED)
BY_READINESS: Edits = (LIMITED, env("DRAINER_FULL", "readiness"))
ONE = workload("spec replicas", 1)
COSTS: Edits = (with_api, env("DRAINER_DELETION_COST", "true"))

BAD: dict[str, list[Edits]] = {
    "full-by-readiness": [BY_READINESS, (with_label, *BY_READINESS), (*BY_READINESS, scaler())],
    "full-unsaid": [
        (LIMITED,),
        (env("DRAINER_MAX_RATE", "50"),),
        (with_api, LIMITED),
        (*BY_LABEL, env("DRAINER_KUBERNETES", "off")),
    ],
    "full-alone": [
        (*BY_READINESS, ONE),
        (*BY_LABEL, ONE, env("DRAINER_NEVER_LAST", "false")),
    ],
    "deletion-cost-ignored": [(*COSTS, stateful), (*COSTS, everywhere)],
    "deletion-cost-own": [(*COSTS, annotate(DELETION_COST, "-5"))],
}
WELL: dict[str, list[Edits]] = {
    "full-by-readiness": [BY_LABEL, (env("DRAINER_FULL", "readiness"),), (LIMITED, env("DRAINER_FULL", "metric"))],
    "full-unsaid": [
        BY_LABEL,
        BY_READINESS,
        (LIMITED, env("DRAINER_FULL", "metric")),
        (with_api, LIMITED, env("DRAINER_SERVING_LABEL", source=HIDDEN)),
        (env("DRAINER_MAX_CONNECTIONS", "off"),),
    ],
    "full-alone": [
        (*BY_LABEL, ONE),
        (*BY_READINESS, ONE, scaler()),
        (LIMITED, ONE),
        BY_READINESS,
        (with_api, *BY_READINESS, ONE),
    ],
    "deletion-cost-ignored": [COSTS, (stateful,)],
    "deletion-cost-own": [COSTS, (annotate(DELETION_COST, "-5"),)],
}
