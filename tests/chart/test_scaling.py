"""Scaling on connections: what is rendered, and what its queries give in Prometheus."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.chart import helm
from tests.chart.helm import CHART, yaml

needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="needs the program promtool (Debian: prometheus)"
)
RULE = yaml.safe_load((CHART / "files" / "prometheus-adapter.yaml").read_text())["rules"]["custom"][0]
DEPLOYMENT = ("chat-c7bc8b8d-5fvph", "chat-c7bc8b8d-hnr22", "chat-6d9f7c9d4f-kxlrr")
SERVING = """
drainer_connections_serving{{namespace="{namespace}",pod="{pod}",port="{port}"}}
"""


def scaling(method: str, **values: Any) -> dict[str, Any]:
    return {"scaling": {"method": method, "target": {"name": "chat"}, **values}}


def trigger(kind: str = "Deployment") -> Any:
    target = {"target": {"name": "chat", "kind": kind}}
    (found,) = helm.one(helm.objects(scaling("keda-prometheus", **target)), "ScaledObject")["spec"]["triggers"]
    return found


def evaluates(tmp_path: Path, query: str, series: dict[str, float], samples: list[dict[str, Any]]) -> None:
    """The query gives these samples (`labels`, `value`)."""
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": f"{value:g}x5"} for name, value in series.items()],
        "promql_expr_test": [{"expr": query, "eval_time": "2m", "exp_samples": samples}],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    done = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def serving(pod: str, port: int = 8080, namespace: str = helm.NAMESPACE) -> str:
    return SERVING.strip().format(namespace=namespace, pod=pod, port=port)


@needs_promtool
@pytest.mark.parametrize(
    ("kind", "pods", "others"),
    [
        ("Deployment", DEPLOYMENT, ("chat-worker-c7bc8b8d-5fvph", "chat-0", "my-chat-c7bc8b8d-5fvph", "chat-9k2lx")),
        ("StatefulSet", ("chat-0", "chat-12"), ("chat-db-0", "chat-c7bc8b8d-5fvph")),
        ("ReplicaSet", ("chat-9k2lx", "chat-bcdfg"), ("chat-0", "chat-db-9k2lx", "chat-c7bc8b8d-5fvph")),
    ],
)
def test_keda_sums_the_serving_connections_of_this_workload(
    kind: str, pods: tuple[str, ...], others: tuple[str, ...], tmp_path: Path
) -> None:
    series = {serving(pod): 10.0**at for at, pod in enumerate(pods)}
    series |= {serving(pods[0], 9000): 5000, serving(pods[0], namespace="other"): 70000}
    series |= {serving(pod): 900000 for pod in others}
    total = sum(10.0**at for at in range(len(pods))) + 5000
    evaluates(tmp_path, trigger(kind)["metadata"]["query"], series, [{"labels": "{}", "value": total}])


@needs_promtool
def test_keda_gets_no_answer_where_there_is_none(tmp_path: Path) -> None:
    """And not 0, with which it would take pods away: `ignoreNullValues` makes it an error."""
    assert trigger()["metadata"]["ignoreNullValues"] == "false"
    evaluates(tmp_path, trigger()["metadata"]["query"], {serving("other-0"): 1}, [])


@needs_promtool
def test_prometheus_adapter_gets_a_number_for_each_pod(tmp_path: Path) -> None:
    query = RULE["metricsQuery"]
    for name, text in (
        ("<<.Series>>", "drainer_connections"),
        ("<<.LabelMatchers>>", 'namespace="chat",pod=~"a|b"'),
        ("<<.GroupBy>>", "pod"),
    ):
        query = query.replace(name, text)
    names = [("a", 8080), ("a", 9000), ("b", 8080), ("c", 8080)]
    series = {
        f'drainer_connections{{namespace="chat",pod="{pod}",port="{port}"}}': 10.0**at
        for at, (pod, port) in enumerate(names)
    }
    samples = [{"labels": '{pod="a"}', "value": 11}, {"labels": '{pod="b"}', "value": 100}]
    evaluates(tmp_path, query, series, samples)
    evaluates(tmp_path, f"count({RULE['seriesQuery']})", series, [{"labels": "{}", "value": 4}])


@pytest.mark.parametrize(
    ("method", "metric"), [("adapter", "connections"), ("prometheus-adapter", "drainer_connections")]
)
def test_the_hpa_is_of_type_pods(method: str, metric: str) -> None:
    spec = helm.one(helm.objects(scaling(method)), "HorizontalPodAutoscaler")["spec"]
    target = {"type": "AverageValue", "averageValue": "500"}
    assert spec["metrics"] == [{"type": "Pods", "pods": {"metric": {"name": metric}, "target": target}}]
    assert RULE["name"]["as"] == "drainer_connections"


def test_keda_finds_the_agents_port_in_the_slices_of_the_service() -> None:
    """It takes the pods and the port from there, and falls to port 80 where the port is not."""
    values = scaling("keda-metrics-api", podLabels={"app": "chat"}) | {"sidecar": {"settings": {"port": 9900}}}
    objects = helm.objects(values)
    service, scaled = helm.one(objects, "Service"), helm.one(objects, "ScaledObject")
    (found,) = scaled["spec"]["triggers"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert found["metadata"]["url"] == f"http://{name}.{namespace}.svc:9900/status"
    assert service["spec"] == {
        "clusterIP": "None",
        "publishNotReadyAddresses": True,
        "selector": {"app": "chat"},
        "ports": [{"name": "agent", "port": 9900}],
    }


@pytest.mark.parametrize(
    ("values", "mistake"),
    [
        (scaling("adapter", target={"name": ""}), "scaling.target.name is empty"),
        (scaling("keda-metrics-api"), "scaling.podLabels is empty"),
        (scaling("adapter", minReplicas=3, maxReplicas=2), "scaling.maxReplicas 2 is less than scaling.minReplicas 3"),
        (scaling("keda-prometheus", minReplicas=0), "at '/scaling/minReplicas'"),
        (scaling("vpa"), "at '/scaling/method'"),
        (scaling("adapter", connectionsPerPod=0), "at '/scaling/connectionsPerPod'"),
        (scaling("keda-prometheus", keda={"serverAddress": "prometheus"}), "at '/scaling/keda/serverAddress'"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], mistake: str) -> None:
    with pytest.raises(helm.helm.HelmError) as raised:
        helm.texts(values)
    assert mistake in str(raised.value)
