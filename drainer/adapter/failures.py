"""Answers that say no."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

_REASONS = {
    HTTPStatus.BAD_REQUEST: "BadRequest",
    HTTPStatus.UNAUTHORIZED: "Unauthorized",
    HTTPStatus.FORBIDDEN: "Forbidden",
    HTTPStatus.NOT_FOUND: "NotFound",
    HTTPStatus.METHOD_NOT_ALLOWED: "MethodNotAllowed",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalError",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailable",
}


class AnswerError(Exception):
    """The answer is no: an HTTP status, and why."""

    def __init__(self, code: HTTPStatus, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def as_status(self) -> dict[str, Any]:
        """A Status of meta/v1."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": _REASONS[self.code],
            "code": int(self.code),
        }
