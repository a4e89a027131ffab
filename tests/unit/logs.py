"""The log as a process writes it, caught in a pipe."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from drainer.log import PatientHandler, set_up


@dataclass
class Pipe:
    """A pipe in the place of standard error."""

    reader: int
    writer: int

    @contextmanager
    def as_standard_error(self) -> Iterator[None]:
        stderr = sys.stderr
        with os.fdopen(self.writer, "w", closefd=False) as sys.stderr:
            yield
        sys.stderr = stderr

    def set_up(self, level: str, form: str) -> PatientHandler:
        """Log to this pipe."""
        with self.as_standard_error():
            return set_up(level, form)

    def fill(self) -> int:
        """Write until there is no room left; returns how many bytes it took."""
        os.set_blocking(self.writer, False)
        filled = 0
        for size in (4096, 1):
            while True:
                try:
                    filled += os.write(self.writer, b"." * size)
                except BlockingIOError:
                    break
        os.set_blocking(self.writer, True)
        return filled

    def read(self, handler: PatientHandler | None = None) -> str:
        """All that was written; waits for the lines of `handler`."""
        if handler is not None:
            assert handler._idle.wait(10), "the log's thread is stuck"
        os.set_blocking(self.reader, False)
        text = b""
        while True:
            try:
                text += os.read(self.reader, 65536)
            except BlockingIOError:
                return text.decode()


@contextmanager
def caught_log() -> Iterator[Pipe]:
    """A pipe for the log; afterwards logging is as it was before."""
    loggers = [logging.getLogger(name) for name in (None, "drainer", "aiohttp")]
    before, handlers = [logger.level for logger in loggers], list(loggers[0].handlers)
    pipe = Pipe(*os.pipe())
    try:
        yield pipe
    finally:
        ours = [handler for handler in loggers[0].handlers if isinstance(handler, PatientHandler)]
        loggers[0].handlers = handlers
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
        # First the reader: a thread that is stuck in a write gets its error, and is through before the number of
        # the descriptor belongs to somebody else.
        os.close(pipe.reader)
        for handler in ours:
            assert handler._idle.wait(10), "the log's thread is stuck"
        os.close(pipe.writer)
