"""`drainer advise`: ask one agent, reckon, print."""

from __future__ import annotations

import argparse
import json
from typing import Any

from drainer.commands.advise.advice import Wish, advise
from drainer.commands.answers import NoAnswerError
from drainer.commands.status.targets import find
from drainer.errors import AdviceError, ConfigError
from drainer.kinds import MEMORY, SOME_COUNT, Kind

MOST_HEADROOM = 1000


def advice_for(flags: argparse.Namespace) -> str:
    """The report. Raises ConfigError for flags, AdviceError, ClusterError, MissingExtraError."""
    wish = _wish(flags)
    [agent] = find(flags)()
    try:
        status = agent.fetch()
    except NoAnswerError as error:
        raise AdviceError(f"{flags.target[0]} cannot be asked ({error})") from None
    if not isinstance(status, dict):
        raise AdviceError(f"{flags.target[0]} is no agent (the answer is not an object)")
    advice = advise(status, wish)
    return json.dumps(advice.as_json(), indent=2) + "\n" if flags.output == "json" else advice.as_text()


def _wish(flags: argparse.Namespace) -> Wish:
    mistakes: list[str] = []

    def read(name: str, kind: Kind) -> Any:
        text = getattr(flags, name)
        if text is None:
            return None
        try:
            return kind.parse(text.strip())
        except ValueError:
            mistakes.append(f"--{name}={text!r} cannot be used; allowed: {kind.allowed}")
            return None

    headroom, connections, memory = read("headroom", _PERCENT), read("connections", SOME_COUNT), read("memory", MEMORY)
    if mistakes:
        raise ConfigError(mistakes)
    return Wish(headroom, connections, memory)


def _percent(text: str) -> float:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST_HEADROOM)) and int(text) <= MOST_HEADROOM):
        raise ValueError(text)
    return int(text) / 100


_PERCENT = Kind(f"a whole number of percent from 0 to {MOST_HEADROOM}", _percent)
