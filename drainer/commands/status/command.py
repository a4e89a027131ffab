"""`drainer status`: ask, show, and go on where that is wanted."""

from __future__ import annotations

import argparse
import json
import sys
from enum import Enum, auto

from drainer.commands.status.asking import ask
from drainer.commands.status.rows import rows_of
from drainer.commands.status.table import lines
from drainer.commands.status.targets import find, names_namespaces
from drainer.commands.status.watching import NOBODY, look_of, show, watch
from drainer.errors import ConfigError
from drainer.kinds import POSITIVE


class Heard(Enum):
    """From whom there was an answer."""

    ALL = auto()
    SOME = auto()
    NONE = auto()


def status(flags: argparse.Namespace) -> Heard:
    """Show it on standard output; a watch ends by KeyboardInterrupt.

    Raises ConfigError, ClusterError, MissingExtraError.
    """
    try:
        interval = POSITIVE.parse(flags.interval)
    except ValueError:
        raise ConfigError([f"--interval={flags.interval!r} cannot be used; allowed: {POSITIVE.allowed}"]) from None
    whom, as_json, namespaces = find(flags), flags.output == "json", names_namespaces(flags)
    if flags.watch:
        watch(whom, interval, as_json=as_json, namespaces=namespaces)
    answers = ask(whom())
    rows = rows_of(answers)
    if as_json:
        show([json.dumps([answer.as_json() for answer in answers], indent=2)])
    elif rows:
        show(lines(rows, look_of(sys.stdout, namespaces=namespaces)))
    else:
        sys.stderr.write(f"drainer: {NOBODY}\n")
    heard = [row.phase is not None for row in rows]
    return Heard.ALL if all(heard) else Heard.SOME if any(heard) else Heard.NONE
