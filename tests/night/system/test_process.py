"""Children that cannot outlive their parent, and locks that nobody can share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from materialsdock.errors import Refused
from materialsdock.night.system.heartbeats import alive
from materialsdock.night.system.process import Child, Lock, end_holder, holder

CHILD = """
import argparse, os, subprocess, sys, time
from materialsdock.night.system.process import Line, die_with
options = argparse.ArgumentParser()
for name in ("--parent", "--answers"):
    options.add_argument(name, type=int)
options.add_argument("rest", nargs="*")
given = options.parse_args()
die_with(given.parent)
line = Line(given.answers)
line.listen()
print("a line for the log")
line.say("ready", pid=os.getpid(), rest=given.rest, word=os.environ.get("WORD"))
while True:
    message = line.inbox.get()
    if message["do"] == "end":
        sys.exit(7)
    if message["do"] == "echo":
        line.say("echo", of=message["of"])
    if message["do"] == "torn":
        os.write(given.answers, b'{"said": "hal')
        os.kill(os.getpid(), 9)
    if message["do"] == "start":
        own = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
        line.say("started", pid=own.pid)
    if message["do"] == "be deaf":
        line.say("deaf")
        time.sleep(100)
"""
PARENT = """
import sys, time
from pathlib import Path
from materialsdock.night.system.process import Child
child = Child("night_child", (), Path(sys.argv[1]))
child.send({"do": "be deaf"})
while not any(m["said"] == "deaf" for m in child.received()):
    time.sleep(0.01)
print(child.pid, flush=True)
time.sleep(100)
"""
HOLDER = """
import sys, time
from pathlib import Path
from materialsdock.night.system.process import Lock
lock = Lock(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(100)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run" / "daemon.lock"


@pytest.fixture
def modules(tmp_path):
    (tmp_path / "night_child.py").write_text(CHILD)
    return {"PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}


@pytest.fixture
def child(tmp_path, modules):
    made = Child("night_child", ["a", "b"], tmp_path / "log", {**modules, "WORD": "w"})
    yield made
    made.kill()
    made._process.stdin.close()


def answer(child, said, limit_s=20.0):
    """The first answer of that kind."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        for message in child.received():
            if message["said"] == said:
                return message
        time.sleep(0.01)
    pytest.fail(f"no {said!r} within {limit_s} s")


def gone(pid, limit_s):
    """Seconds until a process is gone."""
    began = time.monotonic()
    while alive(pid):
        if time.monotonic() - began > limit_s:
            pytest.fail(f"{pid} is still alive after {limit_s} s")
        time.sleep(0.005)
    return time.monotonic() - began


@pytest.fixture
def locked(path):
    """A process that holds the lock at `path`."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "locked\n"
    yield process
    process.kill()
    process.communicate()


def test_messages_go_and_answers_come(child, tmp_path):
    ready = answer(child, "ready")
    assert ready == {"said": "ready", "pid": child.pid, "rest": ["a", "b"], "word": "w"}
    for i in range(50):
        assert child.send({"do": "echo", "of": [i, "ö"]})
    deadline, found = time.monotonic() + 20, []
    while len(found) < 50 and time.monotonic() < deadline:
        found += child.received()
        time.sleep(0.005)
    assert [m["of"] for m in found] == [[i, "ö"] for i in range(50)]
    assert child.ended() is None
    child.end()
    assert child.ended() == 7
    assert "a line for the log" in (tmp_path / "log").read_text()
    assert not child.send({"do": "echo"})


def test_a_torn_answer_is_not_acted_on(child):
    answer(child, "ready")
    child.send({"do": "torn"})
    gone_by = time.monotonic() + 10
    while child.ended() is None and time.monotonic() < gone_by:
        time.sleep(0.01)
    assert child.ended() == -signal.SIGKILL
    time.sleep(0.1)
    assert child.received() == []


def test_one_that_does_not_listen_is_ended_all_the_same(child):
    answer(child, "ready")
    child.send({"do": "be deaf"})
    answer(child, "deaf")
    began = time.monotonic()
    child.end(0.2)
    assert time.monotonic() - began < 5.0
    assert child.ended() == -signal.SIGKILL


def test_what_a_child_started_dies_with_it(child):
    answer(child, "ready")
    child.send({"do": "start"})
    own = answer(child, "started")["pid"]
    assert alive(own)
    child.kill()
    gone(own, 5.0)


def test_a_child_dies_within_a_second_of_its_parent(tmp_path, modules):
    (tmp_path / "night_child.py").write_text(CHILD)
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path / "log")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **modules},
    )
    pid = int(parent.stdout.readline())
    assert alive(pid)
    os.kill(parent.pid, signal.SIGKILL)
    assert gone(pid, 5.0) < 1.0
    parent.communicate()


def test_a_child_whose_parent_was_gone_before_it_began_ends(tmp_path, modules):
    read_end, write_end = os.pipe()
    done = subprocess.run(
        [sys.executable, "-m", "night_child", "--parent", "1", "--answers", str(write_end)],
        pass_fds=(write_end,),
        env={**os.environ, **modules},
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )
    os.close(write_end)
    assert done.returncode == 3
    assert os.read(read_end, 10) == b""
    os.close(read_end)


def test_a_lock_is_of_one_process_and_names_it(path, locked):
    assert holder(path) == locked.pid
    with pytest.raises(Refused, match=f"process {locked.pid} has it locked"):
        Lock(path)
    assert holder(path) == locked.pid


def test_a_lock_is_free_when_its_holder_is_killed(path, locked):
    os.kill(locked.pid, signal.SIGKILL)
    locked.wait()
    assert holder(path) is None
    mine = Lock(path)
    assert holder(path) == os.getpid()
    mine.release()
    assert holder(path) is None


def test_who_may_wait_for_a_lock_gets_it_then(path, locked):
    threading.Timer(0.4, locked.kill).start()
    began = time.monotonic()
    Lock(path, wait_s=20.0).release()
    assert 0.3 < time.monotonic() - began < 10.0


def test_there_is_none_to_hold(tmp_path):
    assert holder(tmp_path / "none.lock") is None
    assert end_holder(tmp_path / "none.lock", "x") is None


def test_looking_at_a_lock_never_keeps_anybody_from_it(path):
    Lock(path).release()
    done, seen = threading.Event(), set()

    def look():
        while not done.is_set():
            seen.add(holder(path))
            time.sleep(0.002)

    lookers = [threading.Thread(target=look) for _ in range(2)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(30):
            Lock(path).release()
    finally:
        done.set()
        for looker in lookers:
            looker.join()
    assert seen <= {None, os.getpid()}


def test_an_orphan_that_holds_the_lock_is_ended(path, locked):
    assert end_holder(path, "a word that it does not have") is None
    assert alive(locked.pid)
    assert end_holder(path, "materialsdock") == locked.pid
    assert not alive(locked.pid)
    Lock(path).release()
    assert end_holder(path, "materialsdock") is None


def test_it_does_not_end_itself(path):
    mine = Lock(path)
    assert end_holder(path, "py") is None
    mine.release()


def test_a_lock_is_not_inherited(path):
    mine = Lock(path)
    program = "import time; print('running', flush=True); time.sleep(100)"
    other = subprocess.Popen(
        [sys.executable, "-c", program], close_fds=False, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline() == "running\n"
        mine.release()
        assert holder(path) is None
    finally:
        other.kill()
        other.communicate()


def test_an_analysis_gives_way_when_memory_runs_out():
    words = "from materialsdock.night.system.process import gives_way; gives_way(); gives_way()"
    read = "print(open('/proc/self/oom_score_adj').read())"
    done = subprocess.run(
        [sys.executable, "-c", f"{words}; {read}"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "500", done.stderr
