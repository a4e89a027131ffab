"""The flags of `drainer adapter`, and what they come to."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drainer.adapter.questions import CUSTOM, EXTERNAL, Api
from drainer.adapter.selectors import SelectorError, parse
from drainer.errors import ConfigError
from drainer.kinds import PORT

APIS = {"custom": CUSTOM, "external": EXTERNAL}
NONE = "none"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", re.ASCII)
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Files:
    """A certificate that somebody else makes."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Options:
    """What is to be served, and how."""

    apis: tuple[Api, ...]
    deletion_cost: bool
    """Whether pods get a deletion cost while an HPA of theirs waits to scale down."""
    namespace: str | None
    """Of the Service and the Secret; None means the account's own."""
    service: str
    certificate: Files | str
    """Files, or the name of the Secret with the authority of self-made ones."""
    selector: str
    """Which pods are looked at; empty means all that have the sidecar."""
    port: int
    ops_port: int
    kubeconfig: str | None
    context: str | None
    log_level: str
    log_format: str


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All of them, to the parser of the command."""
    parser.add_argument(
        "--service", metavar="NAME", required=True, help="the Service in front of this server: what an APIService names"
    )
    parser.add_argument(
        "--namespace", metavar="NAME", help="of the Service and the Secret (default: that of the account or context)"
    )
    parser.add_argument(
        "--metrics",
        metavar="X",
        default="custom",
        help="which APIs to serve: custom, external, both with a comma, or none (default: custom)",
    )
    parser.add_argument(
        "--deletion-cost",
        action="store_true",
        help="while an HPA waits to scale down, keep the deletion cost of its pods, so that the emptiest go first",
    )
    parser.add_argument(
        "--pod-selector",
        metavar="X",
        default="",
        help="a label selector of pods to look at (default: all with the sidecar)",
    )
    parser.add_argument("--port", metavar="N", default="6443", help="of the API, over TLS (default: 6443)")
    parser.add_argument(
        "--ops-port", metavar="N", default="8080", help="of /livez, /readyz and /metrics (default: 8080)"
    )
    parser.add_argument(
        "--tls-secret",
        metavar="NAME",
        help="the Secret with the authority of self-made certificates (default: that of the Service and -tls)",
    )
    parser.add_argument("--tls-cert-file", metavar="FILE", help="a certificate that somebody else renews")
    parser.add_argument("--tls-key-file", metavar="FILE", help="its key")
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="the cluster (default: that of the pod this runs in, or $KUBECONFIG)"
    )
    parser.add_argument("--context", metavar="NAME", help="a context of the kubeconfig")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    parser.add_argument("--log-format", choices=("json", "text"), default="json")


def options(flags: argparse.Namespace) -> Options:
    """Raises ConfigError with all mistakes."""
    mistakes: list[str] = []

    def parsed(name: str, allowed: str, parse_it: Callable[[str], Any]) -> Any:
        text = getattr(flags, name)
        try:
            return parse_it(text)
        except ValueError as error:
            why = f" ({error})" if isinstance(error, SelectorError) else ""
            flag = name.replace("_", "-")
            mistakes.append(f"--{flag}={text!r} cannot be used{why}; allowed: {allowed}")

    files = (flags.tls_cert_file, flags.tls_key_file)
    certificate: Files | str = flags.tls_secret or f"{flags.service}-tls"
    if None not in files:
        certificate = Files(Path(files[0]), Path(files[1]))
    elif files != (None, None):
        mistakes.append("--tls-cert-file and --tls-key-file go together; allowed: both, or neither")
    if flags.tls_secret and isinstance(certificate, Files):
        mistakes.append("--tls-secret cannot be used with --tls-cert-file; allowed: one of them")
    made = Options(
        apis=parsed("metrics", "custom, external, custom,external, or none", _apis),
        deletion_cost=flags.deletion_cost,
        namespace=flags.namespace and parsed("namespace", "the name of a namespace", _matching(_LABEL)),
        service=parsed("service", "the name of a Service", _matching(_LABEL)),
        certificate=certificate,
        selector=parsed("pod_selector", "a label selector, like app=chat,tier in (a,b)", _selector),
        port=parsed("port", PORT.allowed, PORT.parse),
        ops_port=parsed("ops_port", PORT.allowed, PORT.parse),
        kubeconfig=flags.kubeconfig,
        context=flags.context,
        log_level=flags.log_level,
        log_format=flags.log_format,
    )
    if flags.tls_secret:
        parsed("tls_secret", "the name of a Secret", _matching(_NAME))
    if made.apis == () and not made.deletion_cost:
        mistakes.append(f"--metrics={NONE} without --deletion-cost leaves nothing to do; allowed: one of them")
    if not mistakes and made.port == made.ops_port:
        mistakes.append(f"--ops-port={made.ops_port}: is --port too; allowed: another one")
    if mistakes:
        raise ConfigError(mistakes)
    return made


def _apis(text: str) -> tuple[Api, ...]:
    if text.strip() == NONE:
        return ()
    names = [name.strip() for name in text.split(",")]
    if not set(names) <= set(APIS) or len(set(names)) < len(names):
        raise ValueError(text)
    return tuple(api for name, api in APIS.items() if name in names)


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(text)
        return text

    return check


def _selector(text: str) -> str:
    parse(text)
    return text
