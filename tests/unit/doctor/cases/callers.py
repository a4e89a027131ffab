"""Tokens and addresses."""

from __future__ import annotations

from tests.unit.doctor.pods import (
    GET,
    HIDDEN,
    Edits,
    app,
    env,
    no_token,
    side,
)

BAD: dict[str, list[Edits]] = {
    "hook-token-missing": [
        (app(f"{GET} httpHeaders"),),
        (app(f"{GET} httpHeaders"), env("DRAINER_TOKEN", source=HIDDEN)),
        (app(f"{GET} httpHeaders", [{"name": "X-Other", "value": "s3cret"}]),),
        (app(f"{GET} httpHeaders"), env("DRAINER_TOKEN"), env("DRAINER_TOKEN_FILE", "/token")),
    ],
    "hook-token-wrong": [
        (env("DRAINER_TOKEN", "other"),),
        (app(f"{GET} httpHeaders 0 value", "$(DRAINER_TOKEN)"),),
        (
            app(f"{GET} httpHeaders 0 value", "$(TOKEN)"),
            env("DRAINER_TOKEN"),
            env("DRAINER_TOKEN_FILE", "/token"),
        ),
    ],
    "hook-token-unneeded": [(env("DRAINER_TOKEN"),)],
    "node-unknown": [(no_token, env("DRAINER_NODE_IP"))],
    "no-token": [(no_token,)],
}
WELL: dict[str, list[Edits]] = {
    "hook-token-missing": [(no_token,), (app(f"{GET} httpHeaders 0 name", "x-drainer-token"),)],
    "hook-token-wrong": [(env("DRAINER_TOKEN", source=HIDDEN),), (no_token,)],
    "hook-token-unneeded": [
        (env("DRAINER_TOKEN", source=HIDDEN),),
        (env("DRAINER_TOKEN"), env("DRAINER_TOKEN_FILE", "/token")),
        (env("DRAINER_TOKEN"), side("envFrom", [{"secretRef": {"name": "x"}}])),
    ],
    "node-unknown": [
        (env("DRAINER_NODE_IP"),),
        (no_token, env("DRAINER_NODE_IP"), env("DRAINER_CALLERS", "all")),
        (no_token, env("DRAINER_NODE_IP"), env("DRAINER_TRUSTED_SOURCES", "10.0.0.0/8")),
        (no_token, env("DRAINER_NODE_IP"), side("envFrom", [{"configMapRef": {"name": "x"}}])),
    ],
    "no-token": [(no_token, env("DRAINER_CLOSE"), env("DRAINER_NOTIFY_URL"))],
}
