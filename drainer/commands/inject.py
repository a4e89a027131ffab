"""`drainer inject`: manifests in, the same with the sidecar out. The files and streams around `patch`."""

from __future__ import annotations

import argparse
import itertools
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from drainer import __version__
from drainer.commands.asked import ASKED, PULL_POLICIES, Options, resources_of, seconds, texts
from drainer.commands.mesh import MESHES
from drainer.commands.output import Changed, show, show_diff, write
from drainer.commands.patch import Injection, inject, uninject
from drainer.commands.rbac import Rights, needs, rendered
from drainer.commands.reports import Entry, as_json, as_text
from drainer.commands.resources import AMOUNTS, GROUPS, written
from drainer.errors import ConfigError
from drainer.keys import PREFIX
from drainer.settings import BY_NAME, Setting
from drainer.sidecar import IMAGE, RESOURCES

_STDIN = "-"
_HELP = {
    "app_ports": "The app's ports; default: the one TCP port that the pod declares",
    "grace_period": "The grace period that the pod shall have at least, in whole seconds; default: its own",
    **{group: f"The sidecar's {group} (default: {written(RESOURCES[group])}; {AMOUNTS})" for group in GROUPS},
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `drainer inject`."""
    parser.description = (
        f"Manifests in, the same with the sidecar out. A pod's annotation {PREFIX}/FLAG wins over the flag."
    )
    add = parser.add_argument
    add("-f", "--filename", action="append", default=[], metavar="FILE",
        help="a file, a folder, or - for standard input; repeatable (default: standard input)")  # fmt: skip
    add("--uninject", action="store_true", help="take out what inject has put in")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--diff", action="store_true", help="print what would change; exit code 3 if something would")
    where.add_argument("-i", "--in-place", action="store_true", help="write the files anew instead of printing them")
    add("--rbac", action="store_true", help="print the Role that the use of the API needs, and the policy beside it")
    add("-n", "--namespace", default="", metavar="X", help="for --rbac: of objects that name none")
    add("--report", choices=("text", "json"), default="text", help="how standard error says what became of each object")
    add("--image", default=f"{IMAGE}:{__version__}", metavar="X", help="the sidecar's image (default: %(default)s)")
    add("--image-pull-policy", choices=PULL_POLICIES, default="", help="default: what Kubernetes does by itself")
    add("--native", choices=("auto", "yes", "no"), default="auto",
        help="no: an ordinary container, for Kubernetes before 1.29 (default: auto, which is yes)")  # fmt: skip
    add("--container", action="append", default=[], metavar="NAME",
        help="a container that gets the hook; repeatable (default: every ordinary container)")  # fmt: skip
    add("--mesh", choices=MESHES, default="auto",
        help="whose proxy the kubelet's calls have to pass (default: auto, what the pod shows)")  # fmt: skip
    for name in ASKED:
        add(_flag(name), dest=name, metavar="X", help=(_HELP.get(name) or _help(BY_NAME[name])).replace("%", "%%"))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _help(setting: Setting) -> str:
    return f"{setting.help} (default: {setting.default or 'none'}; {setting.kind.allowed})"


def run(parsed: argparse.Namespace) -> bool:
    """Whether --diff found something. Raises ConfigError and ManifestError before anything is written."""
    options = options_of(parsed)
    from drainer.commands.manifests import read  # noqa: PLC0415 - a wrong flag is said without ruamel too

    if parsed.rbac and (parsed.diff or parsed.uninject):
        raise ConfigError(
            ["--rbac cannot be used together with --diff or --uninject; allowed: alone or with --in-place"]
        )
    documents = read(_sources(parsed), sys.stdin.buffer)
    change: Callable[[Mapping[str, Any]], Injection] = (
        uninject if parsed.uninject else lambda manifest: inject(manifest, options)
    )
    changed = list(_changed(documents, change))
    if parsed.diff:
        show_diff(changed)
    else:
        extra = _role_objects(changed, parsed.namespace) if parsed.rbac else []
        if parsed.in_place:
            write(changed)
        show([] if parsed.in_place else changed, extra)
    reports = [(one.origin, one.report) for one in changed]
    sys.stderr.write(as_json(reports) if parsed.report == "json" else "".join(as_text(*report) for report in reports))
    return bool(parsed.diff) and any(one.before != one.after for one in changed)


def options_of(parsed: argparse.Namespace) -> Options:
    """The flags, checked. Raises ConfigError with every mistake."""
    mistakes: list[str] = []
    given = {name: getattr(parsed, name) for name in ASKED if getattr(parsed, name) is not None}
    found: dict[str, str] = {}
    try:
        found = texts(given, {name: _flag(name) for name in given})
    except ConfigError as error:
        mistakes += error.mistakes
    if not re.fullmatch("[!-~]+", parsed.image):
        mistakes.append(f"--image={parsed.image!r} cannot be used; allowed: an image's reference, like {IMAGE}:1.0")
    if mistakes:
        raise ConfigError(mistakes)
    grace = found.pop("grace_period", None)
    return Options(
        image=parsed.image,
        pull_policy=parsed.image_pull_policy,
        app_ports=found.pop("app_ports", ""),
        grace_period=seconds(grace) if grace else None,
        resources=resources_of(found),
        settings=found,
        native=parsed.native != "no",
        containers=tuple(parsed.container),
        mesh=parsed.mesh,
        renders_role=parsed.rbac,
    )


def _sources(parsed: argparse.Namespace) -> Sequence[str]:
    sources: list[str] = parsed.filename or [_STDIN]
    if not parsed.filename and sys.stdin.isatty():
        raise ConfigError(["-f is not given; allowed: a file, a folder, or - with manifests on standard input"])
    if parsed.in_place and _STDIN in sources:
        raise ConfigError(["--in-place cannot write to standard input; allowed: files and folders by -f"])
    return sources


def _changed(documents: Iterable[Any], change: Callable[[Mapping[str, Any]], Injection]) -> Iterator[Changed]:
    """Every source with what becomes of it. Raises ConfigError with the mistakes of all of them."""
    from drainer.commands.manifests import rewritten  # noqa: PLC0415 - see above

    mistakes: list[str] = []
    for origin, of_one in itertools.groupby(documents, key=lambda document: document.origin):
        before, after = "", ""
        report: list[Entry] = []
        manifests: list[Mapping[str, Any]] = []
        for document in of_one:
            before += document.text
            if document.data is None:
                after += document.text
                continue
            try:
                injection = change(document.data)
            except ConfigError as error:
                mistakes += [f"{origin}: {mistake}" for mistake in error.mistakes]
                continue
            after += rewritten(document, injection.manifest)
            report += injection.report
            manifests.append(injection.manifest)
        yield Changed(origin, before, after, tuple(report), tuple(manifests))
    if mistakes:
        raise ConfigError(mistakes)


def _role_objects(changed: Sequence[Changed], namespace: str) -> list[dict[str, Any]]:
    """Once for each service account, without what the manifests have already.

    Raises ConfigError where a namespace is not known.
    """
    wanted: dict[tuple[str, str], Rights] = {}
    for one in changed:
        for manifest in one.manifests:
            for key, rights in needs(manifest, namespace).items():
                wanted[key] = wanted.get(key, Rights()) | rights
    lost = [account for named, account in wanted if not named]
    if lost:
        raise ConfigError(
            [f"service account {account}: its namespace is not known; allowed: with --namespace" for account in lost]
        )
    there = [manifest for one in changed for manifest in one.manifests]
    return [entry for key, rights in wanted.items() for entry in rendered(*key, rights) if entry not in there]
