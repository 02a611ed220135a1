"""A network between two ends of TCP that can be slow, cut, or say that it was cut."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator

HERE = "127.0.0.2"  # another address of this machine, so that the port can be the same
PART = 4096
SEARCH, HEADER = 6, struct.Struct(">HHHHII")  # of Channel Access
SENDER = 0xFFFFFFFF  # "at the address from which this answer came"
AT_ONCE = struct.pack("ii", 1, 0)  # linger: close with a reset


def from_here(datagram: bytes) -> bytes:
    """Answers to searches that name the sender as the server, whoever it was before."""
    found, at = bytearray(datagram), 0
    while at + HEADER.size <= len(found):
        command, size, port, count, _, channel = HEADER.unpack_from(found, at)
        if command == SEARCH and size == 8:
            HEADER.pack_into(found, at, command, size, port, count, SENDER, channel)
        at += HEADER.size + size
    return bytes(found)


class Proxy:
    """Carries what comes to HERE:port on to 127.0.0.1:port, and back: searches and circuits.

    delay_s : of every part, either way; bytes_s : at most, each way of each connection, 0 for no
    limit; `cut` holds everything back until `heal`
    """

    def __init__(self, port: int) -> None:
        self.delay_s = self.bytes_s = 0.0
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._server = socket.create_server((HERE, port))
        self._searches = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._searches.bind((HERE, port))
        self._seekers: dict[tuple[str, int], socket.socket] = {}
        for work in (self._accept, self._search):
            threading.Thread(target=work, daemon=True).start()

    def cut(self) -> None:
        """Let nothing pass, and let nobody notice."""
        self._whole.clear()

    def heal(self) -> None:
        """Let through what was held back, and all that follows."""
        self._whole.set()

    def reset(self) -> None:
        """End every connection with RST."""
        ends, self._ends = self._ends, []
        for end in ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            _end(end)

    def close(self) -> None:
        """No more of it."""
        self.heal()
        for each in (self._server, self._searches, *self._seekers.values()):
            _end(each)
        self.reset()

    def _search(self) -> None:
        while True:
            try:
                datagram, seeker = self._searches.recvfrom(65536)
            except OSError:
                return
            if not self._whole.is_set():
                continue
            if seeker not in self._seekers:
                on = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                on.bind(("127.0.0.1", 0))
                self._seekers[seeker] = on
                threading.Thread(target=self._answer, args=(on, seeker), daemon=True).start()
            self._seekers[seeker].sendto(datagram, ("127.0.0.1", self._port))

    def _answer(self, on: socket.socket, seeker: tuple[str, int]) -> None:
        with contextlib.suppress(OSError):
            while answer := on.recv(65536):
                if self._whole.is_set():
                    self._searches.sendto(from_here(answer), seeker)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._port))
            except OSError:  # the IOC is gone: so is the connection
                client.close()
                continue
            self._ends += [client, server]
            for pair in ((client, server), (server, client)):
                pair[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        parts: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        ends = (parts, source, sink)
        threading.Thread(target=self._deliver, args=ends, daemon=True).start()
        with contextlib.suppress(OSError):
            while part := source.recv(PART):
                parts.put((time.monotonic() + self.delay_s, part))
        parts.put((0.0, b""))

    def _deliver(
        self,
        parts: queue.SimpleQueue[tuple[float, bytes]],
        source: socket.socket,
        sink: socket.socket,
    ) -> None:
        with contextlib.suppress(OSError):
            while (found := parts.get())[1]:
                due, part = found
                time.sleep(max(0.0, due - time.monotonic()))
                time.sleep(len(part) / self.bytes_s if self.bytes_s else 0.0)
                self._whole.wait()
                sink.sendall(part)
        for end in (source, sink):
            _end(end)


def _end(end: socket.socket) -> None:
    """Close it also for who waits for it in another thread."""
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()


@contextlib.contextmanager
def proxy(port: int) -> Iterator[Proxy]:
    """A proxy while the context lasts."""
    made = Proxy(port)
    try:
        yield made
    finally:
        made.close()
