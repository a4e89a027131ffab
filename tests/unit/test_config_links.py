"""Variables that Kubernetes makes for the Services of the namespace (pkg/kubelet/envvars/envvars.go)."""

from __future__ import annotations

import pytest

from drainer.config import Config

LINKS = {
    "DRAINER_DEMO_SERVICE_HOST": "10.96.0.7",
    "DRAINER_DEMO_SERVICE_PORT": "80",
    "DRAINER_DEMO_SERVICE_PORT_HTTP": "80",
    "DRAINER_DEMO_PORT": "tcp://10.96.0.7:80",
    "DRAINER_DEMO_PORT_80_TCP": "tcp://10.96.0.7:80",
    "DRAINER_DEMO_PORT_80_TCP_PROTO": "tcp",
    "DRAINER_DEMO_PORT_80_TCP_PORT": "80",
    "DRAINER_DEMO_PORT_80_TCP_ADDR": "10.96.0.7",
    "DRAINER_DNS_PORT": "udp://10.96.0.8:53",
    "DRAINER_DNS_PORT_53_UDP_PROTO": "udp",
    "DRAINER_SIGNAL_PORT_3868_SCTP_ADDR": "10.96.0.9",
}


@pytest.mark.parametrize("name", LINKS)
def test_a_variable_of_a_service_whose_name_begins_like_ours_is_no_warning(name: str) -> None:
    assert Config.from_env({"DRAINER_APP_PORTS": "8080", name: LINKS[name]}).warnings == ()


@pytest.mark.parametrize("name", ["DRAINER_DEMO_PORT", "DRAINER_SETLE", "DRAINER_PORT_80", "DRAINER_SERVICE_PORTAL"])
def test_what_only_looks_like_one_is_still_a_warning(name: str) -> None:
    [warning] = Config.from_env({"DRAINER_APP_PORTS": "8080", **LINKS, name: "80"}).warnings
    assert warning.startswith(f"{name} is not a setting and has no effect; the nearest is DRAINER_")
