"""The agent's settings: what it would refuse, bend or not know, and what points at the wrong place."""

from __future__ import annotations

import re
from collections.abc import Iterator

from drainer.addresses import parse_address
from drainer.commands.doctor.case import Case
from drainer.commands.doctor.checks.check import Check
from drainer.commands.doctor.findings import Found, Path, Severity
from drainer.commands.wording import listed
from drainer.settings import BY_NAME


def listens_on_loopback(case: Case) -> Iterator[Found]:
    """Where the kubelet does not come."""
    host = case.given.values["host"]
    address = parse_address(host) if host else None
    if address is not None and address.is_loopback and case.given.sees("host"):
        yield Found(
            case.given.where("host"),
            f"the agent listens on {host} only: the kubelet calls hook and probes at the pod's address",
            "take DRAINER_HOST out",
        )


def app_port_undeclared(case: Case) -> Iterator[Found]:
    """A typing mistake, perhaps."""
    declared = {number for one in case.pod.containers for number, _, _ in one.ports()}
    missing = [port for port in case.given.values["app_ports"] if port not in declared]
    if missing and case.given.sees("app_ports"):
        yield Found(
            case.given.where("app_ports"),
            f"no container declares {listed('port', missing)}: if nobody listens there, "
            "every drain ends after the settle time",
            "the app's ports in DRAINER_APP_PORTS and in its containers' ports",
        )


def setting_unusable(case: Case) -> Iterator[Found]:
    """What `drainer run` would not start with."""
    for mistake in case.given.judgement[0]:
        says, _, allowed = mistake.partition("; allowed: ")
        yield Found(_place(case, mistake), f"{says}: the agent does not start", f"allowed: {allowed}")


def setting_odd(case: Case) -> Iterator[Found]:
    """What `drainer run` would warn of."""
    for warning in case.given.judgement[1]:
        yield Found(_place(case, warning), warning, "change or take out what is named (docs/settings.md)")


def unknown_flag(case: Case) -> Iterator[Found]:
    """What argparse would refuse."""
    yield from case.given.unknown_flags


def settings_elsewhere(case: Case) -> Iterator[Found]:
    """What cannot be seen here."""
    for path in case.given.elsewhere:
        yield Found(
            path,
            "settings come from somewhere else: checks that need their values are left out",
            "none needed; check a running pod's /status, or give the values here",
        )


def _place(case: Case, message: str) -> Path:
    """Messages begin with the setting's or the variable's name."""
    match = re.match(r"\w+", message, re.ASCII)
    word = match[0] if match else ""
    by_env = {setting.env: setting.name for setting in BY_NAME.values()}
    return case.given.where(by_env.get(word, word))


CHECKS = (
    Check(
        "listens-on-loopback",
        Severity.ERROR,
        "DRAINER_HOST is a loopback address.",
        "The kubelet calls the pod's address (lifecycle/handlers.go).",
        "no DRAINER_HOST",
        listens_on_loopback,
    ),
    Check(
        "app-port-undeclared",
        Severity.NOTE,
        "No container declares a port of DRAINER_APP_PORTS.",
        "Declaring is not demanded; but on a wrong port nobody is ever connected.",
        "the app's real ports",
        app_port_undeclared,
    ),
    Check(
        "setting-unusable",
        Severity.ERROR,
        "The agent would not start with its settings.",
        "Mistakes end it with exit code 2 before anything starts.",
        "what is allowed is said",
        setting_unusable,
    ),
    Check(
        "setting-odd",
        Severity.WARNING,
        "A setting is bent, has no effect or is not known.",
        "The agent says the same at its start, once.",
        "what is named",
        setting_odd,
    ),
    Check(
        "unknown-flag",
        Severity.ERROR,
        "A flag that `drainer run` does not have.",
        "It ends with exit code 2.",
        "the flag that is nearest",
        unknown_flag,
    ),
    Check(
        "settings-elsewhere",
        Severity.NOTE,
        "Settings come from a ConfigMap, a Secret or a shell.",
        "Their values are not in the manifest, so they are not checked.",
        "none",
        settings_elsewhere,
    ),
)
