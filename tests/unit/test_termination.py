"""The termination message: written where the kubelet has made a file for it, and never in anybody's way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from drainer.phases import Announce, Outcome, Phase, Result, Tally
from drainer.termination import PATH, TerminationMessage
from tests.unit.statuses import make_status

OUTCOME = Outcome(Result.DRAINED, Tally(10.0, 17.5, at_start=3, arrived=0, left=3, remaining=0))
DONE = Announce(Phase.DONE, 17.5, OUTCOME)
DRAINED = "Drained: Drained in 7.5 s: 3 connections left by themselves.\n"
RESUMED = "DrainResumed: Serving again: somebody asked.\n"


def becomes(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.002)


def tell(message: TerminationMessage, announce: Announce = DONE) -> None:
    message.announced(announce, make_status())
    message.sighted(make_status())
    message.noted("nothing to write")
    message.warned("nothing to write")


def test_the_last_story_stands_in_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "termination-log"
    path.write_text("of a container before, and much longer than anything that is to come " * 9)
    message = TerminationMessage(path)
    tell(message)
    becomes(lambda: path.read_text() == DRAINED)
    tell(message, Announce(Phase.DRAINING, 18.0))
    tell(message, Announce(Phase.SERVING, 19.0, None, "somebody asked"))
    becomes(lambda: path.read_text() == RESUMED)


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    path, other = tmp_path / "termination-log", tmp_path / "other"
    message = TerminationMessage(path)
    tell(message)
    becomes(message._stories.empty)
    other.touch()
    message._path = other
    tell(message)
    becomes(lambda: other.read_text() == DRAINED)
    assert not path.exists()


@pytest.mark.parametrize("path", [Path("/dev/full"), Path("/"), Path("/proc/version")])
def test_a_file_that_cannot_be_written_is_nobodys_trouble(path: Path, tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - a count of open files
    message, good = TerminationMessage(path), tmp_path / "good"
    good.touch()
    tell(message)
    becomes(message._stories.empty)
    message._path = good
    tell(message)
    becomes(lambda: good.read_text() == DRAINED)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208 - the same


def test_the_file_is_the_one_that_the_kubelet_mounts() -> None:
    assert Path("/dev/termination-log") == PATH
