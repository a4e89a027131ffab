"""The flags of `drainer doctor`."""

from __future__ import annotations

import argparse


def add_flags(parser: argparse.ArgumentParser) -> None:
    """All of them, to the parser of the command."""
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument(
        "-f",
        "--filename",
        action="append",
        metavar="FILE",
        help="manifests: a file, a folder, or - for standard input; may be repeated",
    )
    where.add_argument("--live", metavar="NAMESPACE/POD", help="a pod that runs")
    parser.add_argument(
        "--kubeconfig", metavar="FILE", help="for --live (default: the account of the pod this runs in, or $KUBECONFIG)"
    )
    parser.add_argument("--context", metavar="NAME", help="for --live: a context of the kubeconfig")
    parser.add_argument("--output", choices=("text", "json"), default="text", help="for people or for programs")
    parser.add_argument(
        "--ignore", action="append", default=[], metavar="KEY", help="leave out a check; may be repeated"
    )
    parser.add_argument("--strict", action="store_true", help="warnings fail too")
