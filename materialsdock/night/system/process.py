"""Processes that cannot outlive their parent, locks that name their holder, and lines between."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from materialsdock.errors import Refused
from materialsdock.night.system.heartbeats import Beat, alive

PR_SET_PDEATHSIG = 1
ORPHAN = 3  # exit status of a child whose parent was gone before it began
END_S = 10.0
DEAF_S = 30.0  # until a child must have taken up what it was sent
LAST_WORDS_S = 1.0  # for reading what a child had said when it died
PROBED_S = 0.2  # a lock that somebody only looks at is free again within it
SILENT_S = 20.0  # longer than a loop of the daemon or guard may stand still
GIVES_WAY = 500  # of 1000, how gladly the kernel ends a process when memory runs out
Message = dict[str, Any]


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent ends, however that ends.

    Call it first of all, in the main thread.  Where the kernel cannot do that (not Linux), the end
    of standard input does it.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent_pid:  # it ended before we asked
        os._exit(ORPHAN)


def gives_way() -> None:
    """Have the kernel end this process before others when memory runs out (Linux)."""
    wish = Path("/proc/self/oom_score_adj")
    if wish.is_file() and int(wish.read_text()) < GIVES_WAY:
        wish.write_text(str(GIVES_WAY))


class Lock:
    """An exclusive lock on a file as long as this process lives; the file names the holder."""

    def __init__(self, path: Path, *, wait_s: float = 0.0) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + max(wait_s, PROBED_S)
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() < deadline:
                    time.sleep(0.01)
                    continue
                holder = os.read(self._file, 32).decode().strip() or "unknown"
                os.close(self._file)
                raise Refused(
                    f"process {holder} has it locked",
                    where=str(path),
                    remedy="one night has one daemon, one worker and one guard; end that one first",
                ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another have it."""
        os.close(self._file)


def holder(path: Path) -> int | None:
    """The process that holds the lock at `path` now; None when nobody does."""
    try:
        probe = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    try:
        # shared: two who look at once must not take each other for its holder
        fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        words = os.read(probe, 32).decode().strip()
        return int(words) if words.isdigit() else None
    finally:
        os.close(probe)
    return None


def end_holder(path: Path, word: str) -> int | None:
    """Kill what still holds the lock at `path`, when its command line has `word` in it; its pid.

    For orphans of a daemon that was killed: there must never be two drivers.
    """
    pid = holder(path)
    if pid is None or pid == os.getpid() or word not in _command_line(pid):
        return None
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + END_S
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return pid


def runs(pid: int, word: str) -> bool:
    """Return True if a process has `word` in its command line: numbers of processes are used again.

    Where nobody can say (no /proc), True.
    """
    return word in _command_line(pid) or not Path("/proc/self").exists()


def _command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def death(who: str, status: int) -> dict[str, Any]:
    """Describe the end of a child as a fault of the infrastructure."""
    how = f"signal {-status}" if status < 0 else f"status {status}"
    return {"class": "infrastructure", "message": f"the {who} ended with {how}", "where": ""}


class Child:
    """A Python module run as a child, with JSON lines to its stdin and from its answers.

    What it prints goes to `log`; answers come over a descriptor of their own.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.module = module
        read_end, write_end = os.pipe()
        command = [sys.executable, "-m", module, "--parent", str(os.getpid())]
        command += ["--answers", str(write_end), *arguments]
        with log.open("ab") as kept:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=kept,
                stderr=kept,
                pass_fds=(write_end,),
                start_new_session=True,  # Ctrl-C is for the parent, who ends it in order
                env={**os.environ, **(environment or {})},
            )
        os.close(write_end)
        self._answers: queue.SimpleQueue[Message] = queue.SimpleQueue()
        listen = threading.Thread(target=self._listen, args=(os.fdopen(read_end),), daemon=True)
        self._listening = listen
        listen.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def _listen(self, answers: TextIO) -> None:
        with answers:
            for line in answers:
                with contextlib.suppress(json.JSONDecodeError):  # torn by a kill: never acted on
                    self._answers.put(json.loads(line))

    def send(self, message: Mapping[str, Any]) -> bool:
        """Write a line; False if it could not be written."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(dict(message)).encode() + b"\n")
            self._process.stdin.flush()
        except (BrokenPipeError, ValueError):
            return False
        return True

    def received(self) -> list[Message]:
        """All answers that have come since the last call; all there will be, once it has ended."""
        if self.ended() is not None:
            self._listening.join(LAST_WORDS_S)
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._answers.get_nowait())
        return found

    def ended(self) -> int | None:
        """Its exit status, or None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it now, whatever it does, and what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def end(self, limit_s: float = END_S) -> None:
        """Ask it to end, then make it."""
        self.send({"do": "end"})
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()


def deaf(child: Child, beat: Beat | None, asked: float) -> bool:
    """Return True if a child does not take up what it was sent at `asked` (monotonic clock [s])."""
    if beat is None or beat.pid != child.pid or beat.phase != "idle":
        return False
    return time.monotonic() - max(asked, beat.progress) > DEAF_S


class Line:
    """The child's side: messages from stdin in a queue, answers to the parent's descriptor."""

    def __init__(self, answers: int) -> None:
        self._out = os.fdopen(answers, "w", buffering=1)
        self._lock = threading.Lock()
        self.inbox: queue.SimpleQueue[Message] = queue.SimpleQueue()

    def listen(self) -> None:
        """Read stdin until it closes, which means: end."""
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        for line in sys.stdin:
            self.inbox.put(json.loads(line))
        self.inbox.put({"do": "end"})

    def say(self, said: str, **more: Any) -> None:
        """Send one answer."""
        with self._lock, contextlib.suppress(BrokenPipeError):
            self._out.write(json.dumps({"said": said, **more}) + "\n")
            self._out.flush()
