"""All checks on one object: from plain mappings to findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from drainer.commands.doctor.case import Surroundings, as_case, as_pod
from drainer.commands.doctor.checks import OF_CASES, OF_PODS, OF_RUNNING
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.checks.running import Running
from drainer.commands.doctor.findings import Finding, Severity

T = TypeVar("T")
_ORDER = tuple(Severity)


def examine(
    kind: str,
    namespace: str,
    name: str,
    data: Mapping[str, Any],
    around: Surroundings,
    running: Running | None = None,
) -> tuple[Finding, ...]:
    """What is wrong with a Pod or a workload, the worst first; never raises, whatever is in `data`."""
    pod = as_pod(kind, namespace, name, data)
    findings = list(_done(OF_PODS, pod))
    if pod.agents:
        findings += _done(OF_CASES, as_case(pod, around))
    if running is not None:
        findings += _done(OF_RUNNING, running)
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


def _done(checks: Iterable[Check[T]], on: T) -> Iterator[Finding]:
    for check in checks:
        for found in check.find(on):
            yield Finding(check.key, check.severity, found.path, found.says, found.fix)
