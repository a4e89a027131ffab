"""Whether the app is between two messages: what can be read of its event loops from outside.

The kernel does not know messages. What it knows is who sleeps, and who wants to be woken for what. The premise is:
*when all threads of a process sleep, and one of them in epoll_wait, whoever has the rest of a message has asked to be
woken as soon as it can be written*. For a socket that such an epoll watches this is its interest in EPOLLOUT, which
/proc/PID/fdinfo shows. So a reading is made of three steps: (1) all threads asleep, one on this epoll; (2) read the
interests; (3) all threads asleep again, one on this epoll. A connection that was wanted for EPOLLIN only was between
two messages in (1), if nothing was sent since:

- a rest that was there in (1) was registered then; when (2) does not show it, it has been written in between, which
  was sent, or the runtime takes its interest back before it writes, and then (3) shows that it has come to write;
- a message that was begun after (1) was sent too, at least in part, or waits in the queue.

So what remains is to compare, just before the Close frame: nothing sent since (1), and an empty queue.

Edge-triggered and one-shot interests say nothing (all of Go, Rust's mio, trio), nor does a socket in no epoll.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from drainer.closers.allowance import Allowance
from drainer.closers.descriptors import Descriptors, Inodes, Place

_EPOLL_WAITS = {"x86_64": frozenset({232, 281, 441}), "aarch64": frozenset({22, 441})}
"""Machine -> numbers of epoll_wait, epoll_pwait, epoll_pwait2."""
_EPOLLIN, _EPOLLOUT, _EPOLLONESHOT, _EPOLLET = 0x1, 0x4, 1 << 30, 1 << 31
READS, WRITES, UNTOLD = 1, 2, 4
"""What is kept of an interest: EPOLLIN, EPOLLOUT, and either of EPOLLET and EPOLLONESHOT."""

_MAX_AGE = 1.0
"""Seconds after which a reading is renewed, if the allowance permits: an old one is not wrong, it proves less."""
_TRIES, _PAUSE = 5, 0.001
"""A loop that is awake goes to sleep in a moment, as a rule."""
_MAX_THREADS = 4096
"""Read in some 80 ms; a process with more counts as awake."""
_CHUNK = 1 << 16
"""Bytes of fdinfo that are parsed in one go, some 800 lines in 1 ms: the event loop wants the interpreter too."""

_TARGET = re.compile(rb"^tfd: *(\d+) events: *([0-9a-f]+) .* ino:([0-9a-f]+)", re.MULTILINE)


class Standing(Enum):
    """What a reading says about a socket."""

    BETWEEN = auto()
    """It was between two messages."""
    MAYBE = auto()
    """The loop was awake, or had something to write."""
    UNTOLD = auto()
    """In an epoll that tells nothing."""
    UNSEEN = auto()
    """In no epoll that was read."""


@dataclass(frozen=True, slots=True)
class Epoll:
    """One epoll as it was read."""

    pid: int
    interests: Inodes
    slept_on: bool
    """Whether all threads slept, one of them on it, before the reading and after."""


def parse_interests(text: bytes) -> Iterable[tuple[int, int, int]]:
    """Lines of /proc/PID/fdinfo/EPOLL (fs/eventpoll.c, ep_show_fdinfo) -> (inode, descriptor, flags)."""
    for number, events, inode in _TARGET.findall(text):
        wanted = int(events, 16)
        flags = READS if wanted & _EPOLLIN else 0
        flags |= WRITES if wanted & _EPOLLOUT else 0
        flags |= UNTOLD if wanted & (_EPOLLET | _EPOLLONESHOT) else 0
        yield int(inode, 16), int(number), flags


def chunks(text: bytes) -> Iterable[bytes]:
    """Whole lines."""
    at = 0
    while at < len(text):
        end = text.find(b"\n", at + _CHUNK) + 1 or len(text)
        yield text[at:end]
        at = end


def _contents(path: str) -> bytes:
    """Without Python's buffers, which cost more than the kernel does here."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        read = [os.read(descriptor, _CHUNK)]
        while read[-1]:
            read.append(os.read(descriptor, _CHUNK))
        return b"".join(read)
    finally:
        os.close(descriptor)


class Loops:
    """The readings of the event loops of those processes that have the app's connections."""

    def __init__(
        self,
        descriptors: Descriptors,
        *,
        proc: str = "/proc",
        machine: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._descriptors = descriptors
        self._proc = proc
        self._waits = _EPOLL_WAITS.get(machine or platform.machine(), frozenset())
        self._clock = clock
        self._allowance = Allowance(clock)
        self._epolls: list[Epoll] = []
        self.at = float("-inf")
        """The moment before the latest reading."""

    def is_due(self, inodes: Iterable[int]) -> bool:
        """Whether the latest reading is old, or lacks one of these."""
        return self._clock() - self.at > _MAX_AGE or any(self.find(inode)[0] is Standing.UNSEEN for inode in inodes)

    def may_look(self) -> bool:
        """Whether a reading may be taken now. It holds a mutex of the app's epoll, 1.6 ms for 1,000 descriptors."""
        return self._allowance.is_left()

    def look(self, inodes: Sequence[int]) -> None:
        """Read the epolls of all processes that have one of these sockets."""
        began = time.thread_time()
        pids = {epoll.pid for epoll in self._epolls} | {place.pid for place in self._known(inodes)}
        self.at = self._clock()
        self._epolls = [epoll for pid in sorted(pids) for epoll in self._read(pid)]
        # In no epoll that is known: it may be in a new one.
        if any(self.find(inode)[0] is Standing.UNSEEN for inode in inodes) and self._descriptors.look():
            pids = {place.pid for place in self._known(inodes)}
            self._epolls = [epoll for pid in sorted(pids) for epoll in self._read(pid)]
        self._allowance.spend(time.thread_time() - began)

    def _known(self, inodes: Iterable[int]) -> Iterator[Place]:
        return (place for inode in inodes for place in self._descriptors.find(inode))

    def find(self, inode: int) -> tuple[Standing, Place | None]:
        """What the latest reading says about this socket, and where it is."""
        place, flags, slept_on = None, 0, False
        for epoll in self._epolls:
            for descriptor, wanted in epoll.interests.find(inode):
                place = Place(epoll.pid, descriptor)
                flags |= wanted
                slept_on |= epoll.slept_on
        if place is None:
            return Standing.UNSEEN, None
        if flags & UNTOLD or not self._waits:
            return Standing.UNTOLD, place
        return Standing.BETWEEN if flags == READS and slept_on else Standing.MAYBE, place

    def _read(self, pid: int) -> list[Epoll]:
        try:
            before = self._slept_on(pid)
            read = {
                number: _contents(f"{self._proc}/{pid}/fdinfo/{number}")
                for number in self._descriptors.epolls.get(pid, ())
            }
            after = self._slept_on(pid) if before else before
        except OSError:  # The process is gone, or refuses: nothing is known of its sockets.
            return []
        return [
            Epoll(
                pid,
                Inodes(row for chunk in chunks(text) for row in parse_interests(chunk)),
                number in before & after,
            )
            for number, text in read.items()
        ]

    def _slept_on(self, pid: int) -> frozenset[int]:
        """The epolls on which a thread sleeps, at one moment at which all threads of the process sleep."""
        for left in reversed(range(_TRIES)):
            sleeps = self._sleeps(pid)
            # Several threads are read one after the other: that they slept at the same time has to be shown.
            if sleeps is not None and (len(sleeps) == 1 or self._sleeps(pid) == sleeps):
                return frozenset(number for _, number in sleeps.values() if number is not None)
            if left:
                time.sleep(_PAUSE)
        return frozenset()

    def _sleeps(self, pid: int) -> dict[str, tuple[bytes, int | None]] | None:
        """Thread -> (how often it has gone to sleep, the epoll on which it sleeps); None if one is awake."""
        folder = f"{self._proc}/{pid}/task"
        with os.scandir(folder) as entries:
            threads = [entry.name for entry in entries]
        sleeps: dict[str, tuple[bytes, int | None]] = {}
        if len(threads) > _MAX_THREADS:
            return None
        for thread in threads:
            call = parse_call(_contents(f"{folder}/{thread}/syscall"))
            if call is None:
                return None
            # After the call: if the number is the same the next time, it is the same sleep, all the time in between.
            number = _contents(f"{folder}/{thread}/status").rpartition(b"nonvoluntary")[0] if len(threads) > 1 else b""
            sleeps[thread] = number[number.rfind(b"voluntary") :], call[1] if call[0] in self._waits else None
        return sleeps


def parse_call(line: bytes) -> tuple[int, int] | None:
    """A line of /proc/PID/task/TID/syscall -> (number, first argument) of the call in which the thread is blocked.

    None if it runs, or is blocked outside of a call, by a page fault for example (fs/proc/base.c, proc_pid_syscall).
    """
    number, *arguments = line.split()
    if number in (b"running", b"-1"):
        return None
    return int(number), int(arguments[0], 16)
