"""The flags: every mistake is named, and all at once."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from drainer.adapter.flags import Files, Options, add_flags, options
from drainer.adapter.questions import CUSTOM, EXTERNAL
from drainer.errors import ConfigError


def parsed(*arguments: str) -> Options:
    parser = argparse.ArgumentParser()
    add_flags(parser)
    return options(parser.parse_args(["--service", "drainer-adapter", *arguments]))


def test_the_least() -> None:
    assert parsed() == Options(
        apis=(CUSTOM,),
        deletion_cost=False,
        namespace=None,
        service="drainer-adapter",
        certificate="drainer-adapter-tls",
        selector="",
        port=6443,
        ops_port=8080,
        kubeconfig=None,
        context=None,
        log_level="info",
        log_format="json",
    )


def test_chosen() -> None:
    chosen = parsed(
        "--metrics=external, custom",
        "--namespace=tools",
        "--pod-selector=tier in (a,b)",
        "--tls-cert-file=/c/tls.crt",
        "--tls-key-file=/c/tls.key",
    )

    assert chosen.apis == (CUSTOM, EXTERNAL)
    assert chosen.certificate == Files(Path("/c/tls.crt"), Path("/c/tls.key"))
    assert (chosen.namespace, chosen.selector) == ("tools", "tier in (a,b)")
    assert parsed("--tls-secret=mine").certificate == "mine"
    alone = parsed("--metrics=none", "--deletion-cost")
    assert (alone.apis, alone.deletion_cost) == ((), True)


@pytest.mark.parametrize(
    ("arguments", "mistake"),
    [
        (["--metrics=some"], "--metrics='some' cannot be used; allowed: custom, external, custom,external, or none"),
        (["--metrics=custom,custom"], "--metrics='custom,custom' cannot be used"),
        (["--metrics=none"], "--metrics=none without --deletion-cost leaves nothing to do"),
        (["--metrics=none,custom"], "--metrics='none,custom' cannot be used"),
        (["--metrics="], "--metrics='' cannot be used"),
        (["--namespace=A"], "--namespace='A' cannot be used; allowed: the name of a namespace"),
        (["--service=a.b"], "--service='a.b' cannot be used; allowed: the name of a Service"),
        (["--pod-selector=a in b"], "--pod-selector='a in b' cannot be used (found 'b', expected: '(')"),
        (["--port=http"], "--port='http' cannot be used; allowed: a port from 1 to 65535"),
        (["--ops-port=0"], "--ops-port='0' cannot be used"),
        (["--ops-port=6443"], "--ops-port=6443: is --port too; allowed: another one"),
        (["--tls-secret=/x"], "--tls-secret='/x' cannot be used; allowed: the name of a Secret"),
        (["--tls-cert-file=x"], "--tls-cert-file and --tls-key-file go together"),
        (["--tls-key-file=x"], "--tls-cert-file and --tls-key-file go together"),
        (
            ["--tls-cert-file=x", "--tls-key-file=y", "--tls-secret=z"],
            "--tls-secret cannot be used with --tls-cert-file",
        ),
    ],
)
def test_a_mistake_says_what_is_allowed(arguments: list[str], mistake: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(*arguments)

    (said,) = caught.value.mistakes
    assert said.startswith(mistake)


def test_all_mistakes_come_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parsed("--port=a", "--ops-port=b", "--metrics=c")

    assert len(caught.value.mistakes) == 3
