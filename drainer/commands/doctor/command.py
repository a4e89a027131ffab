"""`drainer doctor`: examine, leave out what is not to be said, print, and say whether it is well."""

from __future__ import annotations

import argparse
import difflib
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import IO

from drainer.commands.doctor.checks import ALL
from drainer.commands.doctor.findings import Severity
from drainer.commands.doctor.report import Examined, as_json, as_text, counts
from drainer.errors import ConfigError

_POD = re.compile(r"([a-z0-9][a-z0-9-]{0,62})/([a-z0-9][a-z0-9.-]{0,252})", re.ASCII)


def doctor(flags: argparse.Namespace, stdin: IO[bytes], *, colour: bool) -> tuple[str, bool]:
    """The report, and whether nothing in it fails.

    Raises ConfigError for flags, ManifestError, ClusterError, MissingExtraError.
    """
    ignored = _ignored(flags.ignore)
    examined = [
        replace(one, findings=[(finding, line) for finding, line in one.findings if finding.key not in ignored])
        for one in _examine(flags, stdin)
    ]
    number = counts(examined)
    fails = number[Severity.ERROR] or (flags.strict and number[Severity.WARNING])
    text = as_json(examined) if flags.output == "json" else as_text(examined, colour=colour)
    return text, not fails


def _examine(flags: argparse.Namespace, stdin: IO[bytes]) -> list[Examined]:
    if flags.live is None:
        for name in ("kubeconfig", "context"):
            if getattr(flags, name) is not None:
                raise ConfigError([f"--{name}={getattr(flags, name)!r} cannot be used with -f; allowed: with --live"])
        from drainer.commands.doctor.sources import examine_files  # noqa: PLC0415 - needs ruamel.yaml

        return examine_files(flags.filename, stdin)
    match = _POD.fullmatch(flags.live)
    if match is None:
        raise ConfigError([f"--live={flags.live!r} cannot be used; allowed: NAMESPACE/POD, like chat/web-0"])
    from drainer.commands.cluster import Cluster  # noqa: PLC0415 - needs kubernetes
    from drainer.commands.doctor.live import examine_live  # noqa: PLC0415 - the same

    return [examine_live(Cluster.of(flags.kubeconfig, flags.context), match[1], match[2])]


def _ignored(keys: Sequence[str]) -> frozenset[str]:
    known = [check.key for check in ALL]
    mistakes = [
        f"--ignore={key!r} is no check; the nearest is {difflib.get_close_matches(key, known, n=1, cutoff=0)[0]}; "
        "allowed: a key of docs/doctor.md"
        for key in keys
        if key not in known
    ]
    if mistakes:
        raise ConfigError(mistakes)
    return frozenset(keys)
