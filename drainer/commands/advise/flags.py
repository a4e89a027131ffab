"""The flags of `drainer advise`."""

from __future__ import annotations

import argparse


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All of them, to the parser of the command."""
    parser.description = (
        "Reckons requests, limits, an HPA's target and max_connections from what a connection has cost."
    )
    # Whom to ask is told as for `drainer status`, but it is one.
    parser.set_defaults(selector=None, all_namespaces=False)
    add = parser.add_argument
    add("target", nargs=1, metavar="AGENT",
        help="an agent as HOST:PORT or URL, or a pod of the cluster as POD or NAMESPACE/POD")  # fmt: skip
    add("-n", "--namespace", metavar="X", help="of the pod (default: that of the context)")
    add("--headroom", default="25", metavar="PERCENT", help="what stays free beside a full pod (default: %(default)s)")
    size = parser.add_mutually_exclusive_group()
    size.add_argument(
        "--connections", metavar="N", help="how many a pod shall carry (default: the most that were seen)"
    )
    size.add_argument("--memory", metavar="BYTES", help="or what it may take, its limit, like 512Mi")
    add("-o", "--output", choices=("text", "json"), default="text", help="for people or for programs")
    add("--kubeconfig", metavar="FILE", help="default: the account of the pod this runs in, or $KUBECONFIG")
    add("--context", metavar="NAME", help="a context of the kubeconfig")
