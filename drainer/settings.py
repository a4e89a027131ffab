"""The table of settings: one row for each, with its default and the reason for the default.

Everything else that lists settings (--help, docs/settings.md) is made from this table.
"""

from __future__ import annotations

from dataclasses import dataclass

from drainer.keys import SERVING
from drainer.kinds import (
    ADDRESSES,
    AUTO,
    AUTO_LIMIT,
    CIDRS,
    CLOSE,
    CODE,
    CORES,
    COUNT,
    DURATION,
    FIELDS,
    FLAG,
    FOLDER,
    HOST,
    HOST_FIELD,
    LIMIT,
    MEMORY,
    OPTIONAL,
    ORIGIN,
    PATH,
    PORT,
    PORTS,
    POSITIVE,
    RATE,
    REASON,
    SECRET,
    SOME_COUNT,
    SOME_PORT,
    SOME_PORTS,
    SUBPROTOCOLS,
    TARGET_PATH,
    URL,
    Kind,
    choice,
)

PREFIX = "DRAINER_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row: the environment variable is PREFIX + name in capitals, the flag --name with dashes."""

    name: str
    kind: Kind
    default: str | None
    """As it would be written; None where there is no default."""
    help: str
    why: str
    """Why this default."""
    secret: bool = False

    @property
    def env(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `drainer run`."""
        return "--" + self.name.replace("_", "-")


# fmt: off
SETTINGS: tuple[Setting, ...] = (
    Setting("app_ports", PORTS, None, "The app's ports, whose connections are counted.",
            "No port can be guessed: a wrong one would end every drain at once."),
    Setting("host", HOST, "", "The address to listen on.",
            "The kubelet calls the pod's address, never loopback; empty means all, IPv4 and IPv6."),
    Setting("port", PORT, "9808", "The port to listen on.",
            "Needs no privilege; one number for hook, probes and scrapes."),
    Setting("container", choice("native", "plain"), "native",
            "native: an init container with restartPolicy Always, its SIGTERM comes after the app's end. "
            "plain: an ordinary container, its SIGTERM comes at once and begins a drain.",
            "Native sidecars are on since Kubernetes 1.29 and outlive the app by themselves."),
    Setting("grace_period", AUTO, "auto", "The pod's terminationGracePeriodSeconds. auto: what the API says, and 30s "
            "where it is not used.",
            "30s is the default of Kubernetes; a pod that has another one must say so in either way."),
    Setting("app_reserve", DURATION, "5s", "What the app keeps of the grace period for its own SIGTERM.",
            "A hook that uses up the grace period leaves the app 2 s, whatever it needs."),
    Setting("timeout", OPTIONAL, "off", "The longest drain; shortens the time until the deadline, never prolongs it.",
            "The grace period is the user's word already."),
    Setting("settle", DURATION, "5s", "For how long zero connections do not end a drain.",
            "Endpoint changes take 1-3 s to reach every node's proxy, load balancers a little more."),
    Setting("readiness", choice("auto", "now", "after", "never"), "auto",
            "When /readyz goes off: now, after the settle time, or never. auto: after, when the API says that the pod "
            "is being deleted, and otherwise now.",
            "On deletion the endpoint is unready already; in all other cases nobody else takes the pod out."),
    Setting("max_remaining", COUNT, "0", "With so many connections left a drain is over.",
            "Every client counts."),
    Setting("flush", DURATION, "2s", "How long to wait for the last bytes of connections that the app has closed.",
            "A few round trips of a slow client; a dead one must not hold the pod."),
    Setting("close", CLOSE, "", "Who ends the connections that do not leave by themselves: closers, in the order in "
            "which each connection is tried.",
            "Ending somebody's connections is for the user to say, and all but notify need rights."),
    Setting("close_code", CODE, "1012", "The WebSocket code that clients are told.",
            "1012, service restart: come back, but not all at once."),
    Setting("close_reason", REASON, "", "The text beside it.",
            "Few clients show it."),
    Setting("patience", DURATION, "0s", "How long connections have after the settle time to leave by themselves.",
            "A WebSocket does not leave unasked; what is not used for waiting makes the pace gentler."),
    Setting("straggler_time", AUTO, "auto", "The time between the last first try and the deadline.",
            "auto: escalate_after for each closer, and 1 s."),
    Setting("escalate_after", POSITIVE, "2s", "How long after a try the next closer has its turn.",
            "A closing handshake takes a round trip, or a few."),
    Setting("close_rate", RATE, "off", "At most so many connections are closed per second, "
            "unless the deadline needs more.",
            "An even pace over the time that is left is the gentlest there is."),
    Setting("notify_url", URL, "", "Where the app is told to close: on loopback, unless notify_remote.",
            "Every app has its own."),
    Setting("notify_mode", choice("batch", "announce"), "batch",
            "batch: a POST for every step, the agent paces. announce: one POST, the app paces.",
            "The app needs the least code, and the pace follows those who leave."),
    Setting("notify_remote", FLAG, "false", "Whether notify_url may be on another host.",
            "The app is in this pod."),
    Setting("websocket_ports", SOME_PORTS, "", "App ports that serve nothing but plain WebSockets: there no upgrade "
            "needs to be seen.",
            "A stray frame alters a download on the same port, so the agent watches for upgrades (CAP_NET_RAW)."),
    Setting("websocket_unproven", FLAG, "false", "Whether websocket may close where nothing shows that the app is "
            "between two messages (Go, Rust, threads): after 1 s of silence.",
            "Silence is no proof."),
    Setting("ignore_peers", CIDRS, "", "Clients that are not counted.",
            "A proxy on loopback carries real clients, so nobody is ignored unasked."),
    Setting("idle_after", OPTIONAL, "off", "Connections without data for so long do not hold a drain.",
            "A silent WebSocket is somebody's."),
    Setting("min_age", DURATION, "0s", "Connections younger than this are not in the gauges (probes).",
            "An exact count first."),
    Setting("interval", POSITIVE, "1s", "The time between two censuses at rest; stretched so that they cost "
            "at most 0.5 % of a core.",
            "A restarted app is seen within a second, and the walk costs milliseconds."),
    Setting("max_connections", LIMIT, "off", "With so many connections the pod is full: it asks for no more, and "
            "whoever is there stays.",
            "What a pod can carry only its owner knows; drainer_connections shows what it has carried."),
    Setting("resume_below", AUTO_LIMIT, "auto", "With fewer than so many it takes again. auto: nine tenths of "
            "max_connections.",
            "A tenth of room: with less, the first client that leaves would bring the pod back for one more."),
    Setting("max_rate", RATE, "off", "With more new connections per second, on average over 5 s, the pod is full until "
            "it is half of that. The census then runs every 2 s at the least, for up to a tenth of a core.",
            "How fast a pod can take clients only its owner knows."),
    Setting("full", choice("auto", "label", "readiness", "metric"), "auto", "How the pod says that it is full: label "
            f"({SERVING} is false), readiness (/readyz), or only in the metrics. auto: label where serving_label is on "
            "and the API is used, otherwise metric.",
            "A pod that is not ready is the first one that a scale-down deletes, with all its clients: nobody gets "
            "that unasked."),
    Setting("never_last", FLAG, "true", "Whether a pod goes on taking when no other pod of its Services is known to "
            "take, where the API is used and full is said by label or readiness.",
            "A Service without a pod refuses everybody; a pod above its limit is only slower."),
    Setting("health", choice("off", "handshake", "ping", "echo"), "off",
            "What /health asks of the app, on a connection of its own: an opening handshake; with a ping; with a text "
            "that the app sends back.",
            "What an app makes of a visitor only its owner knows."),
    Setting("health_port", SOME_PORT, "", "The app port that is asked; nothing: the lowest of app_ports.",
            "Most apps have one."),
    Setting("health_path", TARGET_PATH, "/", "The path and query of the handshake.",
            "Every app has its own."),
    Setting("health_host", HOST_FIELD, "", "The header Host; nothing: localhost and the port.",
            "The agent asks on loopback."),
    Setting("health_origin", ORIGIN, "", "The header Origin; nothing: none.",
            "Only browsers send it; a server that checks it wants one."),
    Setting("health_subprotocols", SUBPROTOCOLS, "", "The subprotocols that are offered.",
            "Every app has its own."),
    Setting("health_headers", FIELDS, "", "More headers, a line each.",
            "Every app has its own; they are never shown.", secret=True),
    Setting("health_tls", FLAG, "false", "Whether the app speaks TLS on that port; whose certificate it is does not "
            "matter.",
            "In most pods TLS ends before the app; on loopback nobody is in between."),
    Setting("health_interval", POSITIVE, "5s", "For how long the answer of a handshake holds: however many ask, there "
            "is no other one before.",
            "Whoever reaches the port may ask; as often as a probe needs to know."),
    Setting("health_latency", POSITIVE, "800ms", "Within what time the app must have answered, from the first packet "
            "on.",
            "A probe waits 1 s where it does not say timeoutSeconds."),
    Setting("health_misses", SOME_COUNT, "3", "With so many handshakes in a row without an answer /health/live says "
            "no.",
            "A restart cuts everybody: one slow second is no reason."),
    Setting("health_max_connections", LIMIT, "off", "With more connections /health says no.",
            "A pod that is not ready is the first that a scale-down deletes."),
    Setting("health_max_memory", MEMORY, "off", "With more memory of the app /health says no.",
            "As health_max_connections."),
    Setting("health_max_cpu", CORES, "off", "With more cores in use by the app /health says no.",
            "As health_max_connections."),
    Setting("health_max_descriptors", LIMIT, "off", "With more open descriptors in one process of the app /health says "
            "no.",
            "As health_max_connections."),
    Setting("usage", choice("off", "auto", "processes", "metrics"), "off",
            "Where the app's memory and CPU are read: processes (with shareProcessNamespace), metrics (metrics.k8s.io, "
            "where the API is used), or auto: the first of them that is to be had.",
            "It loads psutil, and metrics.k8s.io is one right more."),
    Setting("usage_interval", POSITIVE, "15s", "The time between two readings of them.",
            "metrics-server has no newer ones."),
    Setting("callers", choice("known", "all"), "known",
            "Whose /drain has an effect: known (token, node, trusted sources) or all.",
            "Any pod of the cluster can reach the port."),
    Setting("trusted_sources", CIDRS, "", "Networks whose calls have an effect.",
            "The node is learned from its probes."),
    Setting("node_ip", ADDRESSES, "", "The node's addresses: status.hostIPs by the downward API.",
            "Only the pod spec can tell."),
    Setting("token", SECRET, "", "Who sends it as X-Drainer-Token is trusted, and nobody else.",
            "A token is yours to make; it is the only thing that keeps an impostor in the cluster out.", secret=True),
    Setting("token_file", PATH, "", "A file with the token.",
            "For tokens that come from a mounted Secret."),
    Setting("kubernetes", choice("auto", "on", "off"), "auto",
            "Whether to ask the API about the own pod while it drains. auto: if there is a service account, and "
            "POD_NAME, POD_NAMESPACE and POD_UID are set.",
            "Whoever sets these three asks for it; everybody else gets an agent that needs no rights."),
    Setting("restart_timeout", POSITIVE, "30s", "The longest drain when the API says that the pod is not being "
            "deleted: its app is restarted, or the node ends it.",
            "Every second of it is one in which a hung app is not back yet."),
    Setting("serving_label", FLAG, "false", f"Whether the pod's label {SERVING} follows the drain, for "
            "Services that select on it.",
            "It needs the right to patch pods/status; the only way out of a Service when the kubelet evicts."),
    Setting("readiness_gate", FLAG, "false", f"Whether the pod has the readiness gate {SERVING}: then its "
            "condition is set from the start.",
            "With it a pod is not ready until the API was reached once."),
    Setting("condition", FLAG, "true", f"Whether the pod's condition {SERVING} tells of drains, where the "
            "API is used.",
            "What happened stands where people look."),
    Setting("events", FLAG, "true", "Whether Events tell of drains, where the API is used.",
            "They outlive the pod."),
    Setting("deletion_cost", FLAG, "false", "Whether the pod's annotation controller.kubernetes.io/pod-deletion-cost "
            "follows the number of its connections, so that a ReplicaSet deletes the emptiest pod first.",
            "It writes to the API at rest, if rarely: at most once a minute, and only when the number has about "
            "doubled or halved."),
    Setting("service_account", FOLDER, "/var/run/secrets/kubernetes.io/serviceaccount",
            "The folder with the API's token, ca.crt and namespace.",
            "Where the kubelet mounts it."),
    Setting("page", FLAG, "true", "Whether / is a page to look at, live. It can change nothing, and tells "
            "strangers nothing that /status does not.",
            "Whoever wants to see a drain cannot switch it on any more; until then it costs some 150 KiB."),
    Setting("log_level", choice("debug", "info", "warning", "error"), "info", "The least that is logged.",
            "A drain is a handful of lines; at rest there are none."),
    Setting("log_format", choice("json", "text"), "json", "How a line is written.",
            "What log collectors read without being told how."),
)
# fmt: on

BY_NAME = {setting.name: setting for setting in SETTINGS}
