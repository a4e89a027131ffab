"""A real Chromium without a window, driven over its DevTools protocol (https://chromedevtools.github.io/devtools-protocol)."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest
from websockets.sync.client import connect

from tests.process.waiting import PATIENCE, until

_PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(_PROGRAM is None, reason="needs Chromium (Debian: chromium) or Google Chrome")

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
    "--no-proxy-server", "--remote-debugging-port=0",
)  # fmt: skip


class Chromium:
    """A browser with a profile of its own. Use it as a context; all tabs end with it."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - `__exit__` closes it
        command = [_PROGRAM or "chromium", *_FLAGS, f"--user-data-dir={self._folder.name}", "about:blank"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=self._said)
        self._tabs: list[Tab] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close_tabs()
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._said.close()
        self._folder.cleanup()

    def tab(self, url: str, *, width: int = 1100, height: int = 900, **emulated: Any) -> Tab:
        """A page of this size that has loaded; `emulated` are media features, like `prefers_color_scheme="dark"`."""
        request = urllib.request.Request(f"http://127.0.0.1:{self._port()}/json/new?about:blank", method="PUT")
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            tab = Tab(json.load(answer)["webSocketDebuggerUrl"])
        self._tabs.append(tab)
        tab.size(width, height)
        tab.emulate(**emulated)
        tab.go(url)
        return tab

    def close_tabs(self) -> None:
        while self._tabs:
            self._tabs.pop().close()

    def _port(self) -> int:
        file = Path(self._folder.name, "DevToolsActivePort")
        until(lambda: (file.exists() and file.read_text(), self._process.poll()), lambda seen: bool(seen[0]))
        return int(file.read_text().split()[0])


class Tab:
    """One page."""

    def __init__(self, url: str) -> None:
        self._open = ExitStack()
        self._socket = self._open.enter_context(connect(url, max_size=None, ping_interval=None, proxy=None))
        self._calls = 0
        self._events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        """A command of the protocol -> its result."""
        self._calls += 1
        self._socket.send(json.dumps({"id": self._calls, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(PATIENCE))
            if message.get("id") == self._calls:
                assert "error" not in message, message
                return message["result"]
            self._events.append(message)

    def go(self, url: str) -> None:
        failed = self.call("Page.navigate", url=url).get("errorText")
        assert failed is None, failed
        self.until("document.readyState === 'complete'")

    def size(self, width: int, height: int) -> None:
        """In CSS pixels; a page of 500 or less is a phone's."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width <= 500
        )

    def emulate(self, **media: str) -> None:
        features = [{"name": name.replace("_", "-"), "value": value} for name, value in media.items()]
        self.call("Emulation.setEmulatedMedia", features=features)

    def evaluate(self, expression: str) -> Any:
        """What this JavaScript comes to; a promise is awaited."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def until(self, expression: str) -> Any:
        """Wait until it is true, or something like it."""
        return until(lambda: self.evaluate(expression), bool)

    def text(self, element: str) -> str:
        """Of the element with this id."""
        return str(self.evaluate(f"document.getElementById({element!r}).innerText"))

    def complaints(self) -> list[str]:
        """What stands in the console: exceptions, refusals of the policy, requests that failed."""
        self.evaluate("0")
        said = []
        for event in self._events:
            parameters = event.get("params", {})
            if event.get("method") == "Log.entryAdded":
                said.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
            elif event.get("method") in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
                said.append(json.dumps(parameters))
        return said

    def requests(self) -> list[str]:
        """The URLs of all requests so far."""
        self.evaluate("0")
        return [
            event["params"]["request"]["url"]
            for event in self._events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """A PNG of the page."""
        self.show()
        taken = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **self._clip(whole))
        path.write_bytes(base64.b64decode(taken["data"]))

    def _clip(self, whole: bool) -> dict[str, Any]:  # noqa: FBT001 - as above
        if not whole:
            return {}
        width, height = self.evaluate("[innerWidth, Math.ceil(document.body.scrollHeight)]")
        return {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}}

    def show(self) -> None:
        """Before all other tabs, which are hidden then."""
        self.call("Page.bringToFront")

    def body_text(self) -> str:
        """What stands on the page, found without a script."""
        root = self.call("DOM.getDocument", depth=-1)["root"]
        return " ".join(" ".join(texts(root)).split())

    def close(self) -> None:
        self.call("Page.close")
        self._open.close()


def texts(node: dict[str, Any]) -> Iterator[str]:
    """The text of a node of the document and of those below it."""
    if node["nodeName"] == "#text":
        yield node["nodeValue"]
    for child in node.get("children", ()):
        yield from texts(child)
