"""Finding and borrowing another process's sockets, and what is said where that is not allowed."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers import rights
from drainer.closers.descriptors import Descriptors, Place, borrow, cookie_of
from drainer.errors import SocketTableError
from drainer.sockets.roster import Roster
from tests.process.waiting import until
from tests.sockets.app_child import BUSY, GONE, SENT, AppChild, Interrupted, descriptors
from tests.sockets.forked import DAC_READ_SEARCH, SYS_PTRACE, app_of, become, deny_pidfd_getfd, in_a_thread, needs_root

ROOT = "runAsUser: 0 with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
BOTH = (SYS_PTRACE, DAC_READ_SEARCH)


def sent(_: socket.socket) -> Attempt:
    return SENT


def test_a_connection_is_found_and_borrowed_and_given_back(app: AppChild) -> None:
    client = app.connect()
    row = app.only()
    found = Descriptors(app.rows)
    before = descriptors()
    seen: list[int] = []

    def act(duplicate: socket.socket) -> Attempt:
        seen.append(cookie_of(duplicate))
        duplicate.send(b"hello")
        return SENT

    assert found.use(row, act) == SENT
    assert seen == [row.cookie]
    assert client.recv(5) == b"hello"
    assert descriptors() == before


def test_when_the_app_closes_while_it_is_borrowed_the_client_sees_the_end_afterwards(app: AppChild) -> None:
    client = app.connect()
    row = app.only()

    def act(duplicate: socket.socket) -> Attempt:
        app.obey("close")
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        return SENT

    assert Descriptors(app.rows).use(row, act) == SENT
    client.settimeout(10)
    assert client.recv(1) == b""


def test_what_fails_while_it_is_borrowed_is_a_verdict_and_it_is_given_back(app: AppChild) -> None:
    app.connect()
    row = app.only()
    found = Descriptors(app.rows)
    before = descriptors()

    def failing(code: int) -> Attempt:
        def act(_: socket.socket) -> Attempt:
            raise OSError(code, os.strerror(code))

        return found.use(row, act)

    assert failing(errno.EPIPE) == GONE
    assert failing(errno.EMFILE) == Attempt(Verdict.REFUSED, "EMFILE")
    assert descriptors() == before


def test_a_connection_under_another_number_than_known_is_found_again(app: AppChild) -> None:
    app.connect()
    row = app.only()
    found = Descriptors(app.rows)
    assert found.use(row, sent, Place(app.pid, 1)) == SENT  # standard output: no socket
    assert found.use(row, sent, Place(app.pid, 900)) == SENT


def test_links_are_not_read_again_and_again(app: AppChild) -> None:
    app.connect()
    row = app.only()
    now = [0.0]
    found = Descriptors(app.rows, clock=lambda: now[0])
    assert found.use(row, sent) == SENT
    app.connect()
    [new] = [other for other in app.accepted(2) if other.cookie != row.cookie]
    assert not found.look()
    assert found.use(new, sent) == BUSY
    now[0] = 100.0
    assert found.use(new, sent) == SENT


def test_a_connection_that_the_app_has_closed_is_gone(app: AppChild) -> None:
    app.connect()
    row = app.only()
    found = Descriptors(app.rows)
    app.obey("close")
    assert found.use(row, sent) == GONE


def test_a_connection_that_nobody_can_be_seen_to_hold_is_unreachable(tmp_path: Path, app: AppChild) -> None:
    app.connect()
    row = app.only()
    assert Descriptors(app.rows, proc=str(tmp_path)).use(row, sent) == Attempt(Verdict.UNREACHABLE)


def test_another_connection_under_the_inode_is_never_used(app: AppChild) -> None:
    app.connect()
    app.connect()
    one, other = app.accepted(2)
    found = Descriptors(app.rows)
    assert found.use(replace(one, cookie=one.cookie + 1_000_000), sent) == GONE
    found.unreadable.clear()
    attempt = found.use(replace(one, inode=other.inode), sent)
    assert attempt in (Attempt(Verdict.UNREACHABLE), Attempt(Verdict.REFUSED, "EACCES"))


def test_borrowing_what_is_no_socket_leaves_nothing_behind(app: AppChild) -> None:
    before = descriptors()
    with pytest.raises(OSError, match="non-socket"), borrow(Place(app.pid, 1)):
        pass
    with pytest.raises(OSError, match="Bad file"), borrow(Place(app.pid, 900)):
        pass
    assert descriptors() == before


def test_a_process_that_ends_while_it_is_read_has_nothing(tmp_path: Path, app: AppChild) -> None:
    (tmp_path / "17").mkdir()
    (tmp_path / "18" / "fd").mkdir(parents=True)
    (tmp_path / "18" / "fd" / "3").symlink_to("pipe:[7]")
    (tmp_path / "self").mkdir()
    found = Descriptors(app.rows, proc=str(tmp_path))
    assert found.look()
    assert (found.find(7), found.unreadable, found.epolls) == ([], {}, {})


# ---- what is missing: tried on the app's listener, as another user and with other capabilities


def missing(port: int, uid: int, capabilities: tuple[int, ...] = (), gid: int | None = None) -> str | None:
    """As the agent would say it with these rights."""

    def look() -> str | None:
        become(uid, gid, capabilities)
        with closing(Roster([port])) as rows:
            return rights.missing(Descriptors(rows), rows.listeners())

    return in_a_thread(look)


@needs_root
def test_the_same_user_and_group_lack_nothing() -> None:
    with app_of(1000) as port:
        assert missing(port, 1000) is None


@needs_root
@pytest.mark.parametrize(("uid", "gid"), [(1001, 1001), (1000, 1001)])
def test_another_user_or_group_is_told_whose_the_app_is(uid: int, gid: int) -> None:
    with app_of(1000) as port:
        said = missing(port, uid, gid=gid)
        assert said is not None
        assert "uid 1000, gid 1000" in said
        assert said.endswith(f"run with the same runAsUser and runAsGroup, or {ROOT}")


@needs_root
def test_root_needs_both_capabilities() -> None:
    with app_of(1000) as port:
        assert missing(port, 0, BOTH) is None
        for too_few in ((), (SYS_PTRACE,)):
            said = missing(port, 0, too_few)
            assert said is not None
            assert said.startswith(
                "CAP_DAC_READ_SEARCH is missing (and CAP_SYS_PTRACE is needed too): the app runs as "
            )
        # The descriptors can be seen, and not be had.
        assert str(missing(port, 0, (DAC_READ_SEARCH,))).startswith("CAP_SYS_PTRACE is missing")


@needs_root
def test_another_user_with_sys_ptrace_alone_cannot_read_the_links() -> None:
    with app_of(1000) as port:
        assert "uid 1000, gid 1000" in str(missing(port, 1001, (SYS_PTRACE,)))


@needs_root
def test_a_protected_app_of_the_same_user_is_told_apart() -> None:
    with app_of(1000, dumpable=False) as port:
        assert str(missing(port, 1000)).endswith(f"but is protected (not dumpable, or privileged): {ROOT}")
        assert missing(port, 0, BOTH) is None


@needs_root
def test_an_app_with_a_capability_is_out_of_reach_for_who_lacks_it() -> None:
    with app_of(1000, (SYS_PTRACE,)) as port:
        assert missing(port, 1000) is not None
        assert missing(port, 1000, (SYS_PTRACE,)) is None


@needs_root
def test_rights_that_are_lost_in_the_middle_are_a_refusal() -> None:
    with app_of(1000) as port, socket.create_connection(("127.0.0.1", port)):
        rows = Roster([port])
        [row] = until(
            lambda: list(rows.look_up(rows.cookies()).values()), lambda found: len(found) == 1 and found[0].inode > 0
        )
        found = Descriptors(rows)

        def attempts() -> list[Attempt]:
            tried = [found.use(row, sent)]
            become(1001)
            tried.append(found.use(row, sent))  # it is known where: pidfd_getfd refuses
            found.look(at_once=True)
            found._allowance.spend(-10)
            tried.append(found.use(row, sent))  # it is not: the links are refused
            return tried

        said = in_a_thread(attempts)
        rows.close()
        assert said == [SENT, Attempt(Verdict.REFUSED, "EPERM"), Attempt(Verdict.REFUSED, "EACCES")]


def test_seccomp_and_old_kernels(app: AppChild) -> None:
    def said(code: int) -> str | None:
        deny_pidfd_getfd(code)
        return rights.missing(Descriptors(app.rows), app.rows.listeners())

    assert "CAP_SYS_PTRACE is missing (pidfd_getfd: EPERM)" in str(in_a_thread(lambda: said(errno.EPERM)))
    assert "Linux 5.6" in str(in_a_thread(lambda: said(errno.ENOSYS)))
    assert str(in_a_thread(lambda: said(errno.EMFILE))).endswith("EMFILE")


def test_a_process_that_has_gone_tells_nothing_of_rights(tmp_path: Path, app: AppChild) -> None:
    found = Descriptors(app.rows)
    found.unreadable = {1: errno.EACCES}
    assert rights._lacking(found, str(tmp_path)) == "CAP_SYS_PTRACE is missing"


def test_what_fails_in_between_makes_it_busy(tmp_path: Path, app: AppChild) -> None:
    """Raising would lose what was done to others in the same order."""

    def fail() -> None:
        raise SocketTableError("sock_diag")

    app.connect()
    row, rows = app.only(), Interrupted(app)
    rows.then = fail
    for found in (Descriptors(rows), Descriptors(app.rows, proc=str(tmp_path / "none"))):
        assert found.use(row, sent) == BUSY


def test_nobody_listens(app: AppChild) -> None:
    assert rights.missing(Descriptors(app.rows), []) == "nobody listens on the app's ports yet"


def test_an_app_in_another_pid_namespace(tmp_path: Path, app: AppChild) -> None:
    """Nobody else can be seen."""
    found = Descriptors(app.rows, proc=str(tmp_path))
    assert "shareProcessNamespace: true is missing" in str(rights.missing(found, app.rows.listeners()))


def test_a_pause_container_is_not_the_app_and_who_is_gone_has_no_owner(tmp_path: Path, app: AppChild) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "status").write_text("Name:\tpause\nUid:\t65535\t65535\t0\t0\nGid:\t65535\t65535\t0\t0\n")
    found = Descriptors(app.rows, proc=str(tmp_path))
    found.look()
    found.unreadable = {1: errno.EACCES, 2: errno.EACCES}
    assert rights._unseen(found, str(tmp_path)) == rights._NOT_SHARED


def test_a_listener_that_is_another_socket_than_in_the_table_is_not_seen(app: AppChild) -> None:
    [listener] = app.rows.listeners()
    found = Descriptors(app.rows)
    found.look()
    other = type(listener)(listener.cookie + 1, listener.port, listener.inode, listener.address)
    assert rights._try(found, other) == ""
    assert rights.missing(found, [other, listener]) is None
