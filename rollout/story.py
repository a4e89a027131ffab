"""All rollouts that were asked for, one after the other, and what there is to tell of them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.report import machine, render
from rollout import report
from rollout.balancers import Balancer
from rollout.processes import RolloutError
from rollout.run import Rollout, roll
from rollout.servers import Server
from rollout.strategies import Strategy, Times


class Story:
    """Raises RolloutError when something cannot be had on this machine, before anything is started."""

    def __init__(
        self,
        servers: Sequence[Server],
        balancers: Sequence[type[Balancer]],
        strategies: Sequence[Strategy],
        clients: int,
        grace: float,
        lag: float,
    ) -> None:
        self._plan = [
            (balancer, server, strategy)
            for balancer, server, strategy in itertools.product(balancers, servers, strategies)
            if server.knows_notify or not strategy.notifies
        ]
        self._clients = clients
        self._times = Times(grace, lag)
        self._rollouts: list[Rollout] = []

    async def play(self) -> None:
        if not self._plan:
            raise RolloutError("Nothing to do: the apps on these servers have no endpoint that could be notified.")
        missing = {
            what for balancer, server, _ in self._plan for what in (balancer.missing(), server.missing()) if what
        }
        if missing:
            raise RolloutError("\n".join(sorted(missing)))
        for balancer, server, strategy in self._plan:
            print(f"{balancer.program}, {server.name}, {strategy.name} ...", end="", file=sys.stderr, flush=True)
            rollout = await roll(server, balancer, strategy, self._times, self._clients)
            print(f" {rollout.stops[-1].gone_at - rollout.began_at:.0f} s", file=sys.stderr)
            self._rollouts.append(rollout)

    def tell(self, *, markdown: bool) -> bool:
        """Print the table and the verdicts; whether all goals are met."""
        print(machine())
        print(render(report.table(self._rollouts, self._clients), markdown=markdown))
        verdicts = [verdict for rollout in self._rollouts if (verdict := report.verdict(rollout))]
        print("\n" + "\n".join(line for _, line in verdicts) if verdicts else "", flush=True)
        return all(good for good, _ in verdicts)

    def write(self, path: Path) -> None:
        """The raw figures."""
        report.write_raw(path, self._rollouts, machine())

    def draw(self, path: Path) -> None:
        """The picture: of the first server and balancer, where there are several."""
        from rollout.picture import draw  # noqa: PLC0415 - a heavy import that only this needs

        first = self._rollouts[0]
        alike = [row for row in self._rollouts if (row.server, row.balancer) == (first.server, first.balancer)]
        draw(path, alike, self._clients)
