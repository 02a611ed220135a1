"""Processes that need not import first: forked from one that has imported what they need.

A measurement imports for 8 s of CPU.  Where a test needs a process (to be killed, to be sent a
signal, to end with a code) but not its imports, it takes one from here: `Nursery.start`.
"""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Self

from support.places import ROOT, TESTS

from materialsdock.learning.gp import kalman

MEASURING = ("bluesky.plans", "ophyd", "materialsdock.campaign.run")
COMMANDS = (
    *MEASURING,
    "databroker.v1",
    "starlette.testclient",
    "tiled.server.app",
    "materialsdock.cli.measure_command",
)


class LazyLayer:
    """ophyd's control layer, chosen when the first signal is made, as it is where ophyd is not
    imported before: libca reads the environment when it is loaded.
    """

    def __getattr__(self, name: str) -> Any:
        import ophyd

        ophyd.set_cl("pyepics")
        return getattr(ophyd.cl, name)


class Child:
    """A process of the nursery, as subprocess.Popen shows one: pid, stderr, returncode."""

    def __init__(self, answers: Any, stdout: Any, stderr: Any) -> None:
        self._answers, self._stdout, self.stderr = answers, stdout, stderr
        self.pid, self.returncode = int(answers.readline()), None

    def send_signal(self, number: int) -> None:
        """Send it a signal; it has not been waited for, so the process id is its own."""
        assert self.returncode is None
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end: its exit code, or minus the signal that ended it."""
        if self.returncode is None:
            self.returncode = int(self._answers.readline())
        return self.returncode

    def communicate(self) -> tuple[str, str]:
        """What it wrote to stdout, and the rest of what it wrote to stderr, when it has ended."""
        with self.stderr, self._stdout:
            complaints = self.stderr.read()
            self.wait()
            self._stdout.seek(0)
            return self._stdout.read(), complaints


class Nursery:
    """The process that has imported `modules` already; one child at a time."""

    def __init__(self, modules: Iterable[str]) -> None:
        self._modules = tuple(modules)

    def __enter__(self) -> Self:
        self._ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "support.nursery", str(theirs.fileno()), *self._modules],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{TESTS}"},
        )
        theirs.close()
        self._answers = self._ours.makefile()
        return self

    def __exit__(self, *_: object) -> None:
        self._answers.close()
        self._ours.close()
        self._process.wait()

    def start(self, target: str, *words: object, cwd: object = ROOT, env: Any = None) -> Child:
        """Call "module:function" with words (strings) in a process of its own."""
        stdout = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `communicate`
        heard, stderr = os.pipe()
        asked = [target, [str(word) for word in words], str(cwd), dict(env or os.environ)]
        fds = [stdout.fileno(), stderr]
        message = json.dumps(asked).encode()
        socket.send_fds(self._ours, [len(message).to_bytes(4)], fds)
        self._ours.sendall(message)
        os.close(stderr)
        return Child(self._answers, stdout, os.fdopen(heard))

    def command(self, *words: object, cwd: object, env: Any = None) -> Child:
        """`materialsdock WORDS` in a process of its own."""
        return self.start("support.nursery:materialsdock", *words, cwd=cwd, env=env)


def materialsdock(*words: str) -> None:
    """The command line, as `python -m materialsdock`."""
    from materialsdock.cli.main import main

    sys.argv = ["materialsdock", *words]
    main()


def _import(modules: Sequence[str]) -> None:
    """Import what a measurement needs, without Channel Access, which cannot be forked."""
    os.environ["OPHYD_CONTROL_LAYER"] = "dummy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in modules:
            importlib.import_module(module)
    del os.environ["OPHYD_CONTROL_LAYER"]
    kalman.warm_up()


def _born(target: str, words: list[str], cwd: str, env: dict[str, str], fds: list[int]) -> None:
    """In the child: be as a process that was just started, and do what is asked."""
    import ophyd

    for number, fd in enumerate(fds, start=1):
        os.dup2(fd, number)
        os.close(fd)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    # a shell that runs the tests in the background has them ignore SIGINT, their children too
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ophyd.cl = LazyLayer()
    pkgutil.resolve_name(target)(*words)


def _serve(connection: socket.socket, modules: Sequence[str]) -> None:
    """Fork a child for every call that is asked for, and say its process id and exit code."""
    _import(modules)
    while True:
        size, fds, _, _ = socket.recv_fds(connection, 4, 2)
        if not size:
            return connection.close()
        asked = connection.recv(int.from_bytes(size), socket.MSG_WAITALL)
        child = os.fork()
        if not child:
            connection.close()
            return _born(*json.loads(asked), fds)
        for fd in fds:
            os.close(fd)
        connection.sendall(f"{child}\n".encode())
        _, status = os.waitpid(child, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
