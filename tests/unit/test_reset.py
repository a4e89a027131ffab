"""What the reset closer makes of the kernel's answers."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from drainer.attempt import Attempt, Verdict
from drainer.closers.reset import ResetCloser
from drainer.errors import SocketTableError, WireError


@dataclass
class FakeRows:
    """Every cookie that is asked for is live, but for those in `gone`."""

    refusals: dict[int, SocketTableError] = field(default_factory=dict)
    """Cookie -> what comes of destroying it."""
    gone: frozenset[int] = frozenset()
    trial: int | None = None
    destroyed: list[int] = field(default_factory=list)

    def look_up(self, cookies: Sequence[int]) -> set[int]:
        return set(cookies) - self.gone

    def destroy(self, cookie: int) -> None:
        if cookie in self.refusals:
            raise self.refusals[cookie]
        self.destroyed.append(cookie)

    def can_destroy(self) -> int | None:
        return self.trial


def refusal(code: int) -> SocketTableError:
    return SocketTableError("SOCK_DESTROY", errno=code)


def test_each_answer_of_the_kernel_has_its_verdict_and_none_stops_the_others() -> None:
    refusals = {
        2: refusal(errno.ENOENT),
        3: refusal(errno.EPERM),
        4: refusal(4000),
        5: WireError("sock_diag request", detail="noise"),
    }
    rows = FakeRows(refusals, gone=frozenset({6}))
    assert ResetCloser(rows).close([1, 2, 3, 4, 5, 6, 7], lambda: True) == {
        1: Attempt(Verdict.SENT),
        2: Attempt(Verdict.GONE),
        3: Attempt(Verdict.REFUSED, "EPERM"),
        4: Attempt(Verdict.REFUSED, "4000"),
        5: Attempt(Verdict.FAILED, "WireError"),
        6: Attempt(Verdict.GONE),
        7: Attempt(Verdict.SENT),
    }
    assert rows.destroyed == [1, 7]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, None),
        (errno.EPERM, "CAP_NET_ADMIN"),
        (errno.EOPNOTSUPP, "CONFIG_INET_DIAG_DESTROY"),
        (errno.ENOMEM, "refuses to destroy sockets: ENOMEM"),
    ],
)
def test_what_is_missing_is_said_in_one_line(code: int | None, said: str | None) -> None:
    missing = ResetCloser(FakeRows(trial=code)).missing()
    if said is None:
        assert missing is None
    else:
        assert missing is not None
        assert said in missing
        assert "\n" not in missing
