"""The termination message: the last story of a container, where `kubectl describe pod` shows it after its end."""

from __future__ import annotations

import os
import queue
import threading
from contextlib import suppress
from pathlib import Path

from drainer.phases import Announce
from drainer.status import Status
from drainer.stories import Story, tell

PATH = Path("/dev/termination-log")
"""terminationMessagePath's default. The kubelet mounts a file there that every user may write; elsewhere is none."""


class TerminationMessage:
    """An Observer. It writes in a thread of its own: the node's disk may be slow, or full."""

    def __init__(self, path: Path = PATH) -> None:
        self._path = path
        self._stories: queue.SimpleQueue[Story] = queue.SimpleQueue()
        threading.Thread(target=self._run, name="termination message", daemon=True).start()

    def announced(self, announce: Announce, status: Status) -> None:
        """See Observer."""
        story = tell(announce, status)
        if story is not None:
            self._stories.put(story)

    def sighted(self, status: Status) -> None:
        """See Observer: nothing to write."""

    def limited(self, status: Status) -> None:
        """See Observer: nothing to write."""

    def noted(self, note: str) -> None:
        """See Observer: nothing to write."""

    def warned(self, warning: str) -> None:
        """See Observer: nothing to write."""

    def _run(self) -> None:
        while True:
            story = self._stories.get()
            with suppress(OSError):
                # Not made where it is not there: then nobody reads it.
                descriptor = os.open(self._path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
                try:
                    os.write(descriptor, f"{story.reason}: {story.message}\n".encode())
                finally:
                    os.close(descriptor)
