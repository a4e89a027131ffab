"""The composition root of `drainer adapter`: builds the parts from the flags, and joins them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import signal
import socket
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from drainer import __version__
from drainer.adapter import autoscalers
from drainer.adapter.api import Api as ApiServer
from drainer.adapter.authorization import Authorizer
from drainer.adapter.exposition import Figures, render
from drainer.adapter.flags import Files, Options
from drainer.adapter.fleet import Fleet
from drainer.adapter.front import Front
from drainer.adapter.identity import FrontProxy, front_proxy
from drainer.adapter.keeper import Files as FileSource
from drainer.adapter.keeper import Keeper, SelfMade, Source
from drainer.adapter.ops import Ops
from drainer.adapter.pods import Pod, pod_of
from drainer.adapter.rounds import Rounds
from drainer.adapter.services import Claim, Owner, Service
from drainer.adapter.sweep import Sweep
from drainer.adapter.valuer import Valuer
from drainer.adapter.watching import GONE, Watch
from drainer.commands.cluster import Cluster
from drainer.log import LogObserver, logger, set_up
from drainer.web import listen

CONFIG_MAP = "extension-apiserver-authentication"
"""In kube-system: what the API server says of itself to aggregated ones."""
THREADS_END_WITHIN = 0.5
LEAVES_AFTER = 5.0
"""Seconds from SIGTERM, for which it still answers: until then the API server may not have seen that it goes."""


def adapter(options: Options, early: list[int]) -> None:
    """Serve until SIGTERM. `early` holds the signals that came before there was a loop.

    Raises StartError, ClusterError, MissingExtraError.
    """
    cluster = Cluster.of(options.kubeconfig, options.context)
    handler = set_up(options.log_level, options.log_format)
    try:
        sockets = [
            listen("", port, f"--{name}={port}")
            for name, port in (("port", options.port), ("ops-port", options.ops_port))
        ]
        asyncio.run(_run(Adapter(options, cluster, *sockets), early))
    finally:
        handler.flush_at_exit()


async def _run(made: Adapter, early: list[int]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, made.leave)
    for _ in early:
        made.leave()
    await made.run()


class Adapter:
    """All parts of one replica."""

    def __init__(self, options: Options, cluster: Cluster, front: socket.socket, ops: socket.socket) -> None:
        """Of bound sockets."""
        self._options = options
        self._service = Service(options.namespace or cluster.namespace, options.service)
        self._server = ApiServer(cluster.api)
        self._fleet = Fleet()
        self._rounds = Rounds(random.random)
        self._sweep = Sweep(self._fleet, self._rounds)
        self._authorizer = Authorizer(self._server.ask)
        self._front = Front(front, self._fleet, self._authorizer, options.apis, LogObserver().view_failed)
        self._ops = Ops(ops, self._unready, lambda accept: render(self._figures(), accept))
        self._keeper = Keeper(
            self._source(),
            self._server.ask,
            options.apis,
            self._service,
            on_pair=self._front.show,
            on_claim=_told,
            on_trouble=logger.warning,
        )
        self._valuer = (
            Valuer(self._server.ask, self._fleet, random.random, logger.info, logger.warning)
            if options.deletion_cost
            else None
        )
        self._proxy: FrontProxy | None = None
        self._leaving, self._hurrying = asyncio.Event(), asyncio.Event()
        self._is_through = False

    async def run(self) -> None:
        """Until it is told to leave, and a little longer."""
        await self._ops.start()
        facts = {"version": __version__, "service": f"{self._service.namespace}/{self._service.name}"}
        logger.info("watching", extra={"facts": facts | {"apis": [api.group_version for api in self._options.apis]}})
        watches = self._watches(asyncio.get_running_loop())
        async with contextlib.AsyncExitStack() as ends, asyncio.TaskGroup() as tasks:
            ends.push_async_callback(self._ops.stop)
            ends.push_async_callback(self._front.stop)
            ends.callback(self._end, watches)
            for watch in watches:
                watch.start()
            running = [tasks.create_task(self._sweep.run()), tasks.create_task(self._keeper.run(_wall))]
            if self._valuer is not None:
                running.append(tasks.create_task(self._valuer.run()))
            await self._leaving.wait()
            logger.info("asked to go")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LEAVES_AFTER if self._front.serves else 0):
                    await self._hurrying.wait()
            for task in running:
                task.cancel()
        logger.info("gone")

    def leave(self) -> None:
        """Go soon; told once more, at once."""
        (self._hurrying if self._leaving.is_set() else self._leaving).set()

    def _source(self) -> Source:
        chosen = self._options.certificate
        if isinstance(chosen, Files):
            return FileSource(chosen.certificate, chosen.key)
        return SelfMade(self._server.ask, self._service, chosen)

    def _watches(self, loop: asyncio.AbstractEventLoop) -> list[Watch]:
        """What they tell comes from their threads."""
        selector = {"labelSelector": self._options.selector} if self._options.selector else {}
        pods = Watch(
            self._server,
            "/api/v1/pods",
            selector,
            random.random,
            on_all=lambda items: loop.call_soon_threadsafe(self._see_all, [pod for pod in map(pod_of, items) if pod]),
            on_change=lambda kind, item: loop.call_soon_threadsafe(self._see, kind, pod_of(item), item["metadata"]),
            on_trouble=logger.warning,
        )
        proxy = Watch(
            self._server,
            "/api/v1/namespaces/kube-system/configmaps",
            {"fieldSelector": f"metadata.name={CONFIG_MAP}"},
            random.random,
            on_all=lambda items: self._learn(loop, next(iter(items), None)),
            on_change=lambda kind, item: self._learn(loop, None if kind == GONE else item),
            on_trouble=logger.warning,
        )
        return [pods, proxy, *self._watched_autoscalers(loop)]

    def _watched_autoscalers(self, loop: asyncio.AbstractEventLoop) -> Iterator[Watch]:
        if self._valuer is None:
            return
        known = self._valuer.autoscalers
        yield Watch(
            self._server,
            autoscalers.PATH,
            {},
            random.random,
            on_all=lambda items: loop.call_soon_threadsafe(known.replace, [*map(autoscalers.waiting, items)]),
            on_change=lambda kind, item: loop.call_soon_threadsafe(
                known.put, item["metadata"], None if kind == GONE else autoscalers.waiting(item)
            ),
            on_trouble=logger.warning,
        )

    def _end(self, watches: Sequence[Watch]) -> None:
        """The threads get a moment: what they still hold is given back in good order."""
        for watch in watches:
            watch.stop()
        self._server.close()
        for watch in watches:
            watch.ended(THREADS_END_WITHIN)

    def _see_all(self, pods: Sequence[Pod]) -> None:
        self._fleet.replace(pods)
        self._rounds.keep({pod.uid for pod in pods})
        now = asyncio.get_running_loop().time()
        for pod in pods:
            self._rounds.put(pod, now)
        self._sweep.changed()

    def _see(self, kind: str, pod: Pod | None, metadata: Any) -> None:
        if pod is None or kind == GONE:
            self._fleet.remove(str(metadata.get("namespace")), str(metadata.get("name")))
            self._rounds.remove(str(metadata.get("uid")))
        else:
            self._fleet.put(pod)
            self._rounds.put(pod, asyncio.get_running_loop().time())
            self._sweep.changed()

    def _learn(self, loop: asyncio.AbstractEventLoop, config_map: Any) -> None:
        asyncio.run_coroutine_threadsafe(self._trust(config_map), loop)

    async def _trust(self, config_map: Any) -> None:
        """What the ConfigMap says from now on; where it says nothing, what it said before."""
        try:
            proxy = front_proxy(config_map)
            if proxy != self._proxy:
                await self._front.trust(proxy)
                logger.info(
                    "the API server's client certificate is known", extra={"facts": {"names": [*proxy.allowed]}}
                )
                self._proxy = proxy
        except (ValueError, ssl.SSLError) as error:
            logger.warning("the ConfigMap kube-system/%s cannot be used: %s", CONFIG_MAP, error)

    def _unready(self) -> list[str]:
        """Why the API server should not ask here."""
        # A moment's truth once is enough: pods come and go, and each is unasked at first.
        self._is_through = self._is_through or (self._fleet.is_known and not self._rounds.unasked)
        claims = self._keeper.claims.values()
        nobody_asks = all(claim.owner in (Owner.OTHERS, Owner.UNKNOWN) for claim in claims)
        reasons = {
            "the pods are not known yet": not self._fleet.is_known,
            "not all pods were asked once": not self._is_through,
            "there is no certificate to show yet": self._keeper.shown is None,
            f"the ConfigMap kube-system/{CONFIG_MAP} is not known yet": self._proxy is None,
            **{claim.said: nobody_asks for claim in claims},
            "it goes": self._leaving.is_set(),
        }
        return [reason for reason, holds in reasons.items() if holds]

    def _figures(self) -> Figures:
        now = asyncio.get_running_loop().time()
        shown = self._keeper.shown
        return Figures(
            pods=len(self._fleet),
            fresh=sum(1 for pod in self._fleet if self._fleet.reading(pod, now)),
            questions=self._sweep.answers,
            codes=self._front.codes,
            decisions=self._authorizer.decisions,
            owners={api.service_name: claim.owner for api, claim in self._keeper.claims.items()},
            waiting=len(self._valuer.autoscalers.waiting) if self._valuer else None,
            costs=self._valuer.writes if self._valuer else {},
            expires_at=shown.expires_at.timestamp() if shown else None,
        )


def _told(claim: Claim) -> None:
    (logger.info if claim.owner is Owner.OURS else logger.warning)(claim.said)


def _wall() -> dt.datetime:
    """Certificates end by the time of day."""
    return dt.datetime.now(dt.UTC)  # noqa: TID251
