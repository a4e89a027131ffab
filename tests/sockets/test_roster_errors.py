"""The roster where something is refused, lost or missing."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drainer.errors import RefusedError, SocketTableError, WireError
from drainer.sockets import exact
from drainer.sockets.roster import Roster
from tests.sockets.loopback import Loopback, cookies_of, in_a_child, no_descriptors_left
from tests.sockets.test_roster import inode_of, looked_up, roster_of
from tests.unit.sockets.wire_reference import ERROR, HEADER


def test_nothing_is_opened_before_it_is_used(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    with no_descriptors_left():
        roster = roster_of(net, listener)
        for use in (roster.cookies, roster.can_destroy, lambda: roster.identify(1, "::", "::", 1)):
            with pytest.raises(SocketTableError) as raised:
                use()
            assert raised.value.errno == errno.EMFILE
            assert not isinstance(raised.value, RefusedError)
    assert looked_up(roster, app).inode == inode_of(app)


def test_a_closed_roster_gives_its_descriptor_back_and_opens_another_when_it_is_used(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    roster = roster_of(net, listener)
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    for _ in range(2):
        assert looked_up(roster, app).inode == inode_of(app)
        roster.close()
        roster.close()
    with socket.socket() as probe:
        assert probe.fileno() == lowest_free


@pytest.fixture
def kernel() -> Iterator[tuple[Roster, socket.socket]]:
    """A roster, and the end of its netlink socket that the kernel has: what is sent here, it reads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    roster = Roster([1])
    roster._netlink = ours
    with theirs:
        yield roster, theirs
        roster.close()


def refusal(code: int, sequence: int = 1) -> bytes:
    return HEADER.pack(20, ERROR, 0, sequence, 0) + struct.pack("=i", -code)


def identify(roster: Roster) -> int | None:
    return roster.identify(1, "127.0.0.1", "127.0.0.1", 2)


def test_an_errno_of_the_kernel_is_raised_with_its_name(kernel: tuple[Roster, socket.socket]) -> None:
    roster, theirs = kernel
    theirs.send(refusal(errno.EINVAL))
    with pytest.raises(SocketTableError, match="EINVAL") as raised:
        identify(roster)
    assert raised.value.errno == errno.EINVAL


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(kernel: tuple[Roster, socket.socket]) -> None:
    roster, _ = kernel
    assert roster._netlink is not None
    roster._netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 0, 10_000))
    with pytest.raises(SocketTableError) as raised:
        identify(roster)
    assert raised.value.errno == errno.EAGAIN


def test_a_stale_answer_is_never_taken_for_another(net: Loopback) -> None:
    listener = net.listen()
    _, app = net.pair(listener)
    roster = roster_of(net, listener)
    looked_up(roster, app)
    assert roster._netlink is not None
    roster._netlink.send(exact.look(exact.name(bytes(4), 1, bytes(4), 2), roster._sequence))
    with pytest.raises(WireError, match="an answer to request"):
        looked_up(roster, app)
    assert looked_up(roster, app).inode == inode_of(app)


def test_the_numbers_of_requests_begin_anew_where_their_32_bits_end(net: Loopback) -> None:
    listener = net.listen()
    _, apps = net.pairs(listener, 40)
    roster = roster_of(net, listener)
    roster._sequence = (1 << 32) - 20
    assert set(roster.look_up(cookies_of(apps))) == cookies_of(apps)


_ASK = """
import os
from drainer.sockets.roster import Roster
from tests.seccomp import deny_netlink
{prepare}
roster = Roster([1])
print(roster.can_destroy())
roster.close()
os.seteuid(os.getuid())
"""


def test_the_right_to_destroy_is_what_the_kernel_answers() -> None:
    with closing(Roster([1])) as roster:
        as_we_are = roster.can_destroy()
    assert as_we_are == (None if _has_net_admin() else errno.EPERM)
    another = "os.geteuid() or os.seteuid(65534)"
    assert in_a_child(_ASK.format(prepare=another)) == f"{int(errno.EPERM)}\n"


def test_where_nobody_can_be_asked_there_is_no_answer_either() -> None:
    child = "deny_netlink()\ntry: Roster([1]).can_destroy()\nexcept Exception as error: print(repr(error))\nos._exit(0)"
    said = in_a_child(_ASK.format(prepare=child))
    assert said.startswith("RefusedError('sock_diag socket', 1,")


def _has_net_admin() -> bool:
    """CAP_NET_ADMIN (12) in effect."""
    status = Path("/proc/self/status").read_text().splitlines()
    [line] = [line for line in status if line.startswith("CapEff:")]
    return bool(int(line.split()[1], 16) >> 12 & 1)


def test_the_trial_leaves_nothing_behind() -> None:
    with socket.socket() as probe:
        lowest_free = probe.fileno()
    with closing(Roster([1])) as roster:
        for _ in range(2):
            roster.can_destroy()
    with socket.socket() as probe:
        assert probe.fileno() == lowest_free
