"""The flags of `drainer status`."""

from __future__ import annotations

import argparse


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All of them, to the parser of the command."""
    parser.description = "Shows how agents are: phase, connections, seconds to the deadline, the last drain."
    add = parser.add_argument
    add("target", nargs="*", metavar="AGENT",
        help="an agent as HOST:PORT or URL, or a pod of the cluster as POD or NAMESPACE/POD "
             "(default: all pods of the namespace that have the sidecar)")  # fmt: skip
    add("-l", "--selector", metavar="X", help="the pods with these labels, as kubectl has it: app=chat,tier!=dev")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("-n", "--namespace", metavar="X", help="of the pods (default: that of the context)")
    where.add_argument("-A", "--all-namespaces", action="store_true", help="the pods of all namespaces")
    add("-w", "--watch", action="store_true", help="go on, until Ctrl-C")
    add("--interval", default="2s", metavar="X", help="between two looks of --watch (default: %(default)s)")
    add("-o", "--output", choices=("table", "json"), default="table", help="for people or for programs")
    add("--kubeconfig", metavar="FILE", help="default: the account of the pod this runs in, or $KUBECONFIG")
    add("--context", metavar="NAME", help="a context of the kubeconfig")
