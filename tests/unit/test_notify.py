"""What `notify` says, and what it makes of answers."""

from __future__ import annotations

import errno
import socket

import pytest
from aiohttp import (
    ClientConnectionResetError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientOSError,
    ClientPayloadError,
    ServerDisconnectedError,
)
from aiohttp.client_reqrep import ConnectionKey

from drainer.attempt import Attempt, Verdict
from drainer.closers.notify import BUDGET, FIRST_PAUSE, judge, numbers, word
from drainer.phases import Close

KEY = ConnectionKey("app.example", 80, is_ssl=False, ssl=True, proxy=None, proxy_auth=None, proxy_headers_hash=None)


def order(seconds_left: float = 20.0, rate: float = 5.0, connections: int = 3) -> Close:
    return Close("notify", tuple(range(connections)), 100, seconds_left, rate)


def test_the_numbers_are_of_the_moment_when_they_are_sent() -> None:
    assert numbers(order(), 0.0) == {"connections": 100, "deadline_seconds": 20.0, "rate_per_second": 5.0}
    assert numbers(order(), 0.7)["deadline_seconds"] == 19.3
    assert numbers(order(seconds_left=0.5), 0.7)["deadline_seconds"] == 0.0


@pytest.mark.parametrize(
    ("rate", "connections", "shown"),
    [(4.98765, 1, 4.988), (1 / 86400, 1, 1.157e-05), (123456.0, 1, 123500.0), (0.0, 3, 3.0), (0.0, 1, 1.0)],
)
def test_the_pace_is_never_zero_and_keeps_four_digits(rate: float, connections: int, shown: float) -> None:
    assert numbers(order(rate=rate, connections=connections), 0.0)["rate_per_second"] == shown


@pytest.mark.parametrize(
    ("status", "verdict", "is_final"),
    [
        (101, Verdict.FAILED, True),
        (200, Verdict.SENT, True),
        (299, Verdict.SENT, True),
        (300, Verdict.FAILED, True),
        (499, Verdict.FAILED, True),
        (500, Verdict.FAILED, False),
        (599, Verdict.FAILED, False),
    ],
)
def test_what_a_status_means(status: int, verdict: Verdict, *, is_final: bool) -> None:
    detail = "" if verdict is Verdict.SENT else str(status)

    assert judge(status) == (Attempt(verdict, detail), is_final)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ClientOSError(errno.ECONNRESET, "reset"), "ECONNRESET"),
        (ClientOSError(errno.EMFILE, "too many"), "EMFILE"),
        (ServerDisconnectedError(), "disconnected"),
        (ClientConnectionResetError("cannot write"), "disconnected"),
        (ClientPayloadError("bad chunk"), "not_http"),
        (ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, "no such name")), "unreachable"),
        (ClientConnectorError(KEY, OSError("several")), "unreachable"),
    ],
    ids=["errno", "descriptors", "hung up", "closing transport", "garbage", "no such name", "no errno"],
)
def test_trouble_is_one_word_and_never_text_from_outside(error: ClientError, said: str) -> None:
    assert word(error) == said


def test_the_next_closer_is_not_kept_waiting() -> None:
    assert 2 * FIRST_PAUSE < BUDGET < 2.0
