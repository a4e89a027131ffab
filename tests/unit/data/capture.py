"""Makes captures.json: real answers of a kernel, and what the sockets themselves say of the same moment.

`python -m tests.unit.data.capture` (Linux, no privilege). The ports and cookies are new ones each time; the tests
compare the bytes with what `getsockopt` said beside them, so any run of it will do.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("captures.json")

SOCK_DIAG, SO_COOKIE, GETSOCK, BY_FAMILY, DUMP = 4, 57, 18, 20, 0x301
ESTABLISHED, LISTEN = 1, 10
WITH_INFO = 1 << 1
IDLE = 0.3
AT_LEAST_PORT, AT_MOST_PORT = 2, 3


def cookie(sock: socket.socket) -> int:
    return int(struct.unpack("=Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0])


def request(kind: int, family: int, protocol: int, ext: int, states: int, code: bytes) -> bytes:
    body = struct.pack("=BBBB48xII", family, protocol, 0, ext, states, 0)
    body += struct.pack("=HH", 4 + len(code), 1) + code
    return struct.pack("=IHHII", 16 + len(body), kind, DUMP, 1, 0) + body


def on_port(port: int) -> bytes:
    """Byte-code by hand, so that the captures do not depend on what they test."""
    return struct.pack("=BBHBBHBBHBBH", AT_LEAST_PORT, 8, 20, 0, 0, port, AT_MOST_PORT, 8, 12, 0, 0, port)


@contextmanager
def netlink(groups: int = 0) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, SOCK_DIAG) as diag:
        diag.bind((0, groups))
        diag.settimeout(10)
        yield diag


def answers(message: bytes) -> list[str]:
    """The datagrams of a dump, up to NLMSG_DONE or NLMSG_ERROR, in hex."""
    datagrams = []
    with netlink() as diag:
        diag.send(message)
        while True:
            data = diag.recv(65536)
            datagrams.append(data.hex())
            at = 0
            while at < len(data):
                length, kind = struct.unpack_from("=IH", data, at)
                if kind in (2, 3):
                    return datagrams
                at += length


def truth(sock: socket.socket, state: int) -> dict[str, int]:
    return {"port": sock.getsockname()[1], "cookie": cookie(sock), "state": state}


def connect(stack: ExitStack, server: socket.socket, number: int) -> list[socket.socket]:
    """The server's ends of so many connections."""
    ends = []
    for _ in range(number):
        stack.enter_context(socket.create_connection(server.getsockname()[:2]))
        ends.append(stack.enter_context(server.accept()[0]))
    return ends


def captured(message: bytes, rows: list[dict[str, int]], **more: Any) -> dict[str, Any]:
    return {"datagrams": answers(message), "rows": list(rows), **more}


def main() -> None:
    found: dict[str, Any] = {}
    with ExitStack() as stack:
        v4 = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = v4.getsockname()[1]
        v6 = stack.enter_context(socket.create_server(("::1", port), family=socket.AF_INET6))
        ends = connect(stack, v4, 5)
        alive = [truth(end, ESTABLISHED) for end in ends]
        found["uniform"] = captured(request(GETSOCK, 0, 0, 0, 1 << ESTABLISHED, on_port(port)), alive)

        opened_at = time.monotonic()
        time.sleep(IDLE)
        ends[0].send(b"hello")
        found["info"] = captured(request(GETSOCK, 0, 0, WITH_INFO, 1 << ESTABLISHED, on_port(port)), alive)
        found["info"] |= {
            "talker": alive[0]["cookie"],
            "quiet_at_least": IDLE,
            "quiet_at_most": round(time.monotonic() - opened_at + 1, 3),
        }

        alive += [truth(end, ESTABLISHED) for end in connect(stack, v6, 3)]
        alive += [truth(server, LISTEN) for server in (v4, v6)]
        found["mixed"] = captured(request(GETSOCK, 0, 0, 0, 1 << ESTABLISHED | 1 << LISTEN, on_port(port)), alive)

        ends[0].settimeout(0)
        with suppress(BlockingIOError):
            while True:  # until the window is full: what is beyond it cannot be acknowledged
                ends[0].send(b"x" * 65536)
        found["unsent"] = captured(request(GETSOCK, 0, 0, 0, 1 << ESTABLISHED, on_port(port)), alive[:8])
        found["unsent"]["sender"] = alive[0]["cookie"]

        with netlink(1 << 0 | 1 << 2) as diag:
            gone = truth(ends[1], ESTABLISHED)
            ends[1].close()
            while struct.pack("=Q", gone["cookie"]) not in (data := diag.recv(65536)):
                pass
        found["destroyed"] = {"datagrams": [data.hex()], "rows": [gone]}

    jump_nowhere = struct.pack("=BBH", 1, 4, 400)
    found["error"] = captured(request(GETSOCK, 0, 0, 0, 1 << ESTABLISHED, jump_nowhere), [], errno=22)
    no_such_protocol = request(BY_FAMILY, socket.AF_INET, 253, 0, 1 << ESTABLISHED, on_port(1))
    found["done_with_errno"] = captured(no_such_protocol, [], errno=2)
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
