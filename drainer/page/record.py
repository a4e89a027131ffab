"""What the page remembers, and what it shows as one JSON value: /status, and what came before it."""

from __future__ import annotations

from typing import Any

from drainer import __version__
from drainer.page.curves import Course, Recent
from drainer.page.timeline import Timeline
from drainer.phases import Announce, Phase
from drainer.status import Status

BLIND_AFTER = 60.0
"""Seconds without a census after which the number is unknown. A hundred thousand connections are counted each 20 s."""


class Record:
    """It is told what happens and what there is, with the moment in it."""

    def __init__(self) -> None:
        self._recent = Recent()
        self._course: Course | None = None
        self._timeline = Timeline()

    def announced(self, announce: Announce, status: Status) -> None:
        """The phase has changed."""
        self._timeline = self._timeline.announced(announce)
        if announce.phase is Phase.SETTLING:
            self._course = Course(announce.at)
        if self._course is not None and announce.outcome is not None:
            tally = announce.outcome.tally
            self._course.record(announce.at, tally.remaining, tally.left)
        self.observe(status)

    def observe(self, status: Status) -> None:
        """Another look at the agent: at least one each second of its life."""
        is_known = status.at - status.census.taken_at <= BLIND_AFTER
        self._recent.record(status.at, status.census.shown if is_known else None)
        if status.drain is not None and self._course is not None:
            self._timeline = self._timeline.followed(status.drain, status.at)
            self._course.record(status.at, status.drain.tally.remaining, status.drain.tally.left)

    def as_json(self, status: Status, wall: float) -> dict[str, Any]:
        """All that the page shows; `wall` is the time of day in Unix seconds that `status.at` stands for."""

        def unix(at: float) -> float:
            return round(wall + at - status.at, 3)

        course = self._course
        return {
            "version": __version__,
            "now": round(wall, 3),
            **status.as_json(wall),
            "timeline": self._timeline.as_json(unix),
            "recent": {"step": Recent.STEP, "connections": self._recent.counts()},
            "course": course
            and {
                "began": unix(course.began_at),
                "step": course.step,
                "remaining": list(course.remaining),
                "left": list(course.left),
            },
        }
