"""What can be read of the loops of real processes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from drainer.closers.descriptors import Descriptors
from drainer.closers.loops import Loops, Standing
from drainer.model import Connection, Listener
from tests.process.waiting import until
from tests.sockets.app_child import AppChild, looped, running
from tests.sockets.forked import become, in_a_thread, needs_root


def loops_of(app: AppChild, proc: str = "/proc", machine: str | None = None) -> Loops:
    return Loops(Descriptors(app.rows), proc=proc, machine=machine)


def standing(app: AppChild, inode: int) -> Standing:
    loops = loops_of(app)
    loops.look([inode])
    return loops.find(inode)[0]


def becomes(app: AppChild, inode: int, wanted: Standing) -> None:
    until(lambda: standing(app, inode), lambda seen: seen is wanted)


def test_a_loop_that_sleeps_is_between_two_messages(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    becomes(app, inode, Standing.BETWEEN)
    assert standing(app, 1) is Standing.UNSEEN


def test_a_rest_that_the_epoll_was_told_of_may_be_the_middle_of_a_message(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    app.obey("write", 8_000_000)
    assert standing(app, inode) is Standing.MAYBE


def test_a_loop_that_is_awake_may_be_in_the_middle_of_a_message(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    app.order("dally", 10, 0.5)
    assert app.line() == "sent"
    seen = standing(app, inode)
    assert app.line() == "done"
    assert seen is Standing.MAYBE
    becomes(app, inode, Standing.BETWEEN)


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [("edge", Standing.UNTOLD), ("oneshot", Standing.UNTOLD), ("none", Standing.UNSEEN)],
)
def test_loops_that_tell_nothing(mode: str, wanted: Standing) -> None:
    app = looped(mode)
    try:
        app.connect()
        assert standing(app, app.only().inode) is wanted
    finally:
        app.close()


def test_a_machine_whose_calls_are_not_known_tells_nothing(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    loops = loops_of(app, machine="vax")
    loops.look([inode])
    assert loops.find(inode)[0] is Standing.UNTOLD


def test_several_threads_must_sleep_at_the_same_time() -> None:
    with running("threaded_loop.py") as app:
        app.connect()
        inode = app.only().inode
        becomes(app, inode, Standing.BETWEEN)
        app.obey("work")  # beside the loop, which sleeps on
        assert {standing(app, inode) for _ in range(3)} == {Standing.MAYBE}
        app.obey("rest")
        becomes(app, inode, Standing.BETWEEN)


def test_a_process_that_has_gone_tells_nothing(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    loops = loops_of(app)
    loops.look([inode])
    app.kill()
    loops.look([inode])
    assert loops.find(inode) == (Standing.UNSEEN, None)


def test_a_reading_is_due_after_a_second_or_for_a_stranger(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode
    now = [100.0]
    loops = Loops(Descriptors(app.rows), clock=lambda: now[0])
    assert loops.is_due([inode])
    loops.look([inode])
    assert loops.at == 100.0
    assert not loops.is_due([inode])
    assert loops.is_due([inode, 1])
    assert not loops.may_look()
    now[0] = 101.1
    assert loops.is_due([inode])
    assert loops.may_look()


def fake(proc: Path, *calls: str) -> Loops:
    """A process 7 with epoll 4 that watches the socket 99, and a thread in each of these calls."""
    (proc / "7" / "fd").mkdir(parents=True)
    (proc / "7" / "fd" / "4").symlink_to("anon_inode:[eventpoll]")
    (proc / "7" / "fd" / "5").symlink_to("socket:[99]")
    (proc / "7" / "fdinfo").mkdir()
    (proc / "7" / "fdinfo" / "4").write_text(
        "pos:\t0\ntfd:        5 events:       19 data:                5  pos:0 ino:63 sdev:9\n"
    )
    for number, call in enumerate(calls):
        thread = proc / "7" / "task" / str(number)
        thread.mkdir(parents=True)
        (thread / "syscall").write_text(call)
        (thread / "status").write_text("voluntary_ctxt_switches:\t5\nnonvoluntary_ctxt_switches:\t1\n")
    return Loops(Descriptors(NoRows(), proc=str(proc)), proc=str(proc), machine="x86_64")


class NoRows:
    def look_up(self, cookies: Iterable[int]) -> dict[int, Connection]:
        return {}

    def listeners(self) -> list[Listener]:
        return []


EPOLL_WAIT = "232 0x4 0x7f 0x1 0xea60 0x0 0x0 0x7f 0x7f\n"
FUTEX = "202 0x7f 0x80 0x0 0x0 0x0 0x0 0x7f 0x7f\n"


@pytest.mark.parametrize(
    ("calls", "wanted"),
    [
        ([EPOLL_WAIT], Standing.BETWEEN),
        ([EPOLL_WAIT, FUTEX], Standing.BETWEEN),
        ([FUTEX], Standing.MAYBE),
        ([EPOLL_WAIT.replace("0x4", "0x3")], Standing.MAYBE),
        ([EPOLL_WAIT, "running\n"], Standing.MAYBE),
        ([EPOLL_WAIT, "-1 0x7f 0x7f\n"], Standing.MAYBE),
        ([EPOLL_WAIT] + 4097 * [FUTEX], Standing.MAYBE),
    ],
)
def test_who_must_sleep_where(tmp_path: Path, calls: list[str], wanted: Standing) -> None:
    loops = fake(tmp_path, *calls)
    loops.look([99])
    assert loops.find(99)[0] is wanted


@needs_root
def test_without_the_right_to_look_nothing_is_seen(app: AppChild) -> None:
    app.connect()
    inode = app.only().inode

    def look() -> Standing:
        descriptors = Descriptors(app.rows)
        descriptors.look()
        become(1000)
        loops = Loops(descriptors)
        loops.look([inode])
        return loops.find(inode)[0]

    assert in_a_thread(look) is Standing.UNSEEN
