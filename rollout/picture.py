"""The picture: reconnects per second over time, one panel for each strategy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from rollout.accounts import bins
from rollout.run import Rollout
from rollout.strategies import STRATEGIES

# Okabe and Ito's palette: told apart with any colour vision. Each panel has its title too.
COLOURS = dict(zip(STRATEGIES, ("#D55E00", "#E69F00", "#CC79A7", "#0072B2", "#009E73", "#56B4E9"), strict=True))
WIDTH, PANEL = 10.0, 1.45
"""Inches."""


def draw(path: Path, rollouts: Sequence[Rollout], clients: int) -> None:
    """A PNG. All panels have the same axes, so that heights can be compared; peaks are written beside."""
    mpl.rcParams["font.size"] = 10
    figure = Figure(figsize=(WIDTH, PANEL * len(rollouts) + 1.1), layout="constrained", facecolor="white")
    axes = figure.subplots(len(rollouts), sharex=True, sharey=True, squeeze=False)[:, 0]
    end = max(rollout.stops[-1].gone_at - rollout.began_at for rollout in rollouts) + 3
    highest = max(rollout.account.peak for rollout in rollouts)
    for axis, rollout in zip(axes, rollouts, strict=True):
        for stop, moments in zip(rollout.stops, rollout.account.returns, strict=True):
            axis.axvspan(stop.began_at - rollout.began_at, stop.gone_at - rollout.began_at, color="#EEEEEE", lw=0)
            if moments:
                heights = bins(moments)
                seconds = [moments[0] - rollout.began_at + second for second in range(len(heights))]
                axis.bar(seconds, heights, width=1.0, align="edge", color=COLOURS[rollout.strategy.name])
        sums = rollout.account
        axis.set_title(f"{rollout.strategy.name}: {rollout.strategy.words}", loc="left", fontsize=10, fontweight="bold")
        figures = f"peak {sums.peak:,}/s,  {sums.abnormal:,} of {sums.closings:,} closed without a word (1006)"
        axis.set_title(figures, loc="right", fontsize=10)
        axis.set_ylim(0, highest * 1.05)
        axis.set_xlim(0, end)
        axis.spines[["top", "right"]].set_visible(False)
    first = rollouts[0]
    axes[-1].set_xlabel("seconds from the first stop; grey: a replica is being stopped")
    figure.supylabel("reconnects per second", fontsize=10)
    figure.suptitle(
        f"A rolling restart: 3 replicas of a {first.server} app behind {first.balancer.program}, {clients:,} clients, "
        f"grace period {first.times.grace:g} s",
        fontsize=11,
    )
    figure.savefig(path, dpi=110)
