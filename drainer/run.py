"""The composition root of `drainer run`: builds the parts from a Config, and joins them. Nothing else imports all."""

from __future__ import annotations

import asyncio
import contextlib
import random
import resource
import signal
import socket
import struct
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from drainer import __version__, metrics
from drainer.agent import Agent
from drainer.callers import Callers
from drainer.config import Config
from drainer.crew import BlockingCloser, Closer, InThread
from drainer.log import LogObserver, logger, set_up
from drainer.observers import Observer
from drainer.page import NoPage
from drainer.policy import Container, Policy, Readiness
from drainer.sockets.table import CensusThread, SocketTable
from drainer.termination import TerminationMessage
from drainer.web import NO_HEALTH, Server, listen
from drainer.worker import Worker

if TYPE_CHECKING:
    from drainer.health.parts import Parts
    from drainer.kube.api import Api
    from drainer.page.live import Page
    from drainer.sockets.roster import Roster

MAX_CONNECTIONS = 4096
"""HTTP connections at a time: four times the callers that a pod can have, some 20 MiB if all are strangers."""
DESCRIPTOR_RESERVE = 64
"""Descriptors kept back from HTTP connections, for counting and logging."""


def run(config: Config, early: list[int]) -> None:
    """Serve until SIGTERM has had its effect. `early` holds the signals that came before there was a loop.

    Raises StartError.
    """
    handler = set_up(config.log_level, config.log_format)
    try:
        # Before anything else is built: a taken port should be said at once.
        asyncio.run(_run(config, early, listen(config.host, config.port)))
    finally:
        handler.flush_at_exit()


async def _run(config: Config, early: list[int], listener: socket.socket) -> None:
    async with contextlib.AsyncExitStack() as held:
        parts = health(config)
        if parts:
            held.push_async_callback(parts.stop)
            # For all who count or close: the agent is nobody's client.
            config = replace(config, ignore_peers=(*config.ignore_peers, *parts.peers))
        await _serve(config, early, listener, closers(config, held), parts)


async def _serve(
    config: Config, early: list[int], listener: socket.socket, at_hand: Mapping[str, Closer], parts: Parts | None
) -> None:
    loop = asyncio.get_running_loop()
    table = SocketTable(config.app_ports, config.ignore_peers, config.idle_after, loop.time)
    callers = Callers(config.caller_policy(default_gateways()))
    observer = LogObserver()
    api = kubernetes(config, observer)
    page = look(config)
    observers: list[Observer] = [observer, TerminationMessage(), *page.observers]
    agent = Agent(
        CensusThread(table),
        ports=config.app_ports,
        plan=config.plan(),
        callers=callers,
        policy=Policy(
            readiness=Readiness(config.readiness),
            container=Container(config.container),
            interval=config.interval,
            longest_gap=config.longest_gap,
            min_age=config.min_age,
        ),
        closers=at_hand,
        observers=[*observers, api.reporter] if api else observers,
    )
    if api:
        agent.ask(api.watch)
    limiter(config, agent, api)
    if parts:
        agent.vitals = parts.vitals
        parts.begin(agent.status, observer, api.client if api else None)
    limit = min(raise_descriptor_limit() - DESCRIPTOR_RESERVE, MAX_CONNECTIONS)
    routes = [*((parts and parts.routes) or NO_HEALTH), *page.routes]
    server = Server(agent, metrics.render, observer.view_failed, connection_limit=limit, routes=routes)
    for warning in config.warnings:
        logger.warning(warning)
    if not config.close:
        logger.warning(
            "no closer is set: connections that are still there %g s after the hook are cut; "
            "DRAINER_CLOSE can end them before, one by one",
            config.plan().window,
        )
    stopping = asyncio.create_task(agent.run())

    def terminate(number: int) -> None:
        logger.info("asked to go", extra={"facts": {"signal": signal.Signals(number).name}})
        agent.terminate()

    for catchable in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(catchable, terminate, catchable)
    page.begin(agent)
    await server.start(listener)
    if api:
        api.start(agent.status, lambda grace: agent.adopt(config.plan(grace)))
    facts = {
        "version": __version__,
        "listening": listener.getsockname()[:2],
        "trusted": callers.known,
        "settings": config.shown(),
    }
    logger.info("watching", extra={"facts": facts})
    for number in early:
        terminate(number)
    await stopping
    page.leave()
    await server.stop()
    if api:
        await api.leave()
    logger.info("gone")


def kubernetes(config: Config, observer: LogObserver) -> Api | None:
    """What talks to the API about the own pod; None where nobody asked for it, or nothing opens it."""
    if config.pod is None:
        return None
    folder = Path(config.service_account)
    if config.kubernetes == "auto" and not (folder / "token").is_file():
        observer.noted(f"the API is not used: no service account is mounted at {folder}")
        return None
    from drainer.kube.api import Api  # noqa: PLC0415 - an agent without the API should not carry it
    from drainer.kube.reporter import Wishes  # noqa: PLC0415

    wishes = Wishes(
        label=config.serving_label,
        gate=config.readiness_gate,
        condition=config.condition,
        events=config.events,
        cost=config.deletion_cost,
    )
    return Api(config.pod, folder, wishes, Readiness(config.readiness), observer.noted, observer.warned, random.random)


def limiter(config: Config, agent: Agent, api: Api | None) -> None:
    """Has the agent heed its limits, if it has any."""
    plan = config.cap(uses_api=api is not None)
    if plan is not None:
        from drainer.limiter import Limiter  # noqa: PLC0415 - an agent without limits should not carry it

        agent.heed(Limiter(plan, api.neighbours if api else None, random.random))


def health(config: Config) -> Parts | None:
    """What looks at the app; None where nobody asked for it."""
    plan = config.health_plan()
    if plan is None:
        return None
    from drainer.health.parts import Parts  # noqa: PLC0415 - an agent that asks nothing should not carry it

    return Parts(plan, config.app_ports)


def look(config: Config) -> Page | NoPage:
    """The page to look at, where it is wanted."""
    if not config.page:
        return NoPage()
    from drainer.page.live import Page  # noqa: PLC0415 - an agent without a page should not carry it

    return Page()


def closers(config: Config, held: contextlib.AsyncExitStack) -> dict[str, Closer]:
    """The closers that the settings name, in their order; what they hold is given back with `held`.

    Imported where they are made: what closes nobody should not carry them.
    """
    made: dict[str, Closer] = {}
    if "notify" in config.close:
        from drainer.closers.notify import NotifyCloser  # noqa: PLC0415

        notify = NotifyCloser(
            config.notify_url, mode=config.notify_mode, code=config.close_code, reason=config.close_reason
        )
        held.push_async_callback(notify.leave)
        made["notify"] = notify
    blocking = [name for name in config.close if name != "notify"]
    if blocking:
        from drainer.sockets.roster import Roster  # noqa: PLC0415

        # One thread and one table for all of them.
        worker, rows = Worker("close"), Roster(config.app_ports, config.ignore_peers)
        held.callback(rows.close)
        made |= {name: InThread(_blocking(name, config, rows, held), worker) for name in blocking}
    return {name: made[name] for name in config.close}


def _blocking(name: str, config: Config, rows: Roster, held: contextlib.AsyncExitStack) -> BlockingCloser:
    if name == "reset":
        from drainer.closers.reset import ResetCloser  # noqa: PLC0415

        return ResetCloser(rows)
    if name == "shutdown":
        from drainer.closers.shutdown import ShutdownCloser  # noqa: PLC0415

        return ShutdownCloser(rows)
    from drainer.closers.tap import Tap  # noqa: PLC0415
    from drainer.closers.websocket import WebSocketCloser  # noqa: PLC0415

    undeclared = set(config.app_ports).difference(config.websocket_ports)
    tap = None
    if undeclared:
        # A table of its own: the tap asks from its own thread.
        names = type(rows)(config.app_ports)
        held.callback(names.close)
        tap = Tap(sorted(undeclared), names)
        held.callback(tap.close)
    return WebSocketCloser(
        rows,
        tap,
        declared_ports=config.websocket_ports,
        code=config.close_code,
        reason=config.close_reason,
        unproven=config.websocket_unproven,
    )


def raise_descriptor_limit() -> int:
    """Raise the soft limit of open descriptors to the hard one; returns what holds now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    return soft


_IPV4_ROUTES, _IPV6_ROUTES = Path("/proc/net/route"), Path("/proc/net/ipv6_route")
_RTF_GATEWAY = 0x2
_NO_ROUTE = (IndexError, ValueError, struct.error)
"""What a line that is not as expected raises; no reason to keep the agent from starting."""


def default_gateways(ipv4: Path = _IPV4_ROUTES, ipv6: Path = _IPV6_ROUTES) -> list[str]:
    """The gateways of the default routes of this network namespace (formats: net/ipv4/fib_trie.c, net/ipv6/route.c)."""
    gateways: set[str] = set()
    for line in _lines(ipv4):
        # Iface Destination Gateway Flags RefCnt Use Metric Mask ...; numbers as the machine stores them.
        fields = line.split()
        with contextlib.suppress(*_NO_ROUTE):
            if fields[1] == fields[7] == "00000000" and int(fields[3], 16) & _RTF_GATEWAY:
                gateways.add(socket.inet_ntop(socket.AF_INET, struct.pack("=I", int(fields[2], 16))))
    for line in _lines(ipv6):
        # destination length source length next-hop metric refcount use flags device
        fields = line.split()
        with contextlib.suppress(*_NO_ROUTE):
            if fields[1] == "00" and int(fields[8], 16) & _RTF_GATEWAY:
                gateways.add(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[4])))
    return sorted(gateways)


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError:
        return []
