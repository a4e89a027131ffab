"""The API server, asked by the official client: from threads of their own, since that client waits for its answers."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from drainer.errors import MissingExtraError
from drainer.kube.bodies import Lines
from drainer.kube.words import ApiError, ApiResult, result_of
from drainer.worker import Worker

try:
    from kubernetes.client import ApiClient
    from kubernetes.client.exceptions import ApiException
    from urllib3.exceptions import HTTPError
except ImportError:
    raise MissingExtraError("commands", "kubernetes") from None

TIMEOUT = (2.0, 5.0)
"""Seconds to connect, and to answer."""
WATCH_FOR = 300
"""Seconds after which the API server ends a watch."""
SILENCE = 30.0
"""Seconds more until a watch that says nothing, not even its end, is given up."""
MOST = 64 << 20
"""Bytes of an answer: a page of 500 pods has a few MiB."""
MOST_OF_REFUSAL = 65536
WORKERS = 4
"""Questions at a time."""
MERGE_PATCH = "application/merge-patch+json"

Ask = Callable[..., Awaitable[Any]]
"""Api.ask."""


class Api:
    """Whatever goes wrong is an ApiError."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client
        self._streams: set[Any] = set()
        self._workers = itertools.cycle([Worker(f"api-{number}") for number in range(WORKERS)])

    async def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The JSON that is answered. Raises ApiError."""
        return await next(self._workers).run(lambda: self.call(method, path, body, content_type))

    def call(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Any:
        """The same, for a thread that may wait. Raises ApiError."""
        with self._asked(method, path, body, content_type, TIMEOUT) as response:
            return _decoded(response.read(MOST))

    def stream(self, path: str, query: Mapping[str, str]) -> Iterator[Mapping[str, Any]]:
        """The events of a watch until the API server ends it. Raises ApiError."""
        query = {**query, "watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_FOR)}
        lines = Lines()
        with self._asked("GET", f"{path}?{urlencode(query)}", None, "", (TIMEOUT[0], WATCH_FOR + SILENCE)) as response:
            self._streams.add(response)
            try:
                while data := response.read1(65536):
                    for line in lines.feed(data):
                        event = _decoded(line)
                        if event.get("type") == "ERROR":
                            raise _failure(event.get("object"))
                        yield event
            finally:
                self._streams.discard(response)

    def close(self) -> None:
        """End the watches, whichever threads wait for them, and forget all connections."""
        for response in [*self._streams]:
            # One that ends at the same moment has nothing left to be ended.
            with suppress(ValueError, RuntimeError, OSError):
                response.shutdown()
        self._client.rest_client.pool_manager.clear()

    @contextmanager
    def _asked(
        self, method: str, path: str, body: Any, content_type: str, timeout: tuple[float, float]
    ) -> Iterator[Any]:
        headers = {"Accept": "application/json"} | ({"Content-Type": content_type} if body is not None else {})
        try:
            asked = self._client.param_serialize(
                method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            response = self._client.call_api(*asked, _request_timeout=timeout).response
            try:
                if not 200 <= response.status <= 299:  # noqa: PLR2004 - the range of success
                    raise _refusal(response.status, response.read(MOST_OF_REFUSAL))
                yield response
            finally:
                # Back to the pool if it was read to its end, closed otherwise.
                response.close() if response.length_remaining else response.release_conn()
        except (ApiException, HTTPError, OSError) as error:
            # urllib3 wraps what happened into a sentence about retries.
            happened = getattr(error, "reason", None) or error
            raise ApiError(ApiResult.UNREACHABLE, " ".join(str(happened).split())) from error
        except ValueError as error:
            raise ApiError(ApiResult.ODD, str(error)) from error


def _decoded(data: bytes) -> Any:
    """A JSON object. Raises ValueError."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("the answer is not JSON") from None
    if not isinstance(value, Mapping):
        raise ValueError("the answer is no object")  # noqa: TRY004 - an answer that cannot be used, as any other
    return value


def _refusal(status: int, body: bytes) -> ApiError:
    try:
        message = str(_decoded(body).get("message", ""))[:300]
    except ValueError:
        message = ""
    return ApiError(result_of(status), message)


def _failure(status: Any) -> ApiError:
    """What a watch ends with, as a Status."""
    code = status.get("code") if isinstance(status, Mapping) else None
    result = result_of(code) if isinstance(code, int) else ApiResult.ODD
    return ApiError(ApiResult.ODD if result is ApiResult.OK else result, str(status)[:300])
