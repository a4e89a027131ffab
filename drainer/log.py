"""What happened, a line each, on standard error; and never a reason to wait.

Lines go through a bounded queue to a thread of their own: whoever reads standard error may be slow, stuck, or out of
disk, and the drain must not notice.
"""

from __future__ import annotations

import collections
import json
import logging
import os
import sys
import threading
import time
from typing import Any, ClassVar

from drainer.cap import Room
from drainer.deletion import Deletion
from drainer.phases import Announce, Phase
from drainer.status import Status, outcome_as_json, pace_as_json

logger = logging.getLogger("drainer")

MAX_QUEUED = 1000
EXIT_FLUSH = 0.1
"""Seconds that the last lines get at exit."""


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (RFC 3339, UTC), level, message, and the facts of the event."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {"time": _timestamp(record), "level": record.levelname.lower()}
        line["message"] = record.getMessage()
        line |= getattr(record, "facts", {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


class TextFormatter(logging.Formatter):
    """For people: time, level, message, key=value."""

    def format(self, record: logging.LogRecord) -> str:
        facts = "".join(f" {name}={value}" for name, value in getattr(record, "facts", {}).items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.getMessage()}{facts}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _timestamp(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


class PatientHandler(logging.Handler):
    """Hands lines to a thread that writes them; when it is stuck, the oldest lines go and are counted."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._lines: collections.deque[str] = collections.deque(maxlen=MAX_QUEUED)
        self._wake = threading.Event()
        self._idle = threading.Event()
        self._idle.set()
        self.lost = 0
        self._told = 0
        threading.Thread(target=self._write, name="log", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - a line that cannot be written must not end what it tells of
            self.handleError(record)
            return
        self.lost += len(self._lines) == MAX_QUEUED
        self._lines.append(line + "\n")
        # In this order: the thread may have written the line already, and will look again.
        self._idle.clear()
        self._wake.set()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's
        """Count it: logging's own way would write to the very place that may be stuck."""
        self.lost += 1

    def flush_at_exit(self) -> None:
        """Give the last lines a moment."""
        self._idle.wait(EXIT_FLUSH)

    def _write(self) -> None:
        while True:
            self._wake.wait()
            self._wake.clear()
            while self._lines:
                text = self._lines.popleft().encode(errors="backslashreplace")
                try:
                    while text:
                        text = text[os.write(self._descriptor, text) :]
                except OSError:
                    self.lost += 1
                else:
                    self._tell_losses()
            self._idle.set()

    def _tell_losses(self) -> None:
        """Lines that were lost while nobody read: say how many, now that somebody does."""
        if self.lost > self._told:
            text = f"lines of this log that were lost: {self.lost - self._told}"
            self._told = self.lost
            self._lines.append(
                self.format(logger.makeRecord(logger.name, logging.WARNING, "", 0, text, (), None)) + "\n"
            )


def set_up(level: str, form: str) -> PatientHandler:
    """Log to standard error in `form` (json or text) from `level` on."""
    handler = PatientHandler(sys.stderr.fileno())
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logger.setLevel(level.upper())
    # What a stranger sends must not fill the log: aiohttp reports every bad request as an error with a traceback.
    logging.getLogger("aiohttp").setLevel(logging.CRITICAL)
    return handler


class LogObserver:
    """An `agent.Observer` that logs."""

    _LEVELS: ClassVar[dict[str, int]] = {"deadline": logging.WARNING}

    def __init__(self) -> None:
        self._failures: set[tuple[str, type[Exception]]] = set()
        self._room = Room.TAKING

    def announced(self, announce: Announce, status: Status) -> None:
        """One line for each change of phase, with the numbers."""
        facts: dict[str, Any] = {"phase": announce.phase, "ready": status.ready}
        if announce.outcome is not None:
            facts |= outcome_as_json(announce.outcome)
        elif announce.phase is Phase.SETTLING and status.drain is not None:
            # Not the connections: the census that the drain starts from is yet to come.
            facts["deadline_in_seconds"] = round(status.drain.deadline_at - status.at, 3)
        elif announce.pace is not None:
            facts |= pace_as_json(announce.pace)
        else:
            facts["connections"] = status.census.live
        if announce.reason:
            facts["reason"] = announce.reason
        word = announce.outcome.result if announce.outcome else announce.phase
        logger.log(self._LEVELS.get(word, logging.INFO), _SENTENCES[word], extra={"facts": facts})
        if announce.phase is Phase.DRAINING and status.closers and all(status.closers.values()):
            logger.warning("no closer can work here: who stays until the deadline is cut")
        if announce.pace is not None and not announce.pace.fits:
            logger.warning(
                "close_rate is exceeded: it leaves no time to close all before the deadline", extra={"facts": facts}
            )

    def sighted(self, status: Status) -> None:
        """One line for what the API has said; nothing for that it is being asked, or that a stranger had it asked."""
        sentence = _SIGHTINGS.get(status.deletion)
        if sentence is not None and (status.phase is not Phase.SERVING or status.deletion.is_certain):
            facts: dict[str, Any] = {"deletion": status.deletion}
            if status.drain is not None:
                facts["deadline_in_seconds"] = round(status.drain.deadline_at - status.at, 3)
            logger.info(sentence, extra={"facts": facts})

    def limited(self, status: Status) -> None:
        """One line when the pod is full, when it goes on for want of others, and when it takes again."""
        limit = status.limit
        if limit is None or limit.room in (Room.ASKING, self._room):
            return
        self._room = limit.room
        facts = limit.as_json(status.census.shown)
        facts = {"max_connections": facts.pop("connections"), "connections": status.census.shown} | facts
        logger.info(_ROOMS[limit.room], extra={"facts": facts})

    def view_failed(self, path: str, error: Exception) -> None:
        """A bug of ours, with its traceback: once for each path and kind, since a scraper comes back."""
        if (path, type(error)) not in self._failures:
            self._failures.add((path, type(error)))
            logger.error("%s has failed", path, exc_info=error)

    def noted(self, note: str) -> None:
        """One line."""
        logger.info(note)

    def warned(self, warning: str) -> None:
        """One line."""
        logger.warning(warning)


_SENTENCES = {
    "serving": "serving again",
    "settling": "the drain begins: whoever still comes is served",
    "draining": "waiting for the connections to leave",
    "closing": "closing the connections that are left",
    "drained": "drained: all connections have left",
    "deadline": "the deadline has come with connections left",
    "resumed": "resumed: the pod lives on",
}
_ROOMS = {
    Room.FULL: "full: the pod asks for no more connections; who is there stays",
    Room.LAST: "the limit is reached, but too few other pods are known to take: this one goes on",
    Room.TAKING: "below the limit again",
}
_SIGHTINGS = {
    Deletion.UNKNOWN: "the API has not said in time whether the pod is being deleted",
    Deletion.NONE: "the pod is not being deleted: its app is restarted, or the node ends it",
    Deletion.REQUESTED: "the pod is being deleted",
    Deletion.FORCED: "the pod was deleted by force: the drain ends in a moment",
}
