"""The command line: run, census, inject, doctor, status, advise, adapter, version. Heavy imports happen inside them."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path

from drainer import __version__
from drainer.config import Config, some_settings
from drainer.errors import ConfigError, DrainerError
from drainer.settings import BY_NAME, SETTINGS


class Exit(IntEnum):
    """Exit codes; part of the public API."""

    OK = 0
    FAILURE = 1
    """It could not be done: the port is taken, the socket table cannot be read."""
    USAGE = 2
    """Settings or arguments cannot be used."""
    FINDINGS = 3
    """What was looked at has something to see: a difference, for `inject --diff`; something to fix, for `doctor`;
    agents that do not answer beside others that do, for `status`."""


def main(arguments: Sequence[str], early: list[int]) -> Exit:
    """Run one command. `early` holds signals that came before."""
    parsed = _parsed(arguments)
    try:
        return _COMMANDS[parsed.command](parsed, early) or Exit.OK
    except ConfigError as error:
        for mistake in error.mistakes:
            sys.stderr.write(f"drainer: {mistake}\n")
        return Exit.USAGE
    except DrainerError as error:
        sys.stderr.write(f"drainer: {error}\n")
        return Exit.FAILURE


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    """The arguments; what is none is said below the usage of the command that was meant, with what is nearest."""
    parser, commands = _parsers(arguments[:1])
    first = "".join(arguments[:1])
    if first not in commands and not first.startswith("-") and first:
        parser.error(f"{first!r} is no command{_nearest(first, commands)}; allowed: {', '.join(commands)}")
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        command = commands[parsed.command]
        flags = re.findall(r"--[a-z-]+", command.format_help())
        # Of a flag only its name: the value may be a secret.
        words = [word.partition("=")[0] for word in unknown if word.startswith("-")] or unknown
        said = ", ".join(word + _nearest(word, flags) for word in words)
        has_files = "--filename" in flags and not words[0].startswith("-")
        command.error(f"unrecognized arguments: {said}{'; files are given by -f' if has_files else ''}")
    return parsed


def _nearest(word: str, known: Iterable[str]) -> str:
    """What was meant, perhaps: what begins like it, or is written nearly so."""
    import difflib  # noqa: PLC0415 - an agent whose flags are right does without

    names = {one.strip("-"): one for one in known}
    bare = word.strip("-")
    found = [name for name in names if bare and name.startswith(bare)] or difflib.get_close_matches(bare, names, n=1)
    return f" (the nearest is {names[found[0]]})" if found else ""


def _flags(parsed: argparse.Namespace) -> dict[str, str]:
    given = {setting.name: getattr(parsed, setting.name, None) for setting in SETTINGS}
    return {name: text for name, text in given.items() if text is not None}


def _run(parsed: argparse.Namespace, early: list[int]) -> None:
    config = Config.from_env(os.environ, _flags(parsed), lambda path: Path(path).read_text(encoding="utf-8"))
    from drainer.run import run  # noqa: PLC0415 - aiohttp is not needed to say what is wrong with a setting

    run(config, early)


def _census(parsed: argparse.Namespace, _: list[int]) -> None:
    values = some_settings(_CENSUS_SETTINGS, os.environ, _flags(parsed))
    from drainer.commands.census import census  # noqa: PLC0415 - not needed by the other commands

    sys.stdout.write(census(values["app_ports"], values["ignore_peers"], values["idle_after"]))


def _inject(parsed: argparse.Namespace, _: list[int]) -> Exit:
    from drainer.commands.inject import run  # noqa: PLC0415 - not needed by the other commands

    return Exit.FINDINGS if run(parsed) else Exit.OK


def _doctor(parsed: argparse.Namespace, _: list[int]) -> Exit:
    from drainer.commands.doctor.command import doctor  # noqa: PLC0415 - not needed by the other commands
    from drainer.commands.terminal import has_colours  # noqa: PLC0415 - the same

    text, is_well = doctor(parsed, sys.stdin.buffer, colour=has_colours(sys.stdout, os.environ))
    sys.stdout.write(text)
    return Exit.OK if is_well else Exit.FINDINGS


def _status(parsed: argparse.Namespace, _: list[int]) -> Exit:
    from drainer.commands.status.command import Heard, status  # noqa: PLC0415 - not needed by the other commands

    try:
        return {Heard.ALL: Exit.OK, Heard.SOME: Exit.FINDINGS, Heard.NONE: Exit.FAILURE}[status(parsed)]
    except KeyboardInterrupt:
        return Exit.OK  # That is how a watch ends.


def _advise(parsed: argparse.Namespace, _: list[int]) -> None:
    from drainer.commands.advise.command import advice_for  # noqa: PLC0415 - not needed by the other commands

    sys.stdout.write(advice_for(parsed))


def _adapter(parsed: argparse.Namespace, early: list[int]) -> None:
    from drainer.adapter.flags import options  # noqa: PLC0415 - not needed by the other commands

    chosen = options(parsed)
    from drainer.adapter.command import adapter  # noqa: PLC0415 - needs kubernetes and cryptography

    adapter(chosen, early)


def _version(_: argparse.Namespace, _early: list[int]) -> None:
    sys.stdout.write(f"drainer {__version__}\n")


_COMMANDS: Mapping[str, Callable[[argparse.Namespace, list[int]], Exit | None]] = {
    "run": _run,
    "census": _census,
    "inject": _inject,
    "doctor": _doctor,
    "status": _status,
    "advise": _advise,
    "adapter": _adapter,
    "version": _version,
}
_CENSUS_SETTINGS = ("app_ports", "ignore_peers", "idle_after")


def _parsers(command: Sequence[str]) -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """Of all, and of each command; but only the one that is given has its flags."""
    parser = argparse.ArgumentParser(
        prog=_called(), description="Ends long-lived connections well in Kubernetes.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"drainer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="be the sidecar: count, answer the preStop hook, serve status and metrics",
        description="Every flag has an environment variable that it overrides.",
        allow_abbrev=False,
    )
    _add_settings(run, [setting.name for setting in SETTINGS])
    census = commands.add_parser("census", help="print once what would be counted and what not", allow_abbrev=False)
    _add_settings(census, _CENSUS_SETTINGS)
    inject = commands.add_parser(
        "inject", help="put the sidecar into Kubernetes manifests, or take it out", allow_abbrev=False
    )
    if command == ["inject"]:
        from drainer.commands.inject import add_arguments  # noqa: PLC0415 - the agent does without

        add_arguments(inject)
    doctor = commands.add_parser("doctor", help="say what in a pod spec will break its drain", allow_abbrev=False)
    if command == ["doctor"]:
        from drainer.commands.doctor.flags import add_flags  # noqa: PLC0415 - the agent does without

        add_flags(doctor)
    status = commands.add_parser("status", help="show how agents are and how their drains go", allow_abbrev=False)
    if command == ["status"]:
        from drainer.commands.status.flags import add_flags as add_status_flags  # noqa: PLC0415 - the same

        add_status_flags(status)
    advise = commands.add_parser(
        "advise", help="say what a pod should request, from what a connection has cost", allow_abbrev=False
    )
    if command == ["advise"]:
        from drainer.commands.advise.flags import add_flags as add_advise_flags  # noqa: PLC0415 - the same

        add_advise_flags(advise)
    adapter = commands.add_parser(
        "adapter", help="serve the agents' counts as metrics for autoscalers: custom.metrics.k8s.io", allow_abbrev=False
    )
    if command == ["adapter"]:
        from drainer.adapter.flags import add_flags as add_flags_of_adapter  # noqa: PLC0415 - the agent does without

        add_flags_of_adapter(adapter)
    commands.add_parser("version", help="print the version", allow_abbrev=False)
    return parser, commands.choices


def _called() -> str:
    """As a plugin of kubectl it is called by another name (kubernetes.io/docs/tasks/extend-kubectl/kubectl-plugins)."""
    return "kubectl drainer" if Path(sys.argv[0]).name == "kubectl-drainer" else "drainer"


def _add_settings(parser: argparse.ArgumentParser, names: Sequence[str]) -> None:
    for name in names:
        setting = BY_NAME[name]
        default = "required" if setting.default is None else f"default: {setting.default or 'none'}"
        text = f"{setting.help} ({default}; {setting.kind.allowed}) [{setting.env}]"
        parser.add_argument(setting.flag, dest=name, metavar="X", help=text.replace("%", "%%"))
