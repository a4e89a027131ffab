"""What is asked of the API, and what can come of it."""

from __future__ import annotations

from enum import StrEnum

FORBIDDEN_FOR = 600.0
"""Seconds until something that was forbidden is asked again."""


class Operation(StrEnum):
    """What is asked."""

    GET = "get"
    """The own pod."""
    WATCH = "watch"
    """Changes of the own pod, from the hook to the end of the drain."""
    PATCH = "patch"
    """The own pod's label, condition and deletion cost (pods/status)."""
    EVENT = "event"
    """An Event about the own pod."""
    LIST = "list"
    """The EndpointSlices of the pod's Services, when it is full."""
    METRICS = "metrics"
    """The memory and CPU of the own pod (metrics.k8s.io)."""


class ApiResult(StrEnum):
    """What came of it."""

    OK = "ok"
    UNREACHABLE = "unreachable"
    """No connection, or it broke."""
    TIMEOUT = "timeout"
    """No answer in time."""
    UNAUTHORIZED = "unauthorized"
    """401, or no token: it says nothing about the pod."""
    FORBIDDEN = "forbidden"
    """403: the Role does not allow it; not asked again for ten minutes."""
    NOT_FOUND = "not_found"
    """404."""
    CONFLICT = "conflict"
    """409: the pod of that name is another one, or the Event is there already."""
    INVALID = "invalid"
    """422: what was written is refused; the pod of that name is another one, or a policy says no."""
    EXPIRED = "expired"
    """410: the watch must begin anew."""
    THROTTLED = "throttled"
    """429."""
    FAILED = "failed"
    """5xx."""
    ODD = "odd"
    """Anything else, or an answer that cannot be read."""


class ApiError(Exception):
    """An operation has failed, and how."""

    def __init__(self, result: ApiResult, detail: str = "", retry_after: float = 0.0) -> None:
        super().__init__(result, detail)
        self.result = result
        self.detail = detail
        self.retry_after = retry_after
        """Seconds that the API asked to wait (Retry-After); 0 if it did not."""


def result_of(status: int) -> ApiResult:
    """What an HTTP status means (RFC 9110, section 15; Kubernetes' API conventions)."""
    known = {
        401: ApiResult.UNAUTHORIZED,
        403: ApiResult.FORBIDDEN,
        404: ApiResult.NOT_FOUND,
        409: ApiResult.CONFLICT,
        410: ApiResult.EXPIRED,
        422: ApiResult.INVALID,
        429: ApiResult.THROTTLED,
    }
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return ApiResult.OK
    return known.get(status, ApiResult.FAILED if status >= 500 else ApiResult.ODD)  # noqa: PLR2004 - the server's faults
