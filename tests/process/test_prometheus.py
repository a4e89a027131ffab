"""A real Prometheus reads what the agent serves."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.process.conftest import Pod
from tests.process.harness import Child
from tests.process.kubelet import get
from tests.process.waiting import UNIT, until

needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None, reason="needs the program prometheus (Debian: prometheus)"
)
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs the program promtool (Debian: prometheus)"
)


RULES = Path(__file__).parents[2] / "chart" / "files" / "rules.yaml"
PLAIN = {"Connection": "close", "Accept-Encoding": "identity"}


def query(port: int, expression: str) -> list[Any]:
    """The instant vector; empty while Prometheus is not ready."""
    try:
        answer = get(port, f"/api/v1/query?query={expression}", headers=PLAIN)
    except ConnectionRefusedError:
        return []
    if answer.status != 200:
        return []
    vector: list[Any] = answer.json()["data"]["result"]
    return vector


def rules(port: int) -> list[Any]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=20) as answer:
        groups = json.load(answer)["data"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


@needs_prometheus
def test_prometheus_scrapes_the_agent_and_answers_a_query(pod: Pod, tmp_path: Path) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)
    app.clients(3)
    agent.counts(3)
    port = pod.reserve().port
    job = {"job_name": "drainer", "static_configs": [{"targets": [f"127.0.0.1:{agent.port}"]}]}
    settings = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "scrape_configs": [job],
        "rule_files": [str(RULES)],
    }
    configuration = tmp_path / "prometheus.json"
    configuration.write_text(json.dumps(settings))
    prometheus = Child(
        [
            "prometheus",
            f"--config.file={configuration}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
    )
    try:
        (series,) = until(lambda: query(port, "drainer_connections"), bool)
        assert series["metric"]["port"] == str(app.port)
        assert series["value"][1] == "3"
        (up,) = query(port, "up")
        assert up["value"][1] == "1"
        app.all_leave()
        until(lambda: query(port, "drainer_connections")[0]["value"][1], "0".__eq__)
        (closed,) = query(port, "drainer_connections_closed_total")
        assert closed["value"][1] == "3"
        healths = until(lambda: {rule["health"] for rule in rules(port)}, lambda healths: "unknown" not in healths)
        assert healths == {"ok"}
        prometheus.terminate()
        assert prometheus.exit_code() == 0
    finally:
        prometheus.close()


@needs_promtool
@pytest.mark.parametrize("drained", [False, True], ids=["at-first", "after-a-drain"])
def test_promtool_has_nothing_to_say_about_the_metrics(pod: Pod, *, drained: bool) -> None:
    agent = pod.agent(pod.bare_app().port)
    if drained:
        assert agent.hook().answer().json()["outcome"] == "drained"
    done = subprocess.run(
        ["promtool", "check", "metrics"],
        input=agent.get("/metrics").text,
        capture_output=True,
        text=True,
        timeout=30 * UNIT,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_series_is_there_from_the_first_scrape_on(pod: Pod) -> None:
    app = pod.bare_app()
    agent = pod.agent(app.port)

    def series() -> set[str]:
        lines = agent.get("/metrics").text.splitlines()
        return {line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")}

    first = series()
    assert f'drainer_connections{{port="{app.port}"}}' in first
    app.clients(2)
    agent.counts(2)
    hook = agent.hook()
    agent.drains()
    app.all_leave()
    assert hook.answer().json()["outcome"] == "drained"
    assert agent.resume().status == 200
    assert series() == first
