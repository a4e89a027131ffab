"""Which processes are the app's, and what they take: real processes, and a /proc in which their containers differ."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from drainer.errors import RefusedError
from drainer.health.absent import AbsentError, NotHereError
from drainer.health.processes import Processes
from drainer.model import Listener
from drainer.sockets.roster import Roster
from tests.process.waiting import until

APP = """
import os, socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
ballast = bytearray(int(sys.argv[1]))
for number in range(int(sys.argv[2])):
    if os.fork() == 0:
        listener.close()
        break
else:
    print(listener.getsockname()[1], flush=True)
while True:
    if sys.argv[3] == "busy":
        sum(range(1000))
    else:
        time.sleep(10)
"""
MIB = 2**20


class App:
    """A process that listens, with children that do not."""

    def __init__(self, memory: int = 0, children: int = 0, does: str = "idle") -> None:
        command = [sys.executable, "-c", APP, str(memory), str(children), does]
        environ = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE_")}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.roster = Roster([self.port])

    @property
    def pids(self) -> list[int]:
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]

    def close(self) -> None:
        if self.process.poll() is not None:
            return
        for pid in reversed(self.pids):
            psutil.Process(pid).kill()
        self.process.communicate()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def started(stack: ExitStack, memory: int = 0, children: int = 0, does: str = "idle") -> App:
    app = App(memory, children, does)
    stack.callback(app.close)
    return app


def test_the_process_that_listens_and_its_children_are_the_app(stack: ExitStack) -> None:
    app, _ = started(stack, 64 * MIB, children=2), started(stack, 64 * MIB)
    reading = Processes(app.roster.listeners).read(5.0)
    expected = sum(psutil.Process(pid).memory_info().rss for pid in app.pids)
    assert reading.memory == pytest.approx(expected, rel=0.02)
    assert expected > 64 * MIB
    assert reading.at == 5.0
    assert reading.of.startswith("3 processes: python")
    assert reading.descriptors == max(psutil.Process(pid).num_fds() for pid in app.pids)


def test_cpu_seconds_never_go_back_whoever_of_them_ends(stack: ExitStack) -> None:
    app = started(stack, children=2, does="busy")
    processes = Processes(app.roster.listeners)

    def spent() -> float:
        seconds = processes.read(0.0).cpu_seconds
        assert seconds is not None
        return seconds

    until(spent, lambda seconds: seconds > 0.2)
    before = spent()
    children = psutil.Process(app.process.pid).children()
    children[0].kill()
    until(children[0].status, lambda status: status == psutil.STATUS_ZOMBIE)
    assert spent() >= before
    assert processes.read(0.0).of.startswith(("2 processes", "3 processes"))


def test_an_app_that_begins_anew_is_found_anew(stack: ExitStack) -> None:
    first, second = started(stack), started(stack)
    listen = [first, second]
    processes = Processes(lambda: [*listen[0].roster.listeners()])
    processes.read(0.0)
    del listen[0]
    assert processes.read(1.0).of.startswith("1 processes: python")
    assert processes._seeds[1][0].pid == second.process.pid
    second.close()
    with pytest.raises(AbsentError, match="nobody listens"):
        processes.read(2.0)


def test_where_nobody_listens_or_nobody_tells_that_is_the_reason() -> None:
    def refused() -> list[Listener]:
        raise RefusedError("sock_diag socket", detail="EPERM")

    with pytest.raises(AbsentError, match="nobody listens on the app's ports") as absent:
        Processes(list).read(0.0)
    assert not isinstance(absent.value, NotHereError)
    with pytest.raises(NotHereError, match="who listens on the app's ports cannot be seen: sock_diag socket: EPERM"):
        Processes(refused).read(0.0)


# ---------------------------------------------------------------------------------------------- containers, made up


class Proc:
    """A folder like /proc: which container each process is in, and what it has open."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.add(os.getpid(), "0::/")
        self.add(1, "0::/../pause")

    def add(self, pid: int, cgroup: str, *links: str) -> None:
        made = self.folder / str(pid)
        (made / "fd").mkdir(parents=True)
        (made / "cgroup").write_text(f"{cgroup}\n")
        for number, link in enumerate(links):
            (made / "fd" / str(number)).symlink_to(link)

    def hides(self, pid: int) -> None:
        """Its descriptors may not be read: another user's."""
        (self.folder / str(pid) / "fd").rmdir()


@pytest.fixture
def proc(tmp_path: Path) -> Proc:
    return Proc(tmp_path)


def listening(app: App, uid: int | None = None) -> list[Listener]:
    found = app.roster.listeners()
    return found if uid is None else [Listener(one.cookie, one.port, one.inode, one.address, uid) for one in found]


def test_all_processes_of_the_container_that_listens_are_the_app(stack: ExitStack, proc: Proc) -> None:
    app, helper, mesh = started(stack), started(stack), started(stack)
    [listener] = listening(app)
    proc.add(app.process.pid, "0::/../app", "/dev/null", f"socket:[{listener.inode}]")
    proc.add(helper.process.pid, "0::/../app", "socket:[1]")
    proc.add(mesh.process.pid, "0::/../mesh", "/dev/null")
    reading = Processes(lambda: [listener], str(proc.folder)).read(0.0)
    assert reading.of.startswith("2 processes: ")


def test_where_descriptors_may_not_be_read_the_user_of_the_listener_tells(stack: ExitStack, proc: Proc) -> None:
    app = started(stack)
    own, foreign = psutil.Process(app.process.pid).uids().effective, 54321
    proc.add(app.process.pid, "0::/../app")
    proc.hides(app.process.pid)
    assert Processes(lambda: listening(app, own), str(proc.folder)).read(0.0).of.startswith("1 processes")
    with pytest.raises(AbsentError, match="no process of the user that listens") as absent:
        Processes(lambda: listening(app, foreign), str(proc.folder)).read(0.0)
    assert not isinstance(absent.value, NotHereError)


def test_an_agent_that_sees_only_itself_says_what_it_lacks(stack: ExitStack, proc: Proc) -> None:
    app = started(stack)
    with pytest.raises(NotHereError, match="shareProcessNamespace is not true"):
        Processes(lambda: listening(app), str(proc.folder)).read(0.0)


def test_a_process_that_has_ended_is_of_no_user(stack: ExitStack) -> None:
    app = started(stack)
    process = psutil.Process(app.process.pid)
    own = {process.uids().effective}
    processes = Processes(list)
    assert processes._is_of(process, own)
    app.close()
    assert not processes._is_of(process, own)


def test_a_process_that_ends_while_it_is_looked_at_is_no_fault(stack: ExitStack, proc: Proc) -> None:
    app, gone = started(stack), started(stack)
    [listener] = listening(app)
    proc.add(app.process.pid, "0::/../app", f"socket:[{listener.inode}]")
    proc.add(gone.process.pid, "0::/../app")
    processes = Processes(lambda: [listener], str(proc.folder))
    assert processes.read(0.0).of.startswith("2 processes")
    gone.close()
    assert processes.read(1.0).of.startswith("1 processes")
    (proc.folder / str(app.process.pid) / "cgroup").unlink()
    assert processes.read(2.0).of.startswith("1 processes"), "the one that listens is the app, whatever it is in"
