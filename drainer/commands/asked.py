"""What is asked for one pod: the flags of `drainer inject`, and the pod's annotations, which win."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from drainer.commands.mesh import ALL
from drainer.commands.pods import Workload
from drainer.commands.reports import Hint, Remark
from drainer.commands.resources import AMOUNTS, GROUPS, Resources, amounts, contradictions, merged
from drainer.config import Config
from drainer.errors import ConfigError
from drainer.keys import CONTAINER, FORMER, INJECT, INJECTED, SERVING, annotation, is_ours
from drainer.settings import BY_NAME
from drainer.sidecar import CHOOSABLE, RESOURCES, Sidecar, environment

ASKED = ("app_ports", "grace_period", *CHOOSABLE, *GROUPS)
"""What can be asked for one pod, by a flag or an annotation of that name."""
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_GRACE = re.compile(r"([1-9]\d{0,4})(s|m|h)?", re.ASCII)
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}
_EXCLUDES = tuple(mesh.excludes for mesh in ALL)
_OURS = {INJECT, INJECTED, FORMER, CONTAINER, SERVING}


@dataclass(frozen=True, slots=True)
class Options:
    """The flags, checked by `options`."""

    image: str
    pull_policy: str = ""
    app_ports: str = ""
    """As it is written; empty: the one TCP port that the pod declares."""
    grace_period: int | None = None
    """Seconds that the pod shall have at least."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """As Sidecar has them."""
    native: bool = True
    containers: tuple[str, ...] = ()
    """Who gets the hook; empty: every ordinary container."""
    mesh: str = "auto"
    resources: Resources = field(default_factory=dict)
    """What shall differ from sidecar.RESOURCES; a quantity of 0 takes one out."""
    renders_role: bool = False
    """Whether the Role is written beside it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for one pod."""

    app_ports: str
    grace_period: int | None
    settings: Mapping[str, str]
    containers: tuple[str, ...]
    resources: Resources
    remarks: tuple[Remark, ...] = ()

    @property
    def port(self) -> int:
        """The agent's."""
        return Sidecar("", "", 0, self.settings).port


def texts(given: Mapping[str, str], spelled: Mapping[str, str]) -> dict[str, str]:
    """What is ASKED for, as it is written -> the same, stripped, and without what says nothing.

    `spelled`: how each was named where it was given. Raises ConfigError with every mistake.
    """
    found: dict[str, str] = {}
    mistakes: list[str] = []
    for name, text in given.items():
        stripped = text.strip()
        if not stripped:
            continue
        setting = BY_NAME.get(name)
        parse, allowed = _RULES.get(name) or (BY_NAME[name].kind.parse, BY_NAME[name].kind.allowed)
        try:
            parse(stripped)
        except ValueError:
            shown = "(not shown)" if setting is not None and setting.secret else repr(text)
            mistakes.append(f"{spelled[name]}={shown} cannot be used; allowed: {allowed}")
        else:
            found[name] = stripped
    if mistakes:
        raise ConfigError(mistakes)
    return found


def seconds(text: str) -> int:
    """A grace period as it is written. Raises ValueError."""
    match = _GRACE.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SECONDS[match[2]]


_RULES: Mapping[str, tuple[Callable[[str], object], str]] = {
    "grace_period": (seconds, "whole seconds, like 60 or 60s, or 2m, 1h"),
    **dict.fromkeys(GROUPS, (amounts, AMOUNTS)),
}
"""Name -> (how it is parsed, what is allowed), for what is not written as the setting of that name is."""


def resources_of(found: dict[str, str]) -> Resources:
    """Those that are among `texts`, and no longer are then."""
    return {group: amounts(found.pop(group)) for group in GROUPS if group in found}


def asked(workload: Workload, options: Options) -> Asked:
    """Flags and annotations of one pod. Raises ConfigError for annotations that cannot be used."""
    spelled = {name: annotation(name) for name in ASKED}
    odd = [
        f"{key}={value!r} is not text; allowed: quotes around it"
        for key, value in (*workload.labels.items(), *workload.annotations.items())
        if (is_ours(key) or key in _EXCLUDES) and not isinstance(value, str)
    ]
    if odd:
        raise ConfigError(odd)
    given = {name: workload.annotations[key] for name, key in spelled.items() if key in workload.annotations}
    own = texts(given, spelled)
    app_ports = own.pop("app_ports", options.app_ports)
    grace = own.pop("grace_period", None)
    resources = merged(RESOURCES, options.resources, resources_of(own))
    refused = list(contradictions(resources))
    if refused:
        raise ConfigError(refused)
    containers = tuple(name for name in re.split(r"[,\s]+", workload.annotations.get(CONTAINER, "")) if name)
    return Asked(
        app_ports,
        seconds(grace) if grace else options.grace_period,
        {**options.settings, **own},
        containers or options.containers,
        resources,
        tuple(_unknown(workload, spelled)),
    )


def _unknown(workload: Workload, spelled: Mapping[str, str]) -> Iterator[Remark]:
    known = {*spelled.values(), *_OURS}
    for key in workload.annotations:
        if is_ours(key) and key not in known:
            nearest = difflib.get_close_matches(key, sorted({*spelled.values(), CONTAINER}), n=1, cutoff=0)[0]
            yield Remark(Hint.UNKNOWN_ANNOTATION, f"{key} has no effect; the nearest is {nearest}")


def checked(sidecar: Sidecar) -> tuple[str, ...]:
    """What the agent will say of its variables when it starts, in sentences.

    Raises ConfigError where it would refuse them, or where the pod could never become ready.
    """
    environ = {entry["name"]: str(entry.get("value", "")) for entry in environment(sidecar)}
    if sidecar.uses_api:
        # Of the pod that will be, and of a cluster: any will do.
        environ |= dict.fromkeys(("POD_NAME", "POD_NAMESPACE", "POD_UID", "KUBERNETES_SERVICE_HOST"), "some")
        environ["KUBERNETES_SERVICE_PORT"] = "443"
    config = Config.from_env(environ)
    if not sidecar.uses_api:
        vain = [name for name in ("serving_label", "readiness_gate") if getattr(config, name)]
        if vain:
            raise ConfigError(
                [f"{BY_NAME[name].flag}=true needs the API; allowed: with --kubernetes=on or auto" for name in vain]
            )
    return config.warnings
