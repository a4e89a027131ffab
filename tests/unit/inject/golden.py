"""The cases in golden/: NAME.input.* goes in, its first line the command line; NAME.golden.* comes out.

NAME.report is what is said. `python -m tests.unit.inject.golden` writes the latter two anew.
"""

from __future__ import annotations

import shlex
from argparse import ArgumentParser
from pathlib import Path

from drainer.commands.asked import Options
from drainer.commands.inject import add_arguments, options_of
from drainer.commands.manifests import parse, rewritten
from drainer.commands.patch import inject, uninject
from drainer.commands.reports import Entry, as_text

FOLDER = Path(__file__).parent / "golden"
INPUTS = sorted(FOLDER.glob("*.input.*"))


def paths(given: Path) -> tuple[Path, Path]:
    """(golden, report) of an input."""
    return given.with_name(given.name.replace(".input.", ".golden.")), given.with_name(
        given.name.split(".")[0] + ".report"
    )


def read_options(text: str) -> Options:
    """Of the command line in the first line; JSON has none."""
    line = text.splitlines()[0].removeprefix("# drainer inject") if text.startswith("#") else ""
    parser = ArgumentParser()
    add_arguments(parser)
    return options_of(parser.parse_args(shlex.split(line)))


def injected(text: str, origin: str, options: Options) -> tuple[str, tuple[Entry, ...]]:
    """A stream with the sidecar, and the report."""
    out = ""
    report: tuple[Entry, ...] = ()
    for document in parse(text, origin):
        if document.data is None:
            out += document.text
            continue
        injection = inject(document.data, options)
        out += rewritten(document, injection.manifest)
        report += injection.report
    return out, report


def uninjected(text: str, origin: str) -> str:
    """A stream without it."""
    return "".join(
        document.text if document.data is None else rewritten(document, uninject(document.data).manifest)
        for document in parse(text, origin)
    )


def main() -> None:
    """Write what comes out and what is said."""
    for given in INPUTS:
        text = given.read_text(encoding="utf-8")
        out, report = injected(text, given.name, read_options(text))
        golden, said = paths(given)
        golden.write_text(out, encoding="utf-8")
        said.write_text(as_text(given.name, report), encoding="utf-8")


if __name__ == "__main__":
    main()
