"""What an HTTP status means."""

from __future__ import annotations

import pytest

from drainer.kube.words import ApiError, ApiResult, result_of


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (200, "ok"), (201, "ok"), (299, "ok"), (401, "unauthorized"), (403, "forbidden"), (404, "not_found"),
        (409, "conflict"), (410, "expired"), (422, "invalid"), (429, "throttled"),
        (500, "failed"), (503, "failed"), (504, "failed"),
        (302, "odd"), (400, "odd"), (415, "odd"), (0, "odd"), (-1, "odd"), (199, "odd"),
    ],
)  # fmt: skip
def test_every_status_has_its_word(status: int, result: str) -> None:
    assert result_of(status) == result


def test_an_error_says_what_came_of_it() -> None:
    error = ApiError(ApiResult.THROTTLED, "slow down", 7.0)
    assert (error.result, error.detail, error.retry_after) == (ApiResult.THROTTLED, "slow down", 7.0)
    assert ApiError(ApiResult.FAILED).retry_after == 0.0
