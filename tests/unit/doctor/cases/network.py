"""Services, meshes, TLS."""

from __future__ import annotations

from drainer.keys import SERVING
from tests.unit.doctor.pods import (
    DRAIN,
    HIDDEN,
    Edits,
    annotate,
    app,
    beside,
    closing,
    env,
    init,
    label,
    no_token,
    service,
    with_api,
    with_label,
)

ISTIO = annotate("sidecar.istio.io/inject", "true")
EXCLUDED = "traffic.sidecar.istio.io/excludeInboundPorts"
LINKERD = annotate("linkerd.io/inject", "enabled")


BAD: dict[str, list[Edits]] = {
    "port-exposed": [
        (service([{"port": 80, "targetPort": 8080}, {"port": 9808}], type="NodePort"),),
        (service([{"port": 80, "targetPort": "drainer"}], type="LoadBalancer"),),
        (service([{"port": 80, "targetPort": "9808"}], externalIPs=["192.0.2.1"]),),
    ],
    "local-readiness-now": [
        (service([{"port": 8080}], type="LoadBalancer", externalTrafficPolicy="Local"),),
        (
            service([{"port": 8080}], type="NodePort", externalTrafficPolicy="Local"),
            with_api,
            env("DRAINER_READINESS", "now"),
        ),
    ],
    "publish-not-ready": [(service([{"port": 8080}], publishNotReadyAddresses=True),)],
    "istio-port": [
        (ISTIO,),
        (label("sidecar.istio.io/inject", "true"),),
        (label("istio.io/rev", "default"), annotate(EXCLUDED, "15090,8080")),
        (ISTIO, annotate(EXCLUDED, "9000-9100, x")),
        (ISTIO, annotate("traffic.sidecar.istio.io/includeInboundPorts", "8080,9808")),
        (beside("istio-proxy", lifecycle={"preStop": DRAIN}),),
    ],
    "istio-rewrite": [(ISTIO, annotate(EXCLUDED, "9808"), no_token)],
    "linkerd-port": [
        (LINKERD,),
        (LINKERD, annotate("config.linkerd.io/skip-inbound-ports", "25,9809-9900")),
        (init("linkerd-proxy", 1, restartPolicy="Always"),),
    ],
    "mesh-proxy": [
        (beside("istio-proxy"), annotate(EXCLUDED, "9808")),
        (beside("linkerd-proxy"), annotate("config.linkerd.io/skip-inbound-ports", "9808")),
        (beside("kuma-sidecar"),),
    ],
    "websocket-tls": [
        (closing("websocket,shutdown"), app("ports 0 name", "https"), env("DRAINER_WEBSOCKET_PORTS", "8080")),
        (closing("websocket,shutdown"), app("readinessProbe httpGet", {"port": 8080, "scheme": "HTTPS"})),
        (closing("websocket"), app("ports 0 containerPort", 8443), env("DRAINER_APP_PORTS", "8443")),
    ],
    "websocket-proxy": [
        (closing("websocket,shutdown"), app("image", "docker.io/library/nginx:1.29@sha256:0")),
        (closing("websocket,shutdown"), app("image", "envoy")),
    ],
}
WELL: dict[str, list[Edits]] = {
    "port-exposed": [
        (service([{"port": 80, "targetPort": 8080}], type="NodePort"),),
        (service([{"port": 9808}]),),
        (service([{"port": 9808}], {"app": "other"}, type="NodePort"),),
        (service([{"port": 9808}], {}, type="NodePort"),),
        (service([{"port": 9808, "targetPort": "http"}], type="NodePort"),),
    ],
    "local-readiness-now": [
        (service([{"port": 8080}], externalTrafficPolicy="Local"), with_api),
        (service([{"port": 8080}], externalTrafficPolicy="Local"), env("DRAINER_READINESS", "after")),
        (service([{"port": 8080}], externalTrafficPolicy="Local"), env("DRAINER_READINESS", source=HIDDEN)),
        (service([{"port": 8080}], externalTrafficPolicy="Cluster"),),
    ],
    "publish-not-ready": [
        (
            with_label,
            service([{"port": 8080}], {SERVING: "true"}, publishNotReadyAddresses=True),
        )
    ],
    "istio-port": [
        (ISTIO, annotate(EXCLUDED, "15090, 9808")),
        (ISTIO, annotate(EXCLUDED, "9800-9900")),
        (ISTIO, annotate("traffic.sidecar.istio.io/includeInboundPorts", "8080")),
        (label("sidecar.istio.io/inject", "false"),),
    ],
    "istio-rewrite": [
        (ISTIO,),
        (ISTIO, no_token, annotate("sidecar.istio.io/rewriteAppHTTPProbers", "false")),
    ],
    "linkerd-port": [
        (LINKERD, annotate("config.linkerd.io/skip-inbound-ports", "9808")),
        (annotate("linkerd.io/inject", "disabled"),),
    ],
    "mesh-proxy": [
        (init("istio-proxy", 1, restartPolicy="Always"),),
        (beside("istio-proxy", lifecycle={"preStop": DRAIN}),),
    ],
    "websocket-tls": [
        (closing("shutdown"), app("ports 0 name", "https")),
        (closing("websocket,shutdown"), app("ports 1", {"name": "https", "containerPort": 8443})),
        (closing("websocket,shutdown"), app("ports 0 name", "http")),
    ],
    "websocket-proxy": [(app("image", "nginx"),), (closing("websocket,shutdown"), beside("nginx", image="nginx"))],
}
