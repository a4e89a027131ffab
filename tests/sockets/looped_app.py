"""A server with one loop that does what its standard input says: for connections at every stage of a message.

Usage: looped_app.py MODE HOST. It prints its port, then a line for each order that it has carried out.
MODE: level, edge, oneshot (how the connections stand in its epoll), none (in no epoll), deaf (nobody accepts).
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import time

FLAGS = {"level": 0, "edge": select.EPOLLET, "oneshot": select.EPOLLONESHOT}
BUFFER = 1 << 16


class App:
    def __init__(self, mode: str, host: str) -> None:
        self._mode = mode
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        self._epoll = select.epoll()
        if mode != "deaf":
            self._epoll.register(self._listener, select.EPOLLIN)
        self._epoll.register(sys.stdin, select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._rest: dict[int, bytes] = {}
        self._pairs: list[socket.socket] = []
        self._say(self._listener.getsockname()[1])

    def run(self) -> None:
        while True:
            for number, events in self._epoll.poll():
                if number == self._listener.fileno():
                    self._accept()
                elif number == sys.stdin.fileno():
                    order, *arguments = sys.stdin.readline().split()
                    getattr(self, order)(*map(float, arguments))
                    self._say("done")
                elif events & select.EPOLLOUT:
                    self._flush(number)
                elif not self._received(number):
                    self._epoll.unregister(number)
                    self._clients.pop(number).close()

    def write(self, size: float) -> None:
        """What does not go at once, as soon as it does: the epoll is told."""
        for number in self._clients:
            self._rest[number] = b"x" * int(size)
            self._flush(number)

    def dally(self, size: float, seconds: float) -> None:
        """The same, but the epoll is told so much later: the loop has other work in between."""
        for number, client in self._clients.items():
            self._rest[number] = b"x" * int(size)
            self._send(number, client)
        self._say("sent")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            pass
        for number in self._clients:
            self._flush(number)

    def replace(self) -> None:
        """Each descriptor becomes another socket's: a pair of the app's own, whose far end tells what it got."""
        for number, client in self._clients.items():
            here, there = socket.socketpair()
            client.detach()
            os.dup2(here.detach(), number)
            self._clients[number] = socket.socket(fileno=number)
            self._pairs.append(there)

    def tell(self) -> None:
        """How many bytes came out of those pairs."""
        for there in self._pairs:
            there.settimeout(0)
            with contextlib.suppress(BlockingIOError):
                self._say(len(there.recv(BUFFER)))

    def close(self) -> None:
        for number, client in self._clients.items():
            if self._mode != "none":
                self._epoll.unregister(number)
            client.close()
        self._clients.clear()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.settimeout(0)
        self._clients[client.fileno()] = client
        if self._mode != "none":
            self._epoll.register(client, select.EPOLLIN | FLAGS[self._mode])

    def _received(self, number: int) -> bool:
        with contextlib.suppress(BlockingIOError):
            try:
                return bool(self._clients[number].recv(BUFFER))
            except ConnectionResetError:
                return False
        return True

    def _flush(self, number: int) -> None:
        self._send(number, self._clients[number])
        self._epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if self._rest[number] else 0) | FLAGS[self._mode])

    def _send(self, number: int, client: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._rest[number]:
                self._rest[number] = self._rest[number][client.send(self._rest[number]) :]

    def _say(self, what: object) -> None:
        sys.stdout.write(f"{what}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    App(sys.argv[1], sys.argv[2]).run()
