"""Where the API is, and what opens it: the service account as the kubelet mounts it."""

from __future__ import annotations

import ssl
from pathlib import Path


class Access:
    """Token and CA are read again as they change: the kubelet renews a token when 80 % of its life are over."""

    def __init__(self, server: tuple[str, int], folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._context: ssl.SSLContext | None = None
        self._context_of = -1

    def url(self, path: str) -> str:
        """The address of a resource."""
        host, port = self._server
        return f"https://{f'[{host}]' if ':' in host else host}:{port}{path}"

    def headers(self) -> dict[str, str]:
        """The token of now. Raises OSError if there is none."""
        return {"Authorization": f"Bearer {(self._folder / 'token').read_text(encoding='ascii').strip()}"}

    def context(self) -> ssl.SSLContext:
        """TLS that trusts the mounted CA and nobody else. Raises OSError (ssl.SSLError is one) if it cannot be read."""
        path = self._folder / "ca.crt"
        changed_at = path.stat().st_mtime_ns
        if self._context is None or changed_at != self._context_of:
            self._context = ssl.create_default_context(cafile=path)
            self._context_of = changed_at
        return self._context
