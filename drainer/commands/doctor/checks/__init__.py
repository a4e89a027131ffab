"""All checks, in the order in which they are done and listed."""

from __future__ import annotations

from drainer.commands.doctor.case import Case, Pod
from drainer.commands.doctor.checks import (
    api,
    callers,
    closers,
    container,
    health,
    hooks,
    limits,
    network,
    presence,
    probes,
    running,
    settings,
    started,
    times,
    workload,
)
from drainer.commands.doctor.checks.check import Check

OF_PODS: tuple[Check[Pod], ...] = presence.CHECKS
"""For every pod."""
OF_CASES: tuple[Check[Case], ...] = (
    *times.CHECKS,
    *hooks.CHECKS,
    *callers.CHECKS,
    *container.CHECKS,
    *settings.CHECKS,
    *probes.CHECKS,
    *health.CHECKS,
    *network.CHECKS,
    *api.CHECKS,
    *closers.CHECKS,
    *limits.CHECKS,
    *workload.CHECKS,
)
"""For pods that have the agent."""
OF_RUNNING: tuple[Check[running.Running], ...] = (*started.CHECKS, *running.CHECKS)
"""For pods in a cluster."""
ALL: tuple[Check[Pod] | Check[Case] | Check[running.Running], ...] = (*OF_PODS, *OF_CASES, *OF_RUNNING)
