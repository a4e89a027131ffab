"""Writes chart/dashboards/drainer.json, the dashboard for Grafana. `--check` only compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from panels import ROWS, SOURCE

FILE = Path(__file__).parent.parent / "chart" / "dashboards" / "drainer.json"
UID = "drainer-connections"
WIDTH = 24
"""Columns of Grafana's grid."""


def variable(name: str, metric: str) -> dict[str, Any]:
    """A choice of several, all at first."""
    query = f"label_values({metric}, {name})"
    return {
        "name": name, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
        "definition": query, "includeAll": True, "allValue": ".*", "multi": True, "refresh": 2, "sort": 1,
        "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def dashboard() -> dict[str, Any]:
    """The whole, as Grafana imports it."""
    panels: list[dict[str, Any]] = []
    y = 0
    for title, row in ROWS:
        if title:
            panels.append(
                {"id": len(panels) + 1, "type": "row", "title": title, "collapsed": False, "panels": [],
                 "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}}
            )  # fmt: skip
            y += 1
        x = 0
        for panel in row:
            if x + panel.width > WIDTH:
                x, y = 0, y + panel.height
            panels.append(panel.json(len(panels) + 1, x, y))
            x += panel.width
        y += row[-1].height
    return {
        "uid": UID,
        "title": "drainer: long-lived connections",
        "description": "Connections, and how they end when pods go.",
        "tags": ["drainer", "kubernetes", "websocket"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "type": "datasource",
                    "query": "prometheus",
                    "label": "Data source",
                    "current": {},
                },
                variable("namespace", "drainer_draining"),
                variable("pod", 'drainer_draining{namespace=~"$namespace"}'),
            ]
        },
        "panels": panels,
    }


def main(arguments: Sequence[str]) -> int:
    """0 if the file was as it should be, or now is."""
    text = json.dumps(dashboard(), indent=2, ensure_ascii=False) + "\n"
    if arguments == ["--check"]:
        return int(not FILE.exists() or FILE.read_text() != text)
    FILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
