"""The app's memory, CPU and descriptors by its processes, where the containers of the pod share them.

Which processes are the app's: all of the container in which somebody listens on an app port. The kernel says whose
user the listener is, without any right; which container a process is in, its cgroup says. Where the descriptors of a
process may be read, those of the listener tell it exactly.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil

from drainer.cost import Reading
from drainer.errors import SocketTableError
from drainer.health.absent import AbsentError, NotHereError
from drainer.model import Listener

UNSEEN = "the app's processes cannot be seen: shareProcessNamespace is not true"
NOBODY = "nobody listens on the app's ports"


class Processes:
    """Blocking, for one thread."""

    def __init__(self, listeners: Callable[[], Sequence[Listener]], proc: str = "/proc") -> None:
        """`listeners`: who listens on the app's ports; may raise SocketTableError."""
        self._listeners = listeners
        self._proc = Path(proc)
        self._seeds: tuple[frozenset[int], list[psutil.Process]] = (frozenset(), [])
        """The listeners' cookies, and the processes that were found by them."""
        self._spent: dict[psutil.Process, float] = {}
        """CPU seconds of the app's processes, when last looked."""
        self._gone = 0.0
        """CPU seconds of those that are the app's no longer."""

    def read(self, now: float) -> Reading:
        """What they take now. Raises AbsentError with the reason."""
        try:
            listeners = self._listeners()
        except SocketTableError as error:
            raise NotHereError(f"who listens on the app's ports cannot be seen: {error}") from error
        if not listeners:
            raise AbsentError(NOBODY)
        seeds = self._found_by(listeners)
        names, memory, descriptors, spent = set(), 0, [], {}
        for process in self._with_their_kin(seeds):
            # One that ends in the middle has taken nothing.
            with contextlib.suppress(psutil.NoSuchProcess), process.oneshot():
                used = process.cpu_times()
                memory += process.memory_info().rss
                spent[process] = used.user + used.system
                names.add(process.name())
                with contextlib.suppress(psutil.AccessDenied):
                    descriptors.append(process.num_fds())
        self._gone += sum(seconds for process, seconds in self._spent.items() if process not in spent)
        self._spent = spent
        return Reading(
            at=now,
            memory=memory,
            cpu_seconds=self._gone + sum(spent.values()),
            descriptors=max(descriptors, default=None),
            of=f"{len(spent)} processes: {', '.join(sorted(names))}",
        )

    def _found_by(self, listeners: Sequence[Listener]) -> list[psutil.Process]:
        """The processes that listen, or might."""
        cookies = frozenset(listener.cookie for listener in listeners)
        known, seeds = self._seeds
        if cookies != known or not all(process.is_running() for process in seeds):
            others = list(self._others())
            if not others:
                raise NotHereError(UNSEEN)
            links = {f"socket:[{listener.inode}]" for listener in listeners}
            users = {listener.uid for listener in listeners}
            seeds = [one for one in others if self._has(one, links)] or [
                one for one in others if self._is_of(one, users)
            ]
            if not seeds:
                raise AbsentError("no process of the user that listens on the app's ports can be seen")
            self._seeds = cookies, seeds
        return seeds

    def _others(self) -> Iterator[psutil.Process]:
        """All but the agent and the first process: where containers share theirs that is the pause container's."""
        for entry in self._proc.iterdir():
            if entry.name.isdigit() and int(entry.name) not in (1, os.getpid()):
                with contextlib.suppress(psutil.NoSuchProcess):
                    yield psutil.Process(int(entry.name))

    def _has(self, process: psutil.Process, links: set[str]) -> bool:
        """Whether it has one of these descriptors; no, where they may not be read."""
        try:
            with os.scandir(self._proc / str(process.pid) / "fd") as entries:
                return any(os.readlink(entry.path) in links for entry in entries)  # noqa: PTH115 - a Path is slow
        except OSError:
            return False

    def _is_of(self, process: psutil.Process, users: set[int]) -> bool:
        try:
            return process.uids().effective in users
        except psutil.NoSuchProcess:
            return False

    def _with_their_kin(self, seeds: Sequence[psutil.Process]) -> set[psutil.Process]:
        """All of their containers; where they are in the agent's own, which is no container, their descendants."""
        own = self._container(os.getpid())
        containers = {self._container(process.pid) for process in seeds} - {own, ""}
        kin = {process for process in self._others() if self._container(process.pid) in containers}
        for process in seeds:
            kin.add(process)
            with contextlib.suppress(psutil.NoSuchProcess):
                kin.update(() if containers else process.children(recursive=True))
        return kin

    def _container(self, pid: int) -> str:
        """What all processes of one container have in common; empty for a process that is gone."""
        try:
            return (self._proc / str(pid) / "cgroup").read_text()
        except OSError:
            return ""
