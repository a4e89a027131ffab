"""The six calls. A connection each: at rest there is none, and an API server that has moved is found again."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Any

from aiohttp import (
    AddrInfoType,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)

from drainer import __version__
from drainer.deletion import Pod
from drainer.kube.access import Access
from drainer.kube.bodies import MAX_LINE, Lines
from drainer.kube.slices import SERVICE_NAME, items, more
from drainer.kube.words import FORBIDDEN_FOR, ApiError, ApiResult, Operation, result_of
from drainer.resolver import Resolver

CONNECT_WITHIN = 2.0
ANSWER_WITHIN = 5.0
"""Seconds until an answer's headers are there, and for all but a watch the body too."""
WATCH_FOR = 3600
"""Seconds after which the API server ends a watch."""
PAGE, MAX_PAGES = 50, 10
"""EndpointSlices of one answer, each with 100 endpoints at the most by default; and answers to one question."""
METADATA_ONLY = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
"""A pod without spec and status: all that a deletion needs, at a tenth of the size."""


class Client:
    """Counts what was asked and what came of it, and says each trouble once until it is over."""

    def __init__(
        self,
        access: Access,
        pod: Pod,
        on_trouble: Callable[[str], None],
        *,
        answer_within: float = ANSWER_WITHIN,
    ) -> None:
        self._access = access
        self._pod = pod
        self._on_trouble = on_trouble
        self._answer_within = answer_within
        self._resolver = Resolver()
        self._forbidden_until: dict[Operation, float] = {}
        self._told: set[tuple[Operation, ApiResult]] = set()
        self.requests: dict[str, dict[str, int]] = {
            operation: dict.fromkeys(map(str, ApiResult), 0) for operation in Operation
        }

    async def get(self, *, whole: bool = False) -> Mapping[str, Any]:
        """The own pod as it is now; its metadata alone, unless it is wanted `whole`. Raises ApiError."""
        headers = {} if whole else {"Accept": METADATA_ONLY}
        async with self._ask(Operation.GET, "GET", self._path(), headers=headers) as response:
            pod = _object(await self._read(response))
            self._succeeded(Operation.GET)
            return pod

    async def metrics(self) -> Mapping[str, Any]:
        """The own pod's PodMetrics. Raises ApiError."""
        path = f"/apis/metrics.k8s.io/v1beta1/namespaces/{self._pod.namespace}/pods/{self._pod.name}"
        async with self._ask(Operation.METRICS, "GET", path) as response:
            metrics = _object(await self._read(response))
            self._succeeded(Operation.METRICS)
            return metrics

    async def watch(self, version: str) -> AsyncGenerator[tuple[str, Mapping[str, Any]], None]:
        """(type, object) of each change after `version`, until the API server ends it. Raises ApiError."""
        parameters = {
            "watch": "true",
            "fieldSelector": f"metadata.name={self._pod.name}",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_FOR),
        }
        path = f"/api/v1/namespaces/{self._pod.namespace}/pods"
        lines = Lines()
        async with self._ask(
            Operation.WATCH, "GET", path, params=parameters, headers={"Accept": METADATA_ONLY}
        ) as response:
            self._count(Operation.WATCH, ApiResult.OK)
            async for data in response.content.iter_any():
                for line in lines.feed(data):
                    event = _object(line)
                    kind, changed = event.get("type"), event.get("object")
                    if not isinstance(kind, str) or not isinstance(changed, Mapping):
                        raise ApiError(ApiResult.ODD, "a watch event without type or object")
                    if kind == "ERROR":
                        raise _told(changed)
                    self._works(Operation.WATCH)
                    yield kind, changed

    async def patch(self, body: Mapping[str, Any]) -> None:
        """Patch pods/status of the own pod. Raises ApiError."""
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        text = json.dumps(body)
        async with self._ask(
            Operation.PATCH, "PATCH", self._path("/status"), data=text, headers=headers | {"Accept": METADATA_ONLY}
        ) as response:
            await self._read(response)
            self._succeeded(Operation.PATCH)

    async def create_event(self, body: Mapping[str, Any]) -> None:
        """Raises ApiError."""
        path = f"/api/v1/namespaces/{self._pod.namespace}/events"
        async with self._ask(Operation.EVENT, "POST", path, json=body) as response:
            await self._read(response)
            self._succeeded(Operation.EVENT)

    async def slices(self, services: Iterable[str] = ()) -> list[Mapping[str, Any]]:
        """The EndpointSlices of these Services of the own namespace; of all, where none is named. Raises ApiError."""
        names = ",".join(sorted(services))
        parameters = {"limit": str(PAGE)} | ({"labelSelector": f"{SERVICE_NAME} in ({names})"} if names else {})
        path = f"/apis/discovery.k8s.io/v1/namespaces/{self._pod.namespace}/endpointslices"
        found: list[Mapping[str, Any]] = []
        for _ in range(MAX_PAGES):
            async with self._ask(Operation.LIST, "GET", path, params=parameters) as response:
                page = _object(await self._read(response))
                self._succeeded(Operation.LIST)
            found += items(page)
            if not (following := more(page)):
                return found
            parameters["continue"] = following
        error = ApiError(ApiResult.ODD, f"more than {PAGE * MAX_PAGES} EndpointSlices")
        self._failed(Operation.LIST, error)
        raise error

    def _path(self, sub: str = "") -> str:
        return f"/api/v1/namespaces/{self._pod.namespace}/pods/{self._pod.name}{sub}"

    @asynccontextmanager
    async def _ask(self, operation: Operation, method: str, path: str, **how: Any) -> AsyncIterator[ClientResponse]:
        """One request: whatever goes wrong inside becomes an ApiError, is counted, and is said once."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._forbidden_until.get(operation, 0.0):
            raise ApiError(ApiResult.FORBIDDEN, "not asked again yet")
        try:
            async with AsyncExitStack() as asked, self._session(asked) as session:
                headers = self._access.headers() | how.pop("headers", {})
                url = self._access.url(path)
                request = session.request(method, url, headers=headers, allow_redirects=False, **how)
                response = await self._head(request, asked)
                result = result_of(response.status)
                if result is not ApiResult.OK:
                    raise ApiError(result, await self._reason(response), _retry_after(response))  # noqa: TRY301
                yield response
        except ApiError as error:
            self._failed(operation, error)
            raise
        except (ClientError, OSError, ValueError) as error:
            failure = ApiError(_kind(error), f"{type(error).__name__}: {error}")
            self._failed(operation, failure)
            raise failure from error

    async def _head(self, request: Awaitable[ClientResponse], asked: AsyncExitStack) -> ClientResponse:
        """The answer as far as its headers. Raises TimeoutError.

        `asked` ends after the session, whose end aborts the connection and waits for that. A request that is cancelled
        before, or a response that is closed before, would shut TLS down with a server that may not answer any more.
        """
        asking = asyncio.ensure_future(request)
        asked.push_async_callback(_end, asking)
        await asyncio.wait([asking], timeout=self._answer_within)
        if not asking.done():
            raise TimeoutError(f"no answer within {self._answer_within:g} s")
        return asking.result()

    def _session(self, asked: AsyncExitStack) -> ClientSession:
        """No environment (proxies, .netrc), no cookies. The context may fail to load: see _ask.

        A connection whose handshake ends while the session does is not known to the session; its socket is to `asked`.
        """

        def opened(address: AddrInfoType) -> socket.socket:
            made = _socket(address)
            asked.callback(_cut, made)
            return made

        return ClientSession(
            connector=TCPConnector(ssl=self._access.context(), resolver=self._resolver, socket_factory=opened),
            cookie_jar=DummyCookieJar(),
            headers={"User-Agent": f"drainer/{__version__}", "Accept-Encoding": "identity"},
            timeout=ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
        )

    async def _read(self, response: ClientResponse) -> bytes:
        """The body. Raises ValueError if it is longer than any pod."""
        data = bytearray()
        async with asyncio.timeout(self._answer_within):
            async for chunk in response.content.iter_any():
                data += chunk
                if len(data) > MAX_LINE:
                    raise ValueError(f"an answer of more than {MAX_LINE} bytes")
        return bytes(data)

    async def _reason(self, response: ClientResponse) -> str:
        """What the API says of a failure, the message of its Status; the status alone decides what the failure is."""
        try:
            return _message(_object(await self._read(response)))
        except (ClientError, OSError, ValueError):
            return ""

    def _count(self, operation: Operation, result: ApiResult) -> None:
        self.requests[operation][result] += 1

    def _succeeded(self, operation: Operation) -> None:
        self._count(operation, ApiResult.OK)
        self._works(operation)

    def _works(self, operation: Operation) -> None:
        """The next trouble is worth telling. A watch that only begins, and breaks each time, does not work yet."""
        self._told = {told for told in self._told if told[0] is not operation}

    def _failed(self, operation: Operation, error: ApiError) -> None:
        self._count(operation, error.result)
        if error.result is ApiResult.FORBIDDEN:
            self._forbidden_until[operation] = asyncio.get_running_loop().time() + FORBIDDEN_FOR
        if error.result is not ApiResult.EXPIRED and (operation, error.result) not in self._told:
            self._told.add((operation, error.result))
            detail = f" ({error.detail})" if error.detail else ""
            self._on_trouble(f"the Kubernetes API, {operation}: {error.result}{detail}; no drain depends on it")


async def _end(asking: asyncio.Future[ClientResponse]) -> None:
    asking.cancel()
    await asyncio.wait([asking])
    if not asking.cancelled() and asking.exception() is None:
        asking.result().close()


def _cut(connection: socket.socket) -> None:
    """A TLS shutdown that waits for the server's word finds the end instead."""
    with suppress(OSError):  # Nearly always it is closed by now.
        connection.shutdown(socket.SHUT_RDWR)


def _socket(address: AddrInfoType) -> socket.socket:
    """A socket that notices within half a minute when the other end is not there any more: a watch may be silent."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


def _told(status: Mapping[str, Any]) -> ApiError:
    """The failure that a watch ends with, as a Status."""
    code = status.get("code")
    result = result_of(code) if isinstance(code, int) else ApiResult.ODD
    return ApiError(ApiResult.ODD if result is ApiResult.OK else result, _message(status))


def _message(status: Mapping[str, Any]) -> str:
    return str(status.get("message", ""))[:200]


def _object(data: bytes) -> Mapping[str, Any]:
    """A JSON object. Raises ValueError."""
    try:
        value = json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON too deep to be read") from error
    if not isinstance(value, Mapping):
        raise ValueError("no JSON object")  # noqa: TRY004 - an answer that cannot be read, as any other
    return value


def _kind(error: Exception) -> ApiResult:
    if isinstance(error, TimeoutError):
        return ApiResult.TIMEOUT
    if isinstance(error, FileNotFoundError | PermissionError):
        return ApiResult.UNAUTHORIZED
    # A certificate that is not trusted is a ValueError too, and there is no connection all the same.
    is_odd = isinstance(error, ValueError) and not isinstance(error, OSError)
    return ApiResult.ODD if is_odd else ApiResult.UNREACHABLE


def _retry_after(response: ClientResponse) -> float:
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0
