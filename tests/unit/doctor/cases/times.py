"""The grace period and what has to fit into it."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    GRACE,
    HIDDEN,
    HOOK,
    PROBE,
    Edits,
    annotate,
    app,
    env,
    grace,
    put,
    side,
    with_api,
)

BAD: dict[str, list[Edits]] = {
    "grace-too-short": [(grace(10),), (env("DRAINER_SETTLE", "25s"),), (put(GRACE, 0),)],
    "grace-overrun": [(env("DRAINER_GRACE_PERIOD", "31s"),), (put(GRACE, 20), env("DRAINER_GRACE_PERIOD"))],
    "grace-unused": [
        (put(GRACE, 31),),
        (put(GRACE, 60), env("DRAINER_GRACE_PERIOD")),
        (side("args", ["run", "--grace-period=20s"]),),
    ],
    "grace-autoscaled": [(grace(601),)],
    "app-reserve-short": [(env("DRAINER_APP_RESERVE", "2s"),)],
    "settle-short": [(env("DRAINER_SETTLE", "0"),)],
    "liveness-late": [
        (grace(120), app("livenessProbe", PROBE)),
        (grace(120), app("startupProbe", PROBE)),
        (grace(600), env("DRAINER_TIMEOUT", "40s"), app("livenessProbe", PROBE)),
        (grace(120), with_api, env("DRAINER_RESTART_TIMEOUT", "100s"), app("livenessProbe", PROBE)),
    ],
    "no-closer": [(env("DRAINER_CLOSE"), env("DRAINER_NOTIFY_URL"))],
}
WELL: dict[str, list[Edits]] = {
    "grace-too-short": [(grace(11),), (env("DRAINER_SETTLE", source=HIDDEN), grace(8))],
    "grace-overrun": [
        (with_api, env("DRAINER_GRACE_PERIOD"), put(GRACE, 20)),
        (env("DRAINER_GRACE_PERIOD", source=HIDDEN), put(GRACE, 20)),
        (put(GRACE), env("DRAINER_GRACE_PERIOD")),
    ],
    "grace-unused": [(with_api, env("DRAINER_GRACE_PERIOD"), put(GRACE, 90))],
    "grace-autoscaled": [
        (grace(600),),
        (grace(601), with_api),
        (grace(601), annotate("cluster-autoscaler.kubernetes.io/safe-to-evict", "false")),
    ],
    "app-reserve-short": [(env("DRAINER_APP_RESERVE", "3s"),), (env("DRAINER_APP_RESERVE", "$(RESERVE)"),)],
    "settle-short": [(env("DRAINER_SETTLE", "3s"),)],
    "liveness-late": [
        (app("livenessProbe", PROBE),),
        (grace(120), app("livenessProbe", PROBE | {"terminationGracePeriodSeconds": 20})),
        (grace(120), with_api, app("livenessProbe", PROBE)),
        (grace(120), app("livenessProbe", PROBE), app(HOOK)),
        (grace(120), app("readinessProbe", PROBE)),
    ],
    "no-closer": [(env("DRAINER_CLOSE", source=HIDDEN),), (env("DRAINER_CLOSE", "reset"),)],
}
