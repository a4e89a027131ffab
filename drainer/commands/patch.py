"""A manifest in, the same with or without the sidecar out: what `drainer inject` does, without files.

Values are plain JSON. Nothing that is given is changed. `inject` first takes out what an earlier one put in, so it can
be repeated with other options, and twice is as good as once. `uninject` gives back what was there; only a mapping or
list that was there and empty (`annotations: {}`) is gone, which Kubernetes takes for the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from drainer import __version__
from drainer.commands.additions import (
    about,
    add_api,
    add_container,
    add_grace,
    add_hooks,
    add_mesh,
    own_grace,
    tcp_ports,
    unfit,
)
from drainer.commands.asked import Options, asked, checked
from drainer.commands.pods import NoPod, Workload, find, identity, objects
from drainer.commands.remains import remains
from drainer.commands.removal import filled, take_out
from drainer.commands.reports import Entry, Hint, Outcome, Remark
from drainer.errors import ConfigError
from drainer.keys import FORMER, INJECTED
from drainer.sidecar import Sidecar


@dataclass(frozen=True, slots=True)
class Injection:
    """A manifest, and what became of each object in it."""

    manifest: dict[str, Any]
    report: tuple[Entry, ...]


def inject(manifest: Mapping[str, Any], options: Options) -> Injection:
    """Every pod in it with the sidecar. Raises ConfigError with the mistakes in annotations of all its pods."""
    mistakes: list[str] = []

    def change(workload: Workload) -> Entry:
        try:
            return _put_in(workload, options)
        except ConfigError as error:
            failed = _entry(workload, Outcome.SKIPPED)
            mistakes.extend(f"{failed.title}: {mistake}" for mistake in error.mistakes)
            return failed

    injection = _each(manifest, change)
    if mistakes:
        raise ConfigError(mistakes)
    return injection


def uninject(manifest: Mapping[str, Any]) -> Injection:
    """Every pod in it without what inject had put in."""

    def change(workload: Workload) -> Entry:
        removed = take_out(workload.pod)
        entry = (
            _entry(workload, Outcome.UNCHANGED, "has nothing that inject has put in")
            if removed is None
            else _entry(workload, Outcome.REMOVED)
        )
        return replace(entry, remarks=remains(workload, removed))

    return _each(manifest, change)


def _each(manifest: Mapping[str, Any], change: Callable[[Workload], Entry]) -> Injection:
    """Let `change` change the pod of every object; what it skips stays as it was."""
    result = _unshared(manifest)
    report = []
    for kind, data in objects(result):
        found = find(kind, data)
        if isinstance(found, NoPod):
            report.append(Entry(*identity(kind, data), Outcome.SKIPPED, found))
            continue
        pod = _unshared(found.pod)
        entry = change(replace(found, pod=pod))
        if entry.outcome is not Outcome.SKIPPED and pod != found.pod:
            found.pod.clear()
            found.pod.update(pod)
        elif entry.outcome is Outcome.INJECTED:
            entry = replace(entry, outcome=Outcome.UNCHANGED)
        report.append(entry)
    return Injection(result, tuple(report))


def _unshared(value: Any) -> Any:
    """A copy in which no two places are one, as they are after YAML's aliases."""
    if isinstance(value, Mapping):
        return {key: _unshared(item) for key, item in value.items()}
    return [_unshared(item) for item in value] if isinstance(value, list) else value


def _put_in(workload: Workload, options: Options) -> Entry:
    """Change the pod, or say why not."""
    is_update = take_out(workload.pod) is not None
    wanted = asked(workload, options)
    skipped = unfit(workload, wanted)
    if skipped is not None:
        reason, text = skipped
        return replace(_entry(workload, Outcome.SKIPPED, text), reason=reason)
    sidecar = Sidecar(
        image=options.image,
        app_ports=wanted.app_ports or str(tcp_ports(workload)[0]),
        grace_period=max(own_grace(workload), wanted.grace_period or 0),
        settings=wanted.settings,
        native=options.native,
        pull_policy=options.pull_policy,
        resources=wanted.resources,
    )
    former: dict[str, Any] = {}
    remarks = (
        *wanted.remarks,
        *(Remark(Hint.BENT, sentence) for sentence in checked(sidecar)),
        *add_grace(workload, sidecar, wanted, former),
        *add_hooks(workload, sidecar, wanted),
        *add_mesh(workload, sidecar, options.mesh, former),
        *add_api(workload, sidecar, former, renders_role=options.renders_role),
        *about(workload, sidecar),
    )
    add_container(workload, sidecar)
    annotations = filled(workload.pod, "metadata", "annotations")
    annotations[INJECTED] = __version__
    if former:
        annotations[FORMER] = json.dumps(former, separators=(",", ":"))
    text = f"app ports {sidecar.app_ports}, grace period {sidecar.grace_period} s{', anew' if is_update else ''}"
    return replace(_entry(workload, Outcome.INJECTED, text), remarks=remarks)


def _entry(workload: Workload, outcome: Outcome, text: str = "") -> Entry:
    return Entry(workload.kind, workload.namespace, workload.name, outcome, text=text)
