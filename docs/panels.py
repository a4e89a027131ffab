"""The panels of the dashboard. Every query is of all agents in the chosen namespaces and pods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

SOURCE = {"type": "prometheus", "uid": "${datasource}"}
DRAINING = " and on (namespace, pod) drainer_draining == 1"
REFUSED = ',result!="ok"'
HERE = 'namespace=~"$namespace",pod=~"$pod"'


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture, and what it shows."""

    title: str
    description: str
    queries: Sequence[tuple[str, str]]
    """(PromQL, in which HERE stands for the choice; legend)."""
    unit: str = "short"
    kind: str = "timeseries"
    width: int = 12
    stacked: bool = False

    def json(self, number: int, x: int, y: int) -> dict[str, Any]:
        """For Grafana."""
        custom = {"fillOpacity": 30 if self.stacked else 8, "stacking": {"mode": "normal" if self.stacked else "none"}}
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": SOURCE,
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {
                "defaults": {"unit": self.unit, "min": 0, **({} if self.kind == "stat" else {"custom": custom})},
                "overrides": [],
            },
            "options": _STAT if self.kind == "stat" else _SERIES,
            "targets": [
                {
                    "refId": chr(ord("A") + at),
                    "datasource": SOURCE,
                    "expr": query,
                    "legendFormat": legend,
                    "range": True,
                }
                for at, (query, legend) in enumerate(self.queries)
            ],
        }

    @property
    def height(self) -> int:
        """Rows of the grid."""
        return 4 if self.kind == "stat" else 8


_STAT = {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "area"}
_SERIES = {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}}


def stat(title: str, description: str, query: str, unit: str = "short") -> Panel:
    """One number."""
    return Panel(title, description, [(query, "")], unit, kind="stat", width=4)


def of(metric: str, more: str = "") -> str:
    """Its series in the chosen pods."""
    return f"{metric}{{{HERE}{more}}}"


def rate(metric: str, more: str = "") -> str:
    """Of a counter, per second."""
    return f"rate({of(metric, more)}[$__rate_interval])"


def quantiles(metric: str) -> list[tuple[str, str]]:
    """The median and the slow ones of a histogram."""
    buckets = f"sum by (le) ({rate(f'{metric}_bucket')})"
    return [(f"histogram_quantile({quantile}, {buckets})", f"p{quantile * 100:.0f}") for quantile in (0.5, 0.95)]


ROWS: Sequence[tuple[str, Sequence[Panel]]] = (
    (
        "",
        (
            stat(
                "Connections",
                "Live client connections, those of draining pods too.",
                f"sum({of('drainer_connections')})",
            ),
            stat("Serving pods", "Pods in which no drain runs.", f"count({of('drainer_draining')} == 0) or vector(0)"),
            stat("Draining pods", "Pods from the beginning of a drain on.", f"sum({of('drainer_draining')})"),
            stat(
                "Drained in a day",
                "Drains that ended because everybody had gone. What ends with its pod may not be scraped any more.",
                f'sum(increase(drainer_drains_total{{{HERE},outcome="drained"}}[1d]))',
            ),
            stat(
                "Deadlines in a day",
                "Drains whose time was up with connections left. The Events DrainDeadline tell of all.",
                f'sum(increase(drainer_drains_total{{{HERE},outcome="deadline"}}[1d]))',
            ),
            stat(
                "Age of the oldest census",
                "How old the numbers of the agent are that has not counted for longest.",
                f"max(time() - {of('drainer_census_timestamp_seconds')})",
                "s",
            ),
        ),
    ),
    (
        "Connections",
        (
            Panel(
                "By pod",
                "Live client connections.",
                [(f"sum by (pod) ({of('drainer_connections')})", "{{pod}}")],
                stacked=True,
            ),
            Panel(
                "Coming and leaving",
                "Connections opened and closed, per second. What comes and goes between two censuses is not seen.",
                [
                    (f"sum({rate('drainer_connections_opened_total')})", "opened"),
                    (f"sum({rate('drainer_connections_closed_total')})", "closed"),
                ],
                "cps",
            ),
            Panel(
                "How full",
                "Connections as a part of max_connections; more than 1 above it. Nothing where no limit is set.",
                [(of("drainer_connections_utilization"), "{{pod}}")],
                "percentunit",
            ),
            Panel(
                "Full pods",
                "Pods that ask for no more.",
                [(f"sum by (namespace) ({of('drainer_full')})", "{{namespace}}")],
            ),
            Panel(
                "How long they live",
                "Age of the connections that left, since a census first saw them.",
                quantiles("drainer_connection_age_seconds"),
                "s",
            ),
            Panel(
                "Left out of the count",
                "Sockets on the app's ports that are no live clients, by reason.",
                [(f"sum by (reason) ({of('drainer_connections_excluded')})", "{{reason}}")],
            ),
        ),
    ),
    (
        "Drains",
        (
            Panel(
                "Pods by phase",
                "Where the drains stand.",
                [(f"sum by (phase) ({of('drainer_phase')})", "{{phase}}")],
                stacked=True,
            ),
            Panel(
                "Connections of draining pods",
                "Who is still waited for.",
                [
                    (
                        f"sum by (namespace, pod) ({of('drainer_connections')}){DRAINING}",
                        "{{pod}}",
                    )
                ],
            ),
            Panel(
                "How long drains take", "Of the drains that ended.", quantiles("drainer_drain_duration_seconds"), "s"
            ),
            Panel(
                "Who ended the connections",
                "In drains, per second: the clients themselves, or one of the closers.",
                [(f"sum by (by) ({rate('drainer_drain_departures_total')})", "{{by}}")],
                "cps",
                stacked=True,
            ),
            Panel(
                "What came of closing",
                "Tries to end a connection per second, by closer and verdict.",
                [
                    (
                        f"sum by (closer, verdict) ({rate('drainer_close_attempts_total')}) > 0",
                        "{{closer}}: {{verdict}}",
                    )
                ],
                "cps",
            ),
            Panel(
                "Seconds to the deadline",
                "Of the drains that run.",
                [(f"({of('drainer_drain_deadline_timestamp_seconds')} > 0) - time()", "{{pod}}")],
                "s",
            ),
        ),
    ),
    (
        "The agents",
        (
            Panel(
                "How long a census takes",
                "One walk over the socket table of the node.",
                quantiles("drainer_census_duration_seconds"),
                "s",
            ),
            Panel(
                "Memory",
                "Resident memory of each agent.",
                [(f"{of('process_resident_memory_bytes')} and on (namespace, pod) drainer_draining", "{{pod}}")],
                "bytes",
            ),
            Panel(
                "Processor",
                "Part of a core.",
                [
                    (
                        f"{rate('process_cpu_seconds_total')} and on (namespace, pod) drainer_draining",
                        "{{pod}}",
                    )
                ],
                "percentunit",
            ),
            Panel(
                "Trouble",
                "Censuses that failed, and what the Kubernetes API said no to, per second.",
                [
                    (
                        f"sum by (reason) ({rate('drainer_census_errors_total')}) > 0",
                        "census: {{reason}}",
                    ),
                    (
                        f"sum by (operation, result) ({rate('drainer_kubernetes_requests_total', REFUSED)}) > 0",
                        "API: {{operation}} {{result}}",
                    ),
                ],
                "cps",
            ),
        ),
    ),
)
