"""A network between two ends of TCP that can be slow, cut, or say that it was cut."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

HERE = "127.0.0.2"  # another address of this machine, so that the port can be the same
PART = 4096
AT_ONCE = struct.pack("ii", 1, 0)  # linger: close with a reset


class Proxy:
    """Carries what comes to HERE:port on to 127.0.0.1:port, and back.

    delay_s : of every part, either way; `cut` holds everything back until `heal`
    """

    def __init__(self, port: int) -> None:
        self.delay_s = 0.0
        self._port = port
        self._whole = threading.Event()
        self._whole.set()
        self._ends: list[socket.socket] = []
        self._server = socket.create_server((HERE, port))
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Nothing passes, and nobody is told."""
        self._whole.clear()

    def heal(self) -> None:
        """What was held back passes, and all that follows."""
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
        _end(self._server)
        self.reset()

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
        with contextlib.suppress(OSError):
            while part := source.recv(PART):
                time.sleep(self.delay_s)
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


def clients(port: int) -> dict[str, str]:
    """Environment of Channel Access clients that know no other way than the proxy."""
    return {
        "EPICS_CA_NAME_SERVERS": f"{HERE}:{port}",
        "EPICS_CA_ADDR_LIST": "",
        "EPICS_CA_AUTO_ADDR_LIST": "NO",
        "EPICS_CA_CONN_TMO": "4",
    }
