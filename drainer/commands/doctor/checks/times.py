"""The grace period and what has to fit into it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.hooks import Aim, aim
from drainer.commands.doctor.findings import Found, Severity
from drainer.config import DEFAULT_GRACE

AUTOSCALER_CAP = 600
"""Seconds: --max-graceful-termination-sec of cluster-autoscaler."""
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SOON = 30
"""Seconds after which a hung app should be back."""
LEAST_RESERVE = 3
"""Seconds; the kubelet gives 2 of them in any case."""
LEAST_SETTLE = 3
"""Seconds that endpoint changes take to reach every node's proxy."""
ROOM = 20
"""Seconds for a drain besides settle and reserve that are proposed at the least."""
FIELD = "terminationGracePeriodSeconds"


def _least(case: Case) -> float:
    return case.seconds("settle") + case.seconds("app_reserve")


def _enough(case: Case) -> int:
    return max(int(DEFAULT_GRACE), math.ceil(_least(case) + case.seconds("patience") + ROOM))


def grace_too_short(case: Case) -> Iterator[Found]:
    """Nothing is left of the grace period."""
    if case.given.sees("settle", "app_reserve") and case.pod.grace <= _least(case):
        wanted = _enough(case)
        yield Found(
            case.spec[FIELD].path,
            f"{case.pod.grace} s are not more than settle ({case.seconds('settle'):g} s) and app_reserve "
            f"({case.seconds('app_reserve'):g} s): there is no time for a drain",
            f"{FIELD}: {wanted} and DRAINER_GRACE_PERIOD: {wanted}s, or more",
        )


def grace_overrun(case: Case) -> Iterator[Found]:
    """The agent believes in more than there is."""
    if case.given.sees("grace_period") and case.grace_period > case.pod.grace:
        yield Found(
            case.given.where("grace_period"),
            f"the agent counts on {case.grace_period:g} s, and {FIELD} is {case.pod.grace}: the kubelet stops the app "
            "in the middle of the drain",
            f"{FIELD}: {math.ceil(case.grace_period)}, or DRAINER_GRACE_PERIOD: {case.pod.grace}s",
        )


def grace_unused(case: Case) -> Iterator[Found]:
    """The agent believes in less than there is."""
    if case.given.sees("grace_period") and case.grace_period < case.pod.grace:
        yield Found(
            case.given.where("grace_period"),
            f"the agent counts on {case.grace_period:g} s, and {FIELD} is {case.pod.grace}: the rest is not used",
            f"DRAINER_GRACE_PERIOD: {case.pod.grace}s",
        )


def grace_autoscaled(case: Case) -> Iterator[Found]:
    """Longer than cluster-autoscaler waits."""
    stays = case.pod.annotations.get(SAFE_TO_EVICT) == "false"
    if case.pod.grace > AUTOSCALER_CAP and not case.uses_api and not stays:
        yield Found(
            case.spec[FIELD].path,
            f"{case.pod.grace} s, and cluster-autoscaler gives {AUTOSCALER_CAP} s at the most unless it is told "
            "otherwise: the agent, which does not ask the API, would not know",
            f'DRAINER_KUBERNETES: "on" (with its Role), at most {AUTOSCALER_CAP} s, or the annotation '
            f'{SAFE_TO_EVICT}: "false"',
        )


def app_reserve_short(case: Case) -> Iterator[Found]:
    """Too little for the app."""
    if case.given.sees("app_reserve") and case.seconds("app_reserve") < LEAST_RESERVE:
        yield Found(
            case.given.where("app_reserve"),
            f"app_reserve is {case.seconds('app_reserve'):g} s: that is all that the app has for its own SIGTERM when "
            "a drain ends by its deadline",
            "DRAINER_APP_RESERVE: 5s, or as long as the app needs to end",
        )


def settle_short(case: Case) -> Iterator[Found]:
    """Too little for the Service."""
    if case.given.sees("settle") and case.seconds("settle") < LEAST_SETTLE:
        yield Found(
            case.given.where("settle"),
            f"settle is {case.seconds('settle'):g} s: clients that a proxy or load balancer still sends would come to "
            "an app that is stopped",
            "DRAINER_SETTLE: 5s",
        )


def liveness_late(case: Case) -> Iterator[Found]:
    """A hung app waits for its hook."""
    window = case.grace_period - case.seconds("app_reserve")
    if case.given.values["timeout"] is not None:
        window = min(window, case.seconds("timeout"))
    if case.uses_api:
        window = min(window, case.seconds("restart_timeout"))
    proposed = math.ceil(_least(case)) + ROOM // 2
    for container in case.ordinary:
        for name in ("livenessProbe", "startupProbe"):
            probe = container.node[name]
            late = probe and not probe[FIELD] and aim(case, container) is Aim.AGENT
            if late and window > max(SOON, proposed):
                yield Found(
                    probe.path,
                    f'when "{container.name}" hangs and this probe fails, its connections may hold the restart for '
                    f"{window:g} s: the hook runs then too",
                    f"{name}.{FIELD}: {proposed} (a restart then cuts who has not left by then)",
                )


def no_closer(case: Case) -> Iterator[Found]:
    """Nobody is closed."""
    if not case.closers and case.given.sees("close"):
        yield Found(
            case.given.where("close"),
            "no closer is set: connections that do not leave by themselves are cut at the deadline",
            "DRAINER_CLOSE: notify and DRAINER_NOTIFY_URL, or another closer (docs/closing.md)",
        )


CHECKS = (
    Check(
        "grace-too-short",
        Severity.ERROR,
        "The grace period leaves no time between settle and app_reserve.",
        "The agent then halves what it was told, and everybody is cut within seconds (docs/settings.md).",
        "a longer terminationGracePeriodSeconds, and the same in DRAINER_GRACE_PERIOD",
        grace_too_short,
    ),
    Check(
        "grace-overrun",
        Severity.ERROR,
        "DRAINER_GRACE_PERIOD (30s where it is not set and the API is not used) is longer than "
        "terminationGracePeriodSeconds.",
        "The kubelet counts by the pod; when its time is over, app and agent get SIGTERM together and 2 s more "
        "(kuberuntime_container.go; observed).",
        "the same number in both",
        grace_overrun,
    ),
    Check(
        "grace-unused",
        Severity.WARNING,
        "DRAINER_GRACE_PERIOD (30s where it is not set and the API is not used) is shorter than "
        "terminationGracePeriodSeconds.",
        "Drains end sooner than they must, and closing is hastier.",
        "the same number in both",
        grace_unused,
    ),
    Check(
        "grace-autoscaled",
        Severity.WARNING,
        "More than 600 s of grace, and the agent does not ask the API.",
        "cluster-autoscaler deletes pods with at most --max-graceful-termination-sec (600 by default), which only the "
        "API shows (kubernetes#94435).",
        'the API (DRAINER_KUBERNETES), at most 600 s, or the annotation safe-to-evict: "false"',
        grace_autoscaled,
    ),
    Check(
        "app-reserve-short",
        Severity.WARNING,
        "app_reserve is less than 3 s.",
        "A hook that takes the whole grace period leaves the app 2 s (minimumGracePeriodInSeconds).",
        "DRAINER_APP_RESERVE as long as the app's own end takes",
        app_reserve_short,
    ),
    Check(
        "settle-short",
        Severity.WARNING,
        "settle is less than 3 s.",
        "Endpoint changes take 1-3 s to reach every node's proxy, load balancers a little more.",
        "DRAINER_SETTLE of 5s",
        settle_short,
    ),
    Check(
        "liveness-late",
        Severity.WARNING,
        "An app that hangs is restarted only when its hook ends.",
        "A failed probe runs the hook as a deletion does, and connections of a hung app do not leave; the probe's own "
        "grace period replaces the pod's (kuberuntime_container.go).",
        "livenessProbe.terminationGracePeriodSeconds",
        liveness_late,
    ),
    Check(
        "no-closer",
        Severity.WARNING,
        "No closer is set.",
        "Long-lived connections do not leave by themselves: all that are left at the deadline are cut in one moment "
        "(docs/closing.md).",
        "DRAINER_CLOSE",
        no_closer,
    ),
)
